/* The pieces of JSON text: white space, strings, numbers, any value.
 *
 * White space is what models write: nothing, one space, or a line end with up to 20 spaces or tabs; behind "{", "[", "," and ":"
 * and before "}" and "]". Strings of a given content are spelt in one way (JSON.stringify's), free strings in any. Numbers are
 * short enough to be finite doubles. All functions add to a builder, whose failures stick, and return the state behind.
 *
 *     uint32_t at = json_text_space(&builder, &text, from);
 *     at = json_text_string(&builder, at, "name", 4);
 */
#ifndef GRAMMAR_JSON_TEXT_H
#define GRAMMAR_JSON_TEXT_H

#include "grammar/builder.h"

/* Rules that a document's pieces share. */
struct json_text {
    uint32_t space, character, value, object, array, number, integer, string;
};

void json_text_init(struct json_text *text, struct grammar_builder *builder);
uint32_t json_text_call(struct grammar_builder *builder, uint32_t from, uint32_t rule);
uint32_t json_text_space(struct grammar_builder *builder, const struct json_text *text, uint32_t from);
/* "bytes": valid UTF-8, quotation marks added. */
uint32_t json_text_string(struct grammar_builder *builder, uint32_t from, const char *bytes, size_t n_bytes);
/* One character of a set, as it is spelt within a string. */
uint32_t json_text_code_points(struct grammar_builder *builder, uint32_t from, const struct code_points *points);
/* Any character, spelt in one way. */
uint32_t json_text_plain_character(struct grammar_builder *builder, uint32_t from);

#endif

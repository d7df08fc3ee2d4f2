/* JSON Schema (draft 2020-12 and the older drafts' spellings of the same) compiled to a grammar of the documents that hold.
 *
 * Every document of the grammar is valid; not every valid document is in it: members come in the schema's order, those that are not
 * required may be left out; an object with "properties" has no others unless "additionalProperties" says so; keywords that speak of
 * one type, without "type", imply it; strings of given content are spelt as JSON.stringify does. What cannot be kept is refused with
 * the JSON pointer of the keyword. docs/grammars.md lists what is taken.
 *
 *     TRY(json_schema_compile(&builder, text, n_bytes, &root, error));
 *     TRY(json_schema_any(&builder, &root));          any JSON object or array
 *
 * Each is a rule of the builder, so several, and whatever else is to stand around them, make one grammar.
 */
#ifndef GRAMMAR_JSON_SCHEMA_H
#define GRAMMAR_JSON_SCHEMA_H

#include "grammar/builder.h"

#include <jansson.h>

/* Fails: HOB_BAD_FILE (no JSON, no schema, contradictions), HOB_UNSUPPORTED, HOB_LIMIT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status json_schema_compile(struct grammar_builder *builder, const char *text, size_t n_bytes,
                                              uint32_t *ret_root, hob_error *error);
/* The same of what jansson holds, which is not kept. */
HOB_MUST_CHECK hob_status json_schema_compile_json(struct grammar_builder *builder, json_t *schema, uint32_t *ret_root, hob_error *error);
HOB_MUST_CHECK hob_status json_schema_any(struct grammar_builder *builder, uint32_t *ret_root);

#endif

/* JSON Schema's "pattern": a regular expression of ECMA-262 as characters of a JSON string (without the quotation marks).
 *
 * Taken: literals, ".", classes with ranges and \d \D \w \W \s \S, escapes \t \n \v \f \r \0 \cX \xHH \uHHHH \u{…}, groups (with names or
 * not, they capture nothing), "|", * + ? {m,n} and their lazy forms (the same texts), ^ and $ at the ends of alternatives. As
 * in the schema a pattern may match anywhere, so what is not anchored has any text around it. Refused by name, as they are not
 * regular or not about characters: back references, look-ahead and look-behind, \b, \p.
 * The builder must be flat (grammar_builder.is_flat) where the fragment will be intersected.
 *
 *     TRY(pattern_parse(&builder, "^[a-z]+$", 8, &fragment, error));
 */
#ifndef GRAMMAR_PATTERN_H
#define GRAMMAR_PATTERN_H

#include "grammar/builder.h"

/* Fails: HOB_BAD_FILE, HOB_UNSUPPORTED, HOB_LIMIT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status pattern_parse(struct grammar_builder *builder, const char *text, size_t n_bytes,
                                        struct fragment *ret_fragment, hob_error *error);

#endif

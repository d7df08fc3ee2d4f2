/* Grammars that generated text is held to: llama.cpp's GBNF, or a JSON Schema.
 *
 * A grammar is compiled once and used for any number of generations, of several models too; what it allows at each place is worked
 * out when it is met first and kept, per model, in bounded memory. Immutable to callers: threads may share one. A generation
 * keeps what it needs, so a grammar may be freed while one is under way.
 *
 *     hob_grammar *grammar;
 *     if (hob_grammar_new_json_schema(schema, strlen(schema), &grammar, &error) != HOB_OK) …
 *     hob_generate_options options = {.max_tokens = 500, .grammar = grammar};
 *     hob_grammar_free(grammar);
 */
#ifndef HOB_GRAMMAR_H
#define HOB_GRAMMAR_H

#include "hob/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct hob_grammar hob_grammar;

/* text: GBNF; the rule "root" begins. Fails: HOB_BAD_FILE with line and column, HOB_LIMIT, HOB_NO_MEMORY. */
HOB_API HOB_MUST_CHECK hob_status hob_grammar_new_gbnf(const char *text, size_t n_bytes, hob_grammar **ret_grammar,
                                                       hob_error *error);
/* text: a JSON Schema (docs/grammars.md lists the keywords); no bytes: any JSON object or array.
 * Fails: HOB_BAD_FILE, HOB_UNSUPPORTED (a keyword that cannot be kept, with its JSON pointer), HOB_LIMIT, HOB_NO_MEMORY. */
HOB_API HOB_MUST_CHECK hob_status hob_grammar_new_json_schema(const char *text, size_t n_bytes,
                                                              hob_grammar **ret_grammar, hob_error *error);
/* Whether the text is one of the grammar's. */
HOB_API bool hob_grammar_takes(const hob_grammar *grammar, const char *text, size_t n_bytes);
HOB_API void hob_grammar_free(hob_grammar *grammar); /* takes NULL */

#endif

/* hob complete --score: what a text is worth to a model, token by token. */
#ifndef CLI_SCORE_TEXT_H
#define CLI_SCORE_TEXT_H

#include "cli/output.h"
#include "hob/hob.h"

/* Prints a line a token, "ID<TAB>LOGPROB<TAB>TOKEN", the token as a JSON string, and a last line with the sums; or one JSON object, with
 * the n_top most probable tokens of each place. Returns what the program exits with. */
int score_text(hob_session *session, const hob_tokenizer *tokenizer, const int32_t *ids, size_t n_ids, size_t n_top,
               bool is_json, struct output *output);

#endif

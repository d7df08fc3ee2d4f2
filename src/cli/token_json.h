/* Tokens with their log-probabilities, as --json shows them: {"id", "token", "logprob", "top_logprobs": [{…}, …]}. A maker returns
 * NULL when memory is out, as jansson's do. */
#ifndef CLI_TOKEN_JSON_H
#define CLI_TOKEN_JSON_H

#include "cli/json.h"
#include "hob/generate.h"

/* The text of one token by itself. */
json_t *json_token_text(const hob_tokenizer *tokenizer, int32_t id);
/* top NULL: none were asked for. */
json_t *json_token(const hob_tokenizer *tokenizer, hob_logprob token, const hob_logprob *top, size_t n_top);

#endif

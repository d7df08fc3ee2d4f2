/* Log-probabilities as OpenAI shows them: in chats a list of tokens, in completions lists side by side. */
#ifndef SERVER_ROUTES_OPENAI_LOGPROBS_H
#define SERVER_ROUTES_OPENAI_LOGPROBS_H

#include "server/transcript.h"

#include <jansson.h>

/* {"token", "logprob", "bytes", "top_logprobs": [{"token", "logprob", "bytes"}, …]}; NULL: memory is out. */
json_t *openai_logprob(hob_pieces *pieces, const hob_tokenizer *tokenizer, const struct event *delta);

/* Of a completion: {"tokens", "token_logprobs", "top_logprobs", "text_offset"}. text_offset counts characters of the choice's text, what is
 * echoed included; *offset is where the token begins, and is moved behind it. A token that is a part of a character shows as
 * "bytes:\xe2\x80". NULL: memory is out. */
json_t *openai_completion_logprobs(void);
bool openai_completion_logprobs_add(json_t *logprobs, hob_pieces *pieces, const hob_tokenizer *tokenizer,
                                    const struct event *delta, size_t *offset);

#endif

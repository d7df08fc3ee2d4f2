/* What stands in for a decoder where the file has none: tokens with spaces between them. */
#include "base/error.h"
#include "text/parts.h"

static hob_status push(const void *config, struct detokenizer *detokenizer, size_t stage, const char *text, size_t n_bytes,
                       bool is_token_end, hob_error *error)
{
    (void)config;
    struct stage_state *state = detokenizer_state(detokenizer, stage);
    if (!state->is_inside && state->n_tokens > 0) TRY(detokenizer_next(detokenizer, stage, " ", 1, false, error));
    state->is_inside = !is_token_end;
    state->n_tokens += is_token_end;
    return detokenizer_next(detokenizer, stage, text, n_bytes, is_token_end, error);
}

const struct stage_def stage_join = {.push = push};

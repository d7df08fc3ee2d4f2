/* All tokens become one: for the stages behind, which treat a token's beginning and end specially. */
#include "base/error.h"
#include "text/parts.h"

static hob_status push(const void *config, struct detokenizer *detokenizer, size_t stage, const char *text, size_t n_bytes,
                       bool is_token_end, hob_error *error)
{
    (void)config, (void)is_token_end;
    return detokenizer_next(detokenizer, stage, text, n_bytes, false, error);
}

static hob_status finish(const void *config, struct detokenizer *detokenizer, size_t stage, hob_error *error)
{
    (void)config;
    return detokenizer_next(detokenizer, stage, "", 0, true, error);
}

const struct stage_def stage_fuse = {.names = {"Fuse"}, .push = push, .finish = finish};

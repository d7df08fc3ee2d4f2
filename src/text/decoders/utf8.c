/* Bytes to characters: the first stage behind a GGUF vocabulary, whose tokens are bytes. */
#include "base/error.h"
#include "text/utf8_stream.h"

static hob_status push(const void *config, struct detokenizer *detokenizer, size_t stage, const char *text, size_t n_bytes,
                       bool is_token_end, hob_error *error)
{
    (void)config, (void)is_token_end;
    buffer_append(&detokenizer_state(detokenizer, stage)->held, text, n_bytes);
    return utf8_stream_push(detokenizer, stage, false, error);
}

static hob_status finish(const void *config, struct detokenizer *detokenizer, size_t stage, hob_error *error)
{
    (void)config;
    return utf8_stream_push(detokenizer, stage, true, error);
}

const struct stage_def stage_utf8 = {.push = push, .finish = finish};

/* GPT-2's alphabet back to bytes. A token with a character outside it (an added token) stands for its own bytes. All tokens
 * together are one text, in which what is not UTF-8 becomes U+FFFD. */
#include "base/error.h"
#include "text/parts.h"
#include "text/utf8_stream.h"

static bool is_mapped(const char *text, size_t n_bytes)
{
    for (size_t at = 0, n; at < n_bytes; at += n)
        if (unicode_to_byte(unicode_next(text + at, n_bytes - at, &n)) < 0) return false;
    return true;
}

static hob_status push(const void *config, struct detokenizer *detokenizer, size_t stage, const char *text, size_t n_bytes,
                       bool is_token_end, hob_error *error)
{
    (void)config, (void)is_token_end; /* it is first in every decoder there is: tokens come whole */
    struct buffer *held = &detokenizer_state(detokenizer, stage)->held;
    if (is_mapped(text, n_bytes)) {
        for (size_t at = 0, n; at < n_bytes; at += n)
            buffer_append_byte(held, (unsigned char)unicode_to_byte(unicode_next(text + at, n_bytes - at, &n)));
    } else {
        buffer_append(held, text, n_bytes);
    }
    return utf8_stream_push(detokenizer, stage, false, error);
}

static hob_status finish(const void *config, struct detokenizer *detokenizer, size_t stage, hob_error *error)
{
    (void)config;
    return utf8_stream_push(detokenizer, stage, true, error);
}

const struct stage_def stage_byte_level = {.names = {"ByteLevel"}, .push = push, .finish = finish};

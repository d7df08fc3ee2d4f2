/* Lower case, character by character: a final sigma is not special, as in Rust's char::to_lowercase. */
#include "text/parts.h"

static hob_status apply(const void *config, struct encoding *encoding, const char *text, size_t n_bytes,
                        struct buffer *out, bool *is_first, hob_error *error)
{
    (void)config, (void)encoding, (void)is_first, (void)error;
    for (size_t at = 0, n; at < n_bytes; at += n) unicode_append_lower(out, unicode_decode(text + at, &n));
    return HOB_OK;
}

const struct normalizer_def normalizer_lowercase = {.names = {"Lowercase"}, .apply = apply};

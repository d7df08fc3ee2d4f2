/* Combining marks out. Works on decomposed text: usually behind NFD or NFKD. */
#include "text/parts.h"

static hob_status apply(const void *config, struct encoding *encoding, const char *text, size_t n_bytes,
                        struct buffer *out, bool *is_first, hob_error *error)
{
    (void)config, (void)encoding, (void)error;
    for (size_t at = 0, n; at < n_bytes; at += n) {
        if (unicode_is_mark(unicode_decode(text + at, &n)))
            *is_first = *is_first && out->n_bytes > 0;
        else
            buffer_append(out, text + at, n);
    }
    return HOB_OK;
}

const struct normalizer_def normalizer_strip_accents = {.names = {"StripAccents"}, .apply = apply};

/* The clean-up of Google's NMT: some control characters out, odd white space to a space. */
#include "text/parts.h"

static bool is_dropped(uint32_t c)
{
    return (c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
}

static bool is_space(uint32_t c)
{
    return c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 || (c >= 0x200B && c <= 0x200F) ||
           c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == UNICODE_REPLACEMENT;
}

static hob_status apply(const void *config, struct encoding *encoding, const char *text, size_t n_bytes,
                        struct buffer *out, bool *is_first, hob_error *error)
{
    (void)config, (void)encoding, (void)error;
    for (size_t at = 0, n; at < n_bytes; at += n) {
        uint32_t c = unicode_decode(text + at, &n);
        if (is_dropped(c)) {
            *is_first = *is_first && out->n_bytes > 0;
            continue;
        }
        if (is_space(c))
            buffer_append_byte(out, ' ');
        else
            buffer_append(out, text + at, n);
    }
    return HOB_OK;
}

const struct normalizer_def normalizer_nmt = {.names = {"Nmt"}, .apply = apply};

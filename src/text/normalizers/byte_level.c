/* Each byte becomes its character of GPT-2's alphabet, before any cutting. */
#include "text/parts.h"

static hob_status apply(const void *config, struct encoding *encoding, const char *text, size_t n_bytes,
                        struct buffer *out, bool *is_first, hob_error *error)
{
    (void)config, (void)encoding, (void)is_first, (void)error;
    for (size_t i = 0; i < n_bytes; i++) unicode_append(out, unicode_of_byte((unsigned char)text[i]));
    return HOB_OK;
}

const struct normalizer_def normalizer_byte_level = {.names = {"ByteLevel"}, .apply = apply};

/* SentencePiece's precompiled character map: a double-array trie from byte strings to their replacements. */
#ifndef TEXT_CHARSMAP_H
#define TEXT_CHARSMAP_H

#include "hob/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Points into bytes that outlive it; reading is thread-safe. Layout: 4 bytes with the trie's size, the trie's units of 4 bytes
 * (little-endian), replacements that end in NUL. */
struct charsmap {
    const unsigned char *units;
    size_t n_units;
    const char *replacements;
    size_t n_replacement_bytes; /* the last byte is NUL */
};

/* All of it as one run of bytes, as it was given; NULL for a zeroed one. */
const void *charsmap_bytes(const struct charsmap *charsmap, size_t *ret_n_bytes);
/* Fails: HOB_BAD_FILE. */
HOB_MUST_CHECK hob_status charsmap_init(struct charsmap *charsmap, const void *bytes, size_t n_bytes,
                                        hob_error *error);
/* The replacement for the shortest (is_longest false) or longest prefix of text that has one; NULL: none has.
 * ret_n_bytes: of that prefix. */
const char *charsmap_find(const struct charsmap *charsmap, const char *text, size_t n_bytes, bool is_longest,
                          size_t *ret_n_bytes);

#endif

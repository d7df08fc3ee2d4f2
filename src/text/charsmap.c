/* A unit, from bit 0: 8 bits label, 1 bit "has a leaf", 1 bit "offset counts in 256", 22 bits offset; a leaf unit has bit 31
 * set and its value in the rest (darts-clone, as SentencePiece writes it). */
#include "text/charsmap.h"
#include "base/error.h"
#include "text/unicode.h"

#include <string.h>

static uint32_t read_u32(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

hob_status charsmap_init(struct charsmap *charsmap, const void *bytes, size_t n_bytes, hob_error *error)
{
    const unsigned char *blob = bytes;
    if (n_bytes < 4) FAIL(error, HOB_BAD_FILE, "precompiled charsmap: found %zu bytes, expected at least 4", n_bytes);
    size_t trie_bytes = read_u32(blob);
    if (trie_bytes > n_bytes - 4 || trie_bytes % 4)
        FAIL(error, HOB_BAD_FILE, "precompiled charsmap: found a trie of %zu bytes in a blob of %zu", trie_bytes, n_bytes);
    *charsmap = (struct charsmap){
        .units = blob + 4,
        .n_units = trie_bytes / 4,
        .replacements = (const char *)blob + 4 + trie_bytes,
        .n_replacement_bytes = n_bytes - 4 - trie_bytes,
    };
    if (charsmap->n_replacement_bytes == 0 || charsmap->replacements[charsmap->n_replacement_bytes - 1] != '\0')
        FAIL(error, HOB_BAD_FILE, "precompiled charsmap: the replacements do not end in a NUL");
    if (!unicode_is_valid(charsmap->replacements, charsmap->n_replacement_bytes))
        FAIL(error, HOB_BAD_FILE, "precompiled charsmap: found replacements that are no UTF-8");
    return HOB_OK;
}

static uint32_t unit_at(const struct charsmap *charsmap, size_t at)
{
    return at < charsmap->n_units ? read_u32(charsmap->units + 4 * at) : 1u << 31;
}

static size_t offset_of(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & 1u << 9) >> 6);
}

static bool is_inside_char(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

const char *charsmap_find(const struct charsmap *charsmap, const char *text, size_t n_bytes, bool is_longest,
                          size_t *ret_n_bytes)
{
    const char *found = NULL;
    if (charsmap->n_units == 0) return NULL;
    size_t node = offset_of(unit_at(charsmap, 0));
    for (size_t i = 0; i < n_bytes && text[i] != '\0'; i++) {
        unsigned char byte = (unsigned char)text[i];
        node ^= byte;
        uint32_t unit = unit_at(charsmap, node);
        if ((unit & (1u << 31 | 0xFF)) != byte) break;
        node ^= offset_of(unit);
        if (!(unit & 1u << 8)) continue;
        size_t value = unit_at(charsmap, node) & ~(1u << 31);
        if (value >= charsmap->n_replacement_bytes || is_inside_char(charsmap->replacements[value])) break;
        found = charsmap->replacements + value;
        *ret_n_bytes = i + 1;
        if (!is_longest) break;
    }
    return found;
}

const void *charsmap_bytes(const struct charsmap *charsmap, size_t *ret_n_bytes)
{
    *ret_n_bytes = charsmap->units ? 4 + 4 * charsmap->n_units + charsmap->n_replacement_bytes : 0;
    return charsmap->units ? charsmap->units - 4 : NULL;
}

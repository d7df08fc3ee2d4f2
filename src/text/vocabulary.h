/* The tokens of a tokenizer: spelling and type by id, id by spelling.
 *
 * Owns copies of the spellings. Ids may have holes. Reading is thread-safe; adding is not.
 *
 *     struct vocabulary vocabulary = {0};
 *     TRY(vocabulary_reserve(&vocabulary, n_listed, error));
 *     TRY(vocabulary_add(&vocabulary, id, text, n_bytes, TOKEN_NORMAL, error));
 *     int32_t id = vocabulary_find(&vocabulary, "the", 3);
 *     vocabulary_release(&vocabulary);
 */
#ifndef TEXT_VOCABULARY_H
#define TEXT_VOCABULARY_H

#include "base/arena.h"
#include "base/string_map.h"
#include "hob/status.h"
#include "text/trie.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbered as GGUF's tokenizer.ggml.token_type. */
enum token_type {
    TOKEN_ABSENT = 0, /* a hole */
    TOKEN_NORMAL = 1,
    TOKEN_UNKNOWN = 2,
    TOKEN_CONTROL = 3,      /* stands for no text: left out of decoded text on request */
    TOKEN_USER_DEFINED = 4, /* found in the text before anything else */
    TOKEN_UNUSED = 5,
    TOKEN_BYTE = 6, /* "<0x0A>": one byte */
};

struct vocabulary {
    struct arena arena;
    const char **texts; /* NULL for a hole; NUL-terminated */
    uint32_t *n_bytes;
    unsigned char *types;
    size_t n_tokens; /* highest id + 1 */
    size_t n_reserved, n_ids; /* room in the arrays; ids must be below n_ids */
    struct string_map ids;
};

/* To be called once, with how many tokens the file lists in all. Ids may be at most four times as high (and 65,536 more), so
 * that a small file cannot ask for a large table. */
HOB_MUST_CHECK hob_status vocabulary_reserve(struct vocabulary *vocabulary, size_t n_listed, hob_error *error);
void vocabulary_release(struct vocabulary *vocabulary); /* takes a zeroed one */

/* Fails: HOB_LIMIT (id out of range), HOB_BAD_FILE (id or spelling taken), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status vocabulary_add(struct vocabulary *vocabulary, int64_t id, const char *text, size_t n_bytes,
                                         enum token_type type, hob_error *error);
/* As add, but an id or a spelling that is there already is replaced. */
HOB_MUST_CHECK hob_status vocabulary_put(struct vocabulary *vocabulary, int64_t id, const char *text, size_t n_bytes,
                                         enum token_type type, hob_error *error);

/* The id, or HOB_NO_TOKEN (-1). */
int32_t vocabulary_find(const struct vocabulary *vocabulary, const char *text, size_t n_bytes);
/* "<0x0A>" for byte 10, or HOB_NO_TOKEN. */
int32_t vocabulary_find_byte(const struct vocabulary *vocabulary, unsigned char byte);
/* false for a hole and for an id outside. */
bool vocabulary_has(const struct vocabulary *vocabulary, int64_t id);
/* A trie of all tokens. Of equal spellings the lowest id counts. */
HOB_MUST_CHECK hob_status vocabulary_trie(const struct vocabulary *vocabulary, struct trie *trie, hob_error *error);
/* The byte that "<0x0A>" spells, or -1 for other text. */
int vocabulary_byte_of(const char *text, size_t n_bytes);

#endif

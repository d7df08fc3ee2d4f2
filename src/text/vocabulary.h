/* The tokens of a tokenizer: spelling and type by id, id by spelling.
 *
 * Owns copies of the spellings; one that was read from a record (a pack) owns nothing, its tables stay where they lie.
 * Ids may have holes. Reading is thread-safe; adding is not.
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

/* A vocabulary as it lies in a record. Spellings stand one behind the other, each with a NUL; the first n_tokens by id, then
 * those that lead to an id although it is spelt otherwise now. */
struct vocabulary_slot {
    uint32_t tag;      /* the upper half of the spelling's hash */
    uint32_t spelling; /* its number + 1; 0: free */
};
struct vocabulary_tables {
    const char *bytes;
    const uint32_t *offsets; /* n_spellings + 1 */
    const int32_t *alias_ids; /* of the spellings behind the tokens */
    const struct vocabulary_slot *slots; /* open addressing; n_slots is a power of two */
    size_t n_spellings, n_slots, most_probes;
    uint64_t seed;
};

struct vocabulary {
    struct arena arena;
    const char **texts; /* NULL for a hole; NUL-terminated. Read through vocabulary_text */
    uint32_t *n_bytes;
    unsigned char *types;
    size_t n_tokens; /* highest id + 1 */
    size_t n_reserved, n_ids; /* room in the arrays; ids must be below n_ids */
    struct string_map ids;
    bool is_mapped; /* tables hold what texts, n_bytes and ids hold otherwise; types are in the record too */
    struct vocabulary_tables tables;
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

/* As a record of ready tables, the same for the same vocabulary, and back: the record must live as long as the vocabulary. A failure
 * to read shows in the reader. Writing fails: HOB_UNSUPPORTED (the vocabulary was read from a record), HOB_NO_MEMORY (more than 4 GiB of spellings, too). */
HOB_MUST_CHECK hob_status vocabulary_write(const struct vocabulary *vocabulary, struct buffer *bytes, hob_error *error);
void vocabulary_read(struct vocabulary *vocabulary, struct record_reader *reader);

/* n_ids ids of the vocabulary, or HOB_NO_TOKEN, as record_put_array wrote them; anything else is a failure of the reader. */
void vocabulary_read_ids(const struct vocabulary *vocabulary, struct record_reader *reader, size_t n_ids, int32_t *ret_ids);

/* The spelling of an id below n_tokens; NULL for a hole. */
static inline const char *vocabulary_text(const struct vocabulary *vocabulary, size_t id, size_t *ret_n_bytes)
{
    if (!vocabulary->is_mapped) {
        *ret_n_bytes = vocabulary->n_bytes[id];
        return vocabulary->texts[id];
    }
    const uint32_t *offsets = vocabulary->tables.offsets;
    *ret_n_bytes = offsets[id + 1] - offsets[id] - 1;
    return vocabulary->types[id] == TOKEN_ABSENT ? NULL : vocabulary->tables.bytes + offsets[id];
}
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

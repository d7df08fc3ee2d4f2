#include "text/vocabulary.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"
#include "hob/tokenizer.h"
#include "text/vocabulary_tables.h"

#include <string.h>

enum { MAX_TOKENS = 1 << 24, MAX_TOKEN_BYTES = 1 << 20, SPARE_IDS = 65536 };

hob_status vocabulary_reserve(struct vocabulary *vocabulary, size_t n_listed, hob_error *error)
{
    if (n_listed > MAX_TOKENS)
        FAIL(error, HOB_LIMIT, "vocabulary: found %zu tokens, at most %d are taken", n_listed, MAX_TOKENS);
    arena_init(&vocabulary->arena, 64 * 1024);
    vocabulary->n_ids = 4 * n_listed + SPARE_IDS;
    if (!string_map_reserve(&vocabulary->ids, n_listed))
        FAIL(error, HOB_NO_MEMORY, "vocabulary: no memory for %zu tokens", n_listed);
    return HOB_OK;
}

void vocabulary_release(struct vocabulary *vocabulary)
{
    arena_release(&vocabulary->arena);
    string_map_release(&vocabulary->ids);
    memory_free(vocabulary->texts);
    memory_free(vocabulary->n_bytes);
    if (!vocabulary->is_mapped) memory_free(vocabulary->types);
    *vocabulary = (struct vocabulary){0};
}

static bool grow(struct vocabulary *vocabulary, size_t n_needed)
{
    size_t n = vocabulary->n_reserved + vocabulary->n_reserved / 2 + 256;
    if (n < n_needed) n = n_needed;
    const char **texts = memory_resize(vocabulary->texts, n, sizeof *texts);
    if (!texts) return false;
    vocabulary->texts = texts;
    uint32_t *n_bytes = memory_resize(vocabulary->n_bytes, n, sizeof *n_bytes);
    if (!n_bytes) return false;
    vocabulary->n_bytes = n_bytes;
    unsigned char *types = memory_resize(vocabulary->types, n, 1);
    if (!types) return false;
    vocabulary->types = types;
    for (size_t i = vocabulary->n_reserved; i < n; i++) {
        texts[i] = NULL;
        n_bytes[i] = 0;
        types[i] = TOKEN_ABSENT;
    }
    vocabulary->n_reserved = n;
    return true;
}

hob_status vocabulary_put(struct vocabulary *vocabulary, int64_t id, const char *text, size_t n_bytes,
                          enum token_type type, hob_error *error)
{
    if (id < 0 || (uint64_t)id >= vocabulary->n_ids)
        FAIL(error, HOB_LIMIT, "token \"%.40s\": found id %lld, expected 0 to %zu for a vocabulary of this size", text,
             (long long)id, vocabulary->n_ids - 1);
    if (n_bytes > MAX_TOKEN_BYTES)
        FAIL(error, HOB_LIMIT, "token %lld: found %zu bytes, at most %d are taken", (long long)id, n_bytes,
             MAX_TOKEN_BYTES);
    size_t at = (size_t)id;
    if (at >= vocabulary->n_reserved && !grow(vocabulary, at + 1))
        FAIL(error, HOB_NO_MEMORY, "vocabulary: no memory for token %zu", at);
    const char *copy = arena_copy_string(&vocabulary->arena, text, n_bytes);
    if (!copy || !string_map_put(&vocabulary->ids, copy, n_bytes, at))
        FAIL(error, HOB_NO_MEMORY, "vocabulary: no memory for token %zu", at);
    vocabulary->texts[at] = copy;
    vocabulary->n_bytes[at] = (uint32_t)n_bytes;
    vocabulary->types[at] = (unsigned char)type;
    if (at >= vocabulary->n_tokens) vocabulary->n_tokens = at + 1;
    return HOB_OK;
}

hob_status vocabulary_add(struct vocabulary *vocabulary, int64_t id, const char *text, size_t n_bytes,
                          enum token_type type, hob_error *error)
{
    if (vocabulary_has(vocabulary, id))
        FAIL(error, HOB_BAD_FILE, "token id %lld: found twice, for \"%.40s\" and \"%.40s\"", (long long)id,
             vocabulary->texts[id], text);
    if (vocabulary_find(vocabulary, text, n_bytes) != HOB_NO_TOKEN)
        FAIL(error, HOB_BAD_FILE, "token \"%.40s\": found twice, with ids %d and %lld", text,
             vocabulary_find(vocabulary, text, n_bytes), (long long)id);
    return vocabulary_put(vocabulary, id, text, n_bytes, type, error);
}

int32_t vocabulary_find(const struct vocabulary *vocabulary, const char *text, size_t n_bytes)
{
    uint64_t id;
    if (vocabulary->is_mapped) return vocabulary_tables_find(vocabulary, text, n_bytes);
    return string_map_get(&vocabulary->ids, text, n_bytes, &id) ? (int32_t)id : HOB_NO_TOKEN;
}

int32_t vocabulary_find_byte(const struct vocabulary *vocabulary, unsigned char byte)
{
    static const char digits[] = "0123456789ABCDEF";
    char text[6] = {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
    return vocabulary_find(vocabulary, text, sizeof text);
}

bool vocabulary_has(const struct vocabulary *vocabulary, int64_t id)
{
    return id >= 0 && (uint64_t)id < vocabulary->n_tokens && vocabulary->types[id] != TOKEN_ABSENT;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

int vocabulary_byte_of(const char *text, size_t n_bytes)
{
    if (n_bytes != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>') return -1;
    int high = hex_digit(text[3]), low = hex_digit(text[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

hob_status vocabulary_trie(const struct vocabulary *vocabulary, struct trie *trie, hob_error *error)
{
    struct trie_key *keys = memory_new(vocabulary->n_tokens, sizeof *keys);
    size_t n_keys = 0;
    if (!keys) FAIL(error, HOB_NO_MEMORY, "vocabulary: no memory for %zu tokens", vocabulary->n_tokens);
    for (size_t i = 0; i < vocabulary->n_tokens; i++) {
        struct trie_key key = {.value = (int32_t)i};
        key.text = vocabulary_text(vocabulary, i, &key.n_bytes);
        if (key.text) keys[n_keys++] = key;
    }
    hob_status status = trie_init(trie, keys, n_keys, error);
    memory_free(keys);
    return status;
}

/* Ids sorted by their bytes give the trie in one pass: where a text leaves the one before, new nodes begin. */
#include "grammar/token_trie.h"
#include "base/error.h"
#include "base/memory.h"
#include "text/token_text.h"

#include <stdlib.h>
#include <string.h>

struct sorted_token {
    const char *text;
    uint32_t n_bytes;
    int32_t id;
};

static int by_text(const void *left, const void *right)
{
    const struct sorted_token *a = left, *b = right;
    int order = memcmp(a->text, b->text, a->n_bytes < b->n_bytes ? a->n_bytes : b->n_bytes);
    if (order) return order;
    if (a->n_bytes != b->n_bytes) return a->n_bytes < b->n_bytes ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

static hob_status out_of_memory(hob_error *error)
{
    FAIL(error, HOB_NO_MEMORY, "token trie: no memory");
}

static void append_special(const struct tokenizer *tokenizer, int32_t id, struct buffer *texts)
{
    size_t n_bytes = 0;
    const char *spelling = tokenizer_token(tokenizer, id, &n_bytes);
    if (!spelling || !n_bytes || memchr(spelling, TOKEN_SPECIAL_BYTE, n_bytes)) return;
    buffer_append_byte(texts, TOKEN_SPECIAL_BYTE);
    buffer_append(texts, spelling, n_bytes);
    buffer_append_byte(texts, TOKEN_SPECIAL_BYTE);
}

static hob_status append_token(struct token_texts *reader, const struct tokenizer *tokenizer, int32_t id, struct buffer *texts,
                               hob_error *error)
{
    size_t n_before = texts->n_bytes;
    bool is_special = tokenizer_type(tokenizer, id) == TOKEN_CONTROL;
    if (is_special) append_special(tokenizer, id, texts);
    else TRY(token_texts_append(reader, id, texts, error));
    size_t n_bytes = texts->n_bytes - n_before;
    bool has_special_byte = !is_special && n_bytes && memchr(texts->bytes + n_before, TOKEN_SPECIAL_BYTE, n_bytes);
    if (n_bytes > TOKEN_MAX_BYTES || has_special_byte) texts->n_bytes = n_before;
    return HOB_OK;
}

/* The texts of all tokens, one behind the other. */
static hob_status collect_texts(struct token_trie *trie, const struct tokenizer *tokenizer, hob_error *error)
{
    struct buffer texts = {.cap_bytes = UINT32_MAX};
    struct token_texts *reader = NULL;
    hob_status status = HOB_OK;
    TRY_CLEANUP(token_texts_new(tokenizer, &reader, error));
    for (size_t id = 0; id < trie->n_tokens; id++) {
        TRY_CLEANUP(append_token(reader, tokenizer, (int32_t)id, &texts, error));
        trie->offsets[id + 1] = (uint32_t)texts.n_bytes;
    }
    if (!buffer_append(&texts, "", 1)) TRY_CLEANUP(out_of_memory(error));
    trie->texts = texts.bytes;
    texts = (struct buffer){0};
cleanup:
    token_texts_free(reader);
    buffer_release(&texts);
    return status;
}

static size_t n_common(const struct sorted_token *a, const struct sorted_token *b)
{
    size_t n = 0;
    while (n < a->n_bytes && n < b->n_bytes && a->text[n] == b->text[n]) n++;
    return n;
}

static bool allocate_nodes(struct token_trie *trie, size_t n_nodes, size_t n_ids)
{
    trie->bytes = memory_new(n_nodes, 1);
    trie->depths = memory_new(n_nodes, 1);
    trie->ends = memory_new(n_nodes, sizeof(uint32_t));
    trie->first_id = memory_new(n_nodes + 1, sizeof(uint32_t));
    trie->ids = memory_new(n_ids, sizeof(int32_t));
    return trie->bytes && trie->depths && trie->ends && trie->first_id && trie->ids;
}

static void fill_nodes(struct token_trie *trie, const struct sorted_token *sorted, size_t n_sorted)
{
    uint32_t open[TOKEN_MAX_BYTES + 1] = {0}; /* the node under way at each depth */
    size_t depth = 0;
    uint32_t n = 1;
    for (size_t i = 0; i < n_sorted; i++) {
        size_t common = i ? n_common(&sorted[i - 1], &sorted[i]) : 0;
        for (; depth > common; depth--) trie->ends[open[depth]] = n;
        for (; depth < sorted[i].n_bytes; n++) {
            trie->bytes[n] = (uint8_t)sorted[i].text[depth++];
            trie->depths[n] = (uint8_t)depth;
            trie->first_id[n] = (uint32_t)i;
            open[depth] = n;
        }
        trie->ids[i] = sorted[i].id;
    }
    for (; depth > 0; depth--) trie->ends[open[depth]] = n;
    trie->ends[0] = trie->n_nodes = n;
    trie->first_id[n] = (uint32_t)n_sorted;
}

static hob_status build(struct token_trie *trie, hob_error *error)
{
    struct sorted_token *sorted = memory_new(trie->n_tokens, sizeof *sorted);
    if (!sorted) return out_of_memory(error);
    size_t n_sorted = 0, n_nodes = 1;
    for (size_t id = 0; id < trie->n_tokens; id++) {
        size_t n_bytes;
        const char *text = token_trie_text(trie, (int32_t)id, &n_bytes);
        if (text) sorted[n_sorted++] = (struct sorted_token){text, (uint32_t)n_bytes, (int32_t)id};
    }
    if (n_sorted) qsort(sorted, n_sorted, sizeof *sorted, by_text);
    for (size_t i = 0; i < n_sorted; i++) n_nodes += sorted[i].n_bytes - (i ? n_common(&sorted[i - 1], &sorted[i]) : 0);
    bool has_memory = allocate_nodes(trie, n_nodes, n_sorted);
    if (has_memory) fill_nodes(trie, sorted, n_sorted);
    memory_free(sorted);
    return has_memory ? HOB_OK : out_of_memory(error);
}

hob_status token_trie_new(const struct tokenizer *tokenizer, struct token_trie **ret_trie, hob_error *error)
{
    struct token_trie *trie = memory_new(1, sizeof *trie);
    hob_status status = HOB_OK;
    if (!trie) return out_of_memory(error);
    atomic_init(&trie->n_refs, 1);
    trie->n_tokens = tokenizer_n_tokens(tokenizer);
    trie->offsets = memory_new(trie->n_tokens + 1, sizeof(uint32_t));
    if (!trie->offsets) TRY_CLEANUP(out_of_memory(error));
    TRY_CLEANUP(collect_texts(trie, tokenizer, error));
    TRY_CLEANUP(build(trie, error));
    *ret_trie = trie;
cleanup:
    if (status != HOB_OK) token_trie_unref(trie);
    return status;
}

struct token_trie *token_trie_ref(struct token_trie *trie)
{
    atomic_fetch_add(&trie->n_refs, 1);
    return trie;
}

void token_trie_unref(struct token_trie *trie)
{
    if (!trie || atomic_fetch_sub(&trie->n_refs, 1) != 1) return;
    memory_free(trie->bytes);
    memory_free(trie->depths);
    memory_free(trie->ends);
    memory_free(trie->first_id);
    memory_free(trie->ids);
    memory_free(trie->offsets);
    memory_free(trie->texts);
    memory_free(trie);
}

const char *token_trie_text(const struct token_trie *trie, int32_t id, size_t *ret_n_bytes)
{
    if (id < 0 || (size_t)id >= trie->n_tokens) return NULL;
    *ret_n_bytes = trie->offsets[id + 1] - trie->offsets[id];
    return *ret_n_bytes ? trie->texts + trie->offsets[id] : NULL;
}

size_t token_trie_n_bytes(const struct token_trie *trie)
{
    size_t node_bytes = 2 * sizeof(uint8_t) + 2 * sizeof(uint32_t), n_ids = trie->first_id[trie->n_nodes];
    return sizeof *trie + trie->n_nodes * node_bytes + n_ids * sizeof(int32_t) + (trie->n_tokens + 1) * sizeof(uint32_t) +
           trie->offsets[trie->n_tokens];
}

#include "engine/breakers.h"

#include "base/error.h"
#include "base/memory.h"

#include <string.h>

enum { MOST_TAIL_TOKENS = 20 };

static hob_status add_tail(struct breakers *breakers, int32_t id, hob_error *error)
{
    if (breakers->n_tails == breakers->n_reserved_tails) {
        size_t n_reserved = 2 * breakers->n_reserved_tails + 64;
        int32_t *tails = memory_resize(breakers->tails, n_reserved, sizeof *tails);
        if (!tails) FAIL(error, HOB_NO_MEMORY, "DRY: no memory for sequence breakers");
        breakers->tails = tails;
        breakers->n_reserved_tails = n_reserved;
    }
    breakers->tails[breakers->n_tails++] = id;
    return HOB_OK;
}

/* Ids come in rising order, so heads are sorted by themselves. */
static hob_status add_head(struct breakers *breakers, int32_t id, const int32_t *tail, size_t n_tail, hob_error *error)
{
    if (breakers->n_heads == breakers->n_reserved_heads) {
        size_t n_reserved = 2 * breakers->n_reserved_heads + 64;
        struct breaker_head *heads = memory_resize(breakers->heads, n_reserved, sizeof *heads);
        if (!heads) FAIL(error, HOB_NO_MEMORY, "DRY: no memory for sequence breakers");
        breakers->heads = heads;
        breakers->n_reserved_heads = n_reserved;
    }
    breakers->heads[breakers->n_heads++] = (struct breaker_head){id, (uint32_t)breakers->n_tails, (uint32_t)n_tail};
    for (size_t i = 0; i < n_tail; i++) TRY(add_tail(breakers, tail[i], error));
    return HOB_OK;
}

/* The token ends with the first n_bytes of text: the rest, as the tokenizer writes it, has to follow. */
static hob_status add_begun(struct breakers *breakers, const hob_tokenizer *tokenizer, int32_t id, const char *text,
                            size_t n_bytes, hob_error *error)
{
    int32_t *tail;
    size_t n_tail;
    TRY(hob_tokenizer_encode(tokenizer, text + n_bytes, strlen(text) - n_bytes, 0, &tail, &n_tail, error));
    hob_status status = add_head(breakers, id, tail, n_tail < MOST_TAIL_TOKENS ? n_tail : MOST_TAIL_TOKENS, error);
    hob_free(tail);
    return status;
}

static hob_status note_token(struct breakers *breakers, const hob_tokenizer *tokenizer, int32_t id, const char *token,
                             size_t n_token, const char *text, hob_error *error)
{
    size_t n_text = strlen(text);
    if (n_token >= n_text && memmem(token, n_token, text, n_text)) {
        breakers->is_whole[id / 32] |= UINT32_C(1) << id % 32;
        return HOB_OK;
    }
    for (size_t n = n_text - 1 < n_token ? n_text - 1 : n_token; n > 0; n--)
        if (!memcmp(token + n_token - n, text, n)) TRY(add_begun(breakers, tokenizer, id, text, n, error));
    return HOB_OK;
}

static hob_status fill(struct breakers *breakers, const hob_tokenizer *tokenizer, size_t n_vocab,
                       const char *const *texts, size_t n_texts, hob_error *error)
{
    size_t n_tokens = hob_tokenizer_n_tokens(tokenizer);
    for (size_t id = 0; id < n_tokens && id < n_vocab; id++) {
        int32_t one = (int32_t)id;
        char *token;
        size_t n_token;
        if (!hob_tokenizer_token(tokenizer, one, NULL)) continue;
        TRY(hob_tokenizer_decode(tokenizer, &one, 1, 0, &token, &n_token, error));
        hob_status status = HOB_OK;
        for (size_t i = 0; i < n_texts && status == HOB_OK; i++)
            status = note_token(breakers, tokenizer, one, token, n_token, texts[i], error);
        hob_free(token);
        TRY(status);
    }
    return HOB_OK;
}

hob_status breakers_init(struct breakers *breakers, const hob_tokenizer *tokenizer, size_t n_vocab,
                         const char *const *texts, size_t n_texts, hob_error *error)
{
    struct breakers new_breakers = {.is_whole = memory_new(n_vocab / 32 + 1, sizeof(uint32_t))};
    hob_status status = HOB_OK;
    if (!new_breakers.is_whole) FAIL(error, HOB_NO_MEMORY, "DRY: no memory for sequence breakers");
    for (size_t i = 0; i < n_texts; i++)
        if (!texts[i] || !*texts[i])
            FAIL_CLEANUP(error, HOB_BAD_ARGUMENT, "DRY: sequence breaker %zu: found an empty text", i);
    TRY_CLEANUP(fill(&new_breakers, tokenizer, n_vocab, texts, n_texts, error));
    *breakers = new_breakers;
    return HOB_OK;
cleanup:
    breakers_release(&new_breakers);
    return status;
}

void breakers_release(struct breakers *breakers)
{
    memory_free(breakers->is_whole);
    memory_free(breakers->heads);
    memory_free(breakers->tails);
    *breakers = (struct breakers){0};
}

/* ---- looking up ---- */

static const struct breaker_head *first_head(const struct breakers *breakers, int32_t id)
{
    size_t low = 0, high = breakers->n_heads;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (breakers->heads[middle].id < id) low = middle + 1;
        else high = middle;
    }
    return breakers->heads + low;
}

/* Tokens of the longest breaker that begins at ids[0], of n_ids; 0: none does. */
static size_t n_broken(const struct breakers *breakers, const int32_t *ids, size_t n_ids)
{
    size_t longest = breakers->is_whole[ids[0] / 32] >> ids[0] % 32 & 1;
    if (!breakers->n_heads) return longest;
    const struct breaker_head *end = breakers->heads + breakers->n_heads;
    for (const struct breaker_head *head = first_head(breakers, ids[0]); head < end && head->id == ids[0]; head++) {
        bool is_here = head->n_tail < n_ids;
        for (size_t i = 0; is_here && i < head->n_tail; i++)
            is_here = ids[1 + i] == breakers->tails[head->first_tail + i];
        if (is_here && head->n_tail + 1 > longest) longest = head->n_tail + 1;
    }
    return longest;
}

size_t breakers_n_since(const struct breakers *breakers, const int32_t *ids, size_t n_ids)
{
    if (!breakers->is_whole) return n_ids;
    for (size_t n_behind = 1; n_behind <= n_ids; n_behind++) {
        size_t n = n_broken(breakers, ids + n_ids - n_behind, n_behind);
        if (n) return n_behind - n;
    }
    return n_ids;
}

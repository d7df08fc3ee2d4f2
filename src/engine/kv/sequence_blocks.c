#include "engine/kv/kv_cache.h"
#include "engine/kv/sequence_parts.h"

static hob_status take_blocks(struct sequence *sequence, int64_t n_wanted, hob_error *error)
{
    struct kv_cache *cache = sequence->session->kv_cache;
    int64_t n_partial = sequence->n_ids % PAGED_POSITIONS;
    if (n_partial) TRY(kv_cache_own(cache, &sequence->blocks[sequence->n_blocks - 1], n_partial, error));
    while (sequence->n_blocks < n_wanted) {
        TRY(kv_cache_take(cache, &sequence->blocks[sequence->n_blocks], error));
        sequence->n_blocks++;
    }
    return HOB_OK;
}

hob_status sequence_reserve(struct sequence *sequence, int64_t n_new, hob_error *error)
{
    hob_status status = take_blocks(sequence, kv_cache_count_blocks(sequence->n_ids + n_new), error);
    if (status != HOB_OK) sequence_cut(sequence, sequence->n_ids);
    return status;
}

void sequence_cut(struct sequence *sequence, int64_t n_tokens)
{
    int64_t n_kept = kv_cache_count_blocks(n_tokens);
    while (sequence->n_blocks > n_kept) kv_cache_unref(sequence->session->kv_cache, sequence->blocks[--sequence->n_blocks]);
}

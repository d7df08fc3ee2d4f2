#include "engine/kv/sequence.h"

#include "base/error.h"
#include "base/memory.h"
#include "engine/kv/kv_cache.h"
#include "engine/kv/sequence_parts.h"

#include <string.h>

/* ---- life ---- */

static hob_status set_up(struct sequence *sequence, hob_error *error)
{
    struct hob_session *session = sequence->session;
    size_t n_context = (size_t)session->n_context_tokens;
    sequence->ids = memory_new(n_context, sizeof *sequence->ids);
    if (session->kv_cache) sequence->blocks = memory_new((size_t)kv_cache_count_blocks((int64_t)n_context), sizeof *sequence->blocks);
    if (!sequence->ids || (session->kv_cache && !sequence->blocks))
        FAIL(error, HOB_NO_MEMORY, "a context of %zu tokens: out of memory", n_context);
    if (session->kv_cache) return HOB_OK;
    /* The session's own sequence is made first, and takes the session's executor. */
    return decoder_new(session, session->sequence ? NULL : session->executor, &sequence->decoder, error);
}

static void delete(struct sequence *sequence)
{
    sequence->session->n_sequences--;
    decoder_free(sequence->decoder);
    memory_free(sequence->ids);
    memory_free(sequence->blocks);
    memory_free(sequence);
}

hob_status sequence_new(hob_session *session, struct sequence **ret_sequence, hob_error *error)
{
    if (session->model->info.kind != HOB_MODEL_DECODER)
        FAIL(error, HOB_UNSUPPORTED, "the model is no language model (architecture %s): it has no logits to generate from",
             session->model->info.architecture);
    struct sequence *sequence = session->spare_sequences;
    if (sequence) {
        session->spare_sequences = sequence->next;
        *ret_sequence = sequence;
        return HOB_OK;
    }
    sequence = memory_new(1, sizeof *sequence);
    if (!sequence) FAIL(error, HOB_NO_MEMORY, "a new sequence: out of memory");
    sequence->session = session;
    session->n_sequences++;
    hob_status status = set_up(sequence, error);
    if (status == HOB_OK) *ret_sequence = sequence;
    else delete(sequence);
    return status;
}

/* Beams fork and free at every token, which must not allocate: an empty sequence over blocks is little, and kept for the next. One with
 * caches of its own is not. */
void sequence_free(struct sequence *sequence)
{
    if (!sequence) return;
    if (!sequence->blocks) {
        delete(sequence);
        return;
    }
    sequence_cut(sequence, 0);
    sequence->n_ids = 0;
    sequence->next = sequence->session->spare_sequences;
    sequence->session->spare_sequences = sequence;
}

void sequence_free_spares(hob_session *session)
{
    while (session->spare_sequences) {
        struct sequence *sequence = session->spare_sequences;
        session->spare_sequences = sequence->next;
        delete(sequence);
    }
}

/* ---- another past ---- */

static void share_blocks(struct sequence *sequence, const uint32_t *blocks, int64_t n_blocks)
{
    for (int64_t i = 0; i < n_blocks; i++) kv_cache_ref(sequence->session->kv_cache, blocks[i]);
    memcpy(sequence->blocks, blocks, (size_t)n_blocks * sizeof *blocks);
    sequence->n_blocks = n_blocks;
}

static void take_ids(struct sequence *sequence, const int32_t *ids, int64_t n_ids)
{
    memcpy(sequence->ids, ids, (size_t)n_ids * sizeof *ids);
    sequence->n_ids = n_ids;
}

static void forget(struct sequence *sequence)
{
    if (sequence->blocks) sequence_cut(sequence, 0);
    else decoder_rewind(sequence->decoder, 0);
    sequence->n_ids = 0;
}

hob_status sequence_assign(struct sequence *to, const struct sequence *from, hob_error *error)
{
    if (to == from) return HOB_OK;
    forget(to);
    if (to->blocks) share_blocks(to, from->blocks, from->n_blocks);
    else TRY(decoder_copy(from->decoder, from->n_ids, to->decoder, error));
    take_ids(to, from->ids, from->n_ids);
    return HOB_OK;
}

hob_status sequence_fork(const struct sequence *sequence, struct sequence **ret_sequence, hob_error *error)
{
    struct sequence *twin;
    TRY(sequence_new(sequence->session, &twin, error));
    hob_status status = sequence_assign(twin, sequence, error);
    if (status == HOB_OK) *ret_sequence = twin;
    else sequence_free(twin);
    return status;
}

void sequence_share(struct sequence *sequence, const int32_t *ids, const uint32_t *blocks, int64_t n_blocks)
{
    HOB_ASSERT(sequence->blocks && sequence->n_ids == 0 && n_blocks * PAGED_POSITIONS <= sequence->session->n_context_tokens);
    share_blocks(sequence, blocks, n_blocks);
    take_ids(sequence, ids, n_blocks * PAGED_POSITIONS);
}

hob_status sequence_rewind(struct sequence *sequence, int64_t n_tokens, hob_error *error)
{
    if (n_tokens < 0 || n_tokens > sequence->n_ids)
        FAIL(error, HOB_BAD_ARGUMENT, "found %lld tokens to keep, expected at most the %lld there are", (long long)n_tokens,
             (long long)sequence->n_ids);
    if (sequence->blocks) sequence_cut(sequence, n_tokens);
    else decoder_rewind(sequence->decoder, n_tokens);
    sequence->n_ids = n_tokens;
    return HOB_OK;
}

/* ---- what there is ---- */

int64_t sequence_n_tokens(const struct sequence *sequence)
{
    return sequence->n_ids;
}

const int32_t *sequence_ids(const struct sequence *sequence)
{
    return sequence->ids;
}

const uint32_t *sequence_blocks(const struct sequence *sequence)
{
    return sequence->blocks;
}

int64_t sequence_n_blocks(const struct sequence *sequence)
{
    return sequence->n_blocks;
}

hob_status sequence_check_ids(const struct sequence *sequence, const int32_t *ids, int64_t n_ids, hob_error *error)
{
    const struct hob_session *session = sequence->session;
    int64_t n_vocab = session->n_vocab;
    for (int64_t i = 0; i < n_ids; i++)
        if (ids[i] < 0 || (n_vocab > 0 && ids[i] >= n_vocab))
            FAIL(error, HOB_BAD_ARGUMENT, "token %lld: found id %d, expected 0 to %lld", (long long)i, ids[i], (long long)n_vocab - 1);
    if (n_ids > session->n_context_tokens - sequence->n_ids)
        FAIL(error, HOB_LIMIT, "found %lld tokens behind %lld, expected a context of at most %lld", (long long)n_ids,
             (long long)sequence->n_ids, (long long)session->n_context_tokens);
    return HOB_OK;
}

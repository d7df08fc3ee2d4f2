#include "engine/kv/sequence.h"

#include "base/error.h"
#include "base/memory.h"
#include "engine/kv/sequence_parts.h"

#include <string.h>

static hob_status set_up(struct sequence *sequence, hob_error *error)
{
    struct hob_session *session = sequence->session;
    sequence->ids = memory_new((size_t)session->n_context_tokens, sizeof *sequence->ids);
    if (!sequence->ids) FAIL(error, HOB_NO_MEMORY, "a context of %lld tokens: out of memory", (long long)session->n_context_tokens);
    /* The session's own sequence is made first, and takes the session's executor. */
    return decoder_new(session, session->sequence ? NULL : session->executor, &sequence->decoder, error);
}

hob_status sequence_new(hob_session *session, struct sequence **ret_sequence, hob_error *error)
{
    if (session->model->info.kind != HOB_MODEL_DECODER)
        FAIL(error, HOB_UNSUPPORTED, "the model is no language model (architecture %s): it has no logits to generate from",
             session->model->info.architecture);
    struct sequence *sequence = memory_new(1, sizeof *sequence);
    if (!sequence) FAIL(error, HOB_NO_MEMORY, "a new sequence: out of memory");
    sequence->session = session;
    hob_status status = set_up(sequence, error);
    if (status == HOB_OK) *ret_sequence = sequence;
    else sequence_free(sequence);
    return status;
}

void sequence_free(struct sequence *sequence)
{
    if (!sequence) return;
    decoder_free(sequence->decoder);
    memory_free(sequence->ids);
    memory_free(sequence);
}

hob_status sequence_assign(struct sequence *to, const struct sequence *from, hob_error *error)
{
    to->n_ids = 0;
    decoder_rewind(to->decoder, 0);
    TRY(decoder_copy(from->decoder, from->n_ids, to->decoder, error));
    memcpy(to->ids, from->ids, (size_t)from->n_ids * sizeof *to->ids);
    to->n_ids = from->n_ids;
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

hob_status sequence_rewind(struct sequence *sequence, int64_t n_tokens, hob_error *error)
{
    if (n_tokens < 0 || n_tokens > sequence->n_ids)
        FAIL(error, HOB_BAD_ARGUMENT, "found %lld tokens to keep, expected at most the %lld there are", (long long)n_tokens,
             (long long)sequence->n_ids);
    decoder_rewind(sequence->decoder, n_tokens);
    sequence->n_ids = n_tokens;
    return HOB_OK;
}

int64_t sequence_n_tokens(const struct sequence *sequence)
{
    return sequence->n_ids;
}

const int32_t *sequence_ids(const struct sequence *sequence)
{
    return sequence->ids;
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

/* Batches: all in one run where caches lie in blocks; where sequences have caches of their own, one after another. */
#include "base/error.h"
#include "engine/kv/paged_batch.h"
#include "engine/kv/sequence.h"
#include "engine/kv/sequence_parts.h"

#include <string.h>

static hob_status check_entries(const hob_session *session, const struct batch_entry *entries, size_t n_entries, hob_error *error)
{
    for (size_t i = 0; i < n_entries; i++) {
        const struct batch_entry *entry = &entries[i];
        if (entry->sequence->session != session) FAIL(error, HOB_BAD_ARGUMENT, "sequence %zu: belongs to another session", i);
        if (entry->n_ids < 1) FAIL(error, HOB_BAD_ARGUMENT, "sequence %zu: found no tokens to run, expected at least one", i);
        if (entry->n_rows < 0 || entry->n_rows > entry->n_ids)
            FAIL(error, HOB_BAD_ARGUMENT, "sequence %zu: found logits wanted of %lld positions, expected 0 to %lld", i,
                 (long long)entry->n_rows, (long long)entry->n_ids);
        for (size_t other = 0; other < i; other++)
            if (entries[other].sequence == entry->sequence)
                FAIL(error, HOB_BAD_ARGUMENT, "sequence %zu: found twice in a batch, expected once", i);
        TRY(sequence_check_ids(entry->sequence, entry->ids, entry->n_ids, error));
    }
    return HOB_OK;
}

static hob_status run_entry(struct batch_entry *entry, hob_error *error)
{
    struct sequence *sequence = entry->sequence;
    const float *logits;
    memcpy(sequence->ids + sequence->n_ids, entry->ids, (size_t)entry->n_ids * sizeof *entry->ids);
    TRY(decoder_run(sequence->decoder, sequence->ids, sequence->n_ids, entry->n_ids, entry->n_rows, &logits, error));
    sequence->n_ids += entry->n_ids;
    entry->logits = logits;
    return HOB_OK;
}

static hob_status run_one_by_one(struct batch_entry *entries, size_t n_entries, hob_error *error)
{
    for (size_t i = 0; i < n_entries; i++) {
        hob_status status = run_entry(&entries[i], error);
        if (status == HOB_OK) continue;
        while (i-- > 0) {
            struct sequence *sequence = entries[i].sequence;
            sequence->n_ids -= entries[i].n_ids;
            decoder_rewind(sequence->decoder, sequence->n_ids);
        }
        return status;
    }
    return HOB_OK;
}

hob_status batch_run(hob_session *session, struct batch_entry *entries, size_t n_entries, hob_error *error)
{
    TRY(check_entries(session, entries, n_entries, error));
    session->logits = NULL; /* they lie where this run's will */
    if (session->batch) return paged_batch_run(session->batch, entries, n_entries, error);
    return run_one_by_one(entries, n_entries, error);
}

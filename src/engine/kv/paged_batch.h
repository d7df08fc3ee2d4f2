/* Runs of several sequences whose keys and values lie in blocks: their rows go through the graph end to end, so that weights are read
 * once for all. A run takes so many rows at most; longer prompts go through in several.
 *
 * Belongs to a session, which must outlive it. One thread at a time.
 *
 *     struct paged_batch *batch;
 *     TRY(paged_batch_new(session, &batch, error));
 *     TRY(paged_batch_run(batch, entries, n_entries, error));          entries were checked
 */
#ifndef ENGINE_KV_PAGED_BATCH_H
#define ENGINE_KV_PAGED_BATCH_H

#include "engine/kv/sequence.h"
#include "engine/session.h"

struct paged_batch;

/* Whether the session's graph can be run so, by what its inputs are for: every row's position must be told, not counted. */
bool paged_batch_fits(const struct hob_model *model);
HOB_MUST_CHECK hob_status paged_batch_new(struct hob_session *session, struct paged_batch **ret_batch, hob_error *error);
void paged_batch_free(struct paged_batch *batch); /* takes NULL */
/* Bytes that it has taken by now; and giving back what the next run can take again. */
size_t paged_batch_n_bytes(const struct paged_batch *batch);
void paged_batch_trim(struct paged_batch *batch);
/* As batch_run, of entries that fit their sequences. */
HOB_MUST_CHECK hob_status paged_batch_run(struct paged_batch *batch, struct batch_entry *entries, size_t n_entries, hob_error *error);

#endif

/* Sequences: texts under way on a session. Each has its ids and what the model keeps of them (keys and values); all of a session's
 * share its executor, its threads and one pool of blocks, and any number of them goes through the model in one run.
 *
 * A sequence belongs to its session and must be freed before it; the ids are its own copy. The logits of a position have the same
 * bytes whatever else is in the batch, however the ids were cut into calls, and whether keys were computed or shared. One thread at a time.
 *
 *     struct sequence *sequence, *twin;
 *     TRY(sequence_new(session, &sequence, error));
 *     struct batch_entry entry = {.sequence = sequence, .ids = ids, .n_ids = n, .n_rows = 1};
 *     TRY(batch_run(session, &entry, 1, error));                          entry.logits: [1, n_vocab]
 *     TRY(sequence_fork(sequence, &twin, error));                         the same past, no copy of it
 *     sequence_free(twin);
 */
#ifndef ENGINE_KV_SEQUENCE_H
#define ENGINE_KV_SEQUENCE_H

#include "hob/session.h"

struct sequence;

/* Empty. Fails: HOB_UNSUPPORTED (no decoder), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status sequence_new(hob_session *session, struct sequence **ret_sequence, hob_error *error);
void sequence_free(struct sequence *sequence); /* takes NULL; gives its blocks back */
/* Those that a session keeps so that the next sequence costs no allocation; for hob_session_free. */
void sequence_free_spares(hob_session *session);

/* A second one with the same past. Blocks are shared until one of the two writes into them; where the graph's caches cannot be
 * shared, they are copied or computed anew. */
HOB_MUST_CHECK hob_status sequence_fork(const struct sequence *sequence, struct sequence **ret_sequence, hob_error *error);
/* Makes `to` such a second one, of the same session: what it held is forgotten, and it need not be made anew. On failure it is empty. */
HOB_MUST_CHECK hob_status sequence_assign(struct sequence *to, const struct sequence *from, hob_error *error);
/* For a cache of prefixes: an empty sequence over blocks begins with these full ones, whose positions are ids (n_blocks *
 * PAGED_POSITIONS of them, no more than the context); it takes references of its own. */
void sequence_share(struct sequence *sequence, const int32_t *ids, const uint32_t *blocks, int64_t n_blocks);
/* An empty sequence begins as ids do, with what the session's cache of prefixes has of them, in memory or on disk. Returns how many
 * positions that are, at most n_ids: a multiple of PAGED_POSITIONS, often 0. */
int64_t sequence_recall(struct sequence *sequence, const int32_t *ids, int64_t n_ids);
/* Leaves the sequence's full blocks to that cache, for others; is_saved: on disk, too, where the session has a folder. */
void sequence_remember(const struct sequence *sequence, bool is_saved);
/* Forgets all but the first n_tokens. */
HOB_MUST_CHECK hob_status sequence_rewind(struct sequence *sequence, int64_t n_tokens, hob_error *error);

/* Whether ids can be appended. Fails: HOB_BAD_ARGUMENT (an id outside the vocabulary), HOB_LIMIT (they do not fit the context). */
HOB_MUST_CHECK hob_status sequence_check_ids(const struct sequence *sequence, const int32_t *ids, int64_t n_ids, hob_error *error);

int64_t sequence_n_tokens(const struct sequence *sequence);
const int32_t *sequence_ids(const struct sequence *sequence); /* [n_tokens]; valid until it changes */

/* Of the session's pool (kv_cache.h), one for every PAGED_POSITIONS tokens; valid until it changes. NULL: it has caches of its own. */
const uint32_t *sequence_blocks(const struct sequence *sequence);
int64_t sequence_n_blocks(const struct sequence *sequence);

/* A sequence's part of a run: ids that are appended to it, and the last n_rows of them whose logits are wanted. */
struct batch_entry {
    struct sequence *sequence; /* in at most one entry of a run */
    const int32_t *ids;
    int64_t n_ids;             /* at least 1 */
    int64_t n_rows;            /* 0 … n_ids */
    const float *logits;       /* set by the run: [n_rows, n_vocab], valid until the session's next run; NULL where n_rows is 0 */
};

/* Runs all entries at once. Allocates nothing once runs of this size have been seen. On failure every sequence is as it was.
 * Fails: HOB_LIMIT (a sequence's context is full, the pool of blocks is empty: the message names what is needed and what there
 * is), HOB_BAD_ARGUMENT (an id outside the vocabulary), whatever an operator reports. */
HOB_MUST_CHECK hob_status batch_run(hob_session *session, struct batch_entry *entries, size_t n_entries, hob_error *error);

#endif

/* Inside of a sequence, for the files of this room that make it, run it and keep its blocks. */
#ifndef ENGINE_KV_SEQUENCE_PARTS_H
#define ENGINE_KV_SEQUENCE_PARTS_H

#include "engine/decoder.h"

struct sequence {
    struct hob_session *session;
    int32_t *ids;            /* session->n_context_tokens of room; what is not yet counted in n_ids is a run's that is under way */
    int64_t n_ids;
    struct decoder *decoder; /* where caches are not in blocks; else NULL */
    uint32_t *blocks;        /* of session->kv_cache, room for the context; else NULL */
    int64_t n_blocks;
    struct sequence *next;   /* of those that are kept for the next one */
};

/* Blocks for the next n_new positions that nobody else holds, with what the last one had. On failure the sequence is as it was.
 * Fails: HOB_LIMIT. */
HOB_MUST_CHECK hob_status sequence_reserve(struct sequence *sequence, int64_t n_new, hob_error *error);
/* Gives back the blocks behind the first n_tokens positions. */
void sequence_cut(struct sequence *sequence, int64_t n_tokens);

#endif

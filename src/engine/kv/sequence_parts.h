/* Inside of a sequence, for sequence.c, which makes it, and batch.c, which runs it. */
#ifndef ENGINE_KV_SEQUENCE_PARTS_H
#define ENGINE_KV_SEQUENCE_PARTS_H

#include "engine/decoder.h"

struct sequence {
    struct hob_session *session;
    int32_t *ids;            /* session->n_context_tokens of room; what is not yet counted in n_ids is a run's that is under way */
    int64_t n_ids;
    struct decoder *decoder;
};

#endif

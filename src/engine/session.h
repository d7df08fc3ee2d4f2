/* Inside of hob_session: an executor on a provider, and for decoders what a run needs: ids so far, buffers for the inputs. */
#ifndef ENGINE_SESSION_H
#define ENGINE_SESSION_H

#include "engine/model.h"
#include "graph/executor.h"
#include "graph/provider.h"
#include "hob/session.h"

/* A cache that the graph takes and gives back whole (see roles.h). */
struct carried_cache {
    float *bytes;          /* as the last present: contiguous; any element type */
    size_t reserved_bytes;
    struct tensor tensor;  /* over bytes; dims[axis] positions */
};

struct hob_session {
    hob_model *model;
    struct provider provider;
    struct executor *executor;
    struct arena arena;            /* life of the session */
    struct arena run_arena;        /* life of a run: its inputs */
    int64_t n_vocab;               /* of the logits; 0 before the first run of a model that does not say */
    int64_t n_context_tokens;      /* capacity */
    int32_t *ids;                  /* what the cache holds; n_context_tokens of room */
    int64_t n_ids;
    struct carried_cache *carried; /* model->roles.n_carried */
    struct tensor *inputs, *bounds; /* one an input of the graph */
    const float *logits;           /* of the last position; NULL before any */
    float *wide_logits;            /* n_vocab of room for those of a model in half precision; NULL before any */
};

/* Runs a decoder on the session's ids [n_ids, n_ids + n_new), which the caller has put there, and on success counts them in.
 * Leaves the last position's logits. ret_all: room for the logits of each new position, [n_new, n_vocab]; NULL: not wanted, and not
 * computed where the graph lets one choose. */
HOB_MUST_CHECK hob_status decoder_run(struct hob_session *session, int64_t n_new, float *ret_all, hob_error *error);
/* Forgets what caches hold beyond n_tokens. */
HOB_MUST_CHECK hob_status decoder_rewind(struct hob_session *session, int64_t n_tokens, hob_error *error);
HOB_MUST_CHECK hob_status decoder_set_up(struct hob_session *session, hob_error *error);

/* The buffer for input i: an integer (or bool, or float) tensor of that declared type and of [n] or [1,n], filled with
 * start, start+step, …. Lives in arena. */
HOB_MUST_CHECK hob_status session_fill_input(struct hob_session *session, uint32_t i, struct arena *arena, int64_t n, int64_t start,
                                             int64_t step, struct tensor *ret_tensor, hob_error *error);

#endif

/* What a generation was asked for: a copy of prompt and options, when it ends, and whom it tells.
 *
 * Owns what it points to but session and context. One thread at a time, cancelling excepted.
 *
 *     TRY(request_init(&request, session, ids, n_ids, options, error));
 *     if (request_is_end(&request, id, &finish)) …
 *     request_tell(&request, &generated);
 *     request_release(&request);
 */
#ifndef ENGINE_GENERATE_REQUEST_H
#define ENGINE_GENERATE_REQUEST_H

#include "engine/session.h"
#include "grammar/token_masks.h"
#include "hob/generate.h"

#include <stdatomic.h>

struct request {
    hob_session *session;
    struct arena arena;
    hob_generate_options options; /* what it points to lies in the arena */
    const int32_t *prompt;
    size_t n_prompt;
    const int32_t *end_ids;       /* those that end a text and do not count: the model's, unless they are ignored, then the caller's */
    size_t n_end_ids, n_model_ends;
    struct token_masks *masks;    /* of the grammar; NULL: anything may come */
    hob_on_generated *on_generated; /* NULL: nobody listens */
    void *context;
    uint64_t deadline_ns;         /* 0: none */
    atomic_bool is_cancelled;
};

/* Fails: HOB_UNSUPPORTED (no decoder), HOB_BAD_ARGUMENT, HOB_LIMIT (the prompt is longer than the context), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status request_init(struct request *request, hob_session *session, const int32_t *ids, size_t n_ids,
                                       const hob_generate_options *options, hob_error *error);
void request_release(struct request *request); /* takes a zeroed one */

/* Whether a text ends with this token, and why. */
bool request_is_end(const struct request *request, int32_t id, hob_finish *ret_finish);
bool request_is_cancelled(const struct request *request);
/* Whether nothing more may be computed: cancelled, or out of time. */
bool request_is_over(const struct request *request, hob_finish *ret_finish);
/* Hands the caller a token; its refusal cancels the request. */
void request_tell(struct request *request, const hob_generated *generated);

/* Most tokens of a text: as many as wanted or, in a context that does not shift, as it has room for: the last one need not be in it. */
size_t request_most_tokens(const struct request *request);

#endif

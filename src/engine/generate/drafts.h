/* Speculation: drafts of the next tokens, run in one batch behind the last token and kept as far as they are what is picked anyway.
 *
 * A row of logits has the same bytes in a batch as alone, and the n-th draw depends on the seed and n only; so a text is the same to the
 * byte with drafts and without, greedy or drawn. How many are made at a time follows how many were right: two more after a run in which
 * all were, else as many as were right and one more.
 *
 * Owns its drafter. All is reserved by init: a token allocates nothing. One thread at a time.
 *
 *     TRY(drafts_init(&drafts, request, n_past, error));
 *     TRY(drafts_make(&drafts, &chain, last_id, n_room, error));     run drafts.ids [1 + drafts.n_ids], a row of logits each
 *     drafts_note(&drafts, n_right);
 *     drafts_release(&drafts);
 */
#ifndef ENGINE_GENERATE_DRAFTS_H
#define ENGINE_GENERATE_DRAFTS_H

#include "engine/generate/drafter.h"

struct drafts {
    const struct drafter_def *drafter; /* NULL: none are made */
    void *state;
    int32_t *ids;             /* the last token, then the drafts */
    size_t n_ids;             /* of the drafts */
    size_t n_most, n_wanted;
    size_t n_made, n_right;   /* so far */
};

enum { DRAFTS_MOST = 64 };

/* Fails: HOB_BAD_ARGUMENT (a draft model of another vocabulary), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status drafts_init(struct drafts *drafts, const struct request *request, size_t n_past, hob_error *error);
void drafts_release(struct drafts *drafts); /* takes a zeroed one */

/* n_room: most of them. */
HOB_MUST_CHECK hob_status drafts_make(struct drafts *drafts, struct sampler_chain *chain, int32_t last_id, size_t n_room, hob_error *error);
/* The text is parked: what its drafter has in a cache is given back. */
void drafts_forget(struct drafts *drafts);
void drafts_note(struct drafts *drafts, size_t n_right);

#endif

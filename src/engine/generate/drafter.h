/* Where drafts come from: one file and one row in drafters.def each. A drafter guesses what a text goes on with; the model checks the guesses
 * in one run, so a wrong one costs time and never changes the text.
 *
 * The guesses follow the past that the sampler chain keeps: its ids, the last of which the model has not seen yet.
 */
#ifndef ENGINE_GENERATE_DRAFTER_H
#define ENGINE_GENERATE_DRAFTER_H

#include "engine/generate/request.h"
#include "engine/sampler.h"

struct drafter_def {
    const char *name;
    bool (*is_for)(const hob_generate_options *options);
    /* n_past: most ids that the past will ever have; n_most: drafts at a time. ret_state is release's, which takes NULL. */
    hob_status (*init)(const struct request *request, size_t n_past, size_t n_most, void **ret_state, hob_error *error);
    void (*release)(void *state);
    /* What others could use meanwhile is given back, and made again for the next guess. NULL: it holds nothing of the kind. */
    void (*forget)(void *state);
    /* At most n_wanted drafts, perhaps none, into ret_ids. Leaves the chain's past and draws as they were. */
    hob_status (*guess)(void *state, struct sampler_chain *chain, size_t n_wanted, int32_t *ret_ids, size_t *ret_n_ids, hob_error *error);
};

#endif

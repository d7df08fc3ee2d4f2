/* The past as samplers see it: the last tokens of a chain, and a counter for each token of the vocabulary.
 *
 * The counters are the chain's, made once and all 0 between two calls of samplers: who counts the tokens of a window takes its own
 * counts back by going over the window again, which costs O(window), not O(vocabulary).
 *
 *     struct past past = past_window(chain, 0, 64);
 *     for (size_t i = 0; i < past.n_ids; i++) chain->counts[past.ids[i]]++;
 */
#ifndef ENGINE_PAST_H
#define ENGINE_PAST_H

#include "engine/sampler.h"

enum { PAST_DEFAULT_WINDOW = 64 };

struct past {
    const int32_t *ids;
    size_t n_ids;
};

/* The last n_most tokens (0: PAST_DEFAULT_WINDOW) of those from place first on. */
struct past past_window(const struct sampler_chain *chain, size_t first, size_t n_most);
/* Makes chain->counts unless they are there. */
HOB_MUST_CHECK hob_status past_need_counts(struct sampler_chain *chain, hob_error *error);

#endif

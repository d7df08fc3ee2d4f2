/* The tokens that may come next, each with its logit: what a sampler narrows.
 *
 * Borrows its items from the chain. "Better" is a total order: the higher logit, and of equal logits the lower id, so
 * every selection has one answer. Logits are never NaN here (candidates_load sees to it). Nothing allocates.
 *
 *     candidates_load(&candidates, logits, n_vocab);
 *     candidates_begin_sort(&candidates);
 *     while (enough is missing) candidates_sort_next(&candidates);
 *     candidates_keep_sorted(&candidates);          best first; the rest is gone
 */
#ifndef ENGINE_CANDIDATES_H
#define ENGINE_CANDIDATES_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

struct candidate {
    int32_t id;
    float logit;
};

struct candidates {
    struct candidate *items;
    float *weights;  /* by id; of those that are left when candidates_weigh was called */
    size_t n_items;  /* at least one */
    size_t n_sorted; /* while sorting: the best ones, at the end of items, the best of all last */
};

/* One candidate for each logit; NaN counts as minus infinity. items has room for n_logits. */
void candidates_load(struct candidates *candidates, const float *logits, size_t n_logits);
struct candidate candidates_best(const struct candidates *candidates);
float candidates_max_logit(const struct candidates *candidates);
/* Drops those whose bit is not set; nothing where that would leave none. Before any cut, while items are in the order of the ids. */
void candidates_keep_allowed(struct candidates *candidates, const uint32_t *allowed);
/* The n best, best first: O(n_items) where n is small. n: 1 to n_items. */
void candidates_keep_best(struct candidates *candidates, size_t n);
/* Sets the weights: probabilities up to a common factor, 1 for the best; infinite logits share it among themselves. Returns their
 * sum. */
double candidates_weigh(struct candidates *candidates);
/* Keeps the fewest best whose weights sum to mass or more, in no particular order. Weights must be set, of whatever logits:
 * O(n_items) but for those close to the last one kept. */
void candidates_keep_mass(struct candidates *candidates, double mass);

/* Sorting step by step costs O(n_items) to begin and O(log n_items) for each step: a few of many are cheap. */
void candidates_begin_sort(struct candidates *candidates);
/* The best that is not sorted yet; call at most n_items times. */
struct candidate candidates_sort_next(struct candidates *candidates);
void candidates_keep_sorted(struct candidates *candidates);

#endif

/* The partial sort is a heap sort that stops early, because top-k and top-p keep tens of a hundred thousand, and because
 * the C library's qsort may allocate. */
#include "engine/candidates.h"

#include "base/error.h"

#include <stdbool.h>

static bool is_better(struct candidate a, struct candidate b)
{
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

static void swap(struct candidate *a, struct candidate *b)
{
    struct candidate old_a = *a;
    *a = *b;
    *b = old_a;
}

void candidates_load(struct candidates *candidates, const float *logits, size_t n_logits)
{
    for (size_t i = 0; i < n_logits; i++)
        candidates->items[i] = (struct candidate){(int32_t)i, isnan(logits[i]) ? -INFINITY : logits[i]};
    candidates->n_items = n_logits;
    candidates->n_sorted = 0;
}

struct candidate candidates_best(const struct candidates *candidates)
{
    struct candidate best = candidates->items[0];
    for (size_t i = 1; i < candidates->n_items; i++)
        if (is_better(candidates->items[i], best)) best = candidates->items[i];
    return best;
}

float candidates_max_logit(const struct candidates *candidates)
{
    return candidates_best(candidates).logit;
}

double candidates_total_weight(const struct candidates *candidates, float max_logit)
{
    double total = 0;
    for (size_t i = 0; i < candidates->n_items; i++) total += candidate_weight(candidates->items[i].logit, max_logit);
    return total;
}

/* Lets items[i] sink until both its children are worse. */
static void sift_down(struct candidate *items, size_t n_items, size_t i)
{
    for (;;) {
        size_t best = i, left = 2 * i + 1, right = left + 1;
        if (left < n_items && is_better(items[left], items[best])) best = left;
        if (right < n_items && is_better(items[right], items[best])) best = right;
        if (best == i) return;
        swap(&items[i], &items[best]);
        i = best;
    }
}

void candidates_begin_sort(struct candidates *candidates)
{
    candidates->n_sorted = 0;
    for (size_t i = candidates->n_items / 2; i > 0; i--) sift_down(candidates->items, candidates->n_items, i - 1);
}

struct candidate candidates_sort_next(struct candidates *candidates)
{
    HOB_ASSERT(candidates->n_sorted < candidates->n_items);
    size_t n_heap = candidates->n_items - candidates->n_sorted - 1;
    swap(&candidates->items[0], &candidates->items[n_heap]);
    sift_down(candidates->items, n_heap, 0);
    candidates->n_sorted++;
    return candidates->items[n_heap];
}

/* The sorted ones lie at the end, worst first: turning the whole array round puts them in front, best first. */
void candidates_keep_sorted(struct candidates *candidates)
{
    size_t n_items = candidates->n_items;
    for (size_t i = 0; i < n_items / 2; i++) swap(&candidates->items[i], &candidates->items[n_items - 1 - i]);
    candidates->n_items = candidates->n_sorted;
    candidates->n_sorted = 0;
}

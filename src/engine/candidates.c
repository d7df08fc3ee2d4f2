/* The partial sort is a heap sort that stops early, because top-k and top-p keep tens of a hundred thousand, and because
 * the C library's qsort may allocate. */
#include "engine/candidates.h"

#include "base/error.h"

#include <stdbool.h>

static inline bool is_better(struct candidate a, struct candidate b)
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

void candidates_keep_allowed(struct candidates *candidates, const uint32_t *allowed)
{
    size_t n_kept = 0;
    for (size_t i = 0; i < candidates->n_items; i++) {
        struct candidate candidate = candidates->items[i];
        uint32_t id = (uint32_t)candidate.id;
        candidates->items[n_kept] = candidate;
        n_kept += allowed[id / 32] >> id % 32 & 1;
    }
    if (n_kept) candidates->n_items = n_kept;
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

/* Lets items[i] of a heap with the worst on top sink. */
static void sift_worst(struct candidate *items, size_t n_items, size_t i)
{
    for (;;) {
        size_t worst = i, left = 2 * i + 1, right = left + 1;
        if (left < n_items && is_better(items[worst], items[left])) worst = left;
        if (right < n_items && is_better(items[worst], items[right])) worst = right;
        if (worst == i) return;
        swap(&items[i], &items[worst]);
        i = worst;
    }
}

/* The first n become a heap with the worst on top, which nearly every later one fails to beat: one comparison each. Taking the
 * worst off one by one to the heap's end leaves the best in front. */
void candidates_keep_best(struct candidates *candidates, size_t n)
{
    struct candidate *items = candidates->items;
    for (size_t i = n / 2; i > 0; i--) sift_worst(items, n, i - 1);
    for (size_t i = n; i < candidates->n_items; i++) {
        if (!is_better(items[i], items[0])) continue;
        items[0] = items[i];
        sift_worst(items, n, 0);
    }
    for (size_t n_heap = n; n_heap > 1; n_heap--) {
        swap(&items[0], &items[n_heap - 1]);
        sift_worst(items, n_heap - 1, 0);
    }
    candidates->n_items = n;
    candidates->n_sorted = 0;
}

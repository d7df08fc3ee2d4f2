/* Nothing here sorts a whole vocabulary: the best k are kept in a heap of k, a mass is found by buckets and sorted only where it
 * ends. The C library's qsort may allocate, too. */
#include "engine/candidates.h"

#include "base/error.h"
#include "kernels/kernels.h"

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

/* Sixteen maxima side by side: one would wait for itself at every item. */
float candidates_max_logit(const struct candidates *candidates)
{
    enum { LANES = 16 };
    const struct candidate *items = candidates->items;
    float best[LANES];
    size_t i = 0;
    for (size_t lane = 0; lane < LANES; lane++) best[lane] = items[0].logit;
    for (; i + LANES <= candidates->n_items; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            best[lane] = items[i + lane].logit > best[lane] ? items[i + lane].logit : best[lane];
    for (; i < candidates->n_items; i++) best[0] = items[i].logit > best[0] ? items[i].logit : best[0];
    for (size_t lane = 1; lane < LANES; lane++) best[0] = best[lane] > best[0] ? best[lane] : best[0];
    return best[0];
}

/* The first of the best logits is that of the lowest id only while items are in the order of the ids. */
struct candidate candidates_best(const struct candidates *candidates)
{
    struct candidate best = {0, candidates_max_logit(candidates)};
    bool is_found = false;
    for (size_t i = 0; i < candidates->n_items; i++) {
        if (candidates->items[i].logit != best.logit || (is_found && candidates->items[i].id > best.id)) continue;
        best = candidates->items[i];
        is_found = true;
    }
    return best;
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

enum { WEIGHED_AT_ONCE = 512 }; /* exponentials: they stay in the nearest cache */

static float weight_beside_infinity(float logit, float max_logit)
{
    return logit == max_logit ? 1.0f : 0.0f;
}

static double sum_of(const float *weights, size_t n)
{
    enum { LANES = 8 };
    double sums[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++) sums[lane] += (double)weights[i + lane];
    for (; i < n; i++) sums[i % LANES] += (double)weights[i];
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

static double weigh_some(struct candidates *candidates, const struct candidate *items, size_t n, float max_logit)
{
    float weights[WEIGHED_AT_ONCE];
    for (size_t i = 0; i < n; i++) weights[i] = items[i].logit - max_logit;
    kernels_select()->exp_f32((int64_t)n, weights, weights);
    if (isinf(max_logit))
        for (size_t i = 0; i < n; i++) weights[i] = weight_beside_infinity(items[i].logit, max_logit);
    for (size_t i = 0; i < n; i++) candidates->weights[items[i].id] = weights[i];
    return sum_of(weights, n);
}

double candidates_weigh(struct candidates *candidates)
{
    float max_logit = candidates_max_logit(candidates);
    double total = 0;
    for (size_t begin = 0; begin < candidates->n_items; begin += WEIGHED_AT_ONCE) {
        const struct candidate *items = candidates->items + begin;
        size_t n = candidates->n_items - begin < WEIGHED_AT_ONCE ? candidates->n_items - begin : WEIGHED_AT_ONCE;
        total += weigh_some(candidates, items, n, max_logit);
    }
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

/* Buckets of a sixteenth below the best logit; the last takes all the rest. */
enum { N_BUCKETS = 512, BUCKETS_PER_UNIT = 16 };

static size_t bucket_of(float logit, float max_logit)
{
    if (logit == max_logit) return 0;
    float place = (max_logit - logit) * BUCKETS_PER_UNIT;
    return place < N_BUCKETS - 1 ? (size_t)place : N_BUCKETS - 1;
}

/* The bucket in which the mass is reached, and what those above it hold. */
static size_t find_bucket(const struct candidates *candidates, float max_logit, double mass, double *ret_above)
{
    double sums[N_BUCKETS] = {0}, above = 0;
    for (size_t i = 0; i < candidates->n_items; i++)
        sums[bucket_of(candidates->items[i].logit, max_logit)] += (double)candidates->weights[candidates->items[i].id];
    size_t bucket = 0;
    while (bucket + 1 < N_BUCKETS && above + sums[bucket] < mass) above += sums[bucket++];
    *ret_above = above;
    return bucket;
}

/* Drops what is in later buckets; those of the bucket itself go to the end. Returns how many are in front of them. */
static size_t split_at(struct candidates *candidates, float max_logit, size_t bucket)
{
    struct candidate *items = candidates->items;
    size_t n_kept = 0, n_front = 0;
    for (size_t i = 0; i < candidates->n_items; i++) {
        size_t found = bucket_of(items[i].logit, max_logit);
        if (found > bucket) continue;
        items[n_kept] = items[i];
        if (found < bucket) swap(&items[n_front++], &items[n_kept]);
        n_kept++;
    }
    candidates->n_items = n_kept;
    return n_front;
}

void candidates_keep_mass(struct candidates *candidates, double mass)
{
    double sum;
    float max_logit = candidates_max_logit(candidates);
    size_t bucket = find_bucket(candidates, max_logit, mass, &sum);
    size_t n_front = split_at(candidates, max_logit, bucket);
    struct candidates rest = {.items = candidates->items + n_front, .n_items = candidates->n_items - n_front};
    if (rest.n_items) candidates_begin_sort(&rest);
    while ((sum < mass || n_front + rest.n_sorted == 0) && rest.n_sorted < rest.n_items)
        sum += (double)candidates->weights[candidates_sort_next(&rest).id];
    candidates_keep_sorted(&rest);
    candidates->n_items = n_front + rest.n_items;
    candidates->n_sorted = 0;
}

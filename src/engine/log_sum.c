#include "engine/log_sum.h"

#include "kernels/kernels.h"

#include <math.h>

enum { BLOCK = 512, LANES = 8 }; /* exponentials at a time: they stay in the nearest cache */

/* Where the best is infinite the differences are NaN or minus infinity: equal ones count as 1. */
static double sum_of_extremes(const float *logits, size_t n_logits, float max_logit)
{
    double sum = 0;
    for (size_t i = 0; i < n_logits; i++) sum += logits[i] == max_logit || (max_logit < 0 && isnan(logits[i]));
    return sum;
}

/* Eight sums side by side: one would wait for itself at every item. */
static void add_weights(const float *weights, size_t n, double *sums)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++) sums[lane] += (double)weights[i + lane];
    for (; i < n; i++) sums[i % LANES] += (double)weights[i];
}

struct log_sum log_sum_of(const float *logits, size_t n_logits)
{
    const struct kernels *kernels = kernels_select();
    float best = kernels->max_f32((int64_t)n_logits, logits), weights[BLOCK];
    double sums[LANES] = {0};
    if (isinf(best)) return (struct log_sum){best, log(sum_of_extremes(logits, n_logits, best))};
    for (size_t begin = 0; begin < n_logits; begin += BLOCK) {
        size_t n = n_logits - begin < BLOCK ? n_logits - begin : BLOCK;
        for (size_t i = 0; i < n; i++) weights[i] = isnan(logits[begin + i]) ? -INFINITY : logits[begin + i] - best;
        kernels->exp_f32((int64_t)n, weights, weights);
        add_weights(weights, n, sums);
    }
    for (size_t lane = 1; lane < LANES; lane++) sums[0] += sums[lane];
    return (struct log_sum){best, log(sums[0])};
}

double log_sum_logprob_double(struct log_sum log_sum, float logit)
{
    if (isnan(logit)) logit = -INFINITY;
    return (logit == log_sum.max_logit ? 0.0 : (double)logit - (double)log_sum.max_logit) - log_sum.log;
}

float log_sum_logprob(struct log_sum log_sum, float logit)
{
    return (float)log_sum_logprob_double(log_sum, logit);
}

/* Logarithms of probabilities from logits: logit - log(sum of exp(logit)).
 *
 * The sum is made once for a position and serves every token asked for. In double, in the order of the ids, with the kernels'
 * exponential, so that the value is the same on every machine. NaN counts as minus infinity. Nothing allocates; thread-safe.
 *
 *     struct log_sum log_sum = log_sum_of(logits, n_vocab);
 *     float logprob = log_sum_logprob(log_sum, logits[id]);
 */
#ifndef ENGINE_LOG_SUM_H
#define ENGINE_LOG_SUM_H

#include <stddef.h>

struct log_sum {
    float max_logit;
    double log; /* of the sum of exp(logit - max_logit) */
};

/* n_logits: at least 1. */
struct log_sum log_sum_of(const float *logits, size_t n_logits);
/* Infinite logits share the probability among themselves; where all are minus infinity all are alike. */
double log_sum_logprob_double(struct log_sum log_sum, float logit);
float log_sum_logprob(struct log_sum log_sum, float logit);

#endif

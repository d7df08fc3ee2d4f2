#include "ops/ml/post_transform.h"

#include <math.h>
#include <string.h>

hob_status post_transform_prepare(const struct op_prepare *node, enum post_transform *ret_transform)
{
    static const char *const names[] = {[POST_NONE] = "NONE",
                                        [POST_SOFTMAX] = "SOFTMAX",
                                        [POST_LOGISTIC] = "LOGISTIC",
                                        [POST_SOFTMAX_ZERO] = "SOFTMAX_ZERO",
                                        [POST_PROBIT] = "PROBIT"};
    const char *name = attributes_string(node->attributes, "post_transform", "NONE");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i])) continue;
        *ret_transform = (enum post_transform)i;
        return HOB_OK;
    }
    FAIL(node->error, HOB_BAD_GRAPH,
         "%s: post_transform: found \"%s\", expected NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO or PROBIT", node->node_name,
         name);
}

double post_transform_logistic(double x)
{
    double y = 1 / (1 + exp(-fabs(x)));
    return x < 0 ? 1 - y : y;
}

/* The quantile of the normal distribution: Winitzki's approximation of the inverse of erf, then Newton's method. 0 and 1 give 0, as the
 * reference has it. */
static double probit(double p)
{
    const double pi = 3.14159265358979323846, a = 0.147;
    double x = 2 * p - 1, rest = (1 - x) * (1 + x);
    if (rest == 0) return 0;
    double logarithm = log(rest), half = 2 / (pi * a) + 0.5 * logarithm;
    double root = sqrt(sqrt(half * half - logarithm / a) - half);
    root = x < 0 ? -root : root;
    for (int i = 0; i < 3; i++) root -= (erf(root) - x) * (sqrt(pi) / 2) * exp(root * root);
    return sqrt(2) * root;
}

static double largest(int64_t n, const double *scores)
{
    double found = scores[0];
    for (int64_t i = 1; i < n; i++) found = scores[i] > found ? scores[i] : found;
    return found;
}

/* keeps_zeros: scores that are 0 stay 0 and take no part. */
static void softmax(int64_t n, double *scores, bool keeps_zeros)
{
    double shift = largest(n, scores), sum = 0;
    for (int64_t i = 0; i < n; i++) {
        bool is_zero = keeps_zeros && fabs(scores[i]) <= 1e-7;
        scores[i] = is_zero ? scores[i] * exp(-shift) : exp(scores[i] - shift);
        sum += scores[i];
    }
    for (int64_t i = 0; i < n; i++) scores[i] = sum != 0 ? scores[i] / sum : 0.5;
}

static void transform_all(enum post_transform transform, int64_t n, double *scores)
{
    if (transform == POST_SOFTMAX || transform == POST_SOFTMAX_ZERO) {
        softmax(n, scores, transform == POST_SOFTMAX_ZERO);
        return;
    }
    if (transform == POST_NONE) return;
    for (int64_t i = 0; i < n; i++)
        scores[i] = transform == POST_PROBIT ? probit(scores[i]) : post_transform_logistic(scores[i]);
}

int64_t post_transform_apply(enum post_transform transform, enum second_class second, int64_t n, double *scores)
{
    if (n == 1 && second != SECOND_NONE) {
        bool is_complement = transform == POST_PROBIT || (transform != POST_LOGISTIC && second == SECOND_COMPLEMENT);
        scores[1] = scores[0];
        scores[0] = is_complement ? 1 - scores[1] : -scores[1];
        if (transform == POST_LOGISTIC || transform == POST_PROBIT) transform_all(transform, 2, scores);
        return 2;
    }
    if (n) transform_all(transform, n, scores);
    return n;
}

/* What the classifiers and regressors of ai.onnx.ml do to raw scores at their end. Pure functions. */
#ifndef OPS_ML_POST_TRANSFORM_H
#define OPS_ML_POST_TRANSFORM_H

#include "ops/op.h"

enum post_transform { POST_NONE, POST_SOFTMAX, POST_LOGISTIC, POST_SOFTMAX_ZERO, POST_PROBIT };

/* How a single score of a two-class model becomes two. The specification does not say; ONNX Runtime makes two logistic or probit scores, and
 * leaves the others as they are, without softmax. */
enum second_class {
    SECOND_NONE,       /* it does not */
    SECOND_COMPLEMENT, /* it is a probability: 1 - s and s */
    SECOND_OPPOSITE    /* -s and s */
};

/* Attribute post_transform, a text. */
HOB_MUST_CHECK hob_status post_transform_prepare(const struct op_prepare *node, enum post_transform *ret_transform);
/* Transforms n scores in place; scores has room for two even if n is 1. Returns how many there are then. */
int64_t post_transform_apply(enum post_transform transform, enum second_class second, int64_t n, double *scores);
/* 1 / (1 + e^-x) without overflow. */
double post_transform_logistic(double x);

#endif

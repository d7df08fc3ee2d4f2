/* The activation that a fused operator names in its attributes `activation` (text) and `activation_params` (alpha, beta).
 * A plain value. Thread-safe.
 *
 *     TRY(activation_parse(node, &params->activation));
 */
#ifndef OPS_ACTIVATION_H
#define OPS_ACTIVATION_H

#include "kernels/kernels.h"
#include "ops/op.h"

struct activation {
    enum finish_activation kind; /* FINISH_NONE when none is named */
    float alpha, beta;           /* the operator's defaults where activation_params gives fewer */
};

/* Fails: HOB_BAD_GRAPH on a name that is unknown, saying which are known. */
HOB_MUST_CHECK hob_status activation_parse(const struct op_prepare *node, struct activation *ret_activation);
/* What attribute `activation` has for this kind; "" for FINISH_NONE. */
const char *activation_name(enum finish_activation kind);

#endif

/* The class labels of a classifier: numbers or texts, from two attributes of which one is given. They live as long as the graph. */
#ifndef OPS_ML_LABELS_H
#define OPS_ML_LABELS_H

#include "ops/op.h"

struct labels {
    size_t n_labels;
    const int64_t *numbers; /* set unless texts is; NULL too when there are no labels: a class is its own number */
    const struct tensor_string *texts;
};

/* From attributes of these names. */
HOB_MUST_CHECK hob_status labels_prepare(const struct op_prepare *node, const char *numbers_name,
                                         const char *texts_name, struct labels *ret_labels);
enum dtype labels_dtype(const struct labels *labels);
/* Item `at` of y is the label of this class. */
void labels_store(const struct labels *labels, int64_t class_index, const struct tensor *y, int64_t at);

#endif

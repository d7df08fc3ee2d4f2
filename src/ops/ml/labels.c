#include "ops/ml/labels.h"

hob_status labels_prepare(const struct op_prepare *node, const char *numbers_name, const char *texts_name,
                          struct labels *ret_labels)
{
    struct labels labels = {0};
    const struct attribute *texts = attributes_find(node->attributes, texts_name);
    labels.numbers = attributes_ints(node->attributes, numbers_name, &labels.n_labels);
    if (texts && texts->kind == ATTRIBUTE_STRINGS && texts->n_items) {
        if (labels.n_labels)
            FAIL(node->error, HOB_BAD_GRAPH, "%s: found both %s and %s, expected one of them", node->node_name,
                 numbers_name, texts_name);
        labels = (struct labels){.n_labels = texts->n_items, .texts = texts->strings};
    }
    if (!labels.n_labels) labels.numbers = NULL;
    if (labels.n_labels > INT32_MAX)
        FAIL(node->error, HOB_LIMIT, "%s: found %zu labels, too many", node->node_name, labels.n_labels);
    *ret_labels = labels;
    return HOB_OK;
}

enum dtype labels_dtype(const struct labels *labels)
{
    return labels->texts ? DTYPE_STRING : DTYPE_I64;
}

void labels_store(const struct labels *labels, int64_t class_index, const struct tensor *y, int64_t at)
{
    if (labels->texts) ((struct tensor_string *)y->data)[at] = labels->texts[class_index];
    else ((int64_t *)y->data)[at] = labels->numbers ? labels->numbers[class_index] : class_index;
}

#include "ops/ml/rows.h"

#include "ops/numbers.h"

hob_status rows_shape(struct op_context *ctx, struct rows *ret_rows)
{
    const struct tensor *x = ctx->inputs[0];
    if (x->rank != 1 && x->rank != 2)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found shape %s, expected [N,C] or [C]", OP_SHAPE(x));
    *ret_rows = (struct rows){.n_rows = x->rank == 2 ? x->dims[0] : 1, .width = x->dims[x->rank - 1]};
    return HOB_OK;
}

void rows_load(const struct tensor *x, int64_t width, int64_t row, double *ret_items)
{
    numbers_load_f64(x, row * width, 1, (size_t)width, ret_items);
}

static hob_status read_tensor(const struct op_prepare *node, const struct attribute *attribute,
                              const double **ret_reals, size_t *ret_n_reals)
{
    const struct tensor *from = attribute->kind == ATTRIBUTE_TENSOR ? attribute->tensor : NULL;
    if (!from || (!numbers_is_float(from->dtype) && !numbers_is_integer(from->dtype)))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: %s: expected a tensor of numbers", node->node_name, attribute->name);
    size_t n_reals = (size_t)tensor_n_items(from);
    double *reals = ARENA_NEW(node->arena, double, n_reals);
    if (!reals) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    numbers_load_f64(from, 0, 1, n_reals, reals);
    *ret_reals = reals;
    *ret_n_reals = n_reals;
    return HOB_OK;
}

hob_status rows_read_reals(const struct op_prepare *node, const char *name, const char *tensor_name,
                           const double **ret_reals, size_t *ret_n_reals)
{
    const struct attribute *tensor = tensor_name ? attributes_find(node->attributes, tensor_name) : NULL;
    if (tensor) return read_tensor(node, tensor, ret_reals, ret_n_reals);
    size_t n_reals;
    const float *floats = attributes_floats(node->attributes, name, &n_reals);
    double *reals = ARENA_NEW(node->arena, double, n_reals);
    if (!reals) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    for (size_t i = 0; i < n_reals; i++) reals[i] = (double)floats[i];
    *ret_reals = n_reals ? reals : NULL;
    *ret_n_reals = n_reals;
    return HOB_OK;
}

/* CumSum, CumProd: running sums and products along an axis. Floats are computed in f64 and rounded as they are stored; integers wrap
 * around. */
#include "ops/axes.h"
#include "ops/moving.h"
#include "ops/numbers.h"

struct cum_sum_params {
    bool is_exclusive, is_reverse, is_product;
};

static hob_status prepare(const struct op_prepare *node, bool is_product, void **ret_params)
{
    struct cum_sum_params *params = ARENA_NEW(node->arena, struct cum_sum_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->is_exclusive = attributes_int(node->attributes, "exclusive", 0) != 0;
    params->is_reverse = attributes_int(node->attributes, "reverse", 0) != 0;
    params->is_product = is_product;
    *ret_params = params;
    return HOB_OK;
}

static hob_status prepare_sum(const struct op_prepare *node, void **ret_params)
{
    return prepare(node, false, ret_params);
}

static hob_status prepare_product(const struct op_prepare *node, void **ret_params)
{
    return prepare(node, true, ret_params);
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    if ((!numbers_is_float(x->dtype) && !numbers_is_integer(x->dtype)) || x->dtype == DTYPE_BOOL)
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s, expected numbers", dtype_name(x->dtype));
    return op_set_output(ctx, 0, x->dtype, x->rank, x->dims);
}

/* One line of the input from offset `from`, to the output from offset `to`; steps are negative in reverse. */
struct line {
    int64_t from, from_step, to, to_step, n_items;
};

#define FOLD_LINE(function, type, sum_type, start, operator, load, store)                                  \
    static void function(const struct tensor *x, const struct tensor *out, struct line line, bool is_exclusive) \
    {                                                                                                      \
        sum_type sum = (start);                                                                            \
        type items[NUMBERS_RUN];                                                                           \
        while (line.n_items) {                                                                             \
            size_t n = line.n_items < NUMBERS_RUN ? (size_t)line.n_items : NUMBERS_RUN;                    \
            load(x, line.from, line.from_step, n, items);                                                  \
            for (size_t i = 0; i < n; i++) {                                                               \
                sum_type before = sum;                                                                     \
                sum operator(sum_type) items[i];                                                            \
                items[i] = (type)(is_exclusive ? before : sum);                                            \
            }                                                                                              \
            store(out, line.to, line.to_step, n, items);                                                   \
            line.from += (int64_t)n * line.from_step;                                                      \
            line.to += (int64_t)n * line.to_step;                                                          \
            line.n_items -= (int64_t)n;                                                                    \
        }                                                                                                  \
    }
FOLD_LINE(sum_reals, double, double, 0, +=, numbers_load_f64, numbers_store_f64)
FOLD_LINE(sum_integers, int64_t, uint64_t, 0, +=, numbers_load_i64, numbers_store_i64)
FOLD_LINE(multiply_reals, double, double, 1, *=, numbers_load_f64, numbers_store_f64)
FOLD_LINE(multiply_integers, int64_t, uint64_t, 1, *=, numbers_load_i64, numbers_store_i64)

typedef void fold_line(const struct tensor *x, const struct tensor *out, struct line line, bool is_exclusive);

static hob_status read_axis(struct op_context *ctx, int *ret_axis)
{
    int64_t axis;
    size_t n_axes;
    TRY(op_read_ints(ctx, 1, 1, &axis, &n_axes));
    if (n_axes != 1) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 1: found no axis");
    return axis_normalize(ctx, axis, ret_axis);
}

static hob_status run(struct op_context *ctx)
{
    const struct cum_sum_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *out = ctx->outputs[0];
    int axis;
    TRY(read_axis(ctx, &axis));
    bool is_real = numbers_is_float(x->dtype);
    fold_line *fold = params->is_product ? is_real ? multiply_reals : multiply_integers : is_real ? sum_reals : sum_integers;
    int64_t n = x->dims[axis], n_lines = n ? tensor_n_items(x) / n : 0, position[TENSOR_MAX_RANK] = {0};
    for (; n_lines; n_lines--) {
        struct line line = {.from_step = x->strides[axis], .to_step = out->strides[axis], .n_items = n};
        for (int d = 0; d < x->rank; d++) {
            line.from += position[d] * x->strides[d];
            line.to += position[d] * out->strides[d];
        }
        if (params->is_reverse) {
            line.from += (n - 1) * line.from_step;
            line.to += (n - 1) * line.to_step;
            line.from_step = -line.from_step;
            line.to_step = -line.to_step;
        }
        fold(x, out, line, params->is_exclusive);
        for (int d = x->rank - 1; d >= 0; d--) {
            if (d == axis) continue;
            if (++position[d] < x->dims[d]) break;
            position[d] = 0;
        }
    }
    return HOB_OK;
}

const struct op_def op_cum_sum = {.name = "CumSum", .domain = "", .since = 11, .min_inputs = 2, .max_inputs = 2,
                                  .min_outputs = 1, .max_outputs = 1, .types = TYPES_NUMBER, .flags = OP_STRIDED_INPUTS, .prepare = prepare_sum,
                                  .infer = infer, .run = run};
const struct op_def op_cum_prod = {.name = "CumProd", .domain = "", .since = 26, .min_inputs = 2, .max_inputs = 2,
                                  .min_outputs = 1, .max_outputs = 1, .types = TYPES_NUMBER, .flags = OP_STRIDED_INPUTS, .prepare = prepare_product,
                                  .infer = infer, .run = run};

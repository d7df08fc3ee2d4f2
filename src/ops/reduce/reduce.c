/* The Reduce family: sums, products, extremes and norms over some axes.
 *
 * Opsets below 18 (13 for ReduceSum) give the axes as an attribute, later ones as an input; a node has one or the other, so one
 * row serves all. Rows of f32 next to each other go to the kernels; everything else folds tile by tile in f64 or, where the
 * result is exact in integers, in i64 (which wraps, as NumPy does). */
#include "ops/axes.h"
#include "ops/numbers.h"
#include "ops/reduction.h"

#include "kernels/kernels.h"

/* One reduction: start, fold each item, finish. */
struct reduce_rule {
    double start_f64;
    void (*fold_f64)(size_t n, double *sums, const double *items);
    double (*finish)(double sum, int64_t n_folded);                  /* NULL: the sum is the result */
    void (*fold_i64)(size_t n, int64_t *sums, const int64_t *items); /* NULL: integers go through f64 */
    void (*fold_u64)(size_t n, int64_t *sums, const int64_t *items); /* NULL: like fold_i64 */
    int64_t start_i64, start_u64;
    float (*row_f32)(const struct kernels *kernels, int64_t n, const float *row); /* NULL: no kernel */
    bool is_log_sum_exp;                                                          /* needs the maximum first */
};

struct reduce_params {
    const struct reduce_rule *rule;
    struct axes axes;
    bool keeps_dims, is_noop_without_axes;
};

#define FOLD(name, type, expression)                          \
    static void name(size_t n, type *sums, const type *items) \
    {                                                         \
        for (size_t k = 0; k < n; k++) {                      \
            type s = sums[k], x = items[k];                   \
            sums[k] = (expression);                           \
        }                                                     \
    }
/* Integer sums wrap: computed unsigned, where overflow is defined. */
#define WRAP(a, operator, b) ((int64_t)((uint64_t)(a) operator(uint64_t)(b)))

FOLD(sum_f64, double, s + x)
FOLD(sum_i64, int64_t, WRAP(s, +, x))
FOLD(product_f64, double, s *x)
FOLD(product_i64, int64_t, WRAP(s, *, x))
FOLD(max_f64, double, x > s || x != x ? x : s)
FOLD(max_i64, int64_t, x > s ? x : s)
FOLD(max_u64, int64_t, (uint64_t)x > (uint64_t)s ? x : s)
FOLD(min_f64, double, x < s || x != x ? x : s)
FOLD(min_i64, int64_t, x < s ? x : s)
FOLD(min_u64, int64_t, (uint64_t)x < (uint64_t)s ? x : s)
FOLD(absolute_f64, double, s + fabs(x))
FOLD(absolute_i64, int64_t, x < 0 ? WRAP(s, -, x) : WRAP(s, +, x))
FOLD(square_f64, double, s + x * x)
FOLD(square_i64, int64_t, WRAP(s, +, WRAP(x, *, x)))

static double divide(double sum, int64_t n_folded)
{
    return sum / (double)n_folded;
}

static double square_root(double sum, int64_t n_folded)
{
    (void)n_folded;
    return sqrt(sum);
}

static double logarithm(double sum, int64_t n_folded)
{
    (void)n_folded;
    return log(sum);
}

static float row_sum(const struct kernels *kernels, int64_t n, const float *row)
{
    return kernels->sum_f32(n, row);
}

static float row_mean(const struct kernels *kernels, int64_t n, const float *row)
{
    return kernels->sum_f32(n, row) / (float)n;
}

static float row_sum_squares(const struct kernels *kernels, int64_t n, const float *row)
{
    return kernels->sum_squares_f32(n, row);
}

static const struct reduce_rule rule_sum = {.fold_f64 = sum_f64, .fold_i64 = sum_i64, .row_f32 = row_sum};
static const struct reduce_rule rule_mean = {.fold_f64 = sum_f64, .finish = divide, .row_f32 = row_mean};
static const struct reduce_rule rule_prod = {
    .start_f64 = 1, .fold_f64 = product_f64, .fold_i64 = product_i64, .start_i64 = 1, .start_u64 = 1};
static const struct reduce_rule rule_max = {
    .start_f64 = -INFINITY, .fold_f64 = max_f64, .fold_i64 = max_i64, .fold_u64 = max_u64, .start_i64 = INT64_MIN};
static const struct reduce_rule rule_min = {.start_f64 = INFINITY,
                                            .fold_f64 = min_f64,
                                            .fold_i64 = min_i64,
                                            .fold_u64 = min_u64,
                                            .start_i64 = INT64_MAX,
                                            .start_u64 = -1}; /* all bits: the largest u64 */
static const struct reduce_rule rule_l1 = {.fold_f64 = absolute_f64, .fold_i64 = absolute_i64, .fold_u64 = sum_i64};
static const struct reduce_rule rule_l2 = {.fold_f64 = square_f64, .finish = square_root};
static const struct reduce_rule rule_sum_square = {
    .fold_f64 = square_f64, .fold_i64 = square_i64, .row_f32 = row_sum_squares};
static const struct reduce_rule rule_log_sum = {.fold_f64 = sum_f64, .finish = logarithm};
static const struct reduce_rule rule_log_sum_exp = {.fold_f64 = sum_f64, .is_log_sum_exp = true};

static hob_status reduce_prepare(const struct op_prepare *node, const struct reduce_rule *rule, void **ret_params)
{
    struct reduce_params *params = ARENA_NEW(node->arena, struct reduce_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->rule = rule;
    TRY(axes_prepare(node, "axes", &params->axes));
    params->keeps_dims = attributes_int(node->attributes, "keepdims", 1) != 0;
    params->is_noop_without_axes = attributes_int(node->attributes, "noop_with_empty_axes", 0) != 0;
    *ret_params = params;
    return HOB_OK;
}

static hob_status mark_folded(struct op_context *ctx, bool ret_is_folded[TENSOR_MAX_RANK])
{
    const struct reduce_params *params = ctx->params;
    int n_marked;
    TRY(axes_mark(ctx, &params->axes, 1, ret_is_folded, &n_marked));
    if (!n_marked && !params->is_noop_without_axes)
        for (int axis = 0; axis < ctx->inputs[0]->rank; axis++) ret_is_folded[axis] = true;
    return HOB_OK;
}

static hob_status reduce_infer(struct op_context *ctx)
{
    const struct reduce_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    if (!numbers_is_float(x->dtype) && !numbers_is_integer(x->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s, expected a float or integer type", dtype_name(x->dtype));
    bool is_folded[TENSOR_MAX_RANK];
    TRY(mark_folded(ctx, is_folded));
    int64_t dims[TENSOR_MAX_RANK];
    int rank = 0;
    for (int axis = 0; axis < x->rank; axis++)
        if (!is_folded[axis] || params->keeps_dims) dims[rank++] = is_folded[axis] ? 1 : x->dims[axis];
    return op_set_output(ctx, 0, x->dtype, rank, dims);
}

struct reduce_job {
    const struct op_context *ctx;
    const struct reduce_rule *rule;
    const struct tensor *x, *y;
    struct reduction reduction;
};

/* What an output without items is: of a narrower type the lowest or highest of that type, not of int64. */
static int64_t start_of(const struct reduce_rule *rule, enum dtype dtype)
{
    if (dtype == DTYPE_U64) return rule->start_u64;
    bool is_lowest = rule->start_i64 == INT64_MIN, is_highest = rule->start_i64 == INT64_MAX;
    if (!is_lowest && !is_highest) return rule->start_i64;
    if (dtype == DTYPE_BOOL) return is_highest;
    int n_bits = 8 * (int)dtype_block_bytes(dtype);
    bool is_unsigned = op_types_have(TYPES_UNSIGNED, dtype);
    if (is_unsigned) return is_highest ? (INT64_C(1) << n_bits) - 1 : 0;
    return is_highest ? INT64_MAX >> (64 - n_bits) : INT64_MIN >> (64 - n_bits);
}

static void fold_tile_i64(const struct reduce_job *job, const struct reduction_tile *tile)
{
    const struct reduce_rule *rule = job->rule;
    bool is_u64 = job->x->dtype == DTYPE_U64;
    int64_t start = start_of(rule, job->x->dtype);
    int64_t sums[NUMBERS_RUN], items[NUMBERS_RUN];
    for (size_t k = 0; k < tile->n_items; k++) sums[k] = start;
    for (int64_t i = 0; i < job->reduction.n_folded; i++) {
        numbers_load_i64(job->x, tile->offset + reduction_offset(&job->reduction, i), tile->stride, tile->n_items,
                         items);
        (is_u64 && rule->fold_u64 ? rule->fold_u64 : rule->fold_i64)(tile->n_items, sums, items);
    }
    numbers_store_i64(job->y, tile->first_output, 1, tile->n_items, sums);
}

static void fold_items_f64(const struct reduce_job *job, const struct reduction_tile *tile,
                           void (*fold)(size_t, double *, const double *), double *sums)
{
    double items[NUMBERS_RUN];
    for (int64_t i = 0; i < job->reduction.n_folded; i++) {
        numbers_load_f64(job->x, tile->offset + reduction_offset(&job->reduction, i), tile->stride, tile->n_items,
                         items);
        fold(tile->n_items, sums, items);
    }
}

/* log(sum(exp(x))) = max + log(sum(exp(x - max))), which cannot overflow. */
static void log_sum_exp_tile(const struct reduce_job *job, const struct reduction_tile *tile, double *ret_results)
{
    double largest[NUMBERS_RUN], items[NUMBERS_RUN];
    for (size_t k = 0; k < tile->n_items; k++) largest[k] = -INFINITY;
    fold_items_f64(job, tile, max_f64, largest);
    for (size_t k = 0; k < tile->n_items; k++) {
        ret_results[k] = 0;
        if (isinf(largest[k])) largest[k] = largest[k] > 0 ? largest[k] : 0;
    }
    for (int64_t i = 0; i < job->reduction.n_folded; i++) {
        numbers_load_f64(job->x, tile->offset + reduction_offset(&job->reduction, i), tile->stride, tile->n_items,
                         items);
        for (size_t k = 0; k < tile->n_items; k++) ret_results[k] += isinf(largest[k]) ? 1 : exp(items[k] - largest[k]);
    }
    for (size_t k = 0; k < tile->n_items; k++) ret_results[k] = largest[k] + log(ret_results[k]);
}

/* Towards zero, as a C cast, but defined for what does not fit. */
static int64_t truncate(double number)
{
    if (!(number > -0x1p63)) return INT64_MIN;
    return number < 0x1p63 ? (int64_t)number : INT64_MAX;
}

static void fold_tile_f64(const struct reduce_job *job, const struct reduction_tile *tile)
{
    const struct reduce_rule *rule = job->rule;
    double sums[NUMBERS_RUN];
    for (size_t k = 0; k < tile->n_items; k++) sums[k] = rule->start_f64;
    if (rule->is_log_sum_exp) log_sum_exp_tile(job, tile, sums);
    else fold_items_f64(job, tile, rule->fold_f64, sums);
    if (rule->finish)
        for (size_t k = 0; k < tile->n_items; k++) sums[k] = rule->finish(sums[k], job->reduction.n_folded);
    if (numbers_is_float(job->y->dtype)) {
        numbers_store_f64(job->y, tile->first_output, 1, tile->n_items, sums);
        return;
    }
    int64_t integers[NUMBERS_RUN];
    for (size_t k = 0; k < tile->n_items; k++) integers[k] = truncate(sums[k]);
    numbers_store_i64(job->y, tile->first_output, 1, tile->n_items, integers);
}

static void fold_tile_rows_f32(const struct reduce_job *job, const struct reduction_tile *tile)
{
    const float *row = (const float *)job->x->data + tile->offset;
    float *y = (float *)job->y->data + tile->first_output;
    for (size_t k = 0; k < tile->n_items; k++)
        y[k] = job->rule->row_f32(job->ctx->kernels, job->reduction.n_folded, row + (int64_t)k * tile->stride);
}

static void reduce_tiles(void *context, size_t begin, size_t end)
{
    const struct reduce_job *job = context;
    bool is_rows = job->rule->row_f32 && job->x->dtype == DTYPE_F32 && reduction_folds_rows(&job->reduction);
    bool is_exact = numbers_is_integer(job->x->dtype) && job->rule->fold_i64;
    for (size_t i = begin; i < end; i++) {
        struct reduction_tile tile = reduction_tile(&job->reduction, (int64_t)i);
        if (is_rows) fold_tile_rows_f32(job, &tile);
        else if (is_exact) fold_tile_i64(job, &tile);
        else fold_tile_f64(job, &tile);
    }
}

static hob_status reduce_run(struct op_context *ctx)
{
    const struct reduce_params *params = ctx->params;
    struct reduce_job job = {.ctx = ctx, .rule = params->rule, .x = ctx->inputs[0], .y = ctx->outputs[0]};
    bool is_folded[TENSOR_MAX_RANK];
    TRY(mark_folded(ctx, is_folded));
    reduction_init(&job.reduction, job.x, is_folded);
    thread_pool_run(ctx->pool, (size_t)job.reduction.n_tiles, reduction_least_tiles(&job.reduction), reduce_tiles,
                    &job);
    return HOB_OK;
}

#define REDUCE(id, onnx_name, op_types)                                              \
    static hob_status prepare_##id(const struct op_prepare *node, void **ret_params) \
    {                                                                                \
        return reduce_prepare(node, &rule_##id, ret_params);                         \
    }                                                                                \
    const struct op_def op_reduce_##id = {                                           \
        .name = onnx_name,                                                           \
        .domain = "",                                                                \
        .since = 1,                                                                  \
        .min_inputs = 1,                                                             \
        .max_inputs = 2,                                                             \
        .min_outputs = 1,                                                            \
        .max_outputs = 1,                                                            \
        .types = op_types,                                                           \
        .flags = OP_STRIDED_INPUTS,                                                  \
        .prepare = prepare_##id,                                                     \
        .infer = reduce_infer,                                                       \
        .run = reduce_run,                                                           \
    };

REDUCE(sum, "ReduceSum", TYPES_NUMBER)
REDUCE(mean, "ReduceMean", TYPES_NUMBER)
REDUCE(prod, "ReduceProd", TYPES_NUMBER)
REDUCE(max, "ReduceMax", TYPES_NUMBER | TYPE(BOOL))
REDUCE(min, "ReduceMin", TYPES_NUMBER | TYPE(BOOL))
REDUCE(l1, "ReduceL1", TYPES_NUMBER)
REDUCE(l2, "ReduceL2", TYPES_NUMBER)
REDUCE(sum_square, "ReduceSumSquare", TYPES_NUMBER)
REDUCE(log_sum, "ReduceLogSum", TYPES_NUMBER)
REDUCE(log_sum_exp, "ReduceLogSumExp", TYPES_NUMBER)

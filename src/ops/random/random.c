/* RandomNormal, RandomUniform, RandomNormalLike, RandomUniformLike, Bernoulli, Multinomial. */
#include "ops/numbers.h"
#include "ops/random/stream.h"

#include <math.h>

enum { LEAST_ITEMS = 1024 };

struct random_params {
    struct random_stream stream;
    bool is_normal;
    enum dtype dtype;  /* DTYPE_NONE: the input's */
    double low, scale; /* mean and deviation, or low and high - low */
    int64_t n_samples; /* Multinomial */
    size_t rank;
    const int64_t *dims;
};

/* ---- prepare ---- */

static hob_status read_dtype(const struct op_prepare *node, enum dtype fallback, uint64_t allowed, enum dtype *ret_dtype)
{
    int64_t dtype = attributes_int(node->attributes, "dtype", fallback);
    bool is_allowed = dtype == fallback || (dtype > 0 && dtype < 63 && (allowed >> dtype & 1));
    if (!is_allowed)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: dtype: found %s (%lld), which the operator does not make", node->node_name,
             dtype_name((enum dtype)(dtype & 63)), (long long)dtype);
    *ret_dtype = (enum dtype)dtype;
    return HOB_OK;
}

static hob_status prepare_any(const struct op_prepare *node, enum dtype fallback, uint64_t allowed,
                              struct random_params **ret_params)
{
    struct random_params *params = ARENA_NEW(node->arena, struct random_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(read_dtype(node, fallback, allowed, &params->dtype));
    random_stream_prepare(node, &params->stream);
    *ret_params = params;
    return HOB_OK;
}

static hob_status prepare_real(const struct op_prepare *node, bool is_normal, bool is_like, void **ret_params)
{
    struct random_params *params;
    TRY(prepare_any(node, is_like ? DTYPE_NONE : DTYPE_F32, TYPES_FLOAT, &params));
    double low = (double)attributes_float(node->attributes, "low", 0), high = (double)attributes_float(node->attributes, "high", 1);
    params->is_normal = is_normal;
    params->low = is_normal ? (double)attributes_float(node->attributes, "mean", 0) : low;
    params->scale = is_normal ? (double)attributes_float(node->attributes, "scale", 1) : high - low;
    params->dims = attributes_ints(node->attributes, "shape", &params->rank);
    if (!is_like && !attributes_find(node->attributes, "shape"))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: attribute shape: missing, expected a list of whole numbers", node->node_name);
    if (params->rank > TENSOR_MAX_RANK)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: shape: found %zu dims, expected at most %d", node->node_name, params->rank,
             TENSOR_MAX_RANK);
    *ret_params = params;
    return HOB_OK;
}

static hob_status prepare_random_normal(const struct op_prepare *node, void **ret_params)
{
    return prepare_real(node, true, false, ret_params);
}

static hob_status prepare_random_uniform(const struct op_prepare *node, void **ret_params)
{
    return prepare_real(node, false, false, ret_params);
}

static hob_status prepare_random_normal_like(const struct op_prepare *node, void **ret_params)
{
    return prepare_real(node, true, true, ret_params);
}

static hob_status prepare_random_uniform_like(const struct op_prepare *node, void **ret_params)
{
    return prepare_real(node, false, true, ret_params);
}

static hob_status prepare_bernoulli(const struct op_prepare *node, void **ret_params)
{
    struct random_params *params;
    TRY(prepare_any(node, DTYPE_NONE, TYPES_NUMBER | TYPE(BOOL), &params));
    *ret_params = params;
    return HOB_OK;
}

static hob_status prepare_multinomial(const struct op_prepare *node, void **ret_params)
{
    struct random_params *params;
    TRY(prepare_any(node, DTYPE_I32, TYPE(I32) | TYPE(I64), &params));
    params->n_samples = attributes_int(node->attributes, "sample_size", 1);
    if (params->n_samples < 1)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: sample_size: found %lld, expected 1 or more", node->node_name,
             (long long)params->n_samples);
    *ret_params = params;
    return HOB_OK;
}

/* ---- infer ---- */

static hob_status infer_shape(struct op_context *ctx)
{
    const struct random_params *params = ctx->params;
    return op_set_output(ctx, 0, params->dtype, (int)params->rank, params->dims);
}

static hob_status infer_like(struct op_context *ctx)
{
    const struct random_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    enum dtype dtype = params->dtype ? params->dtype : x->dtype;
    if (!params->dtype && !numbers_is_float(dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s and no attribute dtype, expected a float type", dtype_name(dtype));
    return op_set_output(ctx, 0, dtype, x->rank, x->dims);
}

static hob_status infer_multinomial(struct op_context *ctx)
{
    const struct random_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    if (x->rank != 2 || !x->dims[1])
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found shape %s, expected [batch, classes]", OP_SHAPE(x));
    return op_set_output(ctx, 0, params->dtype, 2, (const int64_t[]){x->dims[0], params->n_samples});
}

/* ---- run ---- */

struct random_job {
    const struct op_context *ctx;
    double step; /* uniform numbers are multiples of it: what the type holds just below 1, so that none rounds up to it */
};

static void fill_real(void *context, size_t begin, size_t end)
{
    const struct random_job *job = context;
    const struct random_params *params = job->ctx->params;
    for (size_t i = begin; i < end; i++) {
        struct rng rng = random_stream_at(job->ctx, &params->stream, (int64_t)i);
        double drawn =
            params->is_normal ? rng_normal_double(&rng) : floor(rng_uniform_double(&rng) / job->step) * job->step;
        double item = params->low + drawn * params->scale;
        numbers_store_f64(job->ctx->outputs[0], (int64_t)i, 1, 1, &item);
    }
}

static hob_status run_real(struct op_context *ctx)
{
    enum dtype dtype = ctx->outputs[0]->dtype;
    struct random_job job = {ctx, dtype == DTYPE_F64 ? 0x1p-53 : dtype == DTYPE_F32 ? 0x1p-24 : dtype == DTYPE_F16 ? 0x1p-11 : 0x1p-8};
    thread_pool_run(ctx->pool, (size_t)tensor_n_items(ctx->outputs[0]), LEAST_ITEMS, fill_real, &job);
    return HOB_OK;
}

static void fill_bernoulli(void *context, size_t begin, size_t end)
{
    const struct op_context *ctx = context;
    const struct random_params *params = ctx->params;
    const struct tensor *y = ctx->outputs[0];
    bool is_float = numbers_is_float(y->dtype);
    for (size_t i = begin; i < end; i++) {
        struct rng rng = random_stream_at(ctx, &params->stream, (int64_t)i);
        double chance;
        numbers_load_f64(ctx->inputs[0], (int64_t)i, 1, 1, &chance);
        int64_t is_one = rng_uniform_double(&rng) < chance;
        double real = (double)is_one;
        if (is_float) numbers_store_f64(y, (int64_t)i, 1, 1, &real);
        else numbers_store_i64(y, (int64_t)i, 1, 1, &is_one);
    }
}

static hob_status run_bernoulli(struct op_context *ctx)
{
    const struct tensor *y = ctx->outputs[0];
    thread_pool_run(ctx->pool, (size_t)tensor_n_items(y), LEAST_ITEMS, fill_bernoulli, ctx);
    return HOB_OK;
}

/* sums[c]: the share of classes 0..c, without scaling. */
static hob_status sum_chances(struct op_context *ctx, int64_t row, double *sums)
{
    int64_t n_classes = ctx->inputs[0]->dims[1];
    double largest = -INFINITY, sum = 0;
    numbers_load_f64(ctx->inputs[0], row * n_classes, 1, (size_t)n_classes, sums);
    for (int64_t c = 0; c < n_classes; c++) largest = sums[c] > largest ? sums[c] : largest;
    for (int64_t c = 0; c < n_classes; c++) sums[c] = sum += exp(sums[c] - largest);
    if (isfinite(largest) && isfinite(sum)) return HOB_OK;
    OP_FAIL(ctx, HOB_BAD_ARGUMENT, "input 0: row %lld: found no finite logarithm of a chance, or NaN", (long long)row);
}

/* The first class whose sum lies above `drawn`: one without any chance is never found. */
static int64_t find_class(const double *sums, int64_t n_classes, double drawn)
{
    int64_t low = 0, high = n_classes - 1;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (sums[middle] > drawn) high = middle;
        else low = middle + 1;
    }
    return low;
}

static hob_status run_multinomial(struct op_context *ctx)
{
    const struct random_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *y = ctx->outputs[0];
    int64_t n_classes = x->dims[1];
    double *sums = ARENA_NEW(ctx->scratch, double, (size_t)n_classes);
    if (!sums) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    for (int64_t row = 0; row < x->dims[0]; row++) {
        TRY(sum_chances(ctx, row, sums));
        for (int64_t i = row * params->n_samples; i < (row + 1) * params->n_samples; i++) {
            struct rng rng = random_stream_at(ctx, &params->stream, i);
            int64_t drawn = find_class(sums, n_classes, rng_uniform_double(&rng) * sums[n_classes - 1]);
            numbers_store_i64(y, i, 1, 1, &drawn);
        }
    }
    return HOB_OK;
}

#define RANDOM_OP(symbol, Name, first_opset, n_inputs, allowed, op_infer, op_run)                          \
    const struct op_def op_##symbol = {                                                                    \
        .name = Name, .domain = "", .since = first_opset, .min_inputs = n_inputs, .max_inputs = n_inputs,  \
        .min_outputs = 1, .max_outputs = 1, .types = allowed, .flags = OP_NOT_FOLDABLE,                    \
        .prepare = prepare_##symbol, .infer = op_infer, .run = op_run}
RANDOM_OP(random_normal, "RandomNormal", 1, 0, 0, infer_shape, run_real);
RANDOM_OP(random_uniform, "RandomUniform", 1, 0, 0, infer_shape, run_real);
RANDOM_OP(random_normal_like, "RandomNormalLike", 1, 1, TYPES_WHOLE, infer_like, run_real);
RANDOM_OP(random_uniform_like, "RandomUniformLike", 1, 1, TYPES_WHOLE, infer_like, run_real);
RANDOM_OP(bernoulli, "Bernoulli", 15, 1, TYPES_FLOAT, infer_like, run_bernoulli);
RANDOM_OP(multinomial, "Multinomial", 7, 1, TYPES_FLOAT, infer_multinomial, run_multinomial);

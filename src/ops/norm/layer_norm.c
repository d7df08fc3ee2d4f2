/* LayerNormalization, RMSNormalization and SimplifiedLayerNormalization, com.microsoft's norms of a sum
 * (SkipLayerNormalization, SkipSimplifiedLayerNormalization), and hob's RMSNorm and LayerNorm: one idea, rows that a kernel normalises.
 * f16 and bf16 are widened; statistics are always f32, as stash_type 1 asks. f64 goes through a loop of its own. */
#include "kernels/kernels.h"
#include "ops/as_f32.h"
#include "ops/axes.h"
#include "ops/numbers.h"

enum norm_kind { NORM_LAYER, NORM_RMS };

struct norm_params {
    enum norm_kind kind;
    int64_t axis;
    float epsilon;
    enum dtype stash_type; /* of the mean and 1/std that are outputs; they are computed in f32, f64 for f64 */
};

static hob_status norm_prepare(const struct op_prepare *node, enum norm_kind kind, float epsilon, void **ret_params)
{
    struct norm_params *params = ARENA_NEW(node->arena, struct norm_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->kind = kind;
    params->axis = attributes_int(node->attributes, "axis", -1);
    params->epsilon = attributes_float(node->attributes, "epsilon", epsilon);
    int64_t stash_type = attributes_int(node->attributes, "stash_type", DTYPE_F32);
    if (stash_type < 0 || stash_type >= DTYPE_END || !numbers_is_float((enum dtype)stash_type))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: stash_type: found %lld, expected that of a float type", node->node_name,
             (long long)stash_type);
    params->stash_type = (enum dtype)stash_type;
    *ret_params = params;
    return HOB_OK;
}

/* Weight or bias i of com.microsoft's norms of a sum: the type of x, and one number for each item of a row. */
static hob_status check_row(struct op_context *ctx, int i, int64_t width)
{
    const struct tensor *row = op_input(ctx, i);
    if (!row) return HOB_OK;
    TRY(op_check_dtype(ctx, i, ctx->inputs[0]->dtype));
    if (tensor_n_items(row) != width)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected %lld items, one for each of a row of input 0 %s", i,
                OP_SHAPE(row), (long long)width, OP_SHAPE(ctx->inputs[0]));
    return HOB_OK;
}

/* Weight or bias i: a float type, and a shape that broadcasts to x's. */
static hob_status check_factor(struct op_context *ctx, int i)
{
    const struct tensor *x = ctx->inputs[0], *factor = op_input(ctx, i);
    int64_t dims[TENSOR_MAX_RANK];
    int rank;
    if (!factor) return HOB_OK;
    if (!numbers_is_float(factor->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input %d: found %s, expected a float type", i, dtype_name(factor->dtype));
    if (!shape_broadcast(x->rank, x->dims, factor->rank, factor->dims, &rank, dims) || !tensor_has_shape(x, rank, dims))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected a shape that broadcasts to input 0's %s", i,
                OP_SHAPE(factor), OP_SHAPE(x));
    return HOB_OK;
}

/* The output is of the weight's type, which RMSNormalization lets differ from x's. */
static hob_status norm_infer(struct op_context *ctx)
{
    const struct norm_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    if (!numbers_is_float(x->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s, expected a float type", dtype_name(x->dtype));
    if (!op_output(ctx, 0)) OP_FAIL(ctx, HOB_BAD_GRAPH, "output 0 is missing");
    int axis;
    TRY(axis_normalize(ctx, params->axis, &axis));
    int64_t dims[TENSOR_MAX_RANK];
    for (int i = 0; i < x->rank; i++) dims[i] = i < axis ? x->dims[i] : 1;
    TRY(check_factor(ctx, 1));
    TRY(check_factor(ctx, 2));
    TRY(op_set_output(ctx, 0, ctx->inputs[1]->dtype, x->rank, x->dims));
    TRY(op_set_output(ctx, 1, params->stash_type, x->rank, dims));
    return op_set_output(ctx, 2, params->stash_type, x->rank, dims);
}

struct norm_job {
    const struct kernels *kernels;
    enum norm_kind kind;
    struct norm_f32_args rows; /* all of them */
};

static void norm_range(void *context, size_t begin, size_t end)
{
    const struct norm_job *job = context;
    struct norm_f32_args rows = job->rows;
    rows.x += (int64_t)begin * rows.x_stride;
    rows.y += (int64_t)begin * rows.y_stride;
    if (rows.ret_mean) rows.ret_mean += begin;
    if (rows.ret_inv_std) rows.ret_inv_std += begin;
    rows.n_rows = (int64_t)(end - begin);
    if (job->kind == NORM_LAYER) job->kernels->layer_norm_f32(&rows);
    else job->kernels->rms_norm_f32(&rows);
}

static void norm_rows(struct op_context *ctx, enum norm_kind kind, const struct norm_f32_args *rows)
{
    struct norm_job job = {.kernels = ctx->kernels, .kind = kind, .rows = *rows};
    if (rows->width)
        thread_pool_run(ctx->pool, (size_t)rows->n_rows, (size_t)(1 + (1 << 13) / rows->width), norm_range, &job);
}

/* y = y * weight + bias, f32 [n_rows,width] shaped as x: for weights and biases that are no plain rows. */
static hob_status apply_factor(struct op_context *ctx, int i, bool is_product, float *y)
{
    const struct tensor *x = ctx->inputs[0], *given = op_input(ctx, i);
    struct tensor narrow;
    float *factors;
    int64_t n_items = tensor_n_items(x);
    if (!given) return HOB_OK;
    TRY(as_f32(ctx, given, &narrow));
    struct tensor wide = tensor_broadcast(&narrow, x->rank, x->dims);
    TRY(scratch_f32(ctx, n_items, &factors));
    tensor_copy_contiguous(&wide, factors);
    if (is_product) ctx->kernels->mul_f32(n_items, y, 1, factors, 1, y);
    else ctx->kernels->add_f32(n_items, y, 1, factors, 1, y);
    return HOB_OK;
}

/* One number for each item of a row: what the kernels take. */
static bool is_row(const struct tensor *x, int axis, const struct tensor *factor)
{
    if (!factor) return true;
    int width_rank = x->rank - axis, first = factor->rank - width_rank;
    for (int i = 0; i < factor->rank; i++)
        if (factor->dims[i] != (i < first ? 1 : x->dims[axis + i - first])) return false;
    return first >= 0;
}

/* ---- f64: when x or the weight is ---- */

struct wide_norm {
    int64_t n_rows, width;
    double *row, *weight, *bias; /* weight and bias of all items; bias NULL: none */
};

static hob_status load_all(struct op_context *ctx, const struct tensor *given, double **ret_items)
{
    const struct tensor *x = ctx->inputs[0];
    *ret_items = NULL;
    if (!given) return HOB_OK;
    int64_t n_items = tensor_n_items(x);
    struct tensor wide = tensor_broadcast(given, x->rank, x->dims), copy = wide;
    copy.data = arena_alloc(ctx->scratch, tensor_n_bytes(&wide) + 1, 64);
    double *items = ARENA_NEW(ctx->scratch, double, (size_t)n_items + 1);
    if (!copy.data || !items) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for weights of %s", OP_SHAPE(x));
    tensor_copy_contiguous(&wide, copy.data);
    numbers_load_f64(&copy, 0, 1, (size_t)n_items, items);
    *ret_items = items;
    return HOB_OK;
}

static void wide_row(const struct norm_params *params, const struct wide_norm *norm, int64_t at, double *ret_mean,
                     double *ret_inv_std)
{
    double mean = 0, squares = 0, *row = norm->row;
    for (int64_t i = 0; params->kind == NORM_LAYER && i < norm->width; i++) mean += row[i];
    mean /= (double)norm->width;
    for (int64_t i = 0; i < norm->width; i++) squares += (row[i] - mean) * (row[i] - mean);
    double inv_std = 1 / sqrt(squares / (double)norm->width + (double)params->epsilon);
    for (int64_t i = 0; i < norm->width; i++)
        row[i] = (row[i] - mean) * inv_std * norm->weight[at + i] + (norm->bias ? norm->bias[at + i] : 0);
    *ret_mean = mean;
    *ret_inv_std = inv_std;
}

static hob_status norm_run_f64(struct op_context *ctx, int axis)
{
    const struct norm_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    bool is_layer = params->kind == NORM_LAYER;
    const struct tensor *mean = is_layer ? op_output(ctx, 1) : NULL;
    const struct tensor *inv_std = op_output(ctx, is_layer ? 2 : 1);
    struct wide_norm norm = {.n_rows = 1, .width = 1};
    for (int i = 0; i < x->rank; i++) *(i < axis ? &norm.n_rows : &norm.width) *= x->dims[i];
    TRY(load_all(ctx, op_input(ctx, 1), &norm.weight));
    TRY(load_all(ctx, op_input(ctx, 2), &norm.bias));
    norm.row = ARENA_NEW(ctx->scratch, double, (size_t)norm.width + 1);
    if (!norm.row) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for a row of %lld", (long long)norm.width);
    for (int64_t row = 0; norm.width && row < norm.n_rows; row++) {
        double stash[2];
        int64_t at = row * norm.width;
        numbers_load_f64(x, at, 1, (size_t)norm.width, norm.row);
        wide_row(params, &norm, at, &stash[0], &stash[1]);
        numbers_store_f64(ctx->outputs[0], at, 1, (size_t)norm.width, norm.row);
        if (mean) numbers_store_f64(mean, row, 1, 1, &stash[0]);
        if (inv_std) numbers_store_f64(inv_std, row, 1, 1, &stash[1]);
    }
    return HOB_OK;
}

/* ---- f32, and halves as f32 ---- */

/* Where the kernel writes a mean or 1/std: the output itself, or scratch when that is of another type. */
static hob_status stash_output(struct op_context *ctx, const struct tensor *output, float **ret_items)
{
    *ret_items = NULL;
    if (!output) return HOB_OK;
    if (output->dtype != DTYPE_F32) return scratch_f32(ctx, tensor_n_items(output), ret_items);
    *ret_items = output->data;
    return HOB_OK;
}

static void stash_finish(const float *items, const struct tensor *output)
{
    if (output && output->dtype != DTYPE_F32)
        numbers_store_f32(output, 0, 1, (size_t)tensor_n_items(output), items);
}

/* Outputs 1 and 2 are mean and 1/std for the layer norm; output 1 is 1/std for the RMS norm. */
static hob_status norm_run(struct op_context *ctx)
{
    const struct norm_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *y = ctx->outputs[0], *weight = op_input(ctx, 1), *bias = op_input(ctx, 2);
    bool is_layer = params->kind == NORM_LAYER;
    const struct tensor *mean = is_layer ? op_output(ctx, 1) : NULL;
    const struct tensor *inv_std = op_output(ctx, is_layer ? 2 : 1);
    int axis;
    TRY(axis_normalize(ctx, params->axis, &axis));
    if (x->dtype == DTYPE_F64 || weight->dtype == DTYPE_F64 || (bias && bias->dtype == DTYPE_F64))
        return norm_run_f64(ctx, axis);
    struct rows_f32 rows;
    struct norm_f32_args args = {.epsilon = params->epsilon};
    bool has_rows = is_row(x, axis, weight) && is_row(x, axis, bias);
    TRY(as_f32_rows(ctx, x, x->rank - axis, &rows));
    if (has_rows) TRY(as_f32_vector(ctx, weight, &args.weight));
    if (has_rows) TRY(as_f32_vector(ctx, bias, &args.bias));
    TRY(as_f32_output(ctx, y, &args.y));
    TRY(stash_output(ctx, mean, &args.ret_mean));
    TRY(stash_output(ctx, inv_std, &args.ret_inv_std));
    args.x = rows.data;
    args.x_stride = rows.stride;
    args.y_stride = args.width = rows.width;
    args.n_rows = rows.n_rows;
    norm_rows(ctx, params->kind, &args);
    if (!has_rows) TRY(apply_factor(ctx, 1, true, args.y));
    if (!has_rows) TRY(apply_factor(ctx, 2, false, args.y));
    as_f32_finish(ctx, args.y, y);
    stash_finish(args.ret_mean, mean);
    stash_finish(args.ret_inv_std, inv_std);
    return HOB_OK;
}

#define NORM(id, onnx_name, onnx_domain, first_opset, kind, epsilon, n_inputs, n_outputs) \
    static hob_status prepare_##id(const struct op_prepare *node, void **ret_params)      \
    {                                                                                     \
        return norm_prepare(node, kind, epsilon, ret_params);                             \
    }                                                                                     \
    const struct op_def op_##id = {                                                       \
        .name = onnx_name,                                                                \
        .domain = onnx_domain,                                                            \
        .since = first_opset,                                                             \
        .min_inputs = 2,                                                                  \
        .max_inputs = n_inputs,                                                           \
        .min_outputs = 1,                                                                 \
        .max_outputs = n_outputs,                                                         \
        .flags = OP_INPLACE,                                                              \
        .prepare = prepare_##id,                                                          \
        .infer = norm_infer,                                                              \
        .run = norm_run,                                                                  \
    };

NORM(layer_normalization, "LayerNormalization", "", 1, NORM_LAYER, 1e-5f, 3, 3)
NORM(rms_normalization, "RMSNormalization", "", 23, NORM_RMS, 1e-5f, 2, 1)
NORM(simplified_layer_normalization, "SimplifiedLayerNormalization", "", 1, NORM_RMS, 1e-5f, 2, 2)
NORM(rms_norm, "RMSNorm", "hob", 1, NORM_RMS, 1e-5f, 2, 1)
NORM(layer_norm, "LayerNorm", "hob", 1, NORM_LAYER, 1e-5f, 3, 1)

/* ---- com.microsoft: output 0 = norm(input + skip (+ bias)), output 3 = the sum ---- */

static hob_status skip_prepare(const struct op_prepare *node, enum norm_kind kind, void **ret_params)
{
    TRY(norm_prepare(node, kind, 1e-12f, ret_params));
    ((struct norm_params *)*ret_params)->axis = -1;
    return HOB_OK;
}

/* skip is [B,T,D], or the same [T,D] for each of the batch. */
static bool skip_fits(const struct tensor *x, const struct tensor *skip)
{
    int64_t dims[TENSOR_MAX_RANK];
    int rank;
    if (skip->rank < 1 || skip->dims[skip->rank - 1] != x->dims[x->rank - 1]) return false;
    if (!shape_broadcast(x->rank, x->dims, skip->rank, skip->dims, &rank, dims) || !tensor_has_shape(x, rank, dims))
        return false;
    return tensor_same_shape(x, skip) || (x->rank == 3 && tensor_n_items(skip) == x->dims[1] * x->dims[2] &&
                                          skip->rank >= 2 && skip->dims[skip->rank - 2] == x->dims[1]);
}

/* Either term may be the one that is the same for each of the batch: fused sums of exports come in both orders. */
static void order_terms(const struct op_context *ctx, const struct tensor **ret_x, const struct tensor **ret_skip)
{
    bool is_swapped = ctx->inputs[0]->rank < ctx->inputs[1]->rank || tensor_n_items(ctx->inputs[0]) < tensor_n_items(ctx->inputs[1]);
    *ret_x = ctx->inputs[is_swapped];
    *ret_skip = ctx->inputs[!is_swapped];
}

static hob_status skip_infer(struct op_context *ctx)
{
    const struct norm_params *params = ctx->params;
    const struct tensor *x, *skip;
    order_terms(ctx, &x, &skip);
    if (!as_f32_takes(x->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s, expected float32, float16 or bfloat16", dtype_name(x->dtype));
    if (!op_output(ctx, 0)) OP_FAIL(ctx, HOB_BAD_GRAPH, "output 0 is missing");
    if (x->rank != 2 && x->rank != 3)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected [T,D] or [B,T,D]", OP_SHAPE(x));
    TRY(op_check_dtype(ctx, 1, x->dtype));
    if (!skip_fits(x, skip))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 1: found %s, expected the shape of input 0 %s, or it without the batch",
                OP_SHAPE(skip), OP_SHAPE(x));
    int n_rows_inputs = params->kind == NORM_LAYER ? 5 : 4;
    for (int i = 2; i < n_rows_inputs; i++) TRY(check_row(ctx, i, x->dims[x->rank - 1]));
    int64_t dims[3] = {x->dims[0], x->rank == 3 ? x->dims[1] : 1, 1};
    TRY(op_set_output(ctx, 0, x->dtype, x->rank, x->dims));
    TRY(op_set_output(ctx, 1, DTYPE_F32, x->rank, dims));
    TRY(op_set_output(ctx, 2, DTYPE_F32, x->rank, dims));
    return op_set_output(ctx, 3, x->dtype, x->rank, x->dims);
}

struct sum_job {
    const struct kernels *kernels;
    struct rows_f32 x, skip;
    const float *bias; /* NULL: none */
    float *sum;
};

static void sum_range(void *context, size_t begin, size_t end)
{
    const struct sum_job *job = context;
    for (int64_t row = (int64_t)begin; row < (int64_t)end; row++) {
        float *sum = job->sum + row * job->x.width;
        const float *skip = job->skip.data + row % job->skip.n_rows * job->skip.stride;
        job->kernels->add_f32(job->x.width, job->x.data + row * job->x.stride, 1, skip, 1, sum);
        if (job->bias) job->kernels->add_f32(job->x.width, sum, 1, job->bias, 1, sum);
    }
}

static hob_status skip_run(struct op_context *ctx)
{
    const struct norm_params *params = ctx->params;
    bool is_layer = params->kind == NORM_LAYER;
    const struct tensor *y = ctx->outputs[0], *sum = op_output(ctx, 3);
    const struct tensor *mean = op_output(ctx, 1), *inv_std = op_output(ctx, 2);
    struct sum_job job = {.kernels = ctx->kernels};
    struct norm_f32_args args = {.epsilon = params->epsilon};
    const struct tensor *x, *skip;
    order_terms(ctx, &x, &skip);
    TRY(as_f32_rows(ctx, x, 1, &job.x));
    TRY(as_f32_rows(ctx, skip, 1, &job.skip));
    TRY(as_f32_vector(ctx, ctx->inputs[2], &args.weight));
    TRY(as_f32_vector(ctx, is_layer ? op_input(ctx, 3) : NULL, &args.bias));
    TRY(as_f32_vector(ctx, op_input(ctx, is_layer ? 4 : 3), &job.bias));
    TRY(as_f32_output(ctx, y, &args.y));
    TRY(as_f32_output(ctx, sum, &job.sum));
    if (!sum) job.sum = args.y;
    thread_pool_run(ctx->pool, (size_t)job.x.n_rows, (size_t)(1 + (1 << 13) / (job.x.width + 1)), sum_range, &job);
    args.x = job.sum;
    args.x_stride = args.y_stride = args.width = job.x.width;
    args.n_rows = job.x.n_rows;
    args.ret_mean = is_layer && mean ? mean->data : NULL;
    args.ret_inv_std = inv_std ? inv_std->data : NULL;
    norm_rows(ctx, params->kind, &args);
    if (!is_layer && mean) memset(mean->data, 0, tensor_n_bytes(mean));
    as_f32_finish(ctx, args.y, y);
    as_f32_finish(ctx, job.sum, sum);
    return HOB_OK;
}

#define SKIP_NORM(id, contrib_name, kind, n_inputs)                                  \
    static hob_status prepare_##id(const struct op_prepare *node, void **ret_params) \
    {                                                                                \
        return skip_prepare(node, kind, ret_params);                                 \
    }                                                                                \
    const struct op_def op_##id = {                                                  \
        .name = contrib_name,                                                        \
        .domain = "com.microsoft",                                                   \
        .since = 1,                                                                  \
        .min_inputs = 3,                                                             \
        .max_inputs = n_inputs,                                                      \
        .min_outputs = 1,                                                            \
        .max_outputs = 4,                                                            \
        .prepare = prepare_##id,                                                     \
        .infer = skip_infer,                                                         \
        .run = skip_run,                                                             \
    };

SKIP_NORM(skip_layer_normalization, "SkipLayerNormalization", NORM_LAYER, 5)
SKIP_NORM(skip_simplified_layer_normalization, "SkipSimplifiedLayerNormalization", NORM_RMS, 4)

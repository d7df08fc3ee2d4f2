/* Dropout: a view of its input at inference; in training each element is dropped with chance `ratio`, and what stays is divided by
 * 1 - ratio. Before opset 7 the attribute is_test says which; then only inference was left; since 12 input training_mode says. */
#include "ops/numbers.h"
#include "ops/random/stream.h"

enum { LEAST_ITEMS = 1024 };

struct dropout_params {
    struct random_stream stream;
    bool is_training; /* by attribute */
    bool is_mask_bool;  /* since opset 10; of the input's type before */
    double ratio;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct dropout_params *params = ARENA_NEW(node->arena, struct dropout_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    if (node->opset < 12 && node->n_inputs > 1)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: found %d inputs, expected 1 before opset 12", node->node_name, node->n_inputs);
    random_stream_prepare(node, &params->stream);
    params->is_mask_bool = node->opset >= 10;
    params->is_training = node->opset < 7 && !attributes_int(node->attributes, "is_test", 0);
    params->ratio = node->opset < 12 ? (double)attributes_float(node->attributes, "ratio", 0.5f) : 0.5;
    *ret_params = params;
    return HOB_OK;
}

static hob_status read_scalar(struct op_context *ctx, int i, double *number)
{
    const struct tensor *scalar = op_input(ctx, i);
    if (!scalar) return HOB_OK;
    if (tensor_n_items(scalar) != 1 || (!numbers_is_float(scalar->dtype) && scalar->dtype != DTYPE_BOOL))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input %d: found %s %s, expected one number", i, dtype_name(scalar->dtype), OP_SHAPE(scalar));
    if (!scalar->data) return op_unknown(ctx, i);
    numbers_load_f64(scalar, 0, 1, 1, number);
    return HOB_OK;
}

/* The chance to be dropped; 0 at inference. */
static hob_status find_ratio(struct op_context *ctx, double *ret_ratio)
{
    const struct dropout_params *params = ctx->params;
    double is_training = params->is_training, ratio = params->ratio;
    *ret_ratio = 0;
    TRY(read_scalar(ctx, 2, &is_training));
    if (is_training == 0) return HOB_OK;
    TRY(read_scalar(ctx, 1, &ratio));
    if (!(ratio >= 0 && ratio < 1)) OP_FAIL(ctx, HOB_BAD_ARGUMENT, "ratio: found %g, expected 0 or more and less than 1", ratio);
    *ret_ratio = ratio;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct dropout_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    double ratio = 0;
    hob_status status = find_ratio(ctx, &ratio);
    bool is_open = status == HOB_UNKNOWN; /* while planning: the shapes are the same either way, room is made for a copy */
    if (!is_open) TRY(status);
    bool is_computed = ratio > 0 || (!params->is_mask_bool && op_output(ctx, 1)); /* in the input's type */
    if (is_computed && !numbers_is_float(x->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s, of which nothing can be dropped", dtype_name(x->dtype));
    if (ratio > 0 || is_open) TRY(op_set_output(ctx, 0, x->dtype, x->rank, x->dims));
    else op_set_view(ctx, 0, x);
    return op_set_output(ctx, 1, params->is_mask_bool ? DTYPE_BOOL : x->dtype, x->rank, x->dims);
}

struct dropout_job {
    const struct op_context *ctx;
    const struct tensor *x;        /* contiguous */
    const struct tensor *y, *mask; /* NULL: not wanted; y also when it is a view */
    double ratio;
};

static void store_mask(const struct tensor *mask, int64_t i, int64_t is_kept)
{
    double real = (double)is_kept;
    if (numbers_is_float(mask->dtype)) numbers_store_f64(mask, i, 1, 1, &real);
    else numbers_store_i64(mask, i, 1, 1, &is_kept);
}

static void drop(void *context, size_t begin, size_t end)
{
    const struct dropout_job *job = context;
    const struct dropout_params *params = job->ctx->params;
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        struct rng rng = random_stream_at(job->ctx, &params->stream, i);
        bool is_kept = !(job->ratio > 0) || rng_uniform_double(&rng) >= job->ratio;
        double item = 0;
        if (job->y && is_kept) numbers_load_f64(job->x, i, 1, 1, &item);
        item /= 1 - job->ratio;
        if (job->y) numbers_store_f64(job->y, i, 1, 1, &item);
        if (job->mask) store_mask(job->mask, i, is_kept);
    }
}

static hob_status run(struct op_context *ctx)
{
    struct tensor x = *ctx->inputs[0];
    struct dropout_job job = {.ctx = ctx, .x = &x, .y = op_output(ctx, 0), .mask = op_output(ctx, 1)};
    TRY(find_ratio(ctx, &job.ratio));
    if (job.y && job.y->is_view) job.y = NULL;
    if (job.y && job.ratio == 0) { /* a view that the executor could not keep; of any type */
        tensor_copy_contiguous(&x, job.y->data);
        job.y = NULL;
    }
    if (job.y && !tensor_is_contiguous(&x)) {
        x.data = arena_alloc(ctx->scratch, tensor_n_bytes(&x), 64);
        if (!x.data) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
        tensor_copy_contiguous(ctx->inputs[0], x.data);
        tensor_set_contiguous(&x);
    }
    thread_pool_run(ctx->pool, (size_t)tensor_n_items(&x), LEAST_ITEMS, drop, &job);
    return HOB_OK;
}

const struct op_def op_dropout = {
    .name = "Dropout", .domain = "", .since = 1, .min_inputs = 1, .max_inputs = 3, .min_outputs = 1, .max_outputs = 2,
    .types = TYPES_FLOAT | TYPES_F8, .flags = OP_STRIDED_INPUTS | OP_NOT_FOLDABLE, .prepare = prepare, .infer = infer, .run = run};

/* hob.RotateHalves: x * cos + [-second half of x, first half of x] * sin along the last axis, the rotary position embedding
 * of exports that compute their tables in the graph. x f32 [.., K], K even; cos and sin broadcast to x's shape, K wide.
 *
 * Two products and one sum, each rounded, as the written-out form does: the same bytes. */
#include "kernels/kernels.h"
#include "ops/as_f32.h"

static hob_status check_table(struct op_context *ctx, int i)
{
    const struct tensor *x = ctx->inputs[0], *table = ctx->inputs[i];
    int64_t dims[TENSOR_MAX_RANK];
    int rank;
    TRY(op_check_dtype(ctx, i, DTYPE_F32));
    if (table->rank < 1 || table->dims[table->rank - 1] != x->dims[x->rank - 1] ||
        !shape_broadcast(x->rank, x->dims, table->rank, table->dims, &rank, dims) || !tensor_has_shape(x, rank, dims))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s, expected a table that broadcasts to %s", i, OP_SHAPE(table), OP_SHAPE(x));
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    if (x->rank < 1 || x->dims[x->rank - 1] % 2) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected [..,K], K even", OP_SHAPE(x));
    TRY(check_table(ctx, 1));
    TRY(check_table(ctx, 2));
    return op_set_output(ctx, 0, DTYPE_F32, x->rank, x->dims);
}

struct rotate_job {
    struct tensor x, cos, sin; /* of one shape; the items of a row next to each other, or anywhere for the tables */
    float *y;
    int64_t width;
};

/* Where row `row` (row-major over all axes but the last) starts. */
static int64_t row_offset(const struct tensor *x, int64_t row)
{
    int64_t offset = 0;
    for (int axis = x->rank - 2; axis >= 0; axis--) {
        offset += row % x->dims[axis] * x->strides[axis];
        row /= x->dims[axis];
    }
    return offset;
}

static void rotate_row(const struct rotate_job *job, const float *x, const float *cos, const float *sin, float *y)
{
    int64_t half = job->width / 2, step_x = job->x.strides[job->x.rank - 1], step_cos = job->cos.strides[job->x.rank - 1],
            step_sin = job->sin.strides[job->x.rank - 1];
    for (int64_t i = 0; i < half; i++) {
        float first = x[i * step_x], second = x[(i + half) * step_x];
        float a = first * cos[i * step_cos], b = -second * sin[i * step_sin];
        float c = second * cos[(i + half) * step_cos], d = first * sin[(i + half) * step_sin];
        y[i] = a + b;
        y[i + half] = c + d;
    }
}

static void rotate_rows(void *context, size_t begin, size_t end)
{
    const struct rotate_job *job = context;
    for (int64_t row = (int64_t)begin; row < (int64_t)end; row++)
        rotate_row(job, (const float *)job->x.data + row_offset(&job->x, row), (const float *)job->cos.data + row_offset(&job->cos, row),
                   (const float *)job->sin.data + row_offset(&job->sin, row), job->y + row * job->width);
}

static hob_status run(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    struct rotate_job job = {.x = *x,
                             .cos = tensor_broadcast(ctx->inputs[1], x->rank, x->dims),
                             .sin = tensor_broadcast(ctx->inputs[2], x->rank, x->dims),
                             .y = ctx->outputs[0]->data,
                             .width = x->dims[x->rank - 1]};
    if (!tensor_n_items(x)) return HOB_OK;
    thread_pool_run(ctx->pool, (size_t)(tensor_n_items(x) / job.width), (size_t)(1 + (1 << 12) / job.width), rotate_rows, &job);
    return HOB_OK;
}

const struct op_def op_rotate_halves = {
    .name = "RotateHalves",
    .domain = "hob",
    .since = 1,
    .min_inputs = 3,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPE(F32),
    .flags = OP_STRIDED_INPUTS,
    .infer = infer,
    .run = run,
};

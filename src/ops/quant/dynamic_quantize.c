/* hob.DynamicQuantize: rows of numbers as uint8, each row with its scale and zero point, for hob.LinearInt8.
 *
 * x [..,K], segments [n+1] (optional) -> codes uint8 [..,K], scales f32 [..], zeros uint8 [..]. The rows of a segment share one range, as
 * DynamicQuantizeLinear finds it, so a sequence gives the same bytes alone and among others. Without segments all rows are one;
 * per_row 1: each row is a segment of its own. */
#include "ops/as_f32.h"
#include "ops/quant/dynamic_range.h"
#include "ops/segments.h"

enum { INPUT_X, INPUT_SEGMENTS, CODES = 0, SCALES, ZEROS, WORTHWHILE_ITEMS = 1 << 13 };

struct dynamic_quantize_params {
    bool is_per_row;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct dynamic_quantize_params *params = ARENA_NEW(node->arena, struct dynamic_quantize_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->is_per_row = attributes_int(node->attributes, "per_row", 0) != 0;
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[INPUT_X];
    if (!x->rank) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found a scalar, expected [..,K]");
    TRY(segments_check(ctx, INPUT_SEGMENTS));
    TRY(op_set_output(ctx, CODES, DTYPE_U8, x->rank, x->dims));
    TRY(op_set_output(ctx, SCALES, DTYPE_F32, x->rank - 1, x->dims));
    return op_set_output(ctx, ZEROS, DTYPE_U8, x->rank - 1, x->dims);
}

struct job {
    const struct kernels *kernels;
    struct rows_f32 x;
    float *least, *most; /* a row each */
    uint8_t *codes, *zeros;
    float *scales;
};

static void find_ranges(void *context, size_t begin, size_t end)
{
    const struct job *job = context;
    for (size_t row = begin; row < end; row++)
        job->kernels->range_f32(job->x.width, job->x.data + (int64_t)row * job->x.stride, &job->least[row],
                                &job->most[row]);
}

static void store_range(const struct job *job, int64_t begin, int64_t end, float least, float most)
{
    struct quantized q = dynamic_range(least, most);
    for (int64_t row = begin; row < end; row++) {
        job->scales[row] = q.scale;
        job->zeros[row] = (uint8_t)q.zero;
    }
}

static void join_ranges(const struct job *job, const struct segments *segments)
{
    for (int64_t i = 0; i < segments->n; i++) {
        float least = 0, most = 0;
        for (int64_t row = segments->borders[i]; row < segments->borders[i + 1]; row++) {
            least = job->least[row] < least ? job->least[row] : least;
            most = job->most[row] > most ? job->most[row] : most;
        }
        store_range(job, segments->borders[i], segments->borders[i + 1], least, most);
    }
}

static void write_row(const struct job *job, int64_t row)
{
    job->kernels->quantize_u8(job->x.width, job->scales[row], job->zeros[row], job->x.data + row * job->x.stride,
                              job->codes + row * job->x.width);
}

static void write_rows(void *context, size_t begin, size_t end)
{
    for (size_t row = begin; row < end; row++) write_row(context, (int64_t)row);
}

static void quantize_rows(void *context, size_t begin, size_t end)
{
    const struct job *job = context;
    for (size_t row = begin; row < end; row++) {
        float least, most;
        job->kernels->range_f32(job->x.width, job->x.data + (int64_t)row * job->x.stride, &least, &most);
        store_range(job, (int64_t)row, (int64_t)row + 1, least, most);
        write_row(job, (int64_t)row);
    }
}

static hob_status quantize_segments(struct op_context *ctx, struct job *job, size_t least_rows)
{
    struct segments segments;
    TRY(segments_read(ctx, INPUT_SEGMENTS, job->x.n_rows, &segments));
    TRY(scratch_f32(ctx, job->x.n_rows, &job->least));
    TRY(scratch_f32(ctx, job->x.n_rows, &job->most));
    thread_pool_run(ctx->pool, (size_t)job->x.n_rows, least_rows, find_ranges, job);
    join_ranges(job, &segments);
    thread_pool_run(ctx->pool, (size_t)job->x.n_rows, least_rows, write_rows, job);
    return HOB_OK;
}

/* Scratch for an output that nobody wants. */
static hob_status output_or_scratch(struct op_context *ctx, int i, int64_t n_items, void **ret_items)
{
    float *items;
    if (op_output(ctx, i)) {
        *ret_items = ctx->outputs[i]->data;
        return HOB_OK;
    }
    TRY(scratch_f32(ctx, n_items, &items));
    *ret_items = items;
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    const struct dynamic_quantize_params *params = ctx->params;
    struct job job = {.kernels = ctx->kernels};
    void *codes, *scales, *zeros;
    TRY(as_f32_rows(ctx, ctx->inputs[INPUT_X], 1, &job.x));
    TRY(output_or_scratch(ctx, CODES, tensor_n_items(ctx->inputs[INPUT_X]), &codes));
    TRY(output_or_scratch(ctx, SCALES, job.x.n_rows, &scales));
    TRY(output_or_scratch(ctx, ZEROS, job.x.n_rows, &zeros));
    job.codes = codes, job.scales = scales, job.zeros = zeros;
    size_t least_rows = (size_t)(1 + WORTHWHILE_ITEMS / (job.x.width + 1));
    if (!params->is_per_row) return quantize_segments(ctx, &job, least_rows);
    thread_pool_run(ctx->pool, (size_t)job.x.n_rows, least_rows, quantize_rows, &job);
    return HOB_OK;
}

const struct op_def op_dynamic_quantize = {
    .name = "DynamicQuantize",
    .domain = "hob",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 3,
    .types = TYPE(F32),
    .flags = OP_STRIDED_INPUTS,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};

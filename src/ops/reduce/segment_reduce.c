/* hob.SegmentReduce: one row for each text of a packed batch, from the rows of its tokens.
 *
 * x f32 [..,D], its rows counted over all axes but the last; segments [n+1]; output [n,D]. kind: "sum", "mean", "max", or "first"
 * and "last", which pick a row. Sums are taken in f64, as hob's own pooling does. A text without tokens gives zeros. */
#include "ops/op.h"
#include "ops/segments.h"

#include <math.h>
#include <string.h>

enum kind { KIND_SUM, KIND_MEAN, KIND_MAX, KIND_FIRST, KIND_LAST, KIND_COUNT };
static const char *const kind_names[KIND_COUNT] = {"sum", "mean", "max", "first", "last"};

struct segment_params {
    enum kind kind;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct segment_params *params = ARENA_NEW(node->arena, struct segment_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    const char *name = attributes_string(node->attributes, "kind", kind_names[KIND_MEAN]);
    for (; params->kind < KIND_COUNT && strcmp(name, kind_names[params->kind]) != 0; params->kind++) {}
    if (params->kind == KIND_COUNT)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: kind: found \"%s\", expected sum, mean, max, first or last", node->node_name, name);
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    TRY(op_check_dtype(ctx, 0, DTYPE_F32));
    if (x->rank < 1) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected [..,D]", OP_SHAPE(x));
    TRY(segments_check(ctx, 1));
    return op_set_output(ctx, 0, DTYPE_F32, 2, (int64_t[]){ctx->inputs[1]->dims[0] - 1, x->dims[x->rank - 1]});
}

struct segment_job {
    enum kind kind;
    const float *rows;
    float *y;
    struct segments segments;
    int64_t width;
};

static double fold(const struct segment_job *job, int64_t begin, int64_t end, int64_t column)
{
    double folded = job->kind == KIND_MAX ? -(double)INFINITY : 0;
    for (int64_t row = begin; row < end; row++) {
        double item = (double)job->rows[row * job->width + column];
        if (job->kind != KIND_MAX) folded += item;
        else if (item > folded || isnan(item)) folded = item;
    }
    return job->kind == KIND_MEAN ? folded / (double)(end - begin) : folded;
}

static void reduce_segments(void *context, size_t begin, size_t end)
{
    const struct segment_job *job = context;
    for (size_t i = begin; i < end; i++) {
        int64_t first = job->segments.borders[i], last = job->segments.borders[i + 1];
        float *y = job->y + (int64_t)i * job->width;
        if (first == last) {
            memset(y, 0, (size_t)job->width * sizeof *y);
        } else if (job->kind == KIND_FIRST || job->kind == KIND_LAST) {
            memcpy(y, job->rows + (job->kind == KIND_FIRST ? first : last - 1) * job->width, (size_t)job->width * sizeof *y);
        } else {
            for (int64_t column = 0; column < job->width; column++) y[column] = (float)fold(job, first, last, column);
        }
    }
}

static hob_status run(struct op_context *ctx)
{
    const struct segment_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    struct segment_job job = {.kind = params->kind, .rows = x->data, .y = ctx->outputs[0]->data, .width = x->dims[x->rank - 1]};
    int64_t n_rows = 1;
    for (int axis = 0; axis < x->rank - 1; axis++) n_rows *= x->dims[axis];
    TRY(segments_read(ctx, 1, n_rows, &job.segments));
    thread_pool_run(ctx->pool, (size_t)job.segments.n, 1, reduce_segments, &job);
    return HOB_OK;
}

const struct op_def op_segment_reduce = {
    .name = "SegmentReduce",
    .domain = "hob",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};

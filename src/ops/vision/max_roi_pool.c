/* MaxRoiPool: the maxima of the bins that a region of interest is cut into, corners rounded to whole positions, both ends included
 * (Girshick 2015, Fast R-CNN). A bin that holds no position gives 0. */
#include "ops/numbers.h"
#include "ops/vision/reals.h"

struct roi_params {
    int64_t output[2]; /* height, width */
    double spatial_scale;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct roi_params *params = ARENA_NEW(node->arena, struct roi_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    size_t n_items;
    const int64_t *shape = attributes_ints(node->attributes, "pooled_shape", &n_items);
    if (n_items != 2)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: pooled_shape: found %zu values, expected 2", node->node_name, n_items);
    for (int axis = 0; axis < 2; axis++) {
        params->output[axis] = shape[axis];
        if (shape[axis] < 1 || shape[axis] > INT32_MAX)
            FAIL(node->error, HOB_BAD_GRAPH, "%s: pooled_shape: found %lld, expected 1 … %d", node->node_name,
                 (long long)shape[axis], INT32_MAX);
    }
    params->spatial_scale = (double)attributes_float(node->attributes, "spatial_scale", 1);
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct roi_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *rois = ctx->inputs[1];
    TRY(op_check_dtype(ctx, 1, x->dtype));
    if (x->rank != 4) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected [N,C,H,W]", OP_SHAPE(x));
    if (rois->rank != 2 || rois->dims[1] != 5)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 1: found %s, expected [regions,5]", OP_SHAPE(rois));
    return op_set_output(ctx, 0, x->dtype, 4,
                         (int64_t[]){rois->dims[0], x->dims[1], params->output[0], params->output[1]});
}

struct roi_job {
    const struct roi_params *params;
    const struct tensor *rois, *y;
    struct reals x;
    int64_t n_channels, dims[2];
};

/* A region: its item, first positions and sizes (y, x). */
struct region {
    int64_t batch;
    double start[2], size[2];
};

static struct region find_region(const struct roi_job *job, int64_t roi)
{
    double numbers[5]; /* item x1 y1 x2 y2 */
    struct region region;
    numbers_load_f64(job->rois, roi * 5, 1, 5, numbers);
    region.batch = numbers[0] >= 0 && numbers[0] < 0x1p53 ? (int64_t)numbers[0] : -1;
    for (int axis = 0; axis < 2; axis++) {
        double begin = round(numbers[2 - axis] * job->params->spatial_scale);
        region.start[axis] = begin;
        region.size[axis] = fmax(round(numbers[4 - axis] * job->params->spatial_scale) - begin + 1, 1);
    }
    return region;
}

/* Positions [*ret_begin,*ret_end) of a bin, cut to the plane. */
static void find_bin(const struct roi_job *job, const struct region *region, int axis, int64_t bin, int64_t *ret_begin,
                     int64_t *ret_end)
{
    double width = region->size[axis] / (double)job->params->output[axis], dim = (double)job->dims[axis];
    *ret_begin = (int64_t)fmin(fmax(floor((double)bin * width) + region->start[axis], 0), dim);
    *ret_end = (int64_t)fmin(fmax(ceil((double)(bin + 1) * width) + region->start[axis], 0), dim);
}

static double largest_in(const struct roi_job *job, int64_t plane, const int64_t begin[2], const int64_t end[2])
{
    double largest = -HUGE_VAL;
    if (begin[0] >= end[0] || begin[1] >= end[1]) return 0;
    for (int64_t y = begin[0]; y < end[0]; y++)
        for (int64_t x = begin[1]; x < end[1]; x++)
            largest = fmax(largest, reals_at(&job->x, plane + y * job->dims[1] + x));
    return largest;
}

static void pool_regions(void *context, size_t first, size_t last)
{
    const struct roi_job *job = context;
    const int64_t *output = job->params->output;
    for (int64_t i = (int64_t)first; i < (int64_t)last; i++) {
        struct region region = find_region(job, i / job->n_channels);
        int64_t plane = (region.batch * job->n_channels + i % job->n_channels) * job->dims[0] * job->dims[1];
        for (int64_t bin = 0; bin < output[0] * output[1]; bin++) {
            int64_t begin[2], end[2];
            find_bin(job, &region, 0, bin / output[1], &begin[0], &end[0]);
            find_bin(job, &region, 1, bin % output[1], &begin[1], &end[1]);
            reals_store(job->y, i * output[0] * output[1] + bin, largest_in(job, plane, begin, end));
        }
    }
}

static hob_status run(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    struct roi_job job = {.params = ctx->params,
                          .rois = ctx->inputs[1],
                          .y = ctx->outputs[0],
                          .n_channels = x->dims[1],
                          .dims = {x->dims[2], x->dims[3]}};
    for (int64_t roi = 0; roi < job.rois->dims[0]; roi++) {
        int64_t batch = find_region(&job, roi).batch;
        if (batch < 0 || batch >= x->dims[0])
            OP_FAIL(ctx, HOB_BAD_ARGUMENT, "input 1: found item %lld in region %lld, expected 0 … %lld",
                    (long long)batch, (long long)roi, (long long)x->dims[0] - 1);
    }
    TRY(reals_load(ctx, x, &job.x));
    thread_pool_run(ctx->pool, (size_t)(job.rois->dims[0] * job.n_channels), 1, pool_regions, &job);
    return HOB_OK;
}

const struct op_def op_max_roi_pool = {
    .name = "MaxRoiPool",
    .domain = "",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_FLOAT,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};

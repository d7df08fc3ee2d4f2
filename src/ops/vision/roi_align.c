/* RoiAlign: each region of interest is cut into bins, each bin sampled on an even grid by bilinear interpolation; the samples' average
 * or maximum is the output. Where the samples of a region lie is found once for each axis and serves all channels.
 *
 * mode max takes the largest of the four weighted neighbours of all samples, not the largest interpolated value: so the specification's
 * reference and its test data have it. Regions are computed in their own precision, so that the number of samples, a ceiling, comes out
 * as in other implementations. RoiAlign-10 has no shift by half a pixel. */
#include "base/size.h"
#include "ops/numbers.h"
#include "ops/thread_scratch.h"
#include "ops/vision/reals.h"

/* Samples of one bin; beyond it a region is damaged rather than large. */
enum { MAX_SAMPLES = 1 << 18 };

struct roi_params {
    int64_t output[2], sampling_ratio; /* height, width */
    double spatial_scale;
    bool is_max, is_half_pixel;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct roi_params *params = ARENA_NEW(node->arena, struct roi_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    const char *mode = attributes_string(node->attributes, "mode", "avg");
    const char *coordinates = node->opset < 16 ? "output_half_pixel" : "half_pixel";
    coordinates = attributes_string(node->attributes, "coordinate_transformation_mode", coordinates);
    params->is_max = !strcmp(mode, "max");
    params->is_half_pixel = !strcmp(coordinates, "half_pixel");
    if (!params->is_max && strcmp(mode, "avg") != 0)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: mode: found \"%s\", expected avg or max", node->node_name, mode);
    if (!params->is_half_pixel && strcmp(coordinates, "output_half_pixel") != 0)
        FAIL(node->error, HOB_BAD_GRAPH,
             "%s: coordinate_transformation_mode: found \"%s\", expected half_pixel or output_half_pixel",
             node->node_name, coordinates);
    params->output[0] = attributes_int(node->attributes, "output_height", 1);
    params->output[1] = attributes_int(node->attributes, "output_width", 1);
    params->sampling_ratio = attributes_int(node->attributes, "sampling_ratio", 0);
    params->spatial_scale = (double)attributes_float(node->attributes, "spatial_scale", 1);
    for (int axis = 0; axis < 2; axis++)
        if (params->output[axis] < 1 || params->output[axis] > INT32_MAX)
            FAIL(node->error, HOB_BAD_GRAPH, "%s: %s: found %lld, expected 1 … %d", node->node_name,
                 axis ? "output_width" : "output_height", (long long)params->output[axis], INT32_MAX);
    if (params->sampling_ratio < 0 || params->sampling_ratio > MAX_SAMPLES)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: sampling_ratio: found %lld, expected 0 … %d", node->node_name,
             (long long)params->sampling_ratio, MAX_SAMPLES);
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct roi_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *rois = ctx->inputs[1], *batches = ctx->inputs[2];
    TRY(op_check_dtype(ctx, 1, x->dtype));
    TRY(op_check_dtype(ctx, 2, DTYPE_I64));
    if (x->rank != 4) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected [N,C,H,W]", OP_SHAPE(x));
    if (rois->rank != 2 || rois->dims[1] != 4)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 1: found %s, expected [regions,4]", OP_SHAPE(rois));
    if (batches->rank != 1 || batches->dims[0] != rois->dims[0])
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 2: found %s, expected [%lld]", OP_SHAPE(batches), (long long)rois->dims[0]);
    return op_set_output(ctx, 0, x->dtype, 4,
                         (int64_t[]){rois->dims[0], x->dims[1], params->output[0], params->output[1]});
}

/* ---- one region ---- */

struct region {
    double start[2], bin[2]; /* y, x */
    int64_t n_samples[2];    /* of a bin */
};

/* Where a sample falls on an axis: two neighbours and their weights; 0 and 0 outside. */
struct sample {
    int64_t low, high;
    double low_weight, high_weight;
};

struct roi_job {
    const struct roi_params *params;
    const struct tensor *rois, *batches, *y;
    struct reals x;
    int64_t n_channels, dims[2];
    bool is_f64;
    struct thread_scratch scratch;
};

/* To the precision that the types' own arithmetic would have. */
static double rounded(const struct roi_job *job, double number)
{
    return job->is_f64 ? number : (double)(float)number;
}

static struct region find_region(const struct roi_job *job, int64_t roi)
{
    const struct roi_params *params = job->params;
    struct region region;
    double corners[4], offset = params->is_half_pixel ? 0.5 : 0; /* x1 y1 x2 y2 */
    numbers_load_f64(job->rois, roi * 4, 1, 4, corners);
    for (int i = 0; i < 4; i++) corners[i] = rounded(job, rounded(job, corners[i] * params->spatial_scale) - offset);
    for (int axis = 0; axis < 2; axis++) {
        double begin = corners[1 - axis], size = rounded(job, corners[3 - axis] - begin);
        if (!params->is_half_pixel) size = fmax(size, 1);
        region.start[axis] = begin;
        region.bin[axis] = rounded(job, size / (double)params->output[axis]);
        double n_samples = params->sampling_ratio ? (double)params->sampling_ratio : ceil(region.bin[axis]);
        region.n_samples[axis] = n_samples >= 1 ? (int64_t)fmin(n_samples, MAX_SAMPLES + 1.0) : 0;
    }
    return region;
}

static struct sample find_sample(double place, int64_t dim)
{
    if (!(place >= -1 && place <= (double)dim)) return (struct sample){0};
    place = fmax(place, 0);
    int64_t low = (int64_t)place;
    if (low >= dim - 1) return (struct sample){dim - 1, dim - 1, 1, 0};
    double rest = place - (double)low;
    return (struct sample){low, low + 1, 1 - rest, rest};
}

static void find_samples(const struct roi_job *job, const struct region *region, int axis, struct sample *ret_samples)
{
    int64_t n_samples = region->n_samples[axis];
    for (int64_t bin = 0; bin < job->params->output[axis]; bin++)
        for (int64_t i = 0; i < n_samples; i++) {
            double place = region->start[axis] + (double)bin * region->bin[axis] +
                           ((double)i + 0.5) * region->bin[axis] / (double)n_samples;
            *ret_samples++ = find_sample(place, job->dims[axis]);
        }
}

static double fold_bin(const struct roi_job *job, int64_t plane, const struct sample *ys, int64_t n_ys,
                       const struct sample *xs, int64_t n_xs)
{
    double sum = 0, largest = -HUGE_VAL;
    for (int64_t i = 0; i < n_ys; i++) {
        int64_t low = plane + ys[i].low * job->dims[1], high = plane + ys[i].high * job->dims[1];
        for (int64_t k = 0; k < n_xs; k++) {
            double parts[] = {ys[i].low_weight * xs[k].low_weight * reals_at(&job->x, low + xs[k].low),
                              ys[i].low_weight * xs[k].high_weight * reals_at(&job->x, low + xs[k].high),
                              ys[i].high_weight * xs[k].low_weight * reals_at(&job->x, high + xs[k].low),
                              ys[i].high_weight * xs[k].high_weight * reals_at(&job->x, high + xs[k].high)};
            sum += parts[0] + parts[1] + parts[2] + parts[3];
            for (int part = 0; part < 4; part++) largest = fmax(largest, parts[part]);
        }
    }
    if (!n_ys || !n_xs) return 0;
    return job->params->is_max ? largest : sum / ((double)n_ys * (double)n_xs);
}

static void pool_channel(const struct roi_job *job, const struct region *region, const struct sample *ys,
                         const struct sample *xs, int64_t plane, int64_t to)
{
    const int64_t *output = job->params->output;
    for (int64_t i = 0; i < output[0]; i++)
        for (int64_t k = 0; k < output[1]; k++)
            reals_store(job->y, to++,
                        fold_bin(job, plane, ys + i * region->n_samples[0], region->n_samples[0],
                                 xs + k * region->n_samples[1], region->n_samples[1]));
}

static void pool_regions(void *context, size_t begin, size_t end)
{
    struct roi_job *job = context;
    float *piece = thread_scratch_take(&job->scratch);
    struct sample *ys = (struct sample *)(void *)piece;
    int64_t n_outputs = job->params->output[0] * job->params->output[1];
    for (int64_t roi = (int64_t)begin; roi < (int64_t)end; roi++) {
        struct region region = find_region(job, roi);
        struct sample *xs = ys + job->params->output[0] * region.n_samples[0];
        find_samples(job, &region, 0, ys);
        find_samples(job, &region, 1, xs);
        int64_t first = ((const int64_t *)job->batches->data)[roi] * job->n_channels;
        for (int64_t c = 0; c < job->n_channels; c++)
            pool_channel(job, &region, ys, xs, (first + c) * job->dims[0] * job->dims[1],
                         (roi * job->n_channels + c) * n_outputs);
    }
    thread_scratch_put(&job->scratch, piece);
}

/* Checks every region and finds how many samples the largest has on both axes together. */
static hob_status measure_regions(struct op_context *ctx, const struct roi_job *job, int64_t *ret_n_samples)
{
    int64_t most = 0;
    for (int64_t roi = 0; roi < job->rois->dims[0]; roi++) {
        struct region region = find_region(job, roi);
        int64_t batch = ((const int64_t *)job->batches->data)[roi], of_axis[2], n_batches = ctx->inputs[0]->dims[0];
        if (batch < 0 || batch >= n_batches)
            OP_FAIL(ctx, HOB_BAD_ARGUMENT, "input 2: found index %lld, expected 0 … %lld", (long long)batch,
                    (long long)n_batches - 1);
        if (region.n_samples[0] * region.n_samples[1] > MAX_SAMPLES)
            OP_FAIL(ctx, HOB_LIMIT, "input 1: found region %lld with more than %d samples in a bin", (long long)roi,
                    MAX_SAMPLES);
        for (int axis = 0; axis < 2; axis++)
            if (!int64_mul(job->params->output[axis], region.n_samples[axis], &of_axis[axis]) ||
                of_axis[axis] > INT64_MAX / 256)
                OP_FAIL(ctx, HOB_LIMIT, "input 1: found region %lld with too many samples", (long long)roi);
        if (of_axis[0] + of_axis[1] > most) most = of_axis[0] + of_axis[1];
    }
    *ret_n_samples = most;
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    struct roi_job job = {.params = ctx->params,
                          .rois = ctx->inputs[1],
                          .batches = ctx->inputs[2],
                          .y = ctx->outputs[0],
                          .n_channels = x->dims[1],
                          .dims = {x->dims[2], x->dims[3]},
                          .is_f64 = x->dtype == DTYPE_F64};
    int64_t n_samples;
    if (!tensor_n_items(job.y)) return HOB_OK;
    if (!x->dims[2] || !x->dims[3])
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, which has nothing to sample", OP_SHAPE(x));
    TRY(measure_regions(ctx, &job, &n_samples));
    TRY(reals_load(ctx, x, &job.x));
    TRY(thread_scratch_init(&job.scratch, ctx, (size_t)n_samples * sizeof(struct sample) / sizeof(float)));
    thread_pool_run(ctx->pool, (size_t)job.rois->dims[0], 1, pool_regions, &job);
    return HOB_OK;
}

const struct op_def op_roi_align = {
    .name = "RoiAlign",
    .domain = "",
    .since = 10,
    .min_inputs = 3,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_FLOAT,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};

/* DeformConv (Dai et al. 2017; Zhu et al. 2019): a convolution whose taps are moved by offsets and weighed by a mask, both inputs. Any
 * number of spatial axes.
 *
 * A tile of output positions is gathered first: for each tap the point that it fell on is interpolated linearly, outside is 0, for all
 * channels of an offset group with the same corners and weights. Then each group is one matrix product with its weights. f32, f16 and
 * bf16 are multiplied as f32, f64 as f64. */
#include "base/size.h"
#include "kernels/kernels.h"
#include "ops/as_f32.h"
#include "ops/numbers.h"
#include "ops/thread_scratch.h"
#include "ops/vision/reals.h"
#include "ops/vision/window.h"

enum { TILE = 32, MAX_CORNERS = 1 << WINDOW_MAX_RANK };

struct deform_params {
    struct window_params window;
    int64_t n_groups, n_offset_groups;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct deform_params *params = ARENA_NEW(node->arena, struct deform_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(window_parse(node, &params->window));
    params->n_groups = attributes_int(node->attributes, "group", 1);
    params->n_offset_groups = attributes_int(node->attributes, "offset_group", 1);
    if (params->n_groups < 1 || params->n_offset_groups < 1)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: found group %lld and offset_group %lld, expected 1 or more",
             node->node_name, (long long)params->n_groups, (long long)params->n_offset_groups);
    *ret_params = params;
    return HOB_OK;
}

/* [N, n_channels, output dims…] */
static bool has_map_shape(const struct tensor *map, const struct tensor *x, int64_t n_channels,
                          const struct window *window)
{
    bool fits = map->rank == x->rank && map->dims[0] == x->dims[0] && map->dims[1] == n_channels;
    for (int axis = 0; fits && axis < window->rank; axis++) fits = map->dims[2 + axis] == window->outputs[axis];
    return fits;
}

static hob_status check_maps(struct op_context *ctx, const struct window *window)
{
    const struct deform_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *offset = ctx->inputs[2], *mask = op_input(ctx, 4);
    int64_t n_masks, n_offsets;
    if (!int64_mul(params->n_offset_groups, window_n_taps(window), &n_masks) ||
        !int64_mul(n_masks, window->rank, &n_offsets))
        OP_FAIL(ctx, HOB_LIMIT, "offset_group: found %lld, expected fewer", (long long)params->n_offset_groups);
    if (!has_map_shape(offset, x, n_offsets, window))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 2: found %s, expected [%lld,%lld] and %s", OP_SHAPE(offset),
                (long long)x->dims[0], (long long)n_offsets,
                tensor_shape_text(window->rank, window->outputs, (char[TENSOR_SHAPE_TEXT_BYTES]){0}));
    if (mask && !has_map_shape(mask, x, n_masks, window))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 4: found %s, expected [%lld,%lld] and %s", OP_SHAPE(mask),
                (long long)x->dims[0], (long long)n_masks,
                tensor_shape_text(window->rank, window->outputs, (char[TENSOR_SHAPE_TEXT_BYTES]){0}));
    return HOB_OK;
}

static hob_status find_window(struct op_context *ctx, struct window *ret_window)
{
    const struct deform_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *w = ctx->inputs[1];
    if (x->rank < 3 || w->rank != x->rank)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found inputs %s and %s, expected [N,C,D1,…] and [M,C,k1,…]", OP_SHAPE(x),
                OP_SHAPE(w));
    if (x->dims[1] % params->n_groups || w->dims[0] % params->n_groups || w->dims[1] != x->dims[1] / params->n_groups ||
        x->dims[1] % params->n_offset_groups)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found inputs %s and %s, expected channels for %lld groups and %lld offset groups",
                OP_SHAPE(x), OP_SHAPE(w), (long long)params->n_groups, (long long)params->n_offset_groups);
    return window_resolve(ctx, &params->window, x->rank - 2, x->dims + 2, w->dims + 2, ret_window);
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0], *w = ctx->inputs[1], *bias = op_input(ctx, 3);
    struct window window;
    for (int i = 1; i < 5; i++) TRY(op_check_dtype(ctx, i, x->dtype));
    TRY(find_window(ctx, &window));
    TRY(check_maps(ctx, &window));
    if (bias && (bias->rank != 1 || bias->dims[0] != w->dims[0]))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 3: found %s, expected [%lld]", OP_SHAPE(bias), (long long)w->dims[0]);
    int64_t dims[TENSOR_MAX_RANK] = {x->dims[0], w->dims[0]};
    memcpy(dims + 2, window.outputs, (size_t)window.rank * sizeof *dims);
    return op_set_output(ctx, 0, x->dtype, x->rank, dims);
}

struct deform_job {
    const struct deform_params *params;
    const struct kernels *kernels;
    struct window window;
    struct reals x, offset, mask, w, bias; /* mask, bias: neither of the two where not given */
    float *y_f32;                          /* one of the two */
    double *y_f64;
    int64_t n_taps, n_in, n_out; /* n_in, n_out: channels */
    int64_t plane_in, plane_out, tiles_per_plane;
    struct thread_scratch scratch;
};

static bool is_given(const struct reals *reals)
{
    return reals->f32 || reals->f64;
}

/* ---- gathering ---- */

struct corner {
    int64_t offset;
    double weight;
};

/* Where a tap of an output position falls, and the inputs around it; those outside are left out. */
static int find_corners(const struct deform_job *job, int64_t n, int64_t offset_group, int64_t tap, int64_t position,
                        struct corner *ret_corners)
{
    const struct window *window = &job->window;
    int64_t map = (n * job->params->n_offset_groups + offset_group) * job->n_taps + tap, rest = position,
            rest_tap = tap, step = 1;
    int n_corners = 1;
    ret_corners[0] =
        (struct corner){0, is_given(&job->mask) ? reals_at(&job->mask, map * job->plane_out + position) : 1};
    for (int axis = window->rank - 1; axis >= 0; axis--) {
        int64_t start = rest % window->outputs[axis] * window->strides[axis] - window->pads_begin[axis] +
                        rest_tap % window->kernel[axis] * window->dilations[axis];
        double at = (double)start + reals_at(&job->offset, (map * window->rank + axis) * job->plane_out + position);
        int64_t dim = window->inputs[axis];
        if (!(at > -1 && at < (double)dim)) return 0;
        int64_t low = (int64_t)floor(at);
        double high_weight = at - (double)low;
        int n_before = n_corners;
        n_corners = 0;
        struct corner before[MAX_CORNERS];
        memcpy(before, ret_corners, (size_t)n_before * sizeof *before);
        for (int i = 0; i < n_before; i++) {
            if (low >= 0)
                ret_corners[n_corners++] =
                    (struct corner){before[i].offset + low * step, before[i].weight * (1 - high_weight)};
            if (low + 1 < dim && high_weight > 0)
                ret_corners[n_corners++] =
                    (struct corner){before[i].offset + (low + 1) * step, before[i].weight * high_weight};
        }
        step *= dim;
        rest /= window->outputs[axis];
        rest_tap /= window->kernel[axis];
    }
    return n_corners;
}

static double interpolate(const struct reals *x, int64_t plane, const struct corner *corners, int n_corners)
{
    double sum = 0;
    for (int i = 0; i < n_corners; i++) sum += corners[i].weight * reals_at(x, plane + corners[i].offset);
    return sum;
}

/* The columns of n_positions outputs: [channel,tap,TILE], in one of the two. */
static void gather(const struct deform_job *job, int64_t n, int64_t first, int64_t n_positions, float *f32, double *f64)
{
    int64_t channels_per_group = job->n_in / job->params->n_offset_groups;
    struct corner corners[MAX_CORNERS];
    for (int64_t group = 0; group < job->params->n_offset_groups; group++) {
        for (int64_t i = 0; i < job->n_taps * n_positions; i++) {
            int64_t tap = i / n_positions, position = i % n_positions;
            int n_corners = find_corners(job, n, group, tap, first + position, corners);
            for (int64_t k = 0; k < channels_per_group; k++) {
                int64_t channel = group * channels_per_group + k, to = (channel * job->n_taps + tap) * TILE + position;
                double value = interpolate(&job->x, (n * job->n_in + channel) * job->plane_in, corners, n_corners);
                if (f32) f32[to] = (float)value;
                else f64[to] = value;
            }
        }
    }
}

/* ---- multiplying ---- */

static void multiply_f32(const struct deform_job *job, int64_t n, int64_t first, int64_t n_positions,
                         const float *columns)
{
    int64_t n_groups = job->params->n_groups, rows = job->n_out / n_groups, depth = job->n_in / n_groups * job->n_taps;
    for (int64_t group = 0; group < n_groups; group++) {
        float *y = job->y_f32 + (n * job->n_out + group * rows) * job->plane_out + first;
        struct gemm_strided_f32_args args = {.a = job->w.f32 + group * rows * depth,
                                             .b = columns + group * depth * TILE,
                                             .c = y,
                                             .a_row_stride = depth,
                                             .a_column_stride = 1,
                                             .b_row_stride = TILE,
                                             .b_column_stride = 1,
                                             .c_stride = job->plane_out,
                                             .m = rows,
                                             .n = n_positions,
                                             .k = depth};
        job->kernels->gemm_strided_f32(&args);
        for (int64_t row = 0; is_given(&job->bias) && row < rows; row++)
            for (int64_t i = 0; i < n_positions; i++) y[row * job->plane_out + i] += job->bias.f32[group * rows + row];
    }
}

static void multiply_f64(const struct deform_job *job, int64_t n, int64_t first, int64_t n_positions,
                         const double *columns)
{
    int64_t n_groups = job->params->n_groups, rows = job->n_out / n_groups, depth = job->n_in / n_groups * job->n_taps;
    for (int64_t row = 0; row < job->n_out; row++) {
        double *y = job->y_f64 + (n * job->n_out + row) * job->plane_out + first;
        const double *w = job->w.f64 + row * depth, *b = columns + row / rows * depth * TILE;
        for (int64_t i = 0; i < n_positions; i++) y[i] = is_given(&job->bias) ? job->bias.f64[row] : 0;
        for (int64_t k = 0; k < depth; k++)
            for (int64_t i = 0; i < n_positions; i++) y[i] += w[k] * b[k * TILE + i];
    }
}

static void convolve_tiles(void *context, size_t begin, size_t end)
{
    struct deform_job *job = context;
    float *piece = thread_scratch_take(&job->scratch);
    double *wide = (double *)(void *)piece;
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        int64_t n = i / job->tiles_per_plane, first = i % job->tiles_per_plane * TILE;
        int64_t n_positions = job->plane_out - first < TILE ? job->plane_out - first : TILE;
        gather(job, n, first, n_positions, job->y_f32 ? piece : NULL, wide);
        if (job->y_f32) multiply_f32(job, n, first, n_positions, piece);
        else multiply_f64(job, n, first, n_positions, wide);
    }
    thread_scratch_put(&job->scratch, piece);
}

static hob_status run(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0], *y = ctx->outputs[0];
    struct deform_job job = {.params = ctx->params,
                             .kernels = ctx->kernels,
                             .n_in = x->dims[1],
                             .n_out = y->dims[1],
                             .plane_in = 1,
                             .plane_out = 1};
    struct reals *const inputs[] = {&job.x, &job.w, &job.offset, &job.bias, &job.mask};
    bool is_f64 = x->dtype == DTYPE_F64;
    if (!tensor_n_items(y)) return HOB_OK;
    TRY(find_window(ctx, &job.window));
    for (int i = 0; i < 5; i++) TRY(reals_load(ctx, op_input(ctx, i), inputs[i]));
    if (is_f64) job.y_f64 = y->data;
    else TRY(as_f32_output(ctx, y, &job.y_f32));
    job.n_taps = window_n_taps(&job.window);
    for (int axis = 0; axis < job.window.rank; axis++) {
        job.plane_in *= job.window.inputs[axis];
        job.plane_out *= job.window.outputs[axis];
    }
    job.tiles_per_plane = (job.plane_out + TILE - 1) / TILE;
    int64_t n_columns;
    if (!int64_mul(job.n_in * TILE * (is_f64 ? 2 : 1), job.n_taps, &n_columns))
        OP_FAIL(ctx, HOB_LIMIT, "found %lld taps for %lld channels, expected fewer", (long long)job.n_taps,
                (long long)job.n_in);
    TRY(thread_scratch_init(&job.scratch, ctx, (size_t)n_columns));
    thread_pool_run(ctx->pool, (size_t)(x->dims[0] * job.tiles_per_plane), 1, convolve_tiles, &job);
    if (!is_f64) as_f32_finish(ctx, job.y_f32, y);
    return HOB_OK;
}

const struct op_def op_deform_conv = {
    .name = "DeformConv",
    .domain = "",
    .since = 19,
    .min_inputs = 3,
    .max_inputs = 5,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_FLOAT,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};

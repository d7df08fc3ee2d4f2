/* GridSample: an output position reads the input around the point that the grid names, for any number of spatial axes. The taps of
 * a position, their places and weights, are found once and serve all channels. mode nearest moves elements of any type; linear
 * and cubic weigh numbers in f64.
 *
 * Points are computed in the grid's own precision, f32 at least, as every other implementation does: nearest would fall on another
 * neighbour otherwise. */
#include "ops/moving.h"
#include "ops/numbers.h"
#include "ops/thread_scratch.h"
#include "ops/vision/reals.h"

enum grid_mode { GRID_NEAREST, GRID_LINEAR, GRID_CUBIC };
enum grid_padding { GRID_ZEROS, GRID_BORDER, GRID_REFLECTION };
enum { MAX_SPATIAL = TENSOR_MAX_RANK - 2, MAX_TAPS = 4, OUTSIDE = -1 };

struct grid_params {
    enum grid_mode mode;
    enum grid_padding padding;
    bool aligns_corners;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    static const char *const modes[] = {"nearest", "linear", "cubic", "", "bilinear", "bicubic"};
    static const char *const paddings[] = {"zeros", "border", "reflection"};
    struct grid_params *params = ARENA_NEW(node->arena, struct grid_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    const char *mode = attributes_string(node->attributes, "mode", "linear");
    const char *padding = attributes_string(node->attributes, "padding_mode", "zeros");
    int found_mode = -1, found_padding = -1;
    for (int i = 0; i < 6; i++)
        if (!strcmp(mode, modes[i]) && i != 3)
            found_mode = i % 3; /* the names of opset 16 stand three behind those of 20 */
    for (int i = 0; i < 3; i++)
        if (!strcmp(padding, paddings[i])) found_padding = i;
    if (found_mode < 0)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: mode: found \"%s\", expected nearest, linear or cubic", node->node_name,
             mode);
    if (found_padding < 0)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: padding_mode: found \"%s\", expected zeros, border or reflection",
             node->node_name, padding);
    params->mode = (enum grid_mode)found_mode;
    params->padding = (enum grid_padding)found_padding;
    params->aligns_corners = attributes_int(node->attributes, "align_corners", 0) != 0;
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct grid_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *grid = ctx->inputs[1];
    if (x->rank < 3) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected [N,C,D1,…]", OP_SHAPE(x));
    if (params->mode != GRID_NEAREST && !op_types_have(TYPES_NUMBER, x->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s, expected numbers to interpolate", dtype_name(x->dtype));
    if (!numbers_is_float(grid->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 1: found %s, expected a float type", dtype_name(grid->dtype));
    if (grid->rank != x->rank || grid->dims[0] != x->dims[0] || grid->dims[grid->rank - 1] != x->rank - 2)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 1: found %s, expected [%lld,…,%d] of rank %d", OP_SHAPE(grid),
                (long long)x->dims[0], x->rank - 2, x->rank);
    int64_t dims[TENSOR_MAX_RANK] = {x->dims[0], x->dims[1]};
    for (int axis = 2; axis < x->rank; axis++) dims[axis] = grid->dims[axis - 1];
    return op_set_output(ctx, 0, x->dtype, x->rank, dims);
}

struct grid_job {
    const struct grid_params *params;
    const struct tensor *x, *grid, *y;
    struct reals numbers;
    int rank; /* spatial axes */
    int64_t n_channels, plane_in, plane_out;
    int64_t dims[MAX_SPATIAL], steps[MAX_SPATIAL];
    double least[MAX_SPATIAL], most[MAX_SPATIAL]; /* what lies inside, as the padding modes see it */
    int taps_per_axis;
    struct thread_scratch scratch;
};

/* ---- points ---- */

/* -1 … 1 to positions of an axis. */
static double denormalize(const struct grid_job *job, double place, int64_t dim)
{
    if (job->grid->dtype == DTYPE_F64)
        return job->params->aligns_corners ? (place + 1) / 2 * (double)(dim - 1) : ((place + 1) * (double)dim - 1) / 2;
    float n = (float)place, length = (float)dim;
    return (double)(job->params->aligns_corners ? (n + 1) / 2 * (length - 1) : ((n + 1) * length - 1) / 2);
}

/* Back and forth between the borders until inside. */
static double reflect(double x, double least, double most)
{
    double range = most - least;
    if (range <= 0) return least;
    double beyond = fmod(x < least ? least - x : x - most, 2 * range);
    bool is_near_least = (x < least) == (beyond < range);
    double rest = beyond < range ? beyond : beyond - range;
    return is_near_least ? least + rest : most - rest;
}

static double pad_point(const struct grid_job *job, int axis, double x)
{
    double least = job->least[axis], most = job->most[axis];
    if (x < least || x > most) {
        if (job->params->padding == GRID_BORDER) x = fmin(fmax(x, 0), (double)(job->dims[axis] - 1));
        else if (job->params->padding == GRID_REFLECTION) x = reflect(x, least, most);
    }
    return x;
}

static int64_t pad_index(const struct grid_job *job, int axis, int64_t i)
{
    int64_t dim = job->dims[axis];
    if (i >= 0 && i < dim) return i;
    if (job->params->padding == GRID_ZEROS) return OUTSIDE;
    if (job->params->padding == GRID_REFLECTION) i = (int64_t)reflect((double)i, job->least[axis], job->most[axis]);
    return i < 0 ? 0 : i >= dim ? dim - 1 : i;
}

/* Positions (or OUTSIDE) and weights of an axis; all are outside when the point is nowhere. */
static void find_axis_taps(const struct grid_job *job, int axis, double x, int64_t positions[MAX_TAPS],
                           double weights[MAX_TAPS])
{
    enum grid_mode mode = job->params->mode;
    if (mode == GRID_NEAREST) x = rint(x);
    x = pad_point(job, axis, x);
    bool is_nowhere = !(fabs(x) < 0x1p52);
    if (is_nowhere) x = 0;
    int64_t base = (int64_t)floor(x);
    double f = x - (double)base, a = -0.75;
    if (mode == GRID_NEAREST) {
        weights[0] = 1;
    } else if (mode == GRID_LINEAR) {
        weights[0] = 1 - f;
        weights[1] = f;
    } else {
        base--;
        weights[0] = ((a * (f + 1) - 5 * a) * (f + 1) + 8 * a) * (f + 1) - 4 * a;
        weights[1] = ((a + 2) * f - (a + 3)) * f * f + 1;
        weights[2] = ((a + 2) * (1 - f) - (a + 3)) * (1 - f) * (1 - f) + 1;
        weights[3] = ((a * (2 - f) - 5 * a) * (2 - f) + 8 * a) * (2 - f) - 4 * a;
    }
    for (int t = 0; t < job->taps_per_axis; t++)
        positions[t] = is_nowhere && job->params->padding == GRID_ZEROS ? OUTSIDE : pad_index(job, axis, base + t);
}

/* ---- taps of all axes together ---- */

struct tap {
    int64_t offset; /* in a plane */
    double weight;
};

/* The taps that lie inside, in row-major order; returns how many. */
static int find_taps(const struct grid_job *job, int64_t point, struct tap *ret_taps)
{
    int n_taps = 1;
    ret_taps[0] = (struct tap){0, 1};
    for (int axis = 0; axis < job->rank; axis++) {
        int64_t positions[MAX_TAPS];
        double place, weights[MAX_TAPS];
        numbers_load_f64(job->grid, point * job->rank + (job->rank - 1 - axis), 1, 1, &place);
        find_axis_taps(job, axis, denormalize(job, place, job->dims[axis]), positions, weights);
        /* From behind, as every tap makes room for taps_per_axis; then those outside are closed up. */
        for (int i = n_taps - 1; i >= 0; i--) {
            struct tap tap = ret_taps[i];
            for (int t = job->taps_per_axis - 1; t >= 0; t--)
                ret_taps[i * job->taps_per_axis + t] =
                    (struct tap){positions[t] == OUTSIDE ? OUTSIDE : tap.offset + positions[t] * job->steps[axis],
                                 tap.weight * weights[t]};
        }
        int n_inside = 0;
        for (int i = 0; i < n_taps * job->taps_per_axis; i++)
            if (ret_taps[i].offset != OUTSIDE) ret_taps[n_inside++] = ret_taps[i];
        n_taps = n_inside;
    }
    return n_taps;
}

static void move_channels(const struct grid_job *job, int64_t from, int64_t to, const struct tap *taps, int n_taps)
{
    size_t item_bytes = dtype_block_bytes(job->x->dtype);
    for (int64_t c = 0; c < job->n_channels; c++, from += job->plane_in, to += job->plane_out) {
        if (n_taps)
            moving_copy_element(moving_element_at(job->y, to), moving_element_at(job->x, from + taps[0].offset),
                                item_bytes);
        else memset(moving_element_at(job->y, to), 0, item_bytes);
    }
}

static void weigh_channels(const struct grid_job *job, int64_t from, int64_t to, const struct tap *taps, int n_taps)
{
    for (int64_t c = 0; c < job->n_channels; c++, from += job->plane_in, to += job->plane_out) {
        double sum = 0;
        for (int t = 0; t < n_taps; t++) sum += taps[t].weight * reals_at(&job->numbers, from + taps[t].offset);
        reals_store(job->y, to, sum);
    }
}

static void sample_points(void *context, size_t begin, size_t end)
{
    struct grid_job *job = context;
    float *piece = thread_scratch_take(&job->scratch);
    struct tap *taps = (struct tap *)(void *)piece;
    for (int64_t point = (int64_t)begin; point < (int64_t)end; point++) {
        int n_taps = find_taps(job, point, taps);
        int64_t n = point / job->plane_out, first = n * job->n_channels;
        int64_t from = first * job->plane_in, to = first * job->plane_out + point % job->plane_out;
        if (job->params->mode == GRID_NEAREST) move_channels(job, from, to, taps, n_taps);
        else weigh_channels(job, from, to, taps, n_taps);
    }
    thread_scratch_put(&job->scratch, piece);
}

static hob_status run(struct op_context *ctx)
{
    const struct grid_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *y = ctx->outputs[0];
    struct grid_job job = {.params = params,
                           .x = x,
                           .grid = ctx->inputs[1],
                           .y = y,
                           .rank = x->rank - 2,
                           .n_channels = x->dims[1],
                           .plane_in = 1,
                           .plane_out = 1,
                           .taps_per_axis = params->mode == GRID_CUBIC    ? 4
                                            : params->mode == GRID_LINEAR ? 2
                                                                          : 1};
    size_t n_taps = 1;
    if (!tensor_n_items(y)) return HOB_OK;
    for (int axis = job.rank - 1; axis >= 0; axis--) {
        job.dims[axis] = x->dims[2 + axis];
        job.steps[axis] = job.plane_in;
        job.least[axis] = params->aligns_corners ? 0 : -0.5;
        job.most[axis] = (double)job.dims[axis] - (params->aligns_corners ? 1 : 0.5);
        job.plane_in *= job.dims[axis];
        job.plane_out *= y->dims[2 + axis];
        n_taps *= (size_t)job.taps_per_axis;
    }
    if (!job.plane_in) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, which has nothing to sample", OP_SHAPE(x));
    if (params->mode != GRID_NEAREST) TRY(reals_load(ctx, x, &job.numbers));
    TRY(thread_scratch_init(&job.scratch, ctx, n_taps * sizeof(struct tap) / sizeof(float)));
    thread_pool_run(ctx->pool, (size_t)(x->dims[0] * job.plane_out), (size_t)(1 + (1 << 11) / (job.n_channels + 1)),
                    sample_points, &job);
    return HOB_OK;
}

const struct op_def op_grid_sample = {
    .name = "GridSample",
    .domain = "",
    .since = 16,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_WHOLE,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};

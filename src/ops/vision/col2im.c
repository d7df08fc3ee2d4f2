/* Col2Im: adds the columns that sliding blocks were unrolled to back into an image; where blocks overlap, they add up. Any number of
 * spatial axes. An image plane is the unit of work: summed as f64, or i64 for integers, then rounded once. */
#include "base/size.h"
#include "ops/numbers.h"
#include "ops/thread_scratch.h"
#include "ops/vision/window.h"

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct window_params *params = ARENA_NEW(node->arena, struct window_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(window_parse(node, params));
    *ret_params = params;
    return HOB_OK;
}

/* Blocks as windows over the image. */
static hob_status find_window(struct op_context *ctx, struct window *ret_window)
{
    int64_t image[WINDOW_MAX_RANK], block[WINDOW_MAX_RANK];
    size_t rank, block_rank;
    TRY(op_read_ints(ctx, 1, WINDOW_MAX_RANK, image, &rank));
    TRY(op_read_ints(ctx, 2, WINDOW_MAX_RANK, block, &block_rank));
    if (rank < 1 || rank != block_rank)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found %zu image dims and %zu block dims, expected as many", rank, block_rank);
    for (size_t axis = 0; axis < rank; axis++)
        if (image[axis] < 0)
            OP_FAIL(ctx, HOB_BAD_ARGUMENT, "input 1: found %lld, expected 0 or more", (long long)image[axis]);
    return window_resolve(ctx, ctx->params, (int)rank, image, block, ret_window);
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    struct window window;
    int64_t n_taps = 1, n_blocks = 1, dims[TENSOR_MAX_RANK] = {0};
    TRY(find_window(ctx, &window));
    for (int axis = 0; axis < window.rank; axis++) {
        dims[2 + axis] = window.inputs[axis];
        if (!int64_mul(n_taps, window.kernel[axis], &n_taps) || !int64_mul(n_blocks, window.outputs[axis], &n_blocks))
            OP_FAIL(ctx, HOB_LIMIT, "found an image of too many blocks");
    }
    if (x->rank != 3 || x->dims[1] % n_taps || x->dims[2] != n_blocks)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected [N, a multiple of %lld, %lld]", OP_SHAPE(x),
                (long long)n_taps, (long long)n_blocks);
    dims[0] = x->dims[0];
    dims[1] = x->dims[1] / n_taps;
    return op_set_output(ctx, 0, x->dtype, 2 + window.rank, dims);
}

struct image_job {
    struct window window;
    const struct tensor *x, *y;
    int64_t n_taps, n_blocks, plane; /* plane: items of an image */
    struct thread_scratch scratch;
};

/* Where a row of blocks along the last axis falls: the image offset of block `begin`, and how many of them are inside. */
struct run_of_blocks {
    int64_t begin, n, offset, step;
};

static int64_t clamp(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* row: which row of blocks; tap: which item of the block. false: outside the image. */
static bool place_row(const struct window *window, int64_t row, int64_t tap, struct run_of_blocks *ret_run)
{
    int last = window->rank - 1;
    int64_t stride = window->strides[last], dim = window->inputs[last], offset = 0, step = dim;
    int64_t shift = tap % window->kernel[last] * window->dilations[last] - window->pads_begin[last];
    tap /= window->kernel[last];
    for (int axis = last - 1; axis >= 0; axis--) {
        int64_t position = row % window->outputs[axis] * window->strides[axis] +
                           tap % window->kernel[axis] * window->dilations[axis] - window->pads_begin[axis];
        if (position < 0 || position >= window->inputs[axis]) return false;
        offset += position * step;
        step *= window->inputs[axis];
        row /= window->outputs[axis];
        tap /= window->kernel[axis];
    }
    int64_t begin = shift < 0 ? (-shift + stride - 1) / stride : 0;
    int64_t end = dim > shift ? clamp((dim - shift + stride - 1) / stride, 0, window->outputs[last]) : 0;
    *ret_run = (struct run_of_blocks){begin, end - begin, offset + begin * stride + shift, stride};
    return begin < end;
}

#define ADD_BLOCKS(name, type)                                                                             \
    static void add_blocks_##name(const struct image_job *job, int64_t unit, type *image)                  \
    {                                                                                                      \
        int64_t width = job->window.outputs[job->window.rank - 1], n_rows = job->n_blocks / width;         \
        type items[NUMBERS_RUN];                                                                           \
        for (int64_t tap = 0; tap < job->n_taps; tap++) {                                                  \
            for (int64_t row = 0; row < n_rows; row++) {                                                   \
                struct run_of_blocks run;                                                                  \
                if (!place_row(&job->window, row, tap, &run)) continue;                                    \
                int64_t from = (unit * job->n_taps + tap) * job->n_blocks + row * width + run.begin;       \
                for (int64_t done = 0; done < run.n; done += NUMBERS_RUN) {                                \
                    int64_t n = run.n - done < NUMBERS_RUN ? run.n - done : NUMBERS_RUN;                   \
                    numbers_load_##name(job->x, from + done, 1, (size_t)n, items);                         \
                    for (int64_t i = 0; i < n; i++) image[run.offset + (done + i) * run.step] += items[i]; \
                }                                                                                          \
            }                                                                                              \
        }                                                                                                  \
    }
ADD_BLOCKS(f64, double)

/* Integers wrap, as the type's own sums do. */
#define numbers_load_u64(tensor, offset, stride, n, items) \
    numbers_load_i64(tensor, offset, stride, n, (int64_t *)(items))
ADD_BLOCKS(u64, uint64_t)

static void add_planes(void *context, size_t begin, size_t end)
{
    struct image_job *job = context;
    float *piece = thread_scratch_take(&job->scratch);
    for (int64_t unit = (int64_t)begin; unit < (int64_t)end; unit++) {
        memset(piece, 0, (size_t)job->plane * sizeof(double));
        if (numbers_is_float(job->x->dtype)) {
            double *image = (double *)(void *)piece;
            add_blocks_f64(job, unit, image);
            numbers_store_f64(job->y, unit * job->plane, 1, (size_t)job->plane, image);
        } else {
            uint64_t *image = (uint64_t *)(void *)piece;
            add_blocks_u64(job, unit, image);
            numbers_store_i64(job->y, unit * job->plane, 1, (size_t)job->plane, (const int64_t *)image);
        }
    }
    thread_scratch_put(&job->scratch, piece);
}

static hob_status run(struct op_context *ctx)
{
    struct image_job job = {.x = ctx->inputs[0], .y = ctx->outputs[0], .n_blocks = 1, .plane = 1};
    TRY(find_window(ctx, &job.window));
    if (!tensor_n_items(job.y)) return HOB_OK;
    job.n_taps = window_n_taps(&job.window);
    for (int axis = 0; axis < job.window.rank; axis++) {
        job.n_blocks *= job.window.outputs[axis];
        job.plane *= job.window.inputs[axis];
    }
    TRY(thread_scratch_init(&job.scratch, ctx, 2 * (size_t)job.plane));
    thread_pool_run(ctx->pool, (size_t)(job.y->dims[0] * job.y->dims[1]), 1, add_planes, &job);
    return HOB_OK;
}

const struct op_def op_col2im = {
    .name = "Col2Im",
    .domain = "",
    .since = 18,
    .min_inputs = 3,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_NUMBER,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};

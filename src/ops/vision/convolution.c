#include "ops/vision/convolution.h"

#include "ops/as_f32.h"
#include "ops/thread_scratch.h"

#include <string.h>

/* A block's panels fit the second-level cache next to the weights that run over them; the fewest pixels keep the product busy. */
enum { BLOCK_FLOATS = 64 * 1024, MOST_BLOCK_PIXELS = 256, UNITS_PER_THREAD = 4, DEPTHWISE_UNIT_ITEMS = 16 * 1024 };
/* Outputs that may share a channel, and scratch a plane may take, before the general way is the better one. */
enum { MOST_DEPTHWISE_OUTPUTS = 4, MOST_DEPTHWISE_FLOATS = 1 << 20 };

struct job {
    const struct convolution *convolution;
    const struct kernels *kernels;
    struct thread_scratch *scratch;
    int64_t n_taps, n_steps; /* of a window, in one channel and in all */
    int64_t n_pixels;        /* of an output plane */
    int64_t n_input_items;   /* of an input plane */
    int64_t block_pixels, blocks_per_plane;
    int64_t block_outputs, blocks_of_outputs;
    int64_t panel_floats; /* where the sums of a spread block begin in the scratch */
};

/* Overflows only for tensors without items, whose sizes nobody checked; so it wraps, and is not looked at then. */
static int64_t product(int rank, const int64_t *factors)
{
    uint64_t all = 1;
    for (int axis = 0; axis < rank; axis++) all *= (uint64_t)factors[axis];
    return (int64_t)all;
}

static int64_t at_most(int64_t n, int64_t limit)
{
    return n < limit ? n : limit;
}

static int64_t count_blocks(int64_t n, int64_t block)
{
    return (n + block - 1) / block;
}

void convolution_set_window(struct convolution *convolution, const struct window *window)
{
    convolution->rank = window->rank;
    for (int axis = 0; axis < window->rank; axis++) {
        convolution->inputs[axis] = window->inputs[axis];
        convolution->outputs[axis] = window->outputs[axis];
        convolution->taps[axis] = window->kernel[axis];
        convolution->strides[axis] = window->strides[axis];
        convolution->dilations[axis] = window->dilations[axis];
        convolution->origins[axis] = -window->pads_begin[axis];
    }
}

/* ---- through panels ---- */

/* One unit of work: some outputs of a group at some pixels. */
struct block {
    int64_t batch, group, output, n_outputs, pixel, n_pixels;
};

static struct block block_at(const struct job *job, int64_t index)
{
    const struct convolution *c = job->convolution;
    struct block block = {.output = index % job->blocks_of_outputs * job->block_outputs};
    index /= job->blocks_of_outputs;
    block.pixel = index % job->blocks_per_plane * job->block_pixels;
    index /= job->blocks_per_plane;
    block.group = index % c->n_groups;
    block.batch = index / c->n_groups;
    block.n_outputs = at_most(job->block_outputs, c->n_outputs - block.output);
    block.n_pixels = at_most(job->block_pixels, job->n_pixels - block.pixel);
    return block;
}

/* Windows of one input each, without gaps or pads: planes are rows, and patches the inputs as they lie. */
static bool is_pointwise(const struct convolution *c)
{
    for (int axis = 0; axis < c->rank; axis++)
        if (c->taps[axis] != 1 || c->strides[axis] != 1 || c->origins[axis] || c->inputs[axis] != c->outputs[axis])
            return false;
    return true;
}

static void read_patches(const struct job *job, const struct block *block, float *panels)
{
    const struct convolution *c = job->convolution;
    if (!c->n_channels) return;
    struct patches_f32_args args = {.x = c->x + (block->batch * c->n_groups + block->group) * c->n_channels *
                                                    job->n_input_items,
                                    .channel_stride = job->n_input_items,
                                    .n_channels = c->n_channels,
                                    .rank = c->rank,
                                    .pixel_begin = block->pixel,
                                    .n_pixels = block->n_pixels,
                                    .panels = panels};
    for (int axis = 0; axis < c->rank; axis++) {
        args.inputs[axis] = c->inputs[axis];
        args.outputs[axis] = c->outputs[axis];
        args.taps[axis] = c->taps[axis];
        args.strides[axis] = c->strides[axis];
        args.dilations[axis] = c->dilations[axis];
        args.origins[axis] = c->origins[axis];
    }
    if (is_pointwise(c)) {
        args.rank = 1;
        args.inputs[0] = args.outputs[0] = job->n_pixels;
    }
    job->kernels->patches_f32(&args);
}

/* Rows of `columns` outputs from offset `at` of y, before and after. */
static void finish_block(const struct job *job, const struct block *block, float *y, int64_t stride, int64_t at)
{
    const struct convolution *c = job->convolution;
    struct finish_f32_args args = c->finish;
    if (args.activation == FINISH_NONE && !args.bias && !args.before && !args.after && !args.is_scaled) return;
    args.y = y;
    args.y_stride = stride;
    args.n_rows = block->n_outputs;
    args.n_columns = block->n_pixels;
    if (args.bias) args.bias += block->group * c->n_outputs + block->output;
    if (args.before) args.before += at;
    if (args.after) args.after += at;
    args.before_stride = args.after_stride = job->n_pixels;
    job->kernels->finish_f32(&args);
}

/* Where the first item of a row of outputs lies in its plane. */
static int64_t spread_offset(const struct convolution *c, int64_t pixel)
{
    int64_t offset = 0;
    for (int axis = c->rank - 1; axis >= 0; axis--) {
        offset += pixel % c->outputs[axis] * c->spread_steps[axis];
        pixel /= c->outputs[axis];
    }
    return offset;
}

/* sums [n_outputs, n_pixels] to where the outputs lie, a run of one output row at a time. */
static void spread_block(const struct job *job, const struct block *block, const float *sums)
{
    const struct convolution *c = job->convolution;
    int64_t width = c->outputs[c->rank - 1], step = c->spread_steps[c->rank - 1], n;
    float *planes =
        c->y + ((block->batch * c->n_groups + block->group) * c->n_outputs + block->output) * c->spread_plane;
    for (int64_t done = 0; done < block->n_pixels; done += n) {
        int64_t pixel = block->pixel + done, offset = spread_offset(c, pixel);
        n = at_most(width - pixel % width, block->n_pixels - done);
        for (int64_t output = 0; output < block->n_outputs; output++) {
            const float *from = sums + output * block->n_pixels + done;
            float *to = planes + output * c->spread_plane + offset;
            for (int64_t i = 0; i < n; i++) to[i * step] = from[i];
        }
    }
}

static void run_block(const struct job *job, const struct block *block, float *panels)
{
    const struct convolution *c = job->convolution;
    int64_t k = job->n_steps, output = block->group * c->n_outputs + block->output;
    int64_t at = (block->batch * c->n_groups * c->n_outputs + output) * job->n_pixels + block->pixel;
    int64_t stride = c->is_spread ? block->n_pixels : job->n_pixels;
    float *y = c->is_spread ? panels + job->panel_floats : c->y + at;
    read_patches(job, block, panels);
    job->kernels->gemm_f32(&(struct gemm_f32_args){.a = c->weights + output * k,
                                                   .a_stride = k,
                                                   .panels = panels,
                                                   .c = y,
                                                   .c_stride = stride,
                                                   .m = block->n_outputs,
                                                   .n = block->n_pixels,
                                                   .k = k,
                                                   .panel_end = panel_count(block->n_pixels)});
    finish_block(job, block, y, stride, at);
    if (c->is_spread) spread_block(job, block, y);
}

static void run_blocks(void *context, size_t begin, size_t end)
{
    const struct job *job = context;
    float *panels = thread_scratch_take(job->scratch);
    for (size_t i = begin; i < end; i++) {
        struct block block = block_at(job, (int64_t)i);
        run_block(job, &block, panels);
    }
    thread_scratch_put(job->scratch, panels);
}

/* Blocks as large as the cache likes, but enough of them for every thread: first fewer pixels, then fewer outputs. */
static void cut_blocks(struct job *job, int64_t n_threads)
{
    const struct convolution *c = job->convolution;
    int64_t k = job->n_steps, n_wanted = n_threads > 1 ? n_threads * UNITS_PER_THREAD : 1;
    int64_t n_planes = c->n_batches * c->n_groups;
    int64_t pixels = at_most(BLOCK_FLOATS / (k + 1), MOST_BLOCK_PIXELS),
            share = count_blocks(job->n_pixels * n_planes, n_wanted);
    pixels = at_most(at_most(pixels, share), job->n_pixels);
    job->block_pixels = panel_count(pixels ? pixels : 1) * PANEL_COLUMNS;
    job->blocks_per_plane = count_blocks(job->n_pixels, job->block_pixels);
    int64_t n_cuts =
        at_most(count_blocks(n_wanted, n_planes * job->blocks_per_plane), count_blocks(c->n_outputs, PANEL_COLUMNS));
    job->block_outputs = count_blocks(c->n_outputs, n_cuts);
    job->blocks_of_outputs = count_blocks(c->n_outputs, job->block_outputs);
}

static hob_status run_panels(struct op_context *ctx, struct job *job)
{
    const struct convolution *c = job->convolution;
    int64_t k = job->n_steps, n_sums;
    cut_blocks(job, (int64_t)thread_pool_n_threads(ctx->pool));
    n_sums = c->is_spread ? job->block_outputs * job->block_pixels : 0;
    if (!int64_mul(k, job->block_pixels, &job->panel_floats) || job->panel_floats > INT64_MAX - n_sums)
        OP_FAIL(ctx, HOB_LIMIT, "found windows of %lld items, expected fewer", (long long)k);
    TRY(thread_scratch_init(job->scratch, ctx, (size_t)(job->panel_floats + n_sums)));
    thread_pool_run(ctx->pool, (size_t)(c->n_batches * c->n_groups * job->blocks_per_plane * job->blocks_of_outputs), 1,
                    run_blocks, job);
    return HOB_OK;
}

/* ---- depthwise ---- */

/* The last two axes are height and width; a single axis is a plane of one row. */
static struct depthwise_f32_args describe_plane(const struct convolution *c)
{
    struct depthwise_f32_args args = {.height = 1, .taps = {1, 1}, .strides = {1, 1}, .dilations = {1, 1}};
    for (int axis = 0; axis < c->rank; axis++) {
        int to = axis + 2 - c->rank;
        args.taps[to] = c->taps[axis];
        args.strides[to] = c->strides[axis];
        args.dilations[to] = c->dilations[axis];
        args.origins[to] = c->origins[axis];
    }
    if (c->rank == 2) args.height = c->inputs[0];
    args.width = c->inputs[c->rank - 1];
    args.out_width = c->outputs[c->rank - 1];
    return args;
}

/* Many outputs of one channel (a Fourier transform's basis, say) are a matrix product rather. */
static bool is_depthwise(const struct convolution *c, size_t *ret_scratch_floats)
{
    if (c->n_channels != 1 || c->n_outputs > MOST_DEPTHWISE_OUTPUTS || c->rank > 2 || c->is_spread) return false;
    struct depthwise_f32_args args = describe_plane(c);
    return depthwise_scratch_floats(&args, ret_scratch_floats) && *ret_scratch_floats <= MOST_DEPTHWISE_FLOATS;
}

/* Rows [row, row + n_rows) of one output plane. */
static void run_depthwise_rows(const struct job *job, int64_t plane, int64_t row, int64_t n_rows, float *scratch)
{
    const struct convolution *c = job->convolution;
    int64_t output = plane % (c->n_groups * c->n_outputs), width = c->outputs[c->rank - 1];
    struct depthwise_f32_args args = describe_plane(c);
    args.x = c->x + plane / c->n_outputs * job->n_input_items;
    args.weights = c->weights + output * job->n_taps;
    args.y = c->y + plane * job->n_pixels;
    args.row_begin = row;
    args.row_end = row + n_rows;
    args.scratch = scratch;
    job->kernels->depthwise_f32(&args);
    struct block block = {
        .group = output / c->n_outputs, .output = output % c->n_outputs, .n_outputs = 1, .n_pixels = n_rows * width};
    finish_block(job, &block, args.y + row * width, 0, plane * job->n_pixels + row * width);
}

static void run_depthwise_blocks(void *context, size_t begin, size_t end)
{
    const struct job *job = context;
    int64_t n_rows = job->n_pixels / job->convolution->outputs[job->convolution->rank - 1];
    float *scratch = thread_scratch_take(job->scratch);
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        int64_t row = i % job->blocks_per_plane * job->block_pixels;
        run_depthwise_rows(job, i / job->blocks_per_plane, row, at_most(job->block_pixels, n_rows - row), scratch);
    }
    thread_scratch_put(job->scratch, scratch);
}

/* block_pixels counts rows here. */
static hob_status run_depthwise(struct op_context *ctx, struct job *job, size_t scratch_floats)
{
    const struct convolution *c = job->convolution;
    int64_t width = c->outputs[c->rank - 1], n_rows = job->n_pixels / width;
    TRY(thread_scratch_init(job->scratch, ctx, scratch_floats));
    job->block_pixels = at_most(DEPTHWISE_UNIT_ITEMS / width + 1, n_rows);
    job->blocks_per_plane = count_blocks(n_rows, job->block_pixels);
    int64_t n_units = c->n_batches * c->n_groups * c->n_outputs * job->blocks_per_plane;
    thread_pool_run(ctx->pool, (size_t)n_units,
                    (size_t)(1 + DEPTHWISE_UNIT_ITEMS / (job->block_pixels * width * job->n_taps)),
                    run_depthwise_blocks, job);
    return HOB_OK;
}

hob_status convolution_run(struct op_context *ctx, const struct convolution *convolution)
{
    struct thread_scratch scratch;
    struct job job = {.convolution = convolution,
                      .scratch = &scratch,
                      .kernels = ctx->kernels,
                      .n_taps = product(convolution->rank, convolution->taps),
                      .n_pixels = product(convolution->rank, convolution->outputs),
                      .n_input_items = product(convolution->rank, convolution->inputs)};
    size_t scratch_floats;
    job.n_steps = convolution->n_channels ? convolution->n_channels * job.n_taps : 0;
    if (!convolution->n_batches || !convolution->n_groups || !convolution->n_outputs || !job.n_pixels) return HOB_OK;
    if (is_depthwise(convolution, &scratch_floats)) return run_depthwise(ctx, &job, scratch_floats);
    return run_panels(ctx, &job);
}

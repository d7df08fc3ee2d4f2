#include "ops/quant/integer_conv.h"

#include "base/size.h"
#include "kernels/kernels.h"
#include "ops/quant/quantized.h"
#include "ops/thread_scratch.h"

#include <string.h>

/* Columns of a block: what they take in bytes, and their sums, stays in the second-level cache. */
enum { COLUMN_BYTES = 128 << 10, SUM_ITEMS = 32 << 10, MOST_POSITIONS = 1024, LEAST_POSITIONS = 16 };

hob_status integer_conv_prepare(const struct op_prepare *node, void **ret_params)
{
    struct integer_conv_params *params = ARENA_NEW(node->arena, struct integer_conv_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(window_parse(node, &params->window));
    params->group = attributes_int(node->attributes, "group", 1);
    if (params->group < 1)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: group: found %lld, expected 1 or more", node->node_name,
             (long long)params->group);
    *ret_params = params;
    return HOB_OK;
}

static hob_status check_w_zero(struct op_context *ctx, const struct integer_conv *conv)
{
    const struct tensor *zero = conv->w_zero, *w = conv->w;
    if (!zero) return HOB_OK;
    if (zero->dtype != w->dtype)
        OP_FAIL(ctx, HOB_BAD_TYPE, "zero point of the weight: found %s, expected %s", dtype_name(zero->dtype),
                dtype_name(w->dtype));
    if (tensor_n_items(zero) != 1 && (zero->rank != 1 || zero->dims[0] != w->dims[0]))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "zero point of the weight: found %s, expected one number or [%lld]", OP_SHAPE(zero),
                (long long)w->dims[0]);
    return HOB_OK;
}

hob_status integer_conv_infer(struct op_context *ctx, const struct integer_conv *conv, int64_t *ret_dims)
{
    const struct tensor *x = conv->x, *w = conv->w;
    const int64_t group = conv->params->group;
    if (!quantized_is_byte(x->dtype) || !quantized_is_byte(w->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "found %s and %s, expected uint8 or int8", dtype_name(x->dtype), dtype_name(w->dtype));
    if (x->rank < 3 || w->rank != x->rank || w->dims[0] % group || x->dims[1] % group || w->dims[1] != x->dims[1] / group)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found x %s and weight %s, expected [B,C,..] and [M,C/%lld,..]", OP_SHAPE(x),
                OP_SHAPE(w), (long long)group);
    TRY(check_w_zero(ctx, conv));
    struct window window;
    TRY(window_resolve(ctx, &conv->params->window, x->rank - 2, x->dims + 2, w->dims + 2, &window));
    ret_dims[0] = x->dims[0];
    ret_dims[1] = w->dims[0];
    for (int i = 0; i < window.rank; i++) ret_dims[i + 2] = window.outputs[i];
    return HOB_OK;
}

struct job {
    const struct integer_conv *conv;
    const struct kernels *kernels;
    integer_conv_finish *finish;
    const void *context;
    struct window window;
    struct thread_scratch scratch;
    int64_t group_channels, group_outputs; /* of x, of y */
    int64_t n_inputs, n_positions;         /* of a channel of x, of y */
    int64_t n_taps, depth, row_items;      /* depth = channels x taps; row_items: one more where it is odd */
    int64_t block_positions, n_blocks;
    bool is_direct;                        /* x itself is the matrix */
    int16_t *weights;
    const int16_t *zeros;                  /* x_zero block_positions times */
};

/* ---- columns ---- */

/* One row of output positions along the last axis; in is the row of inputs under it. */
static void gather_row(const struct window *window, const uint8_t *in, int64_t tap, int64_t position, int64_t n,
                       uint8_t pad, uint8_t *out)
{
    const int last = window->rank - 1;
    const int64_t stride = window->strides[last], n_inputs = window->inputs[last];
    int64_t i = position * stride - window->pads_begin[last] + tap * window->dilations[last], j = 0;
    for (; j < n && i < 0; j++, i += stride) out[j] = pad;
    if (stride == 1 && i < n_inputs) {
        int64_t n_run = n_inputs - i < n - j ? n_inputs - i : n - j;
        if (n_run > 0) memcpy(out + j, in + i, (size_t)n_run);
        j += n_run > 0 ? n_run : 0;
        i = n_inputs;
    }
    for (; j < n && i < n_inputs; j++, i += stride) out[j] = in[i];
    if (j < n) memset(out + j, pad, (size_t)(n - j));
}

/* Where the row of inputs begins that tap `taps` of the output row `row` reads. false: outside. */
static bool find_row(const struct window *window, const int64_t *taps, int64_t row, int64_t *ret_offset)
{
    int64_t offset = 0, step = window->inputs[window->rank - 1];
    for (int axis = window->rank - 2; axis >= 0; axis--) {
        int64_t o = row % window->outputs[axis];
        int64_t i = o * window->strides[axis] - window->pads_begin[axis] + taps[axis] * window->dilations[axis];
        if (i < 0 || i >= window->inputs[axis]) return false;
        offset += i * step;
        step *= window->inputs[axis];
        row /= window->outputs[axis];
    }
    *ret_offset = offset;
    return true;
}

/* The inputs of one channel that one tap sees from n positions. */
static void gather_tap(const struct window *window, const uint8_t *channel, const int64_t *taps, int64_t position,
                       int64_t n, uint8_t pad, uint8_t *out)
{
    const int last = window->rank - 1;
    const int64_t width = window->outputs[last];
    for (int64_t done = 0, n_run, offset; done < n; done += n_run) {
        int64_t row = (position + done) / width, at = (position + done) % width;
        n_run = width - at < n - done ? width - at : n - done;
        if (find_row(window, taps, row, &offset))
            gather_row(window, channel + offset, taps[last], at, n_run, pad, out + done);
        else memset(out + done, pad, (size_t)n_run);
    }
}

static void gather(const struct job *job, const uint8_t *x, int64_t position, int64_t n, uint8_t *columns)
{
    const struct window *window = &job->window;
    const uint8_t pad = (uint8_t)job->conv->x_zero;
    for (int64_t channel = 0; channel < job->group_channels; channel++, x += job->n_inputs) {
        int64_t taps[WINDOW_MAX_RANK] = {0};
        for (int64_t tap = 0; tap < job->n_taps; tap++, columns += job->block_positions) {
            gather_tap(window, x, taps, position, n, pad, columns);
            for (int axis = window->rank - 1; axis >= 0 && ++taps[axis] == window->kernel[axis]; axis--) taps[axis] = 0;
        }
    }
}

/* ---- blocks ---- */

static void run_block(struct job *job, int64_t index)
{
    const struct integer_conv *conv = job->conv;
    const int64_t group = index / job->n_blocks % conv->params->group, image = index / job->n_blocks / conv->params->group;
    const int64_t position = index % job->n_blocks * job->block_positions, left = job->n_positions - position;
    const int64_t n = left < job->block_positions ? left : job->block_positions;
    const uint8_t *x = (const uint8_t *)conv->x->data +
                       (image * conv->params->group + group) * job->group_channels * job->n_inputs;
    float *scratch = thread_scratch_take(&job->scratch);
    int32_t *sums = (int32_t *)(void *)scratch;
    uint8_t *columns = (uint8_t *)(sums + job->group_outputs * job->block_positions);
    if (!job->is_direct) gather(job, x, position, n, columns);
    job->kernels->gemm_i8(&(struct gemm_i8_args){.a = job->weights + group * job->group_outputs * job->row_items,
                                                 .a_stride = job->row_items,
                                                 .b = job->is_direct ? x + position : columns,
                                                 .b_stride = job->is_direct ? job->n_inputs : job->block_positions,
                                                 .b_zero = job->zeros,
                                                 .c = sums,
                                                 .c_stride = job->block_positions,
                                                 .m = job->group_outputs,
                                                 .n = n,
                                                 .k = job->depth,
                                                 .is_b_signed = conv->x->dtype == DTYPE_I8});
    job->finish(job->context, &(struct integer_conv_block){.image = image,
                                                           .channel = group * job->group_outputs,
                                                           .n_channels = job->group_outputs,
                                                           .position = position,
                                                           .n_positions = n,
                                                           .sums = sums,
                                                           .stride = job->block_positions});
    thread_scratch_put(&job->scratch, scratch);
}

static void run_blocks(void *context, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) run_block(context, (int64_t)i);
}

static hob_status widen_weights(struct op_context *ctx, struct job *job)
{
    const struct tensor *w = job->conv->w, *zero = job->conv->w_zero;
    size_t n_items;
    if (!size_mul((size_t)w->dims[0], (size_t)job->row_items, &n_items) || n_items > SIZE_MAX / 4)
        OP_FAIL(ctx, HOB_LIMIT, "found weight %s, expected a smaller one", OP_SHAPE(w));
    int16_t *items = job->weights = ARENA_NEW(ctx->scratch, int16_t, n_items + 1);
    if (!items) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for %zu weights", n_items);
    const uint8_t *bytes = w->data;
    for (int64_t m = 0; m < w->dims[0]; m++, items += job->row_items, bytes += job->depth) {
        int32_t less = zero ? (int32_t)tensor_get_int(zero, tensor_n_items(zero) == 1 ? 0 : m) : 0;
        bool is_signed = w->dtype == DTYPE_I8;
        for (int64_t k = 0; k < job->depth; k++)
            items[k] = (int16_t)((is_signed ? (int8_t)bytes[k] : bytes[k]) - less);
        if (job->row_items > job->depth) items[job->depth] = 0;
    }
    return HOB_OK;
}

static int64_t within(int64_t n, int64_t least, int64_t most)
{
    return n < least ? least : n > most ? most : n;
}

static hob_status make_scratch(struct op_context *ctx, struct job *job)
{
    int64_t n = within(COLUMN_BYTES / (job->depth + 1), LEAST_POSITIONS, MOST_POSITIONS);
    n = within(SUM_ITEMS / (job->group_outputs + 1), LEAST_POSITIONS, n);
    job->block_positions = n / LEAST_POSITIONS * LEAST_POSITIONS;
    job->n_blocks = (job->n_positions + job->block_positions - 1) / job->block_positions;
    size_t n_columns, n_sums;
    if (!size_mul((size_t)job->depth, (size_t)job->block_positions, &n_columns) ||
        !size_mul((size_t)job->group_outputs, (size_t)job->block_positions, &n_sums) || n_columns > SIZE_MAX / 8 ||
        n_sums > SIZE_MAX / 8)
        OP_FAIL(ctx, HOB_LIMIT, "found weight %s, expected a smaller one", OP_SHAPE(job->conv->w));
    TRY(thread_scratch_init(&job->scratch, ctx, n_sums + (job->is_direct ? 0 : n_columns / 4 + 1)));
    int16_t *zeros = ARENA_NEW(ctx->scratch, int16_t, (size_t)job->block_positions);
    if (!zeros) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    for (int64_t i = 0; i < job->block_positions; i++) zeros[i] = (int16_t)job->conv->x_zero;
    job->zeros = zeros;
    return HOB_OK;
}

/* Windows of one item, next to each other. */
static bool reads_every_item(const struct window *window)
{
    for (int axis = 0; axis < window->rank; axis++)
        if (window->kernel[axis] != 1 || window->strides[axis] != 1 || window->pads_begin[axis] || window->pads_end[axis])
            return false;
    return true;
}

hob_status integer_conv_run(struct op_context *ctx, const struct integer_conv *conv, integer_conv_finish *finish,
                            const void *context)
{
    const struct tensor *x = conv->x, *w = conv->w;
    struct job job = {.conv = conv, .kernels = ctx->kernels, .finish = finish, .context = context, .n_inputs = 1,
                      .n_positions = 1};
    TRY(window_resolve(ctx, &conv->params->window, x->rank - 2, x->dims + 2, w->dims + 2, &job.window));
    for (int axis = 0; axis < job.window.rank; axis++) {
        job.n_inputs *= job.window.inputs[axis];
        job.n_positions *= job.window.outputs[axis];
    }
    job.group_channels = w->dims[1];
    job.group_outputs = w->dims[0] / conv->params->group;
    job.n_taps = window_n_taps(&job.window);
    job.depth = job.group_channels * job.n_taps;
    job.row_items = job.depth + (job.depth & 1);
    job.is_direct = reads_every_item(&job.window);
    if (!job.n_positions || !w->dims[0] || !x->dims[0]) return HOB_OK;
    TRY(widen_weights(ctx, &job));
    TRY(make_scratch(ctx, &job));
    thread_pool_run(ctx->pool, (size_t)(x->dims[0] * conv->params->group * job.n_blocks), 1, run_blocks, &job);
    return HOB_OK;
}

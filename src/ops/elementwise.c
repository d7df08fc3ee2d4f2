/* Adjacent dims that every operand steps through evenly are merged first, so that most walks are one or two dims: a whole
 * tensor, or a row vector under each row. The flat range of output elements is then split among threads; each thread finds its
 * place in the merged dims and hands out spans, the last dim at a time. */
#include "ops/elementwise.h"

#include <string.h>

enum {
    TILE_ITEMS = 256,      /* 16-bit floats widened at a time: operands of a tile fit the first-level cache */
    THREAD_ITEMS = 16384   /* fewer are not worth waking a thread for */
};

struct operand {
    enum dtype dtype;
    size_t item_bytes;
    const char *data;
    int64_t strides[TENSOR_MAX_RANK]; /* elements, of the merged dims */
};

struct walk {
    const struct elementwise_walk *job;
    const struct kernels *kernels;
    int rank, n_inputs;
    int64_t dims[TENSOR_MAX_RANK]; /* merged */
    struct operand in[SPAN_MAX_INPUTS], out;
};

/* ---- shapes ---- */

hob_status elementwise_infer_same(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    return op_set_output(ctx, 0, x->dtype, x->rank, x->dims);
}

hob_status elementwise_shape(struct op_context *ctx, int *ret_rank, int64_t *ret_dims)
{
    *ret_rank = 0;
    for (int i = 0; i < ctx->n_inputs; i++) {
        const struct tensor *x = ctx->inputs[i];
        if (!x) continue;
        int64_t so_far[TENSOR_MAX_RANK];
        int rank = *ret_rank;
        memcpy(so_far, ret_dims, (size_t)rank * sizeof so_far[0]);
        if (shape_broadcast(rank, so_far, x->rank, x->dims, ret_rank, ret_dims)) continue;
        char found[TENSOR_SHAPE_TEXT_BYTES], others[TENSOR_SHAPE_TEXT_BYTES];
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found shape %s, which does not broadcast with %s", i,
                tensor_shape_text(x->rank, x->dims, found), tensor_shape_text(rank, so_far, others));
    }
    return HOB_OK;
}

static hob_status infer_broadcast(struct op_context *ctx, enum dtype dtype)
{
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
    for (int i = 1; i < ctx->n_inputs; i++) TRY(op_check_dtype(ctx, i, ctx->inputs[0]->dtype));
    TRY(elementwise_shape(ctx, &rank, dims));
    return op_set_output(ctx, 0, dtype, rank, dims);
}

hob_status elementwise_infer_broadcast(struct op_context *ctx)
{
    return infer_broadcast(ctx, ctx->inputs[0]->dtype);
}

hob_status elementwise_infer_compare(struct op_context *ctx)
{
    return infer_broadcast(ctx, DTYPE_BOOL);
}

/* ---- the walk ---- */

static bool is_half(enum dtype dtype)
{
    return dtype == DTYPE_F16 || dtype == DTYPE_BF16;
}

/* Its strides are for merge_dims to set. */
static void set_operand(struct operand *operand, const struct tensor *tensor)
{
    operand->dtype = tensor->dtype;
    operand->item_bytes = dtype_block_bytes(tensor->dtype);
    operand->data = tensor->data;
}

/* How x steps along dim of out: 0 where x has no such dim, or one of 1. */
static int64_t broadcast_stride(const struct tensor *x, const struct tensor *out, int dim)
{
    int own = dim - (out->rank - x->rank);
    return own < 0 || x->dims[own] == 1 ? 0 : x->strides[own];
}

/* A dim joins the merged one before it when every input steps from its end on to the next. */
static void merge_dims(struct walk *walk, const struct elementwise_walk *job)
{
    const struct tensor *out = job->out;
    for (int d = 0; d < out->rank; d++) {
        if (out->dims[d] == 1) continue;
        int64_t strides[SPAN_MAX_INPUTS] = {0};
        bool is_merged = walk->rank > 0;
        for (int i = 0; i < walk->n_inputs; i++) {
            strides[i] = broadcast_stride(job->inputs[i], out, d);
            is_merged &= walk->rank && walk->in[i].strides[walk->rank - 1] == strides[i] * out->dims[d];
        }
        if (!is_merged) walk->dims[walk->rank++] = 1;
        walk->dims[walk->rank - 1] *= out->dims[d];
        for (int i = 0; i < walk->n_inputs; i++) walk->in[i].strides[walk->rank - 1] = strides[i];
    }
    if (walk->rank) return;
    walk->dims[walk->rank++] = 1;
    for (int i = 0; i < walk->n_inputs; i++) walk->in[i].strides[0] = 0;
}

static void widen(const struct kernels *kernels, enum dtype dtype, int64_t n, const uint16_t *x, int64_t step, float *ret_y)
{
    uint16_t packed[TILE_ITEMS];
    if (step != 1) {
        for (int64_t i = 0; i < n; i++) packed[i] = x[i * step];
        x = packed;
    }
    if (dtype == DTYPE_F16) kernels->f32_from_f16(n, x, ret_y);
    else kernels->f32_from_bf16(n, x, ret_y);
}

static void narrow(const struct kernels *kernels, enum dtype dtype, int64_t n, const float *x, uint16_t *ret_y)
{
    if (dtype == DTYPE_F16) kernels->f16_from_f32(n, x, ret_y);
    else kernels->bf16_from_f32(n, x, ret_y);
}

/* One tile of a span some of whose operands are 16-bit floats. */
static void run_tile(const struct walk *walk, struct span tile)
{
    float wide[SPAN_MAX_INPUTS + 1][TILE_ITEMS];
    void *out = tile.out;
    for (int i = 0; i < walk->n_inputs; i++) {
        if (!is_half(walk->in[i].dtype)) continue;
        bool is_one = tile.step[i] == 0;
        widen(walk->kernels, walk->in[i].dtype, is_one ? 1 : tile.n, tile.in[i], tile.step[i], wide[i]);
        tile.in[i] = wide[i];
        tile.step[i] = is_one ? 0 : 1;
    }
    if (!is_half(walk->out.dtype)) {
        walk->job->function(&tile);
        return;
    }
    tile.out = wide[SPAN_MAX_INPUTS];
    walk->job->function(&tile);
    narrow(walk->kernels, walk->out.dtype, tile.n, tile.out, out);
}

static void run_widened(const struct walk *walk, const struct span *span)
{
    struct span tile = *span;
    for (int64_t done = 0; done < span->n; done += TILE_ITEMS) {
        tile.n = span->n - done < TILE_ITEMS ? span->n - done : TILE_ITEMS;
        tile.out = (char *)span->out + (size_t)done * walk->out.item_bytes;
        for (int i = 0; i < walk->n_inputs; i++)
            tile.in[i] = (const char *)span->in[i] + done * span->step[i] * (int64_t)walk->in[i].item_bytes;
        run_tile(walk, tile);
    }
}

/* Output elements [begin,end) in row-major order. */
static void run_range(void *context, size_t begin, size_t end)
{
    const struct walk *walk = context;
    const int last = walk->rank - 1;
    int64_t position[TENSOR_MAX_RANK], at = (int64_t)begin, rest = (int64_t)begin;
    for (int d = last; d >= 0; d--) {
        position[d] = rest % walk->dims[d];
        rest /= walk->dims[d];
    }
    struct span span = {.params = walk->job->params, .kernels = walk->kernels};
    for (int i = 0; i < walk->n_inputs; i++) span.step[i] = walk->in[i].strides[last];
    while (at < (int64_t)end) {
        span.n = walk->dims[last] - position[last];
        if (span.n > (int64_t)end - at) span.n = (int64_t)end - at;
        span.out = (char *)(uintptr_t)walk->out.data + (size_t)at * walk->out.item_bytes;
        for (int i = 0; i < walk->n_inputs; i++) {
            int64_t offset = 0;
            for (int d = 0; d <= last; d++) offset += position[d] * walk->in[i].strides[d];
            span.in[i] = walk->in[i].data + offset * (int64_t)walk->in[i].item_bytes;
        }
        if (walk->job->is_widened) run_widened(walk, &span);
        else walk->job->function(&span);
        at += span.n;
        position[last] = 0;
        for (int d = last - 1; d >= 0 && ++position[d] == walk->dims[d]; d--) position[d] = 0;
    }
}

void elementwise_apply(struct op_context *ctx, const struct elementwise_walk *job)
{
    size_t n_items = (size_t)tensor_n_items(job->out);
    if (!n_items) return;
    struct walk walk; /* most of it stays unused: not zeroed, this runs once a node and token */
    walk.job = job;
    walk.kernels = ctx->kernels;
    walk.rank = 0;
    walk.n_inputs = job->n_inputs;
    set_operand(&walk.out, job->out);
    for (int i = 0; i < job->n_inputs; i++) set_operand(&walk.in[i], job->inputs[i]);
    merge_dims(&walk, job);
    thread_pool_run(ctx->pool, n_items, THREAD_ITEMS, run_range, &walk);
}

bool elementwise_find(const struct span_table *table, enum dtype dtype, struct elementwise_walk *walk)
{
    if (dtype > DTYPE_BF16) return false;
    walk->is_widened = is_half(dtype) && !table->by_type[dtype];
    walk->function = table->by_type[walk->is_widened ? DTYPE_F32 : dtype];
    return walk->function != NULL;
}

hob_status elementwise_run(struct op_context *ctx, const struct span_table *table, const void *params)
{
    struct elementwise_walk walk = {.params = params, .n_inputs = ctx->n_inputs, .out = ctx->outputs[0]};
    if (!elementwise_find(table, ctx->inputs[0]->dtype, &walk))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: %s is not a type this operator takes", dtype_name(ctx->inputs[0]->dtype));
    for (int i = 0; i < ctx->n_inputs; i++) walk.inputs[i] = ctx->inputs[i];
    elementwise_apply(ctx, &walk);
    return HOB_OK;
}

/* hob.CacheAppend: writes the new positions of keys or values behind those of earlier steps and shows all of them, without
 * moving any. The session owns the buffer, or the blocks, and counts the positions; this only writes at that count. A cache of halves
 * takes floats: each is rounded for itself, and into blocks of integers by 32 of one head at one position, so that it makes no
 * difference how many positions come at a time. */
#include "kernels/kernels.h"
#include "ops/op.h"
#include "quant/half.h"
#include "quant/quant.h"

struct cache_params {
    int64_t axis;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct cache_params *params = ARENA_NEW(node->arena, struct cache_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->axis = attributes_int(node->attributes, "axis", 0);
    *ret_params = params;
    return HOB_OK;
}

/* ---- into blocks ---- */

static hob_status check_paged(struct op_context *ctx, int axis)
{
    const struct tensor *x = ctx->inputs[0];
    const struct paged_place *place = &ctx->state->paged->place;
    const struct paged_run *run = ctx->state->paged->run;
    if (x->dtype != DTYPE_F16 || place->dtype != DTYPE_F16) TRY(op_check_dtype(ctx, 0, DTYPE_F32));
    if (axis != 2 || x->rank != 4 || x->dims[0] != 1 || x->dims[1] != place->n_heads || x->dims[3] != place->width)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s along axis %d, expected the cache's [1,%lld,T,%lld] along axis 2", OP_SHAPE(x),
                axis, (long long)place->n_heads, (long long)place->width);
    if (run->n_texts && x->dims[2] != run->n_rows)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected the %lld rows of the run's texts", OP_SHAPE(x), (long long)run->n_rows);
    return HOB_OK;
}

static hob_status infer_paged(struct op_context *ctx, int axis)
{
    TRY(check_paged(ctx, axis));
    const struct paged_state *state = ctx->state->paged;
    struct tensor view = *ctx->inputs[0];
    view.dtype = state->place.dtype;
    view.layout = LAYOUT_PAGED;
    view.data = state->run->n_texts ? (void *)(uintptr_t)state : NULL; /* read-only behind here */
    op_set_view(ctx, 0, &view);
    return HOB_OK;
}

/* A head's numbers at one position into the cache's row. */
static void write_row(const struct kernels *kernels, const struct paged_place *place, enum dtype dtype, const void *items, void *row)
{
    if (place->dtype == dtype) memcpy(row, items, place->row_bytes);
    else if (place->dtype == DTYPE_F16) kernels->f16_from_f32(place->width, items, row);
    else quant_find(place->dtype)->encode(place->width, items, row);
}

static void write_text(const struct kernels *kernels, const struct paged_state *state, const struct paged_text *text, const struct tensor *x,
                       int64_t first_row)
{
    const struct paged_place *place = &state->place;
    int64_t item_bytes = (int64_t)dtype_block_bytes(x->dtype);
    for (int64_t t = 0; t < text->n_new; t++) {
        int64_t position = text->n_used + t;
        unsigned char *block = state->run->bytes + text->blocks[position / PAGED_POSITIONS] * state->run->block_bytes;
        unsigned char *row = block + place->offset_bytes + (size_t)(position % PAGED_POSITIONS) * place->row_bytes;
        const char *items = (const char *)x->data + (first_row + t) * x->strides[2] * item_bytes;
        for (int64_t head = 0; head < place->n_heads; head++, row += PAGED_POSITIONS * place->row_bytes)
            write_row(kernels, place, x->dtype, items + head * x->strides[1] * item_bytes, row);
    }
}

static hob_status run_paged(struct op_context *ctx)
{
    const struct paged_state *state = ctx->state->paged;
    struct tensor x = *ctx->inputs[0];
    if (!state->run->n_texts) OP_FAIL(ctx, HOB_UNSUPPORTED, "there is no text to append to: a graph with a session's caches runs for texts only");
    if (x.dims[3] > 1 && x.strides[3] != 1) {
        x.data = arena_alloc(ctx->scratch, tensor_n_bytes(&x) + 1, 64);
        if (!x.data) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for a copy of %s", OP_SHAPE(&x));
        tensor_copy_contiguous(ctx->inputs[0], x.data);
        tensor_set_contiguous(&x);
    }
    int64_t n_rows = 0;
    for (size_t i = 0; i < state->run->n_texts; n_rows += state->run->texts[i++].n_new)
        write_text(ctx->kernels, state, &state->run->texts[i], &x, n_rows);
    return HOB_OK;
}

/* ---- into a buffer ---- */

static hob_status check_fit(struct op_context *ctx, int axis)
{
    const struct tensor *x = ctx->inputs[0];
    const struct op_state *state = ctx->state;
    bool is_rounded = x->dtype == DTYPE_F32 && state->buffer.dtype == DTYPE_F16;
    if (!is_rounded) TRY(op_check_dtype(ctx, 0, state->buffer.dtype));
    bool fits = x->rank == state->buffer.rank && axis == state->axis;
    for (int i = 0; fits && i < x->rank; i++) fits = i == axis || x->dims[i] == state->buffer.dims[i];
    if (!fits)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s along axis %d, expected the cache's %s along axis %d",
                OP_SHAPE(x), axis, OP_SHAPE(&state->buffer), state->axis);
    int64_t capacity = state->buffer.dims[axis];
    if (state->n_used < 0 || state->n_used > capacity || x->dims[axis] > capacity - state->n_used)
        OP_FAIL(ctx, HOB_LIMIT, "found %lld cached and %lld new positions, expected at most %lld",
                (long long)state->n_used, (long long)x->dims[axis], (long long)capacity);
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct cache_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    int axis;
    if (!shape_normalize_axis(params->axis, x->rank, &axis))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "axis %lld does not exist in input 0 %s", (long long)params->axis, OP_SHAPE(x));
    if (!ctx->state) return op_set_output(ctx, 0, x->dtype, x->rank, x->dims);
    if (ctx->state->paged) return infer_paged(ctx, axis);
    TRY(check_fit(ctx, axis));
    struct tensor view = tensor_slice(&ctx->state->buffer, axis, 0, ctx->state->n_used + x->dims[axis], 1);
    op_set_view(ctx, 0, &view);
    return HOB_OK;
}

/* The last axis of x, whose items may lie apart. */
static void copy_row(const struct tensor *x, const char *source, const struct tensor *target, char *destination)
{
    size_t item_bytes = dtype_block_bytes(x->dtype);
    int last = x->rank - 1;
    if (x->strides[last] == 1 && target->strides[last] == 1) {
        memcpy(destination, source, (size_t)x->dims[last] * item_bytes);
        return;
    }
    for (int64_t i = 0; i < x->dims[last]; i++)
        memcpy(destination + i * target->strides[last] * (int64_t)item_bytes,
               source + i * x->strides[last] * (int64_t)item_bytes, item_bytes);
}

static void round_row(const struct kernels *kernels, const struct tensor *x, const float *source,
                      const struct tensor *target, uint16_t *destination)
{
    int last = x->rank - 1;
    if (x->strides[last] == 1 && target->strides[last] == 1) {
        kernels->f16_from_f32(x->dims[last], source, destination);
        return;
    }
    for (int64_t i = 0; i < x->dims[last]; i++)
        destination[i * target->strides[last]] = f16_bits_from_f32(source[i * x->strides[last]]);
}

/* Copies x into target: the same dims, other strides. The last axis in one piece where both have it so. */
static void copy_strided(const struct kernels *kernels, const struct tensor *x, const struct tensor *target)
{
    int last = x->rank - 1;
    int64_t width = x->dims[last], n_rows = width ? tensor_n_items(x) / width : 0;
    for (int64_t row = 0; row < n_rows; row++) {
        int64_t from = 0, to = 0, left = row;
        for (int axis = last - 1; axis >= 0; axis--) {
            from += left % x->dims[axis] * x->strides[axis];
            to += left % x->dims[axis] * target->strides[axis];
            left /= x->dims[axis];
        }
        if (x->dtype != target->dtype)
            round_row(kernels, x, (const float *)x->data + from, target, (uint16_t *)target->data + to);
        else
            copy_row(x, (const char *)x->data + from * (int64_t)dtype_block_bytes(x->dtype), target,
                     (char *)target->data + to * (int64_t)dtype_block_bytes(x->dtype));
    }
}

static hob_status run(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    if (!ctx->state) {
        if (ctx->outputs[0]) tensor_copy_contiguous(x, ctx->outputs[0]->data);
        return HOB_OK;
    }
    if (ctx->state->paged) return run_paged(ctx);
    int axis = ctx->state->axis;
    struct tensor target = tensor_slice(&ctx->state->buffer, axis, ctx->state->n_used, x->dims[axis], 1);
    copy_strided(ctx->kernels, x, &target);
    return HOB_OK;
}

const struct op_def op_cache_append = {
    .name = "CacheAppend",
    .domain = "hob",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .flags = OP_STRIDED_INPUTS | OP_STATEFUL | OP_NOT_FOLDABLE,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};

/* Gather, GatherElements, GatherND: elements picked by index. Negative indices count from the end; one outside fails. */
#include "ops/axes.h"
#include "ops/moving.h"

struct gather_params {
    int64_t axis; /* GatherND: batch_dims */
};

static hob_status prepare_axis(const struct op_prepare *node, void **ret_params)
{
    struct gather_params *params = ARENA_NEW(node->arena, struct gather_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->axis = attributes_int(node->attributes, "axis", 0);
    *ret_params = params;
    return HOB_OK;
}

static hob_status check_indices(struct op_context *ctx)
{
    enum dtype dtype = ctx->inputs[1]->dtype;
    if (dtype != DTYPE_I64 && dtype != DTYPE_I32)
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 1: found %s, expected int64 or int32", dtype_name(dtype));
    return HOB_OK;
}

/* ---- Gather ---- */

/* A single known index is a view: no copy for Gather(Shape(x), 1) or a [CLS] position. */
static hob_status infer_single(struct op_context *ctx, int axis)
{
    struct tensor view = *ctx->inputs[0];
    int64_t index;
    TRY(moving_normalize_index(ctx, tensor_get_int(ctx->inputs[1], 0), view.dims[axis], &index));
    view = tensor_slice(&view, axis, index, 1, 1);
    view.rank--;
    for (int d = axis; d < view.rank; d++) {
        view.dims[d] = view.dims[d + 1];
        view.strides[d] = view.strides[d + 1];
    }
    op_set_view(ctx, 0, &view);
    return HOB_OK;
}

static hob_status infer_gather(struct op_context *ctx)
{
    const struct gather_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *indices = ctx->inputs[1];
    int axis, rank = 0;
    int64_t dims[TENSOR_MAX_RANK];
    TRY(moving_check(ctx, 0));
    TRY(check_indices(ctx));
    TRY(axis_normalize(ctx, params->axis, &axis));
    if (x->rank - 1 + indices->rank > TENSOR_MAX_RANK)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "found rank %d, expected at most %d", x->rank - 1 + indices->rank, TENSOR_MAX_RANK);
    if (!indices->rank && indices->data) return infer_single(ctx, axis);
    for (int d = 0; d < axis; d++) dims[rank++] = x->dims[d];
    for (int d = 0; d < indices->rank; d++) dims[rank++] = indices->dims[d];
    for (int d = axis + 1; d < x->rank; d++) dims[rank++] = x->dims[d];
    return op_set_output(ctx, 0, x->dtype, rank, dims);
}

/* Everything behind the axis that one index picks. */
static struct tensor tail_of(const struct tensor *x, int n_leading)
{
    struct tensor tail = {.dtype = x->dtype, .rank = (uint8_t)(x->rank - n_leading)};
    for (int d = 0; d < tail.rank; d++) {
        tail.dims[d] = x->dims[n_leading + d];
        tail.strides[d] = x->strides[n_leading + d];
    }
    return tail;
}

static hob_status check_all(struct op_context *ctx, const int64_t *indices, int64_t n_indices, int64_t dim)
{
    int64_t ignored;
    for (int64_t i = 0; i < n_indices; i++)
        if (indices[i] < -dim || indices[i] >= dim) return moving_normalize_index(ctx, indices[i], dim, &ignored);
    return HOB_OK;
}

static void copy_tail(struct tensor *tail, bool is_packed, size_t tail_bytes, void *source, void *destination)
{
    tail->data = source;
    if (is_packed) memcpy(destination, source, tail_bytes);
    else tensor_copy_contiguous(tail, destination);
}

static hob_status run_gather(struct op_context *ctx)
{
    const struct gather_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    int64_t *indices, n_indices = tensor_n_items(ctx->inputs[1]), n_outer = 1;
    int axis;
    TRY(axis_normalize(ctx, params->axis, &axis));
    TRY(moving_load_indices(ctx, 1, &indices));
    TRY(check_all(ctx, indices, n_indices, x->dims[axis]));
    if (!tensor_n_items(ctx->outputs[0])) return HOB_OK;
    struct tensor tail = tail_of(x, axis + 1);
    size_t tail_bytes = tensor_n_bytes(&tail);
    bool is_packed = tensor_is_contiguous(&tail);
    char *out = ctx->outputs[0]->data;
    int64_t position[TENSOR_MAX_RANK] = {0};
    for (int d = 0; d < axis; d++) n_outer *= x->dims[d];
    for (; n_outer; n_outer--) {
        int64_t offset = 0;
        for (int d = 0; d < axis; d++) offset += position[d] * x->strides[d];
        for (int64_t i = 0; i < n_indices; i++, out += tail_bytes) {
            int64_t index = indices[i] < 0 ? indices[i] + x->dims[axis] : indices[i];
            copy_tail(&tail, is_packed, tail_bytes, moving_element_at(x, offset + index * x->strides[axis]), out);
        }
        for (int d = axis - 1; d >= 0 && ++position[d] == x->dims[d]; d--) position[d] = 0;
    }
    return HOB_OK;
}

const struct op_def op_gather = {.name = "Gather", .domain = "", .since = 1, .min_inputs = 2, .max_inputs = 2,
                                 .min_outputs = 1, .max_outputs = 1, .types = TYPES_ALL, .flags = OP_STRIDED_INPUTS, .prepare = prepare_axis,
                                 .infer = infer_gather, .run = run_gather};

/* ---- GatherElements ---- */

static hob_status infer_gather_elements(struct op_context *ctx)
{
    const struct gather_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *indices = ctx->inputs[1];
    int axis;
    TRY(moving_check(ctx, 0));
    TRY(check_indices(ctx));
    TRY(axis_normalize(ctx, params->axis, &axis));
    bool is_fitting = x->rank == indices->rank;
    for (int d = 0; is_fitting && d < x->rank; d++) is_fitting = d == axis || indices->dims[d] <= x->dims[d];
    if (!is_fitting)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 1: found shape %s, expected one inside %s but for axis %d", OP_SHAPE(indices),
                OP_SHAPE(x), axis);
    return op_set_output(ctx, 0, x->dtype, indices->rank, indices->dims);
}

static hob_status run_gather_elements(struct op_context *ctx)
{
    const struct gather_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *out = ctx->outputs[0];
    int64_t *indices, n_items = tensor_n_items(out), position[TENSOR_MAX_RANK] = {0};
    size_t item_bytes = dtype_block_bytes(x->dtype);
    int axis;
    TRY(axis_normalize(ctx, params->axis, &axis));
    TRY(moving_load_indices(ctx, 1, &indices));
    for (int64_t i = 0; i < n_items; i++) {
        int64_t index, offset = 0;
        TRY(moving_normalize_index(ctx, indices[i], x->dims[axis], &index));
        for (int d = 0; d < x->rank; d++) offset += (d == axis ? index : position[d]) * x->strides[d];
        moving_copy_element(moving_element_at(out, i), moving_element_at(x, offset), item_bytes);
        for (int d = out->rank - 1; d >= 0 && ++position[d] == out->dims[d]; d--) position[d] = 0;
    }
    return HOB_OK;
}

const struct op_def op_gather_elements = {.name = "GatherElements", .domain = "", .since = 11, .min_inputs = 2,
                                          .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
                                          .types = TYPES_ALL, .flags = OP_STRIDED_INPUTS, .prepare = prepare_axis,
                                          .infer = infer_gather_elements, .run = run_gather_elements};

/* ---- GatherND: the last axis of indices holds coordinates of the axes behind the batch axes ---- */

static hob_status prepare_nd(const struct op_prepare *node, void **ret_params)
{
    struct gather_params *params = ARENA_NEW(node->arena, struct gather_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->axis = attributes_int(node->attributes, "batch_dims", 0);
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer_gather_nd(struct op_context *ctx)
{
    const struct gather_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *indices = ctx->inputs[1];
    int64_t n_batch = params->axis, dims[2 * TENSOR_MAX_RANK];
    TRY(moving_check(ctx, 0));
    TRY(op_check_dtype(ctx, 1, DTYPE_I64));
    bool is_fitting = x->rank >= 1 && indices->rank >= 1 && n_batch >= 0 && n_batch < indices->rank && n_batch < x->rank;
    for (int d = 0; is_fitting && d < n_batch; d++) is_fitting = x->dims[d] == indices->dims[d];
    int64_t n_coordinates = is_fitting ? indices->dims[indices->rank - 1] : 0;
    int rank = 0;
    if (!is_fitting || n_coordinates > x->rank - n_batch)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 1: found shape %s, which does not fit %s with %lld batch dims", OP_SHAPE(indices),
                OP_SHAPE(x), (long long)n_batch);
    for (int d = 0; d < indices->rank - 1; d++) dims[rank++] = indices->dims[d];
    for (int d = (int)(n_batch + n_coordinates); d < x->rank; d++) dims[rank++] = x->dims[d];
    return op_set_output(ctx, 0, x->dtype, rank, dims);
}

static hob_status run_gather_nd(struct op_context *ctx)
{
    const struct gather_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *places = ctx->inputs[1];
    int n_batch = (int)params->axis, n_coordinates = (int)places->dims[places->rank - 1];
    int64_t *indices, n_places = 1, position[TENSOR_MAX_RANK] = {0};
    TRY(moving_load_indices(ctx, 1, &indices));
    struct tensor tail = tail_of(x, n_batch + n_coordinates);
    size_t tail_bytes = tensor_n_bytes(&tail);
    bool is_packed = tensor_is_contiguous(&tail);
    char *out = ctx->outputs[0]->data;
    if (!tail_bytes) return HOB_OK;
    for (int d = 0; d < places->rank - 1; d++) n_places *= places->dims[d];
    for (; n_places; n_places--, out += tail_bytes) {
        int64_t offset = 0, index;
        for (int d = 0; d < n_batch; d++) offset += position[d] * x->strides[d];
        for (int d = n_batch; d < n_batch + n_coordinates; d++) {
            TRY(moving_normalize_index(ctx, *indices++, x->dims[d], &index));
            offset += index * x->strides[d];
        }
        copy_tail(&tail, is_packed, tail_bytes, moving_element_at(x, offset), out);
        for (int d = places->rank - 2; d >= 0 && ++position[d] == places->dims[d]; d--) position[d] = 0;
    }
    return HOB_OK;
}

const struct op_def op_gather_nd = {.name = "GatherND", .domain = "", .since = 11, .min_inputs = 2, .max_inputs = 2,
                                    .min_outputs = 1, .max_outputs = 1, .types = TYPES_ALL, .flags = OP_STRIDED_INPUTS, .prepare = prepare_nd,
                                    .infer = infer_gather_nd, .run = run_gather_nd};

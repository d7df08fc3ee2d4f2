/* Scatter, ScatterElements, ScatterND: a copy of the input with some elements replaced by updates, or combined with them by
 * reduction add, mul, max or min. Updates are taken in row-major order: of several to one place the last wins. */
#include "ops/math/arithmetic.h"
#include "ops/axes.h"
#include "ops/moving.h"

struct scatter_params {
    int64_t axis;
    const struct span_table *reduction; /* NULL: replace */
};

static hob_status find_reduction(const struct op_prepare *node, const struct span_table **ret_reduction)
{
    static const struct {
        const char *name;
        const struct span_table *table;
    } reductions[] = {{"none", NULL},
                      {"add", &arithmetic_add},
                      {"mul", &arithmetic_mul},
                      {"max", &arithmetic_max},
                      {"min", &arithmetic_min}};
    const char *name = attributes_string(node->attributes, "reduction", "none");
    for (size_t i = 0; i < sizeof reductions / sizeof reductions[0]; i++) {
        if (strcmp(name, reductions[i].name)) continue;
        *ret_reduction = reductions[i].table;
        return HOB_OK;
    }
    FAIL(node->error, HOB_BAD_GRAPH, "%s: reduction: found \"%s\", expected none, add, mul, max or min", node->node_name, name);
}

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct scatter_params *params = ARENA_NEW(node->arena, struct scatter_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->axis = attributes_int(node->attributes, "axis", 0);
    TRY(find_reduction(node, &params->reduction));
    *ret_params = params;
    return HOB_OK;
}

/* n_items next to each other, at `target` in the output. */
static void put(struct op_context *ctx, struct elementwise_walk *walk, int64_t target, const void *updates, int64_t n_items)
{
    const struct tensor *out = ctx->outputs[0];
    void *place = moving_element_at(out, target);
    if (!walk->function) {
        if (n_items == 1) moving_copy_element(place, updates, dtype_block_bytes(out->dtype));
        else memcpy(place, updates, (size_t)n_items * dtype_block_bytes(out->dtype));
        return;
    }
    struct tensor old = {.data = place, .dtype = out->dtype, .rank = 1, .dims = {n_items}, .strides = {1}}, added = old;
    added.data = (void *)(uintptr_t)updates;
    walk->out = walk->inputs[0] = &old;
    walk->inputs[1] = &added;
    elementwise_apply(ctx, walk);
}

static hob_status start(struct op_context *ctx, struct elementwise_walk *ret_walk, const void **ret_updates)
{
    const struct scatter_params *params = ctx->params;
    const struct tensor *updates = ctx->inputs[2];
    *ret_walk = (struct elementwise_walk){.n_inputs = 2};
    if (params->reduction && !elementwise_find(params->reduction, updates->dtype, ret_walk))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 2: a reduction of %s is not implemented", dtype_name(updates->dtype));
    *ret_updates = updates->data;
    if (!tensor_is_contiguous(updates)) {
        void *packed = arena_alloc(ctx->scratch, tensor_n_bytes(updates), 64);
        if (!packed) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
        tensor_copy_contiguous(updates, packed);
        *ret_updates = packed;
    }
    tensor_copy_contiguous(ctx->inputs[0], ctx->outputs[0]->data);
    return HOB_OK;
}

/* ---- ScatterElements, and its older name ---- */

static hob_status infer_elements(struct op_context *ctx)
{
    const struct scatter_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *indices = ctx->inputs[1];
    int axis;
    TRY(moving_check(ctx, 0));
    TRY(op_check_dtype(ctx, 2, x->dtype));
    TRY(axis_normalize(ctx, params->axis, &axis));
    bool is_fitting = x->rank == indices->rank && tensor_same_shape(indices, ctx->inputs[2]);
    for (int d = 0; is_fitting && d < x->rank; d++) is_fitting = d == axis || indices->dims[d] <= x->dims[d];
    if (!is_fitting)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "inputs 1 and 2: found shapes %s and %s, expected equal ones inside %s but for axis %d",
                OP_SHAPE(indices), OP_SHAPE(ctx->inputs[2]), OP_SHAPE(x), axis);
    return op_set_output(ctx, 0, x->dtype, x->rank, x->dims);
}

static hob_status run_elements(struct op_context *ctx)
{
    const struct scatter_params *params = ctx->params;
    const struct tensor *out = ctx->outputs[0], *places = ctx->inputs[1];
    struct elementwise_walk walk;
    const void *updates;
    int64_t *indices, n_items = tensor_n_items(places), position[TENSOR_MAX_RANK] = {0};
    size_t item_bytes = dtype_block_bytes(out->dtype);
    int axis;
    TRY(start(ctx, &walk, &updates));
    TRY(axis_normalize(ctx, params->axis, &axis));
    TRY(moving_load_indices(ctx, 1, &indices));
    for (int64_t i = 0; i < n_items; i++) {
        int64_t index, offset = 0;
        TRY(moving_normalize_index(ctx, indices[i], out->dims[axis], &index));
        for (int d = 0; d < out->rank; d++) offset += (d == axis ? index : position[d]) * out->strides[d];
        put(ctx, &walk, offset, (const char *)updates + (size_t)i * item_bytes, 1);
        for (int d = places->rank - 1; d >= 0 && ++position[d] == places->dims[d]; d--) position[d] = 0;
    }
    return HOB_OK;
}

const struct op_def op_scatter = {.name = "Scatter", .domain = "", .since = 9, .min_inputs = 3, .max_inputs = 3,
                                  .min_outputs = 1, .max_outputs = 1, .types = TYPES_ALL, .flags = OP_STRIDED_INPUTS, .prepare = prepare,
                                  .infer = infer_elements, .run = run_elements};
const struct op_def op_scatter_elements = {.name = "ScatterElements", .domain = "", .since = 11, .min_inputs = 3,
                                           .max_inputs = 3, .min_outputs = 1, .max_outputs = 1,
                                           .types = TYPES_ALL, .flags = OP_STRIDED_INPUTS, .prepare = prepare, .infer = infer_elements,
                                           .run = run_elements};

/* ---- ScatterND: the last axis of indices holds coordinates; an update replaces everything behind them ---- */

static hob_status infer_nd(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0], *indices = ctx->inputs[1], *updates = ctx->inputs[2];
    TRY(moving_check(ctx, 0));
    TRY(op_check_dtype(ctx, 1, DTYPE_I64));
    TRY(op_check_dtype(ctx, 2, x->dtype));
    int64_t n_coordinates = indices->rank ? indices->dims[indices->rank - 1] : -1;
    bool is_fitting = n_coordinates >= 0 && n_coordinates <= x->rank &&
                      updates->rank == indices->rank - 1 + x->rank - (int)n_coordinates;
    for (int d = 0; is_fitting && d < updates->rank; d++) {
        int behind = d - (indices->rank - 1);
        is_fitting = updates->dims[d] == (behind < 0 ? indices->dims[d] : x->dims[n_coordinates + behind]);
    }
    if (!is_fitting)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "inputs 1 and 2: found shapes %s and %s, which do not fit %s", OP_SHAPE(indices),
                OP_SHAPE(updates), OP_SHAPE(x));
    return op_set_output(ctx, 0, x->dtype, x->rank, x->dims);
}

static hob_status run_nd(struct op_context *ctx)
{
    const struct tensor *out = ctx->outputs[0], *places = ctx->inputs[1];
    int n_coordinates = (int)places->dims[places->rank - 1];
    struct elementwise_walk walk;
    const void *updates;
    int64_t *indices, n_places = 1, n_slice = 1;
    TRY(start(ctx, &walk, &updates));
    TRY(moving_load_indices(ctx, 1, &indices));
    for (int d = 0; d < places->rank - 1; d++) n_places *= places->dims[d];
    for (int d = n_coordinates; d < out->rank; d++) n_slice *= out->dims[d];
    if (!n_slice) return HOB_OK;
    size_t slice_bytes = (size_t)n_slice * dtype_block_bytes(out->dtype);
    for (int64_t i = 0; i < n_places; i++) {
        int64_t offset = 0, index;
        for (int d = 0; d < n_coordinates; d++) {
            TRY(moving_normalize_index(ctx, *indices++, out->dims[d], &index));
            offset += index * out->strides[d];
        }
        put(ctx, &walk, offset, (const char *)updates + (size_t)i * slice_bytes, n_slice);
    }
    return HOB_OK;
}

const struct op_def op_scatter_nd = {.name = "ScatterND", .domain = "", .since = 11, .min_inputs = 3, .max_inputs = 3,
                                     .min_outputs = 1, .max_outputs = 1, .types = TYPES_ALL, .flags = OP_STRIDED_INPUTS, .prepare = prepare,
                                     .infer = infer_nd, .run = run_nd};

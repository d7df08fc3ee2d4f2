/* NonZero and Compress: outputs whose size depends on values, so that run makes them. */
#include "ops/axes.h"
#include "ops/math/cast.h"
#include "ops/moving.h"

static hob_status infer_later(struct op_context *ctx)
{
    return op_unknown(ctx, 0);
}

/* ---- NonZero: [rank, n] coordinates of the elements that are not 0, in row-major order ---- */

/* A string is not 0 when it is not empty; a complex number when one of its parts is not. */
static bool is_non_zero(const struct tensor *packed, int64_t i)
{
    if (packed->dtype == DTYPE_STRING) return ((const struct tensor_string *)packed->data)[i].n_bytes > 0;
    if (packed->dtype == DTYPE_C64) return ((const float *)packed->data)[2 * i] != 0 || ((const float *)packed->data)[2 * i + 1] != 0;
    return ((const double *)packed->data)[2 * i] != 0 || ((const double *)packed->data)[2 * i + 1] != 0;
}

/* Types that Cast does not make bool of. */
static hob_status find_non_zero_others(struct op_context *ctx, const struct tensor *x, uint8_t *flags)
{
    struct tensor packed = *x;
    packed.data = arena_alloc(ctx->scratch, tensor_n_bytes(x) + 1, 64);
    if (!packed.data) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    tensor_copy_contiguous(x, packed.data);
    for (int64_t i = 0; i < tensor_n_items(x); i++) flags[i] = is_non_zero(&packed, i);
    return HOB_OK;
}

/* A byte an element, 1 where it is not 0. */
static hob_status find_non_zero(struct op_context *ctx, const uint8_t **ret_flags)
{
    const struct tensor *x = ctx->inputs[0];
    struct tensor flags;
    TRY(tensor_init(&flags, DTYPE_BOOL, x->rank, x->dims, NULL, ctx->error));
    flags.data = arena_alloc(ctx->scratch, tensor_n_bytes(&flags) + 1, 64);
    if (!flags.data) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    if (cast_is_number(x->dtype)) cast_apply(ctx, x, &flags);
    else TRY(find_non_zero_others(ctx, x, flags.data));
    *ret_flags = flags.data;
    return HOB_OK;
}

static hob_status run_non_zero(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    const uint8_t *flags;
    int64_t n_items = tensor_n_items(x), n_found = 0, position[TENSOR_MAX_RANK] = {0};
    TRY(find_non_zero(ctx, &flags));
    for (int64_t i = 0; i < n_items; i++) n_found += flags[i];
    TRY(op_allocate_output(ctx, 0, DTYPE_I64, 2, (const int64_t[]){x->rank, n_found}));
    int64_t *out = ctx->outputs[0]->data;
    for (int64_t i = 0, found = 0; i < n_items; i++) {
        for (int d = 0; flags[i] && d < x->rank; d++) out[d * n_found + found] = position[d];
        found += flags[i];
        for (int d = x->rank - 1; d >= 0 && ++position[d] == x->dims[d]; d--) position[d] = 0;
    }
    return HOB_OK;
}

const struct op_def op_non_zero = {.name = "NonZero", .domain = "", .since = 9, .min_inputs = 1, .max_inputs = 1,
                                   .min_outputs = 1, .max_outputs = 1, .types = TYPES_NUMBER | TYPES_COMPLEX | TYPE(BOOL) | TYPE(STRING), .flags = OP_STRIDED_INPUTS | OP_ALLOCATES,
                                   .infer = infer_later, .run = run_non_zero};

/* ---- Compress: the slices of an axis (or the elements, without one) whose condition is true ---- */

struct compress_params {
    bool has_axis;
    int64_t axis;
};

static hob_status prepare_compress(const struct op_prepare *node, void **ret_params)
{
    struct compress_params *params = ARENA_NEW(node->arena, struct compress_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->has_axis = attributes_find(node->attributes, "axis") != NULL;
    params->axis = attributes_int(node->attributes, "axis", 0);
    *ret_params = params;
    return HOB_OK;
}

/* Input 0 is contiguous (no OP_STRIDED_INPUTS): flat, it is a vector. */
static hob_status run_compress(struct op_context *ctx)
{
    const struct compress_params *params = ctx->params;
    struct tensor x = *ctx->inputs[0];
    const struct tensor *condition = ctx->inputs[1];
    int axis = 0;
    TRY(moving_check(ctx, 0));
    TRY(op_check_dtype(ctx, 1, DTYPE_BOOL));
    if (params->has_axis) TRY(axis_normalize(ctx, params->axis, &axis));
    else x = (struct tensor){.data = x.data, .dtype = x.dtype, .rank = 1, .dims = {tensor_n_items(&x)}, .strides = {1}};
    if (condition->rank != 1 || condition->dims[0] > x.dims[axis])
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 1: found shape %s, expected at most [%lld]", OP_SHAPE(condition), (long long)x.dims[axis]);
    const uint8_t *is_wanted = condition->data;
    int64_t n_wanted = 0, dims[TENSOR_MAX_RANK];
    for (int64_t i = 0; i < condition->dims[0]; i++) n_wanted += is_wanted[i] != 0;
    memcpy(dims, x.dims, sizeof dims);
    dims[axis] = n_wanted;
    TRY(op_allocate_output(ctx, 0, x.dtype, x.rank, dims));
    for (int64_t i = 0, to = 0; i < condition->dims[0]; i++) {
        if (!is_wanted[i]) continue;
        struct tensor from = tensor_slice(&x, axis, i, 1, 1), place = tensor_slice(ctx->outputs[0], axis, to++, 1, 1);
        moving_copy_strided(&from, &place);
    }
    return HOB_OK;
}

const struct op_def op_compress = {.name = "Compress", .domain = "", .since = 9, .min_inputs = 2, .max_inputs = 2,
                                   .min_outputs = 1, .max_outputs = 1, .types = TYPES_ALL, .flags = OP_ALLOCATES,
                                   .prepare = prepare_compress, .infer = infer_later, .run = run_compress};

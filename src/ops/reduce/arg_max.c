/* ArgMax and ArgMin: where the extreme of an axis stands. Any number type, compared through keys (ops/numbers.h). */
#include "ops/axes.h"
#include "ops/numbers.h"
#include "ops/reduction.h"

#include "kernels/kernels.h"

struct arg_params {
    int64_t axis;
    bool keeps_dims, selects_last, is_min;
};

static hob_status arg_prepare(const struct op_prepare *node, bool is_min, void **ret_params)
{
    struct arg_params *params = ARENA_NEW(node->arena, struct arg_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->axis = attributes_int(node->attributes, "axis", 0);
    params->keeps_dims = attributes_int(node->attributes, "keepdims", 1) != 0;
    params->selects_last = attributes_int(node->attributes, "select_last_index", 0) != 0;
    params->is_min = is_min;
    *ret_params = params;
    return HOB_OK;
}

static hob_status arg_infer(struct op_context *ctx)
{
    const struct arg_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    if (!numbers_is_float(x->dtype) && !numbers_is_integer(x->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s, expected a float or integer type", dtype_name(x->dtype));
    int axis;
    TRY(axis_normalize(ctx, params->axis, &axis));
    if (x->dims[axis] == 0)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected at least one item along axis %d", OP_SHAPE(x), axis);
    int64_t dims[TENSOR_MAX_RANK];
    int rank = 0;
    for (int i = 0; i < x->rank; i++)
        if (i != axis || params->keeps_dims) dims[rank++] = i == axis ? 1 : x->dims[i];
    return op_set_output(ctx, 0, DTYPE_I64, rank, dims);
}

struct arg_job {
    const struct arg_params *params;
    const struct kernels *kernels;
    const struct tensor *x;
    int64_t *y;
    struct reduction reduction;
    bool is_kernel_row; /* the kernel knows f32 rows and the first largest */
};

static int64_t find_extreme(const struct arg_job *job, int64_t offset)
{
    int64_t n_items = job->reduction.n_folded, stride = job->reduction.folded_strides[0], best = 0;
    uint64_t flip = job->params->is_min ? UINT64_MAX : 0, best_key = 0;
    uint64_t keys[NUMBERS_RUN];
    for (int64_t begin = 0; begin < n_items; begin += NUMBERS_RUN) {
        int64_t n = n_items - begin < NUMBERS_RUN ? n_items - begin : NUMBERS_RUN;
        numbers_load_keys(job->x, offset + begin * stride, stride, (size_t)n, keys);
        for (int64_t k = 0; k < n; k++) {
            uint64_t key = keys[k] ^ flip;
            if (key < best_key || (key == best_key && !job->params->selects_last && begin + k)) continue;
            best_key = key;
            best = begin + k;
        }
    }
    return best;
}

static void arg_tiles(void *context, size_t begin, size_t end)
{
    const struct arg_job *job = context;
    for (size_t i = begin; i < end; i++) {
        struct reduction_tile tile = reduction_tile(&job->reduction, (int64_t)i);
        for (size_t k = 0; k < tile.n_items; k++) {
            int64_t offset = tile.offset + (int64_t)k * tile.stride;
            job->y[tile.first_output + (int64_t)k] =
                job->is_kernel_row
                    ? job->kernels->argmax_f32(job->reduction.n_folded, (const float *)job->x->data + offset)
                    : find_extreme(job, offset);
        }
    }
}

static hob_status arg_run(struct op_context *ctx)
{
    const struct arg_params *params = ctx->params;
    struct arg_job job = {.params = params, .kernels = ctx->kernels, .x = ctx->inputs[0], .y = ctx->outputs[0]->data};
    bool is_folded[TENSOR_MAX_RANK] = {0};
    int axis;
    TRY(axis_normalize(ctx, params->axis, &axis));
    is_folded[axis] = true;
    reduction_init(&job.reduction, job.x, is_folded);
    job.is_kernel_row =
        job.x->dtype == DTYPE_F32 && !params->is_min && !params->selects_last && reduction_folds_rows(&job.reduction);
    thread_pool_run(ctx->pool, (size_t)job.reduction.n_tiles, reduction_least_tiles(&job.reduction), arg_tiles, &job);
    return HOB_OK;
}

#define ARG(id, onnx_name, is_min)                                                   \
    static hob_status prepare_##id(const struct op_prepare *node, void **ret_params) \
    {                                                                                \
        return arg_prepare(node, is_min, ret_params);                                \
    }                                                                                \
    const struct op_def op_##id = {                                                  \
        .name = onnx_name,                                                           \
        .domain = "",                                                                \
        .since = 1,                                                                  \
        .min_inputs = 1,                                                             \
        .max_inputs = 1,                                                             \
        .min_outputs = 1,                                                            \
        .max_outputs = 1,                                                            \
        .types = TYPES_NUMBER,                                                       \
        .flags = OP_STRIDED_INPUTS,                                                  \
        .prepare = prepare_##id,                                                     \
        .infer = arg_infer,                                                          \
        .run = arg_run,                                                              \
    };

ARG(arg_max, "ArgMax", false)
ARG(arg_min, "ArgMin", true)

/* Softmax, LogSoftmax, Hardmax. Opsets below 13 fold all axes from `axis` (default 1) on; later ones fold `axis` (default -1)
 * alone. f32 rows next to each other go to the kernels; the rest folds tile by tile in f64, reading each item three times
 * rather than keeping a row. */
#include "ops/axes.h"
#include "ops/numbers.h"
#include "ops/reduction.h"

#include "kernels/kernels.h"

enum softmax_kind { SOFTMAX, LOG_SOFTMAX, HARDMAX };

struct softmax_params {
    enum softmax_kind kind;
    int64_t axis;
    bool is_flattened;
};

static hob_status softmax_prepare(const struct op_prepare *node, enum softmax_kind kind, void **ret_params)
{
    struct softmax_params *params = ARENA_NEW(node->arena, struct softmax_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->kind = kind;
    params->is_flattened = node->opset < 13;
    params->axis = attributes_int(node->attributes, "axis", params->is_flattened ? 1 : -1);
    *ret_params = params;
    return HOB_OK;
}

/* The flattened form may have axis == rank: rows of one item. */
static hob_status mark_folded(struct op_context *ctx, bool ret_is_folded[TENSOR_MAX_RANK])
{
    const struct softmax_params *params = ctx->params;
    int rank = ctx->inputs[0]->rank, axis = rank;
    if (!params->is_flattened || params->axis != rank) TRY(axis_normalize(ctx, params->axis, &axis));
    for (int i = 0; i < rank; i++) ret_is_folded[i] = params->is_flattened ? i >= axis : i == axis;
    return HOB_OK;
}

static hob_status softmax_infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    bool is_folded[TENSOR_MAX_RANK];
    TRY(mark_folded(ctx, is_folded));
    return op_set_output(ctx, 0, x->dtype, x->rank, x->dims);
}

struct softmax_job {
    enum softmax_kind kind;
    const struct kernels *kernels;
    const struct tensor *x, *y;
    struct reduction from, to;
    bool is_rows;
};

static void load(const struct softmax_job *job, const struct reduction_tile *tile, int64_t i, double *ret_items)
{
    numbers_load_f64(job->x, tile->offset + reduction_offset(&job->from, i), tile->stride, tile->n_items, ret_items);
}

static void store(const struct softmax_job *job, const struct reduction_tile *tile, int64_t i, const double *items)
{
    numbers_store_f64(job->y, tile->offset + reduction_offset(&job->to, i), tile->stride, tile->n_items, items);
}

static void find_largest(const struct softmax_job *job, const struct reduction_tile *tile, double *ret_largest,
                         int64_t *ret_places)
{
    double items[NUMBERS_RUN];
    for (size_t k = 0; k < tile->n_items; k++) {
        ret_largest[k] = -INFINITY;
        ret_places[k] = 0;
    }
    for (int64_t i = 0; i < job->from.n_folded; i++) {
        load(job, tile, i, items);
        for (size_t k = 0; k < tile->n_items; k++) {
            if (!(items[k] > ret_largest[k])) continue;
            ret_largest[k] = items[k];
            ret_places[k] = i;
        }
    }
}

static void softmax_tile(const struct softmax_job *job, const struct reduction_tile *from,
                         const struct reduction_tile *to)
{
    double largest[NUMBERS_RUN], items[NUMBERS_RUN], sums[NUMBERS_RUN] = {0};
    int64_t places[NUMBERS_RUN];
    find_largest(job, from, largest, places);
    for (int64_t i = 0; i < job->from.n_folded && job->kind != HARDMAX; i++) {
        load(job, from, i, items);
        for (size_t k = 0; k < from->n_items; k++) sums[k] += exp(items[k] - largest[k]);
    }
    for (int64_t i = 0; i < job->from.n_folded; i++) {
        load(job, from, i, items);
        for (size_t k = 0; k < from->n_items; k++) {
            double shifted = items[k] - largest[k];
            items[k] = job->kind == SOFTMAX       ? exp(shifted) / sums[k]
                       : job->kind == LOG_SOFTMAX ? shifted - log(sums[k])
                                                  : places[k] == i;
        }
        store(job, to, i, items);
    }
}

static void softmax_rows(const struct softmax_job *job, const struct reduction_tile *from,
                         const struct reduction_tile *to)
{
    const float *x = (const float *)job->x->data + from->offset;
    float *y = (float *)job->y->data + to->offset;
    void (*kernel)(int64_t, const float *, float *) =
        job->kind == SOFTMAX ? job->kernels->softmax_f32 : job->kernels->log_softmax_f32;
    for (size_t k = 0; k < from->n_items; k++)
        kernel(job->from.n_folded, x + (int64_t)k * from->stride, y + (int64_t)k * to->stride);
}

static void softmax_tiles(void *context, size_t begin, size_t end)
{
    const struct softmax_job *job = context;
    for (size_t i = begin; i < end; i++) {
        struct reduction_tile from = reduction_tile(&job->from, (int64_t)i), to = reduction_tile(&job->to, (int64_t)i);
        if (job->is_rows) softmax_rows(job, &from, &to);
        else softmax_tile(job, &from, &to);
    }
}

static hob_status softmax_run(struct op_context *ctx)
{
    const struct softmax_params *params = ctx->params;
    struct softmax_job job = {.kind = params->kind, .kernels = ctx->kernels, .x = ctx->inputs[0], .y = ctx->outputs[0]};
    bool is_folded[TENSOR_MAX_RANK];
    if (!tensor_n_items(job.x)) return HOB_OK; /* however many rows of nothing there are */
    TRY(mark_folded(ctx, is_folded));
    reduction_init(&job.from, job.x, is_folded);
    reduction_init(&job.to, job.y, is_folded);
    job.is_rows = job.kind != HARDMAX && job.x->dtype == DTYPE_F32 && reduction_folds_rows(&job.from);
    thread_pool_run(ctx->pool, (size_t)job.from.n_tiles, reduction_least_tiles(&job.from), softmax_tiles, &job);
    return HOB_OK;
}

#define SOFTMAX_OP(id, onnx_name, kind)                                              \
    static hob_status prepare_##id(const struct op_prepare *node, void **ret_params) \
    {                                                                                \
        return softmax_prepare(node, kind, ret_params);                              \
    }                                                                                \
    const struct op_def op_##id = {                                                  \
        .name = onnx_name,                                                           \
        .domain = "",                                                                \
        .since = 1,                                                                  \
        .min_inputs = 1,                                                             \
        .max_inputs = 1,                                                             \
        .min_outputs = 1,                                                            \
        .max_outputs = 1,                                                            \
        .types = TYPES_FLOAT,                                                        \
        .flags = OP_STRIDED_INPUTS | OP_INPLACE,                                     \
        .prepare = prepare_##id,                                                     \
        .infer = softmax_infer,                                                      \
        .run = softmax_run,                                                          \
    };

SOFTMAX_OP(softmax, "Softmax", SOFTMAX)
SOFTMAX_OP(log_softmax, "LogSoftmax", LOG_SOFTMAX)
SOFTMAX_OP(hardmax, "Hardmax", HARDMAX)

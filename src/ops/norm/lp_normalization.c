/* LpNormalization: x divided by its L1 or L2 norm along an axis. A row of zeros stays zeros. */
#include "ops/axes.h"
#include "ops/numbers.h"
#include "ops/reduction.h"

struct lp_params {
    int64_t axis, p;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct lp_params *params = ARENA_NEW(node->arena, struct lp_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->axis = attributes_int(node->attributes, "axis", -1);
    params->p = attributes_int(node->attributes, "p", 2);
    if (params->p != 1 && params->p != 2)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: p: found %lld, expected 1 or 2", node->node_name, (long long)params->p);
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct lp_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    int axis;
    TRY(axis_normalize(ctx, params->axis, &axis));
    return op_set_output(ctx, 0, x->dtype, x->rank, x->dims);
}

struct lp_job {
    const struct tensor *x, *y;
    struct reduction from, to;
    bool is_l1;
};

static void normalize_tile(const struct lp_job *job, const struct reduction_tile *from, const struct reduction_tile *to)
{
    double norms[NUMBERS_RUN] = {0}, items[NUMBERS_RUN];
    for (int64_t i = 0; i < job->from.n_folded; i++) {
        numbers_load_f64(job->x, from->offset + reduction_offset(&job->from, i), from->stride, from->n_items, items);
        for (size_t k = 0; k < from->n_items; k++) norms[k] += job->is_l1 ? fabs(items[k]) : items[k] * items[k];
    }
    for (size_t k = 0; k < from->n_items; k++) {
        if (!job->is_l1) norms[k] = sqrt(norms[k]);
        if (norms[k] == 0) norms[k] = 1;
    }
    for (int64_t i = 0; i < job->from.n_folded; i++) {
        numbers_load_f64(job->x, from->offset + reduction_offset(&job->from, i), from->stride, from->n_items, items);
        for (size_t k = 0; k < from->n_items; k++) items[k] /= norms[k];
        numbers_store_f64(job->y, to->offset + reduction_offset(&job->to, i), to->stride, to->n_items, items);
    }
}

static void normalize_tiles(void *context, size_t begin, size_t end)
{
    const struct lp_job *job = context;
    for (size_t i = begin; i < end; i++) {
        struct reduction_tile from = reduction_tile(&job->from, (int64_t)i), to = reduction_tile(&job->to, (int64_t)i);
        normalize_tile(job, &from, &to);
    }
}

static hob_status run(struct op_context *ctx)
{
    const struct lp_params *params = ctx->params;
    struct lp_job job = {.x = ctx->inputs[0], .y = ctx->outputs[0], .is_l1 = params->p == 1};
    bool is_folded[TENSOR_MAX_RANK] = {0};
    int axis;
    TRY(axis_normalize(ctx, params->axis, &axis));
    is_folded[axis] = true;
    if (!tensor_n_items(job.x)) return HOB_OK;
    reduction_init(&job.from, job.x, is_folded);
    reduction_init(&job.to, job.y, is_folded);
    thread_pool_run(ctx->pool, (size_t)job.from.n_tiles, reduction_least_tiles(&job.from), normalize_tiles, &job);
    return HOB_OK;
}

const struct op_def op_lp_normalization = {
    .name = "LpNormalization",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_FLOAT,
    .flags = OP_STRIDED_INPUTS,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};

/* MeanVarianceNormalization: (x - mean) / (standard deviation + 1e-9), both over some axes, by default [0,2,3]. In f64, a tile of
 * outputs at a time. */
#include "ops/axes.h"
#include "ops/numbers.h"
#include "ops/reduction.h"

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct axes *params = ARENA_NEW(node->arena, struct axes, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(axes_prepare(node, "axes", params));
    if (!params->is_given) *params = (struct axes){.items = {0, 2, 3}, .n_items = 3, .is_given = true};
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    bool is_folded[TENSOR_MAX_RANK];
    int n_folded;
    TRY(axes_mark(ctx, ctx->params, -1, is_folded, &n_folded));
    return op_set_output(ctx, 0, x->dtype, x->rank, x->dims);
}

struct normalize_job {
    const struct tensor *x, *y;
    struct reduction from, to;
};

static void load(const struct normalize_job *job, const struct reduction_tile *tile, int64_t i, double *ret_items)
{
    numbers_load_f64(job->x, tile->offset + reduction_offset(&job->from, i), tile->stride, tile->n_items, ret_items);
}

static void normalize_tile(const struct normalize_job *job, const struct reduction_tile *from,
                           const struct reduction_tile *to)
{
    double items[NUMBERS_RUN], means[NUMBERS_RUN] = {0}, deviations[NUMBERS_RUN] = {0};
    int64_t n_folded = job->from.n_folded;
    for (int64_t i = 0; i < n_folded; i++) {
        load(job, from, i, items);
        for (size_t k = 0; k < from->n_items; k++) means[k] += items[k];
    }
    for (size_t k = 0; k < from->n_items; k++) means[k] /= (double)n_folded;
    for (int64_t i = 0; i < n_folded; i++) {
        load(job, from, i, items);
        for (size_t k = 0; k < from->n_items; k++) deviations[k] += (items[k] - means[k]) * (items[k] - means[k]);
    }
    for (size_t k = 0; k < from->n_items; k++) deviations[k] = sqrt(deviations[k] / (double)n_folded) + 1e-9;
    for (int64_t i = 0; i < n_folded; i++) {
        load(job, from, i, items);
        for (size_t k = 0; k < from->n_items; k++) items[k] = (items[k] - means[k]) / deviations[k];
        numbers_store_f64(job->y, to->offset + reduction_offset(&job->to, i), to->stride, to->n_items, items);
    }
}

static void normalize_tiles(void *context, size_t begin, size_t end)
{
    const struct normalize_job *job = context;
    for (size_t i = begin; i < end; i++) {
        struct reduction_tile from = reduction_tile(&job->from, (int64_t)i), to = reduction_tile(&job->to, (int64_t)i);
        normalize_tile(job, &from, &to);
    }
}

static hob_status run(struct op_context *ctx)
{
    struct normalize_job job = {.x = ctx->inputs[0], .y = ctx->outputs[0]};
    bool is_folded[TENSOR_MAX_RANK];
    int n_folded;
    TRY(axes_mark(ctx, ctx->params, -1, is_folded, &n_folded));
    if (!tensor_n_items(job.x)) return HOB_OK;
    reduction_init(&job.from, job.x, is_folded);
    reduction_init(&job.to, job.y, is_folded);
    thread_pool_run(ctx->pool, (size_t)job.from.n_tiles, reduction_least_tiles(&job.from), normalize_tiles, &job);
    return HOB_OK;
}

const struct op_def op_mean_variance_normalization = {
    .name = "MeanVarianceNormalization",
    .domain = "",
    .since = 9,
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

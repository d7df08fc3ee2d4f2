/* LRN: each item divided by a power of the sum of squares over `size` channels around its own. A tile of neighbours of a plane is
 * the unit of work: its channels are walked in order, in f64, each summing the same tile of its neighbours. */
#include "ops/numbers.h"
#include "ops/op.h"

struct lrn_params {
    int64_t size;
    double alpha, beta, bias;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct lrn_params *params = ARENA_NEW(node->arena, struct lrn_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->size = attributes_int(node->attributes, "size", 0);
    params->alpha = (double)attributes_float(node->attributes, "alpha", 1e-4f);
    params->beta = (double)attributes_float(node->attributes, "beta", 0.75f);
    params->bias = (double)attributes_float(node->attributes, "bias", 1);
    if (params->size < 1)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: size: found %lld, expected 1 or more", node->node_name,
             (long long)params->size);
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    if (x->rank < 2) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected [N,C,…]", OP_SHAPE(x));
    return op_set_output(ctx, 0, x->dtype, x->rank, x->dims);
}

struct lrn_job {
    const struct lrn_params *params;
    const struct tensor *x, *y;
    int64_t n_channels, width, tiles_per_plane;
};

/* items / base^beta. The usual 0.75 is made of square roots, which come as vectors. */
static void divide_by_power(double beta, size_t n, const double *bases, double *items)
{
    if (beta == 0.75)
        for (size_t k = 0; k < n; k++) items[k] /= sqrt(bases[k]) * sqrt(sqrt(bases[k]));
    else
        for (size_t k = 0; k < n; k++) items[k] /= pow(bases[k], beta);
}

static void normalize_tile(const struct lrn_job *job, int64_t offset, size_t n)
{
    const struct lrn_params *params = job->params;
    /* A size above twice the channels sees them all. */
    int64_t reach = params->size < 2 * job->n_channels + 1 ? params->size - 1 : 2 * job->n_channels;
    for (int64_t c = 0; c < job->n_channels; c++) {
        double items[NUMBERS_RUN], bases[NUMBERS_RUN] = {0};
        int64_t first = c - reach / 2, last = c + (reach - reach / 2);
        if (first < 0) first = 0;
        if (last > job->n_channels - 1) last = job->n_channels - 1;
        for (int64_t i = first; i <= last; i++) {
            numbers_load_f64(job->x, offset + i * job->width, 1, n, items);
            for (size_t k = 0; k < n; k++) bases[k] += items[k] * items[k];
        }
        for (size_t k = 0; k < n; k++) bases[k] = params->bias + params->alpha / (double)params->size * bases[k];
        numbers_load_f64(job->x, offset + c * job->width, 1, n, items);
        divide_by_power(params->beta, n, bases, items);
        numbers_store_f64(job->y, offset + c * job->width, 1, n, items);
    }
}

static void normalize_tiles(void *context, size_t begin, size_t end)
{
    const struct lrn_job *job = context;
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        int64_t batch = i / job->tiles_per_plane, start = i % job->tiles_per_plane * NUMBERS_RUN;
        int64_t n = job->width - start < NUMBERS_RUN ? job->width - start : NUMBERS_RUN;
        normalize_tile(job, batch * job->n_channels * job->width + start, (size_t)n);
    }
}

static hob_status run(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    struct lrn_job job = {.params = ctx->params, .x = x, .y = ctx->outputs[0], .n_channels = x->dims[1], .width = 1};
    if (!tensor_n_items(x)) return HOB_OK;
    for (int axis = 2; axis < x->rank; axis++) job.width *= x->dims[axis];
    job.tiles_per_plane = (job.width + NUMBERS_RUN - 1) / NUMBERS_RUN;
    thread_pool_run(ctx->pool, (size_t)(x->dims[0] * job.tiles_per_plane), 1, normalize_tiles, &job);
    return HOB_OK;
}

const struct op_def op_lrn = {
    .name = "LRN",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_FLOAT,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};

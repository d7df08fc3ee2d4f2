/* GroupNormalization and InstanceNormalization (a group for each channel): the channels of a group of an item share the mean and
 * variance taken from them. Scales and shifts are for each channel; in GroupNormalization-18 for each group. All is computed
 * in f32 or better and rounded once, which is at least what stash_type asks for. */
#include "kernels/kernels.h"
#include "ops/norm/moments.h"
#include "ops/numbers.h"

struct group_params {
    double epsilon;
    int64_t n_groups; /* 0: one for each channel */
    bool is_row_per_group;
};

static hob_status prepare_instance(const struct op_prepare *node, void **ret_params)
{
    struct group_params *params = ARENA_NEW(node->arena, struct group_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->epsilon = (double)attributes_float(node->attributes, "epsilon", 1e-5f);
    *ret_params = params;
    return HOB_OK;
}

static hob_status prepare_group(const struct op_prepare *node, void **ret_params)
{
    struct group_params *params;
    void *made;
    TRY(prepare_instance(node, &made));
    params = made;
    params->n_groups = attributes_int(node->attributes, "num_groups", 0);
    params->is_row_per_group = node->opset < 21;
    if (params->n_groups < 1)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: num_groups: found %lld, expected 1 or more", node->node_name,
             (long long)params->n_groups);
    *ret_params = params;
    return HOB_OK;
}

static int64_t n_channels(const struct tensor *x)
{
    return x->rank > 1 ? x->dims[1] : 1;
}

static int64_t n_groups(const struct group_params *params, const struct tensor *x)
{
    return params->n_groups ? params->n_groups : n_channels(x);
}

static hob_status infer(struct op_context *ctx)
{
    const struct group_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    if (x->rank < 1) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found a scalar, expected [N,C,…]");
    if (params->n_groups && n_channels(x) % params->n_groups)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected a C of a multiple of %lld groups", OP_SHAPE(x),
                (long long)params->n_groups);
    int64_t n_expected = params->is_row_per_group ? n_groups(params, x) : n_channels(x);
    for (int i = 1; i < 3; i++) {
        const struct tensor *row = op_input(ctx, i);
        if (!row || !numbers_is_float(row->dtype) || row->rank != 1 || row->dims[0] != n_expected)
            OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %s %s, expected a float [%lld]", i,
                    row ? dtype_name(row->dtype) : "nothing", row ? OP_SHAPE(row) : "", (long long)n_expected);
    }
    return op_set_output(ctx, 0, x->dtype, x->rank, x->dims);
}

struct group_job {
    const struct kernels *kernels;
    const struct tensor *x, *y, *scale, *shift;
    int64_t n_groups, channels_per_group, width; /* width: items of a channel */
    double epsilon;
    bool is_row_per_group;
};

static double item(const struct tensor *row, int64_t i)
{
    double number;
    numbers_load_f64(row, i, 1, 1, &number);
    return number;
}

static void normalize_groups(void *context, size_t first, size_t last)
{
    const struct group_job *job = context;
    int64_t n_items = job->channels_per_group * job->width;
    for (int64_t i = (int64_t)first; i < (int64_t)last; i++) {
        struct moments moments;
        moments_init(&moments, job->kernels, job->x);
        moments_add(&moments, i * n_items, n_items);
        moments_add_deviations(&moments, i * n_items, n_items);
        double mean = moments_mean(&moments), inv_std = 1 / sqrt(moments_variance(&moments) + job->epsilon);
        for (int64_t k = 0; k < job->channels_per_group; k++) {
            int64_t group = i % job->n_groups,
                    row = job->is_row_per_group ? group : group * job->channels_per_group + k;
            affine_run(job->kernels, job->x, job->y, i * n_items + k * job->width, job->width, mean,
                       item(job->scale, row) * inv_std, item(job->shift, row));
        }
    }
}

static hob_status run(struct op_context *ctx)
{
    const struct group_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    struct group_job job = {.kernels = ctx->kernels,
                            .x = x,
                            .y = ctx->outputs[0],
                            .scale = ctx->inputs[1],
                            .shift = ctx->inputs[2],
                            .n_groups = n_groups(params, x),
                            .width = 1,
                            .epsilon = params->epsilon,
                            .is_row_per_group = params->is_row_per_group};
    if (!tensor_n_items(x)) return HOB_OK;
    job.channels_per_group = n_channels(x) / job.n_groups;
    for (int axis = 2; axis < x->rank; axis++) job.width *= x->dims[axis];
    size_t least_groups = (size_t)(1 + (1 << 13) / (job.channels_per_group * job.width));
    thread_pool_run(ctx->pool, (size_t)(x->dims[0] * job.n_groups), least_groups, normalize_groups, &job);
    return HOB_OK;
}

const struct op_def op_instance_normalization = {
    .name = "InstanceNormalization",
    .domain = "",
    .since = 1,
    .min_inputs = 3,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_FLOAT,
    .prepare = prepare_instance,
    .infer = infer,
    .run = run,
};

const struct op_def op_group_normalization = {
    .name = "GroupNormalization",
    .domain = "",
    .since = 18,
    .min_inputs = 3,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_FLOAT,
    .prepare = prepare_group,
    .infer = infer,
    .run = run,
};

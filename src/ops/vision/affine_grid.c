/* AffineGrid: the points of an even grid over [-1,1] in 2 or 3 dimensions, moved by a matrix for each item. What GridSample reads. */
#include "ops/numbers.h"
#include "ops/op.h"

struct affine_params {
    bool aligns_corners;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct affine_params *params = ARENA_NEW(node->arena, struct affine_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->aligns_corners = attributes_int(node->attributes, "align_corners", 0) != 0;
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *theta = ctx->inputs[0];
    int64_t size[5], dims[5];
    size_t n_sizes;
    TRY(op_check_dtype(ctx, 1, DTYPE_I64));
    TRY(op_read_ints(ctx, 1, 5, size, &n_sizes));
    if (n_sizes < 4)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 1: found %zu values, expected [N,C,H,W] or [N,C,D,H,W]", n_sizes);
    int rank = (int)n_sizes - 2;
    if (theta->rank != 3 || theta->dims[0] != size[0] || theta->dims[1] != rank || theta->dims[2] != rank + 1)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected [%lld,%d,%d]", OP_SHAPE(theta), (long long)size[0],
                rank, rank + 1);
    dims[0] = size[0];
    for (int axis = 0; axis < rank; axis++) dims[1 + axis] = size[2 + axis];
    dims[1 + rank] = rank;
    return op_set_output(ctx, 0, theta->dtype, rank + 2, dims);
}

struct affine_job {
    const struct tensor *theta, *grid;
    int rank;
    int64_t n_points; /* of an item */
    bool aligns_corners;
};

/* Position i of n points between -1 and 1: at the ends, or in the middles of n cells. */
static double place(const struct affine_job *job, int64_t i, int64_t n)
{
    if (!job->aligns_corners) return (double)(2 * i + 1) / (double)n - 1;
    return n > 1 ? 2 * (double)i / (double)(n - 1) - 1 : 0;
}

static void move_points(void *context, size_t begin, size_t end)
{
    const struct affine_job *job = context;
    int rank = job->rank;
    for (int64_t point = (int64_t)begin; point < (int64_t)end; point++) {
        /* x y z 1: the last axis first. */
        double theta[12], homogeneous[4], moved[3];
        int64_t rest = point % job->n_points;
        for (int k = 0; k < rank; k++) {
            int64_t dim = job->grid->dims[rank - k];
            homogeneous[k] = place(job, rest % dim, dim);
            rest /= dim;
        }
        homogeneous[rank] = 1;
        size_t n_theta = (size_t)rank * ((size_t)rank + 1);
        numbers_load_f64(job->theta, point / job->n_points * (int64_t)n_theta, 1, n_theta, theta);
        for (int row = 0; row < rank; row++) {
            moved[row] = 0;
            for (int k = 0; k <= rank; k++) moved[row] += theta[row * (rank + 1) + k] * homogeneous[k];
        }
        numbers_store_f64(job->grid, point * rank, 1, (size_t)rank, moved);
    }
}

static hob_status run(struct op_context *ctx)
{
    const struct affine_params *params = ctx->params;
    const struct tensor *grid = ctx->outputs[0];
    struct affine_job job = {.theta = ctx->inputs[0],
                             .grid = grid,
                             .rank = grid->rank - 2,
                             .n_points = 1,
                             .aligns_corners = params->aligns_corners};
    for (int axis = 1; axis <= job.rank; axis++) job.n_points *= grid->dims[axis];
    thread_pool_run(ctx->pool, (size_t)(grid->dims[0] * job.n_points), 512, move_points, &job);
    return HOB_OK;
}

const struct op_def op_affine_grid = {
    .name = "AffineGrid",
    .domain = "",
    .since = 20,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_FLOAT,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};

/* Det: the determinant of each of a batch of square matrices, by elimination with the largest pivot of each column, in f64. */
#include "ops/numbers.h"
#include "ops/thread_scratch.h"

static hob_status infer(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    if (x->rank < 2 || x->dims[x->rank - 1] != x->dims[x->rank - 2])
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found %s, expected square matrices", OP_SHAPE(x));
    return op_set_output(ctx, 0, x->dtype, x->rank - 2, x->dims);
}

struct det_job {
    const struct tensor *x, *y;
    int64_t n; /* rows of a matrix */
    struct thread_scratch scratch;
};

static int64_t largest_in_column(const double *a, int64_t n, int64_t column)
{
    int64_t best = column;
    for (int64_t row = column + 1; row < n; row++)
        if (fabs(a[row * n + column]) > fabs(a[best * n + column])) best = row;
    return best;
}

/* a is overwritten. The determinant of no rows is 1. */
static double determinant(double *a, int64_t n)
{
    double product = 1;
    for (int64_t k = 0; k < n; k++) {
        int64_t pivot = largest_in_column(a, n, k);
        for (int64_t i = 0; pivot != k && i < n; i++) {
            double moved = a[k * n + i];
            a[k * n + i] = a[pivot * n + i];
            a[pivot * n + i] = moved;
        }
        if (pivot != k) product = -product;
        product *= a[k * n + k];
        if (a[k * n + k] == 0) return product;
        for (int64_t row = k + 1; row < n; row++) {
            double factor = a[row * n + k] / a[k * n + k];
            for (int64_t i = k + 1; i < n; i++) a[row * n + i] -= factor * a[k * n + i];
        }
    }
    return product;
}

static void find_determinants(void *context, size_t begin, size_t end)
{
    struct det_job *job = context;
    float *piece = thread_scratch_take(&job->scratch);
    double *a = (double *)(void *)piece;
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        numbers_load_f64(job->x, i * job->n * job->n, 1, (size_t)(job->n * job->n), a);
        double found = determinant(a, job->n);
        numbers_store_f64(job->y, i, 1, 1, &found);
    }
    thread_scratch_put(&job->scratch, piece);
}

static hob_status run(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    struct det_job job = {.x = x, .y = ctx->outputs[0], .n = x->dims[x->rank - 1]};
    TRY(thread_scratch_init(&job.scratch, ctx, 2 * (size_t)(job.n * job.n)));
    thread_pool_run(ctx->pool, (size_t)tensor_n_items(job.y), (size_t)(1 + 4096 / (job.n * job.n + 1)),
                    find_determinants, &job);
    return HOB_OK;
}

const struct op_def op_det = {
    .name = "Det",
    .domain = "",
    .since = 11,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .types = TYPES_FLOAT,
    .infer = infer,
    .run = run,
};

/* LinearClassifier, LinearRegressor: a row of coefficients times the features, plus an intercept, for each class or target. Summed in f64
 * in the order of the features; the output is f32. */
#include "ops/ml/labels.h"
#include "ops/ml/post_transform.h"
#include "ops/ml/rows.h"
#include "ops/thread_scratch.h"

struct linear_params {
    struct labels labels; /* of the classifier */
    bool is_classifier;
    enum post_transform transform;
    const double *coefficients, *intercepts; /* intercepts may be NULL */
    int64_t n_scores, width;
    int64_t n_outputs; /* columns of the scores */
    enum second_class second;
};

static hob_status read_model(const struct op_prepare *node, int64_t n_scores, struct linear_params *params)
{
    size_t n_coefficients, n_intercepts;
    TRY(post_transform_prepare(node, &params->transform));
    TRY(rows_read_reals(node, "coefficients", NULL, &params->coefficients, &n_coefficients));
    TRY(rows_read_reals(node, "intercepts", NULL, &params->intercepts, &n_intercepts));
    if (!n_scores) n_scores = (int64_t)n_intercepts;
    if (n_scores < 1 || n_scores > INT32_MAX || !n_coefficients || n_coefficients % (size_t)n_scores)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: coefficients: found %zu for %lld scores, expected as many for each",
             node->node_name, n_coefficients, (long long)n_scores);
    if (n_intercepts && n_intercepts != (size_t)n_scores)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: intercepts: found %zu, expected %lld", node->node_name, n_intercepts,
             (long long)n_scores);
    params->n_scores = params->n_outputs = n_scores;
    params->width = (int64_t)n_coefficients / n_scores;
    return HOB_OK;
}

static hob_status prepare_classifier(const struct op_prepare *node, void **ret_params)
{
    struct linear_params *params = ARENA_NEW(node->arena, struct linear_params, 1);
    size_t n_intercepts;
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->is_classifier = true;
    TRY(labels_prepare(node, "classlabels_ints", "classlabels_strings", &params->labels));
    attributes_floats(node->attributes, "intercepts", &n_intercepts);
    TRY(read_model(node, n_intercepts ? 0 : (int64_t)params->labels.n_labels, params));
    if (params->labels.n_labels && (int64_t)params->labels.n_labels < params->n_scores)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: found %zu labels for %lld scores", node->node_name,
             params->labels.n_labels, (long long)params->n_scores);
    if (params->n_scores == 1 && params->labels.n_labels == 2) {
        params->second = SECOND_COMPLEMENT;
        params->n_outputs = 2;
    }
    *ret_params = params;
    return HOB_OK;
}

static hob_status prepare_regressor(const struct op_prepare *node, void **ret_params)
{
    struct linear_params *params = ARENA_NEW(node->arena, struct linear_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    int64_t n_targets = attributes_int(node->attributes, "targets", 1);
    TRY(read_model(node, n_targets ? n_targets : -1, params));
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct linear_params *params = ctx->params;
    struct rows rows;
    TRY(rows_shape(ctx, &rows));
    if (rows.width != params->width)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found shape %s, expected %lld features", OP_SHAPE(ctx->inputs[0]),
                (long long)params->width);
    const int64_t dims[] = {rows.n_rows, params->n_outputs};
    if (params->is_classifier) TRY(op_set_output(ctx, 0, labels_dtype(&params->labels), 1, dims));
    return op_set_output(ctx, params->is_classifier, DTYPE_F32, 2, dims);
}

struct linear_job {
    const struct linear_params *params;
    const struct tensor *x, *labels, *scores; /* the outputs may be NULL */
    struct thread_scratch scratch;
};

/* The class of the largest score, the first of equals; of a single score, the second label when it is positive. */
static int64_t choose_class(const struct linear_params *params, const double *scores)
{
    int64_t best = 0;
    if (params->n_scores == 1) return params->labels.n_labels == 1 ? 0 : scores[0] > 0;
    for (int64_t i = 1; i < params->n_scores; i++)
        if (scores[i] > scores[best]) best = i;
    return best;
}

static void compute_row(const struct linear_job *job, int64_t row, double *features, double *scores)
{
    const struct linear_params *params = job->params;
    rows_load(job->x, params->width, row, features);
    for (int64_t s = 0; s < params->n_scores; s++) {
        const double *coefficients = params->coefficients + s * params->width;
        scores[s] = 0;
        for (int64_t i = 0; i < params->width; i++) scores[s] += features[i] * coefficients[i];
        if (params->intercepts) scores[s] += params->intercepts[s];
    }
    if (job->labels) labels_store(&params->labels, choose_class(params, scores), job->labels, row);
    if (!job->scores) return;
    post_transform_apply(params->transform, params->second, params->n_scores, scores);
    float *out = (float *)job->scores->data + row * params->n_outputs;
    for (int64_t s = 0; s < params->n_outputs; s++) out[s] = (float)scores[s];
}

static void compute_rows(void *context, size_t begin, size_t end)
{
    struct linear_job *job = context;
    double *features = (void *)thread_scratch_take(&job->scratch);
    for (size_t row = begin; row < end; row++) compute_row(job, (int64_t)row, features, features + job->params->width);
    thread_scratch_put(&job->scratch, (float *)(void *)features);
}

static hob_status run(struct op_context *ctx)
{
    const struct linear_params *params = ctx->params;
    struct linear_job job = {.params = params, .x = ctx->inputs[0], .scores = op_output(ctx, params->is_classifier)};
    if (params->is_classifier) job.labels = op_output(ctx, 0);
    struct rows rows;
    TRY(rows_shape(ctx, &rows));
    TRY(thread_scratch_init(&job.scratch, ctx, 2 * (size_t)(params->width + params->n_scores + 1)));
    thread_pool_run(ctx->pool, (size_t)rows.n_rows, 16, compute_rows, &job);
    return HOB_OK;
}

const struct op_def op_ml_linear_classifier = {.name = "LinearClassifier",
                                               .domain = "ai.onnx.ml",
                                               .since = 1,
                                               .min_inputs = 1,
                                               .max_inputs = 1,
                                               .min_outputs = 1,
                                               .max_outputs = 2,
                                               .types = TYPES_ML_NUMBER,
                                               .prepare = prepare_classifier,
                                               .infer = infer,
                                               .run = run};
const struct op_def op_ml_linear_regressor = {.name = "LinearRegressor",
                                              .domain = "ai.onnx.ml",
                                              .since = 1,
                                              .min_inputs = 1,
                                              .max_inputs = 1,
                                              .min_outputs = 1,
                                              .max_outputs = 1,
                                              .types = TYPES_ML_NUMBER,
                                              .prepare = prepare_regressor,
                                              .infer = infer,
                                              .run = run};

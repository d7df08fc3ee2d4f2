/* SVMClassifier, SVMRegressor: support vector machines as libsvm and liblinear make them.
 *
 * With support vectors, a kernel compares the features with each of them. The classifier decides between every two classes (libsvm's
 * one against one) and lets them vote; with prob_a and prob_b the decisions become probabilities by Platt's sigmoid, and those of all pairs
 * are coupled into one for each class (Wu, Lin and Weng 2004, second method, as libsvm). Without support vectors the model is linear.
 * Everything is computed in f64; the output is f32. Where the specification is silent, ONNX Runtime's reading is followed. */
#include "base/size.h"
#include "ops/ml/labels.h"
#include "ops/ml/post_transform.h"
#include "ops/ml/rows.h"
#include "ops/thread_scratch.h"

#include <math.h>
#include <string.h>

enum svm_kernel { KERNEL_LINEAR, KERNEL_POLY, KERNEL_RBF, KERNEL_SIGMOID };

struct svm_params {
    enum svm_kernel kernel;
    double gamma, coef0, degree;
    enum post_transform transform;
    int64_t width, n_vectors; /* n_vectors 0: linear */
    const double *vectors, *coefficients, *rho, *prob_a, *prob_b;
    size_t n_coefficients, n_rho;
    /* classifier */
    struct labels labels;
    int64_t n_classes, n_pairs, n_outputs;
    const int64_t *vectors_per_class, *first_vectors;
    bool has_probabilities;
    /* regressor */
    bool is_one_class;
};

/* ---- prepare ---- */

static hob_status read_kernel(const struct op_prepare *node, struct svm_params *params)
{
    static const char *const names[] = {"LINEAR", "POLY", "RBF", "SIGMOID"};
    const char *name = attributes_string(node->attributes, "kernel_type", "LINEAR");
    size_t n_numbers;
    const float *numbers = attributes_floats(node->attributes, "kernel_params", &n_numbers);
    int found = -1;
    for (int i = 0; i < 4; i++)
        if (!strcmp(name, names[i])) found = i;
    if (found < 0)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: kernel_type: found \"%s\", expected LINEAR, POLY, RBF or SIGMOID",
             node->node_name, name);
    if (n_numbers && n_numbers < 3)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: kernel_params: found %zu, expected gamma, coef0 and degree",
             node->node_name, n_numbers);
    params->kernel = (enum svm_kernel)found;
    if (!n_numbers) return HOB_OK;
    params->gamma = (double)numbers[0];
    params->coef0 = (double)numbers[1];
    params->degree = (double)numbers[2];
    return HOB_OK;
}

/* What both have; n_vectors is set. */
static hob_status read_common(const struct op_prepare *node, struct svm_params *params)
{
    size_t n_vector_numbers;
    TRY(read_kernel(node, params));
    TRY(post_transform_prepare(node, &params->transform));
    TRY(rows_read_reals(node, "coefficients", NULL, &params->coefficients, &params->n_coefficients));
    TRY(rows_read_reals(node, "rho", NULL, &params->rho, &params->n_rho));
    TRY(rows_read_reals(node, "support_vectors", NULL, &params->vectors, &n_vector_numbers));
    if (!params->n_coefficients || !params->n_rho)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: found %zu coefficients and %zu rho, expected some", node->node_name,
             params->n_coefficients, params->n_rho);
    if (!params->n_vectors) return HOB_OK;
    if (!n_vector_numbers || n_vector_numbers % (size_t)params->n_vectors)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: support_vectors: found %zu numbers for %lld vectors", node->node_name,
             n_vector_numbers, (long long)params->n_vectors);
    params->width = (int64_t)n_vector_numbers / params->n_vectors;
    return HOB_OK;
}

static hob_status read_class_sizes(const struct op_prepare *node, struct svm_params *params)
{
    size_t n_sizes;
    params->vectors_per_class = attributes_ints(node->attributes, "vectors_per_class", &n_sizes);
    int64_t *first = ARENA_NEW(node->arena, int64_t, n_sizes);
    if (!first) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    for (size_t i = 0; i < n_sizes; i++) {
        int64_t size = params->vectors_per_class[i];
        first[i] = params->n_vectors;
        if (size < 0 || size > INT32_MAX || (params->n_vectors += size) > INT32_MAX)
            FAIL(node->error, HOB_BAD_GRAPH, "%s: vectors_per_class: found %lld", node->node_name, (long long)size);
    }
    params->first_vectors = first;
    if (params->n_vectors && (int64_t)n_sizes != params->n_classes)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: vectors_per_class: found %zu, expected %lld as there are labels",
             node->node_name, n_sizes, (long long)params->n_classes);
    return HOB_OK;
}

static hob_status read_probabilities(const struct op_prepare *node, struct svm_params *params)
{
    size_t n_a, n_b;
    TRY(rows_read_reals(node, "prob_a", NULL, &params->prob_a, &n_a));
    TRY(rows_read_reals(node, "prob_b", NULL, &params->prob_b, &n_b));
    if (n_a != n_b || (n_a && params->n_vectors && (int64_t)n_a != params->n_pairs))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: found %zu prob_a and %zu prob_b, expected none or %lld", node->node_name,
             n_a, n_b, (long long)params->n_pairs);
    params->has_probabilities = n_a && params->n_vectors;
    return HOB_OK;
}

/* Coefficients: a row for each class but one with vectors, for each class without. */
static hob_status check_classifier(const struct op_prepare *node, struct svm_params *params)
{
    int64_t n = (int64_t)params->n_coefficients, n_wanted = params->n_vectors * (params->n_classes - 1);
    if (!params->n_vectors) {
        if (n % params->n_classes)
            FAIL(node->error, HOB_BAD_GRAPH, "%s: coefficients: found %lld for %lld classes", node->node_name,
                 (long long)n, (long long)params->n_classes);
        params->width = n / params->n_classes;
        return HOB_OK;
    }
    if (n != n_wanted || (int64_t)params->n_rho != params->n_pairs)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: found %lld coefficients and %zu rho, expected %lld and %lld",
             node->node_name, (long long)n, params->n_rho, (long long)n_wanted, (long long)params->n_pairs);
    return HOB_OK;
}

static hob_status prepare_classifier(const struct op_prepare *node, void **ret_params)
{
    enum { MAX_CLASSES = 1 << 14 }; /* their pairs still fit what follows */
    struct svm_params *params = ARENA_NEW(node->arena, struct svm_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(labels_prepare(node, "classlabels_ints", "classlabels_strings", &params->labels));
    params->n_classes = params->labels.n_labels ? (int64_t)params->labels.n_labels : 1;
    if (params->n_classes > MAX_CLASSES)
        FAIL(node->error, HOB_LIMIT, "%s: found %lld classes, expected at most %d", node->node_name,
             (long long)params->n_classes, MAX_CLASSES);
    params->n_pairs = params->n_classes * (params->n_classes - 1) / 2;
    TRY(read_class_sizes(node, params));
    TRY(read_common(node, params));
    TRY(check_classifier(node, params));
    TRY(read_probabilities(node, params));
    int64_t n_scores = params->has_probabilities || !params->n_vectors ? params->n_classes : params->n_pairs;
    params->n_outputs = n_scores == 1 && params->n_classes == 2 ? 2 : n_scores;
    *ret_params = params;
    return HOB_OK;
}

static hob_status prepare_regressor(const struct op_prepare *node, void **ret_params)
{
    struct svm_params *params = ARENA_NEW(node->arena, struct svm_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->n_vectors = attributes_int(node->attributes, "n_supports", 0);
    if (params->n_vectors < 0 || params->n_vectors > INT32_MAX)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: n_supports: found %lld", node->node_name, (long long)params->n_vectors);
    TRY(read_common(node, params));
    if (params->n_vectors && (int64_t)params->n_coefficients < params->n_vectors)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: found %zu coefficients, expected %lld as there are support vectors",
             node->node_name, params->n_coefficients, (long long)params->n_vectors);
    if (!params->n_vectors) params->width = (int64_t)params->n_coefficients;
    params->is_one_class = attributes_int(node->attributes, "one_class", 0) != 0;
    params->n_outputs = 1;
    *ret_params = params;
    return HOB_OK;
}

/* ---- kernels ---- */

static double dot(int64_t n, const double *a, const double *b)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static double kernel(const struct svm_params *params, const double *a, const double *b)
{
    double sum = 0;
    switch (params->kernel) {
    case KERNEL_POLY:
        return pow(params->gamma * dot(params->width, a, b) + params->coef0, params->degree);
    case KERNEL_SIGMOID:
        return tanh(params->gamma * dot(params->width, a, b) + params->coef0);
    case KERNEL_RBF:
        for (int64_t i = 0; i < params->width; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
        return exp(-params->gamma * sum);
    case KERNEL_LINEAR:
        break;
    }
    return dot(params->width, a, b);
}

static void all_kernels(const struct svm_params *params, const double *features, double *ret_kernels)
{
    for (int64_t v = 0; v < params->n_vectors; v++)
        ret_kernels[v] = kernel(params, features, params->vectors + v * params->width);
}

/* ---- classifier ---- */

/* What a row needs, carved from a thread's scratch. Q and pairwise are [n_classes, n_classes]. */
struct svm_workspace {
    double *features, *kernels, *scores, *votes, *pairwise, *q, *q_p, *probabilities;
};

static size_t workspace_doubles(const struct svm_params *params)
{
    size_t n_classes = (size_t)params->n_classes + 1, n_square = params->has_probabilities ? n_classes * n_classes : 0;
    return (size_t)(params->width + params->n_vectors + params->n_pairs) + 4 * n_classes + 2 * n_square + 2;
}

static struct svm_workspace carve(const struct svm_params *params, double *doubles)
{
    int64_t n_square = params->has_probabilities ? params->n_classes * params->n_classes : 0;
    struct svm_workspace w = {.features = doubles};
    w.kernels = w.features + params->width;
    w.votes = w.kernels + params->n_vectors;
    w.q_p = w.votes + params->n_classes;
    w.probabilities = w.q_p + params->n_classes;
    w.pairwise = w.probabilities + params->n_classes;
    w.q = w.pairwise + n_square;
    w.scores = w.q + n_square;
    return w;
}

/* A decision and a vote for each pair of classes. */
static void decide_pairs(const struct svm_params *params, struct svm_workspace *w)
{
    const int64_t *first = params->first_vectors, *sizes = params->vectors_per_class;
    memset(w->votes, 0, (size_t)params->n_classes * sizeof *w->votes);
    for (int64_t i = 0, pair = 0; i < params->n_classes; i++)
        for (int64_t j = i + 1; j < params->n_classes; j++, pair++) {
            const double *of_j = params->coefficients + (j - 1) * params->n_vectors,
                         *of_i = params->coefficients + i * params->n_vectors;
            double score = params->rho[pair] + dot(sizes[i], of_j + first[i], w->kernels + first[i]) +
                           dot(sizes[j], of_i + first[j], w->kernels + first[j]);
            w->scores[pair] = score;
            w->votes[score > 0 ? i : j] += 1;
        }
}

/* One step of the coupling for class t: P moves so that its equation holds, and is scaled to sum 1 again. */
static void couple_class(int64_t k, int64_t t, const double *q, double *q_p, double *p, double *p_q_p)
{
    double diff = (*p_q_p - q_p[t]) / q[t * k + t];
    p[t] += diff;
    *p_q_p = (*p_q_p + diff * (diff * q[t * k + t] + 2 * q_p[t])) / (1 + diff) / (1 + diff);
    for (int64_t j = 0; j < k; j++) {
        q_p[j] = (q_p[j] + diff * q[t * k + j]) / (1 + diff);
        p[j] /= 1 + diff;
    }
}

static void make_q(int64_t k, const double *r, double *q)
{
    for (int64_t t = 0; t < k; t++) {
        q[t * k + t] = 0;
        for (int64_t j = 0; j < k; j++) {
            if (j == t) continue;
            q[t * k + t] += r[j * k + t] * r[j * k + t];
            q[t * k + j] = -r[j * k + t] * r[t * k + j];
        }
    }
}

/* r[i][j] estimates P(class i | class i or j); finds the P that minimise the sum over pairs of (r_ji P_i - r_ij P_j)^2. */
static void couple(int64_t k, struct svm_workspace *w)
{
    double *p = w->probabilities;
    const double enough = 0.005 / (double)k;
    make_q(k, w->pairwise, w->q);
    for (int64_t t = 0; t < k; t++) p[t] = 1.0 / (double)k;
    for (int64_t round = 0; round < (k > 100 ? k : 100); round++) {
        double p_q_p = 0, worst = 0;
        for (int64_t t = 0; t < k; t++) {
            w->q_p[t] = dot(k, w->q + t * k, p);
            p_q_p += p[t] * w->q_p[t];
        }
        for (int64_t t = 0; t < k; t++) worst = fmax(worst, fabs(w->q_p[t] - p_q_p));
        if (worst < enough) break;
        for (int64_t t = 0; t < k; t++) couple_class(k, t, w->q, w->q_p, p, &p_q_p);
    }
}

static void estimate_probabilities(const struct svm_params *params, struct svm_workspace *w)
{
    int64_t k = params->n_classes;
    for (int64_t i = 0, pair = 0; i < k; i++)
        for (int64_t j = i + 1; j < k; j++, pair++) {
            double p = 1 - post_transform_logistic(w->scores[pair] * params->prob_a[pair] + params->prob_b[pair]);
            p = fmin(fmax(p, 1e-7), 1 - 1e-7);
            w->pairwise[i * k + j] = p;
            w->pairwise[j * k + i] = 1 - p;
        }
    couple(k, w);
    memcpy(w->scores, w->probabilities, (size_t)k * sizeof *w->scores);
}

static void decide_linear(const struct svm_params *params, struct svm_workspace *w)
{
    for (int64_t j = 0; j < params->n_classes; j++)
        w->scores[j] = params->rho[0] + kernel(params, w->features, params->coefficients + j * params->width);
}

static int64_t first_largest(int64_t n, const double *items)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (items[i] > items[best]) best = i;
    return best;
}

struct svm_job {
    const struct svm_params *params;
    const struct tensor *x, *labels, *y; /* the outputs may be NULL */
    struct thread_scratch scratch;
};

static void classify_row(const struct svm_job *job, int64_t row, struct svm_workspace *w)
{
    const struct svm_params *params = job->params;
    bool has_votes = params->n_vectors > 0;
    rows_load(job->x, params->width, row, w->features);
    if (has_votes) {
        all_kernels(params, w->features, w->kernels);
        decide_pairs(params, w);
    } else {
        decide_linear(params, w);
    }
    if (params->has_probabilities) estimate_probabilities(params, w);
    const double *ballot = has_votes ? w->votes : w->scores;
    int64_t chosen = first_largest(params->n_classes, ballot);
    if (job->labels) labels_store(&params->labels, chosen, job->labels, row);
    if (!job->y) return;
    int64_t n_scores = params->has_probabilities || !has_votes ? params->n_classes : params->n_pairs;
    bool is_softmax = params->transform == POST_SOFTMAX || params->transform == POST_SOFTMAX_ZERO;
    enum second_class second = is_softmax ? SECOND_COMPLEMENT : SECOND_OPPOSITE;
    post_transform_apply(params->transform, params->n_outputs > n_scores ? second : SECOND_NONE, n_scores, w->scores);
    float *out = (float *)job->y->data + row * params->n_outputs;
    for (int64_t i = 0; i < params->n_outputs; i++) out[i] = (float)w->scores[i];
}

static void regress_row(const struct svm_job *job, int64_t row, struct svm_workspace *w)
{
    const struct svm_params *params = job->params;
    rows_load(job->x, params->width, row, w->features);
    all_kernels(params, w->features, w->kernels);
    double sum = params->n_vectors ? dot(params->n_vectors, params->coefficients, w->kernels)
                                   : dot(params->width, params->coefficients, w->features);
    double score[2] = {sum + params->rho[0], 0};
    if (params->is_one_class) score[0] = score[0] > 0 ? 1 : -1;
    post_transform_apply(params->transform, SECOND_NONE, 1, score);
    ((float *)job->y->data)[row] = (float)score[0];
}

static void run_rows(struct svm_job *job, size_t begin, size_t end,
                     void (*run_row)(const struct svm_job *, int64_t, struct svm_workspace *))
{
    double *doubles = (void *)thread_scratch_take(&job->scratch);
    struct svm_workspace workspace = carve(job->params, doubles);
    for (size_t row = begin; row < end; row++) run_row(job, (int64_t)row, &workspace);
    thread_scratch_put(&job->scratch, (float *)(void *)doubles);
}

static void classify_rows(void *context, size_t begin, size_t end)
{
    run_rows(context, begin, end, classify_row);
}

static void regress_rows(void *context, size_t begin, size_t end)
{
    run_rows(context, begin, end, regress_row);
}

/* ---- infer and run ---- */

static hob_status check_width(struct op_context *ctx, struct rows *ret_rows)
{
    const struct svm_params *params = ctx->params;
    TRY(rows_shape(ctx, ret_rows));
    if (ret_rows->width != params->width)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found shape %s, expected %lld features", OP_SHAPE(ctx->inputs[0]),
                (long long)params->width);
    return HOB_OK;
}

static hob_status infer_classifier(struct op_context *ctx)
{
    const struct svm_params *params = ctx->params;
    struct rows rows;
    TRY(check_width(ctx, &rows));
    TRY(op_set_output(ctx, 0, labels_dtype(&params->labels), 1, &rows.n_rows));
    return op_set_output(ctx, 1, DTYPE_F32, 2, (const int64_t[]){rows.n_rows, params->n_outputs});
}

static hob_status infer_regressor(struct op_context *ctx)
{
    struct rows rows;
    TRY(check_width(ctx, &rows));
    return op_set_output(ctx, 0, DTYPE_F32, 2, (const int64_t[]){rows.n_rows, 1});
}

static hob_status run_job(struct op_context *ctx, struct svm_job *job, thread_pool_body *body)
{
    struct rows rows;
    TRY(rows_shape(ctx, &rows));
    TRY(thread_scratch_init(&job->scratch, ctx, 2 * workspace_doubles(job->params)));
    thread_pool_run(ctx->pool, (size_t)rows.n_rows, 4, body, job);
    return HOB_OK;
}

static hob_status run_classifier(struct op_context *ctx)
{
    struct svm_job job = {
        .params = ctx->params, .x = ctx->inputs[0], .labels = op_output(ctx, 0), .y = op_output(ctx, 1)};
    return run_job(ctx, &job, classify_rows);
}

static hob_status run_regressor(struct op_context *ctx)
{
    struct svm_job job = {.params = ctx->params, .x = ctx->inputs[0], .y = ctx->outputs[0]};
    return run_job(ctx, &job, regress_rows);
}

const struct op_def op_ml_svm_classifier = {.name = "SVMClassifier",
                                            .domain = "ai.onnx.ml",
                                            .since = 1,
                                            .min_inputs = 1,
                                            .max_inputs = 1,
                                            .min_outputs = 1,
                                            .max_outputs = 2,
                                            .types = TYPES_ML_NUMBER,
                                            .prepare = prepare_classifier,
                                            .infer = infer_classifier,
                                            .run = run_classifier};
const struct op_def op_ml_svm_regressor = {.name = "SVMRegressor",
                                           .domain = "ai.onnx.ml",
                                           .since = 1,
                                           .min_inputs = 1,
                                           .max_inputs = 1,
                                           .min_outputs = 1,
                                           .max_outputs = 1,
                                           .types = TYPES_ML_NUMBER,
                                           .prepare = prepare_regressor,
                                           .infer = infer_regressor,
                                           .run = run_regressor};

/* NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss. Both look up one class for each sample; the second makes the logarithms of
 * the probabilities first. Every sample is computed in f64 by itself, on any thread; sums are made on one thread in the samples'
 * order, so that no result depends on the number of threads. */
#include "ops/numbers.h"
#include "ops/op.h"

#include <math.h>
#include <string.h>

enum reduction { REDUCTION_MEAN, REDUCTION_SUM, REDUCTION_NONE };

struct loss_params {
    enum reduction reduction;
    bool ignores, is_softmax;
    int64_t ignored; /* a label that counts nothing */
};

static hob_status prepare(const struct op_prepare *node, bool is_softmax, void **ret_params)
{
    static const char *const names[] = {[REDUCTION_MEAN] = "mean", [REDUCTION_SUM] = "sum", [REDUCTION_NONE] = "none"};
    const char *wanted = attributes_string(node->attributes, "reduction", "mean");
    struct loss_params *params = ARENA_NEW(node->arena, struct loss_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    int reduction = REDUCTION_MEAN;
    while (reduction <= REDUCTION_NONE && strcmp(names[reduction], wanted)) reduction++;
    if (reduction > REDUCTION_NONE)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: reduction: found \"%s\", expected mean, sum or none", node->node_name, wanted);
    params->reduction = (enum reduction)reduction;
    params->is_softmax = is_softmax;
    params->ignores = attributes_find(node->attributes, "ignore_index") != NULL;
    params->ignored = attributes_int(node->attributes, "ignore_index", 0);
    *ret_params = params;
    return HOB_OK;
}

static hob_status check_labels(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0], *labels = ctx->inputs[1];
    if (labels->dtype != DTYPE_I64 && labels->dtype != DTYPE_I32)
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 1: found %s, expected int32 or int64", dtype_name(labels->dtype));
    bool is_fitting = labels->rank == x->rank - 1;
    for (int d = 0; is_fitting && d < labels->rank; d++) is_fitting = labels->dims[d] == x->dims[d ? d + 1 : 0];
    if (is_fitting) return HOB_OK;
    OP_FAIL(ctx, HOB_BAD_SHAPE, "input 1: found shape %s, expected that of input 0, %s, without axis 1", OP_SHAPE(labels),
            OP_SHAPE(x));
}

static hob_status infer(struct op_context *ctx)
{
    const struct loss_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *labels = ctx->inputs[1], *weights = op_input(ctx, 2);
    if (x->rank < 2) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found shape %s, expected [N,C,…]", OP_SHAPE(x));
    TRY(check_labels(ctx));
    TRY(op_check_dtype(ctx, 2, x->dtype));
    if (weights && !tensor_has_shape(weights, 1, &x->dims[1]))
        OP_FAIL(ctx, HOB_BAD_SHAPE, "input 2: found shape %s, expected [%lld], one for each class", OP_SHAPE(weights),
                (long long)x->dims[1]);
    TRY(op_set_output(ctx, 1, x->dtype, x->rank, x->dims));
    return op_set_output(ctx, 0, x->dtype, params->reduction == REDUCTION_NONE ? labels->rank : 0, labels->dims);
}

struct loss_job {
    const struct loss_params *params;
    const struct tensor *x, *labels, *log_prob; /* log_prob NULL: not wanted */
    const double *class_weights;                /* NULL: all 1 */
    int64_t n_classes, n_inner;                 /* items behind the classes: their stride */
    double *losses, *weights;                   /* of each sample */
};

/* log(sum(exp)) of one sample's scores. */
static double log_sum_exp(const struct loss_job *job, int64_t base)
{
    double largest = -INFINITY, sum = 0, items[NUMBERS_RUN];
    for (int64_t c = 0; c < job->n_classes; c += NUMBERS_RUN) {
        size_t n = (size_t)(job->n_classes - c < NUMBERS_RUN ? job->n_classes - c : NUMBERS_RUN);
        numbers_load_f64(job->x, base + c * job->n_inner, job->n_inner, n, items);
        for (size_t k = 0; k < n; k++) largest = items[k] > largest || items[k] != items[k] ? items[k] : largest;
    }
    if (!isfinite(largest)) return largest;
    for (int64_t c = 0; c < job->n_classes; c += NUMBERS_RUN) {
        size_t n = (size_t)(job->n_classes - c < NUMBERS_RUN ? job->n_classes - c : NUMBERS_RUN);
        numbers_load_f64(job->x, base + c * job->n_inner, job->n_inner, n, items);
        for (size_t k = 0; k < n; k++) sum += exp(items[k] - largest);
    }
    return largest + log(sum);
}

static void store_log_prob(const struct loss_job *job, int64_t base, double shift)
{
    double items[NUMBERS_RUN];
    for (int64_t c = 0; c < job->n_classes; c += NUMBERS_RUN) {
        size_t n = (size_t)(job->n_classes - c < NUMBERS_RUN ? job->n_classes - c : NUMBERS_RUN);
        numbers_load_f64(job->x, base + c * job->n_inner, job->n_inner, n, items);
        for (size_t k = 0; k < n; k++) items[k] -= shift;
        numbers_store_f64(job->log_prob, base + c * job->n_inner, job->n_inner, n, items);
    }
}

static void run_samples(void *context, size_t begin, size_t end)
{
    const struct loss_job *job = context;
    const struct loss_params *params = job->params;
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        int64_t base = i / job->n_inner * job->n_inner * job->n_classes + i % job->n_inner;
        int64_t label = tensor_get_int(job->labels, i);
        double shift = params->is_softmax ? log_sum_exp(job, base) : 0, score;
        if (job->log_prob) store_log_prob(job, base, shift);
        job->losses[i] = job->weights[i] = 0;
        if (params->ignores && label == params->ignored) continue;
        numbers_load_f64(job->x, base + label * job->n_inner, 1, 1, &score);
        job->weights[i] = job->class_weights ? job->class_weights[label] : 1;
        job->losses[i] = (shift - score) * job->weights[i];
    }
}

static hob_status check_label_range(struct op_context *ctx, const struct loss_job *job, int64_t n_samples)
{
    for (int64_t i = 0; i < n_samples; i++) {
        int64_t label = tensor_get_int(job->labels, i);
        if (label >= 0 && label < job->n_classes) continue;
        if (job->params->ignores && label == job->params->ignored) continue;
        OP_FAIL(ctx, HOB_BAD_ARGUMENT, "input 1: sample %lld: found label %lld, expected 0 to %lld", (long long)i,
                (long long)label, (long long)job->n_classes - 1);
    }
    return HOB_OK;
}

static hob_status start(struct op_context *ctx, int64_t n_samples, struct loss_job *job)
{
    const struct tensor *weights = op_input(ctx, 2);
    job->losses = ARENA_NEW(ctx->scratch, double, (size_t)n_samples);
    job->weights = ARENA_NEW(ctx->scratch, double, (size_t)n_samples);
    double *class_weights = ARENA_NEW(ctx->scratch, double, weights ? (size_t)job->n_classes : 0);
    if (!job->losses || !job->weights || !class_weights) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    if (weights) {
        numbers_load_f64(weights, 0, 1, (size_t)job->n_classes, class_weights);
        job->class_weights = class_weights;
    }
    return check_label_range(ctx, job, n_samples);
}

/* The mean is by weight; ignored samples have none. */
static void reduce(const struct loss_job *job, int64_t n_samples, const struct tensor *y)
{
    double loss = 0, weight = 0;
    for (int64_t i = 0; i < n_samples; i++) {
        loss += job->losses[i];
        weight += job->weights[i];
    }
    if (job->params->reduction == REDUCTION_MEAN) loss /= weight;
    numbers_store_f64(y, 0, 1, 1, &loss);
}

static hob_status run(struct op_context *ctx)
{
    const struct tensor *x = ctx->inputs[0];
    struct loss_job job = {.params = ctx->params, .x = x, .labels = ctx->inputs[1], .log_prob = op_output(ctx, 1),
                           .n_classes = x->dims[1], .n_inner = 1};
    int64_t n_samples = tensor_n_items(job.labels);
    for (int d = 2; d < x->rank; d++) job.n_inner *= x->dims[d];
    TRY(start(ctx, n_samples, &job));
    thread_pool_run(ctx->pool, (size_t)n_samples, (size_t)(4096 / (job.n_classes + 1) + 1), run_samples, &job);
    if (!ctx->outputs[0]) return HOB_OK;
    if (job.params->reduction == REDUCTION_NONE) numbers_store_f64(ctx->outputs[0], 0, 1, (size_t)n_samples, job.losses);
    else reduce(&job, n_samples, ctx->outputs[0]);
    return HOB_OK;
}

static hob_status prepare_nll(const struct op_prepare *node, void **ret_params)
{
    return prepare(node, false, ret_params);
}

static hob_status prepare_cross_entropy(const struct op_prepare *node, void **ret_params)
{
    return prepare(node, true, ret_params);
}

const struct op_def op_negative_log_likelihood_loss = {
    .name = "NegativeLogLikelihoodLoss", .domain = "", .since = 12, .min_inputs = 2, .max_inputs = 3, .min_outputs = 1,
    .max_outputs = 1, .types = TYPES_FLOAT, .prepare = prepare_nll, .infer = infer, .run = run};
const struct op_def op_softmax_cross_entropy_loss = {
    .name = "SoftmaxCrossEntropyLoss", .domain = "", .since = 12, .min_inputs = 2, .max_inputs = 3, .min_outputs = 1,
    .max_outputs = 2, .types = TYPES_FLOAT, .prepare = prepare_cross_entropy, .infer = infer, .run = run};

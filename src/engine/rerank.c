/* Ids to scores: run the classifier, which gives a row of logits a text, and make of them what is asked for. */
#include "hob/rerank.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"
#include "engine/token_lists.h"

#include <math.h>
#include <string.h>

struct classifying {
    hob_session *session;
    enum model_activation activation;
    int64_t n_labels;
    float *scores; /* [n_texts, n_labels] */
};

/* ---- from logits ---- */

static double sigmoid(double x)
{
    double e = exp(-fabs(x)); /* at most 1: never too large */
    return (x < 0 ? e : 1) / (1 + e);
}

static void softmax(const float *logits, int64_t n, float *scores)
{
    double most = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, (double)logits[i]);
    for (int64_t i = 0; i < n; i++) sum += exp((double)logits[i] - most);
    for (int64_t i = 0; i < n; i++) scores[i] = (float)(exp((double)logits[i] - most) / sum);
}

static void activate(const struct classifying *classifying, const float *logits, float *scores)
{
    int64_t n = classifying->n_labels;
    switch (classifying->activation) {
    case ACTIVATION_NONE: memcpy(scores, logits, (size_t)n * sizeof *scores); break;
    case ACTIVATION_SOFTMAX: softmax(logits, n, scores); break;
    case ACTIVATION_SIGMOID:
        for (int64_t i = 0; i < n; i++) scores[i] = (float)sigmoid((double)logits[i]);
        break;
    }
}

static hob_status take(void *context, const struct token_range *range, hob_error *error)
{
    const struct classifying *classifying = context;
    struct output_rows output;
    int64_t n_texts = (int64_t)(range->last - range->first);
    TRY(token_lists_output(classifying->session, classifying->session->model->roles.labels, n_texts, classifying->n_labels, "logits",
                           &output, error));
    for (int64_t i = 0; i < n_texts; i++)
        activate(classifying, output.rows + i * output.stride, classifying->scores + ((int64_t)range->first + i) * classifying->n_labels);
    return HOB_OK;
}

/* ---- what is asked for ---- */

static hob_status check_model(const struct hob_model *model, bool is_reranker, hob_error *error)
{
    if (model->info.kind != HOB_MODEL_CLASSIFIER)
        FAIL(error, HOB_UNSUPPORTED, "the model is no %s (architecture %s)", is_reranker ? "reranker" : "classifier", model->info.architecture);
    if (is_reranker && model->info.n_labels != 1)
        FAIL(error, HOB_UNSUPPORTED, "the model is no reranker: found %lld labels, expected one", (long long)model->info.n_labels);
    return HOB_OK;
}

static hob_status check_lists(const struct hob_model *model, const struct token_lists *lists, hob_error *error)
{
    for (size_t i = 0; i < lists->n_texts; i++)
        if (!lists->n_ids[i]) FAIL(error, HOB_BAD_ARGUMENT, "text %zu: found no tokens, expected some", i);
    return token_lists_check(model, lists, error);
}

/* The scores go to memory of ours first: a failure half-way leaves the caller's untouched. */
static hob_status classify(hob_session *session, const struct token_lists *lists, enum model_activation activation, float *ret_scores,
                           hob_error *error)
{
    hob_status status = HOB_OK;
    size_t n_floats;
    struct classifying classifying = {.session = session, .activation = activation, .n_labels = session->model->info.n_labels};
    TRY(check_lists(session->model, lists, error));
    if (!size_mul(lists->n_texts, (size_t)classifying.n_labels, &n_floats))
        FAIL(error, HOB_LIMIT, "found %zu texts: too many", lists->n_texts);
    classifying.scores = memory_new(n_floats, sizeof(float));
    if (!classifying.scores) FAIL(error, HOB_NO_MEMORY, "%zu scores: out of memory", n_floats);
    TRY_CLEANUP(token_lists_run(session, lists, take, &classifying, error));
    if (n_floats) memcpy(ret_scores, classifying.scores, n_floats * sizeof(float));
cleanup:
    memory_free(classifying.scores);
    return status;
}

static enum model_activation activation_of(const hob_rerank_options *options, enum model_activation otherwise)
{
    return options && options->is_raw ? ACTIVATION_NONE : otherwise;
}

static struct token_lists lists_of(const hob_encodings *encoded)
{
    return (struct token_lists){.ids = encoded->ids, .types = encoded->types, .n_ids = encoded->n_ids, .n_texts = encoded->n_texts};
}

hob_status hob_rerank_ids(hob_session *session, const int32_t *const *ids, const int32_t *const *types, const size_t *n_ids,
                          size_t n_texts, const hob_rerank_options *options, float *ret_scores, hob_error *error)
{
    struct token_lists lists = {.ids = ids, .types = types, .n_ids = n_ids, .n_texts = n_texts};
    TRY(check_model(session->model, true, error));
    return classify(session, &lists, activation_of(options, ACTIVATION_SIGMOID), ret_scores, error);
}

hob_status hob_rerank(hob_session *session, const char *query, size_t query_bytes, const char *const *texts, const size_t *text_bytes,
                      size_t n_texts, const hob_rerank_options *options, float *ret_scores, hob_error *error)
{
    hob_encodings encoded;
    TRY(check_model(session->model, true, error));
    TRY(hob_encode_pairs(session->model, query, query_bytes, texts, text_bytes, n_texts, options ? &options->encode : NULL, &encoded, error));
    struct token_lists lists = lists_of(&encoded);
    hob_status status = classify(session, &lists, activation_of(options, ACTIVATION_SIGMOID), ret_scores, error);
    hob_encodings_release(&encoded);
    return status;
}

hob_status hob_classify_ids(hob_session *session, const int32_t *const *ids, const int32_t *const *types, const size_t *n_ids,
                            size_t n_texts, const hob_rerank_options *options, float *ret_scores, hob_error *error)
{
    struct token_lists lists = {.ids = ids, .types = types, .n_ids = n_ids, .n_texts = n_texts};
    TRY(check_model(session->model, false, error));
    return classify(session, &lists, activation_of(options, session->model->labels.activation), ret_scores, error);
}

hob_status hob_classify(hob_session *session, const char *const *texts, const size_t *text_bytes, size_t n_texts,
                        const hob_rerank_options *options, float *ret_scores, hob_error *error)
{
    hob_encodings encoded;
    TRY(check_model(session->model, false, error));
    TRY(hob_encode_texts(session->model, texts, text_bytes, n_texts, options ? &options->encode : NULL, &encoded, error));
    struct token_lists lists = lists_of(&encoded);
    hob_status status = classify(session, &lists, activation_of(options, session->model->labels.activation), ret_scores, error);
    hob_encodings_release(&encoded);
    return status;
}

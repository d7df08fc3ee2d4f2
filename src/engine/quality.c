/* Logarithms of chances come from the row kernels; sums over tokens are kept in double. */
#include "engine/quality.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"
#include "hob/embed.h"
#include "hob/session.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

/* A chunk's logits are kept for both models: few tokens at a time, since a vocabulary may be large. */
enum { N_MODELS = 2, SOURCE = 0, MADE = 1, CHUNK_TOKENS = 32 };

static void show_progress(const struct quality_options *options, size_t n_done, size_t n_all)
{
    if (options->progress) options->progress(options->progress_context, "comparing", (double)n_done / (double)(n_all ? n_all : 1));
}

static hob_status open_sessions(hob_model *const *models, const struct quality_options *options, int64_t n_context,
                                hob_session **ret_sessions, hob_error *error)
{
    hob_session_options session_options = {.n_threads = options->n_threads, .n_context_tokens = n_context};
    for (int m = 0; m < N_MODELS; m++) TRY(hob_session_new(models[m], &session_options, &ret_sessions[m], error));
    return HOB_OK;
}

static void free_sessions(hob_session **sessions)
{
    for (int m = 0; m < N_MODELS; m++) hob_session_free(sessions[m]);
}

/* ---- language models ---- */

struct comparison {
    const struct kernels *kernels;
    hob_session *sessions[N_MODELS];
    float *logits[N_MODELS]; /* [CHUNK_TOKENS, n_vocab]; become logarithms of chances */
    int64_t n_vocab;
    double nll[N_MODELS], divergence;
    size_t n_agreed, n_foretold;
};

/* Sum of p (log p - log q). A chance of 0 counts nothing; q's logarithm is finite wherever logits are. */
static double divergence_of(const float *log_p, const float *log_q, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += exp((double)log_p[i]) * ((double)log_p[i] - (double)log_q[i]);
    return sum;
}

static void compare_position(struct comparison *comparison, size_t position, int32_t next)
{
    float *rows[N_MODELS];
    int64_t first_choice[N_MODELS], n = comparison->n_vocab;
    for (int m = 0; m < N_MODELS; m++) {
        rows[m] = comparison->logits[m] + (int64_t)position * n;
        comparison->kernels->log_softmax_f32(n, rows[m], rows[m]);
        comparison->nll[m] -= (double)rows[m][next];
        first_choice[m] = comparison->kernels->argmax_f32(n, rows[m]);
    }
    comparison->divergence += divergence_of(rows[SOURCE], rows[MADE], n);
    comparison->n_agreed += first_choice[SOURCE] == first_choice[MADE];
    comparison->n_foretold++;
}

static hob_status read_chunk(struct comparison *comparison, const int32_t *ids, size_t n_ids, hob_error *error)
{
    for (int m = 0; m < N_MODELS; m++)
        TRY(hob_session_append_all(comparison->sessions[m], ids, n_ids, comparison->logits[m], error));
    return HOB_OK;
}

/* The last token of a window foretells nothing. */
static hob_status read_window(struct comparison *comparison, const int32_t *ids, size_t n_ids, hob_error *error)
{
    for (int m = 0; m < N_MODELS; m++) TRY(hob_session_rewind(comparison->sessions[m], 0, error));
    for (size_t at = 0; at < n_ids; at += CHUNK_TOKENS) {
        size_t n = n_ids - at < CHUNK_TOKENS ? n_ids - at : CHUNK_TOKENS;
        TRY(read_chunk(comparison, ids + at, n, error));
        for (size_t t = 0; t < n && at + t + 1 < n_ids; t++) compare_position(comparison, t, ids[at + t + 1]);
    }
    return HOB_OK;
}

static hob_status reserve_logits(struct comparison *comparison, hob_error *error)
{
    size_t n_floats;
    for (int m = 0; m < N_MODELS; m++) {
        if (!size_mul(CHUNK_TOKENS, (size_t)comparison->n_vocab, &n_floats) ||
            !(comparison->logits[m] = memory_new(n_floats, sizeof(float))))
            FAIL(error, HOB_NO_MEMORY, "comparing: no memory for the logits of %d tokens", CHUNK_TOKENS);
    }
    return HOB_OK;
}

static hob_status compare_ids(struct comparison *comparison, hob_model *const *models, const struct quality_options *options,
                              const int32_t *ids, size_t n_ids, hob_error *error)
{
    int64_t n_context = hob_model_get_info(models[SOURCE]).n_context;
    size_t window = n_context > 0 && n_context < QUALITY_WINDOW_TOKENS ? (size_t)n_context : QUALITY_WINDOW_TOKENS;
    TRY(open_sessions(models, options, (int64_t)window, comparison->sessions, error));
    TRY(reserve_logits(comparison, error));
    for (size_t at = 0; at + 1 < n_ids; at += window) {
        show_progress(options, at, n_ids);
        TRY(read_window(comparison, ids + at, n_ids - at < window ? n_ids - at : window, error));
    }
    return HOB_OK;
}

static void take_figures(const struct comparison *comparison, struct quality *quality)
{
    double n = (double)comparison->n_foretold;
    quality->n_items = comparison->n_foretold;
    quality->perplexity = exp(comparison->nll[MADE] / n);
    quality->source_perplexity = exp(comparison->nll[SOURCE] / n);
    quality->kl_divergence = comparison->divergence / n;
    quality->top1_agreement = (double)comparison->n_agreed / n;
}

static hob_status compare_decoders(hob_model *const *models, const struct quality_options *options, struct quality *quality,
                                   hob_error *error)
{
    struct comparison comparison = {.kernels = kernels_select(), .n_vocab = hob_model_get_info(models[SOURCE]).n_vocab};
    int32_t *ids = NULL;
    size_t n_ids, most = options->max_items ? options->max_items : QUALITY_DEFAULT_TOKENS;
    TRY(hob_tokenizer_encode(hob_model_tokenizer(models[SOURCE]), options->text, options->n_text_bytes, HOB_ADD_SPECIAL, &ids, &n_ids,
                             error));
    hob_status status = HOB_OK;
    if (n_ids < 2) FAIL_CLEANUP(error, HOB_BAD_ARGUMENT, "comparing: found a text of %zu tokens, expected two or more", n_ids);
    TRY_CLEANUP(compare_ids(&comparison, models, options, ids, n_ids < most ? n_ids : most, error));
    take_figures(&comparison, quality);
cleanup:
    free_sessions(comparison.sessions);
    for (int m = 0; m < N_MODELS; m++) memory_free(comparison.logits[m]);
    hob_free(ids);
    return status;
}

/* ---- encoders ---- */

struct line {
    const char *bytes;
    size_t n_bytes;
};

/* The next line that is not empty; false: there is none. */
static bool next_line(const char **text, const char *end, struct line *ret_line)
{
    while (*text < end) {
        const char *begin = *text, *stop = memchr(begin, '\n', (size_t)(end - begin));
        if (!stop) stop = end;
        *text = stop < end ? stop + 1 : end;
        if (strspn(begin, " \t\r\n") < (size_t)(stop - begin)) {
            *ret_line = (struct line){begin, (size_t)(stop - begin)};
            return true;
        }
    }
    return false;
}

static double cosine(const float *a, const float *b, int64_t n)
{
    double product = 0, a_square = 0, b_square = 0;
    for (int64_t i = 0; i < n; i++) {
        product += (double)a[i] * (double)b[i];
        a_square += (double)a[i] * (double)a[i];
        b_square += (double)b[i] * (double)b[i];
    }
    return a_square > 0 && b_square > 0 ? product / sqrt(a_square * b_square) : 0;
}

static hob_status compare_lines(hob_session **sessions, float **vectors, int64_t width, const struct quality_options *options,
                                struct quality *quality, hob_error *error)
{
    const char *text = options->text, *end = text + options->n_text_bytes;
    size_t most = options->max_items ? options->max_items : QUALITY_DEFAULT_LINES;
    struct line line;
    double sum = 0;
    for (; quality->n_items < most && next_line(&text, end, &line); quality->n_items++) {
        show_progress(options, quality->n_items, most);
        for (int m = 0; m < N_MODELS; m++) TRY(hob_embed(sessions[m], &line.bytes, &line.n_bytes, 1, NULL, vectors[m], error));
        double similarity = cosine(vectors[SOURCE], vectors[MADE], width);
        sum += similarity;
        if (quality->n_items == 0 || similarity < quality->cosine_min) quality->cosine_min = similarity;
    }
    if (!quality->n_items) FAIL(error, HOB_BAD_ARGUMENT, "comparing: found a text without a line, expected one or more");
    quality->cosine_mean = sum / (double)quality->n_items;
    return HOB_OK;
}

static hob_status compare_encoders(hob_model *const *models, const struct quality_options *options, struct quality *quality,
                                   hob_error *error)
{
    hob_session *sessions[N_MODELS] = {NULL};
    int64_t width = hob_model_get_info(models[SOURCE]).width;
    float *vectors[N_MODELS] = {memory_new((size_t)width + 1, sizeof(float)), memory_new((size_t)width + 1, sizeof(float))};
    hob_status status = HOB_OK;
    if (!vectors[SOURCE] || !vectors[MADE]) FAIL_CLEANUP(error, HOB_NO_MEMORY, "comparing: out of memory");
    TRY_CLEANUP(open_sessions(models, options, 0, sessions, error));
    TRY_CLEANUP(compare_lines(sessions, vectors, width, options, quality, error));
cleanup:
    free_sessions(sessions);
    for (int m = 0; m < N_MODELS; m++) memory_free(vectors[m]);
    return status;
}

hob_status quality_measure(hob_model *source, hob_model *made, const struct quality_options *options, struct quality *ret_quality,
                           hob_error *error)
{
    hob_model *const models[N_MODELS] = {source, made};
    hob_model_info from = hob_model_get_info(source), to = hob_model_get_info(made);
    struct quality quality = {.kind = from.kind};
    if (from.kind == HOB_MODEL_GRAPH || from.kind == HOB_MODEL_CLASSIFIER || from.kind != to.kind)
        FAIL(error, HOB_UNSUPPORTED, "comparing: found %s, expected two language models or two encoders",
             from.kind == HOB_MODEL_CLASSIFIER ? "a classifier" : "a plain graph");
    if (!hob_model_tokenizer(source)) FAIL(error, HOB_UNSUPPORTED, "comparing: the model has no tokenizer to read the text with");
    if (from.n_vocab != to.n_vocab || from.width != to.width)
        FAIL(error, HOB_BAD_ARGUMENT, "comparing: found models of %lld and %lld tokens, widths %lld and %lld, expected the same",
             (long long)from.n_vocab, (long long)to.n_vocab, (long long)from.width, (long long)to.width);
    TRY(from.kind == HOB_MODEL_DECODER ? compare_decoders(models, options, &quality, error)
                                       : compare_encoders(models, options, &quality, error));
    *ret_quality = quality;
    return HOB_OK;
}

/* Ids to vectors: run the encoder, pool or take every token's row, normalise. A text's vectors depend on nothing but the text
 * (token_lists.h). */
#include "hob/embed.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"
#include "engine/token_lists.h"

#include <math.h>
#include <string.h>

struct embedding {
    hob_session *session;
    hob_pooling pooling;
    bool is_normalized;
    bool is_per_token;
    int64_t width;  /* of hidden states */
    int64_t n_kept; /* numbers of a vector */
    float *vectors; /* [n_texts, n_kept], or a row a token */
    int64_t n_done; /* rows of tokens that are there */
};

/* ---- pooling ---- */

/* Sums in double: thousands of rows must not lose what a few would keep. */
static void pool_mean(const float *rows, int64_t row_stride, int64_t n_rows, int64_t width, float *vector)
{
    for (int64_t i = 0; i < width; i++) {
        double sum = 0.0;
        for (int64_t row = 0; row < n_rows; row++) sum += (double)rows[row * row_stride + i];
        vector[i] = (float)(sum / (double)n_rows);
    }
}

static void normalize(float *vector, int64_t width)
{
    double sum = 0.0;
    for (int64_t i = 0; i < width; i++) sum += (double)vector[i] * (double)vector[i];
    double length = sqrt(sum);
    if (length < 1e-12) length = 1e-12; /* PyTorch's normalize */
    for (int64_t i = 0; i < width; i++) vector[i] = (float)((double)vector[i] / length);
}

/* rows: the hidden states of one text, n_rows >= 1. */
static void pool(const struct embedding *embedding, const float *rows, int64_t row_stride, int64_t n_rows, float *vector)
{
    int64_t n_kept = embedding->n_kept;
    const float *row = embedding->pooling == HOB_POOLING_LAST ? rows + (n_rows - 1) * row_stride : rows;
    if (embedding->pooling == HOB_POOLING_MEAN) pool_mean(rows, row_stride, n_rows, n_kept, vector);
    else memcpy(vector, row, (size_t)n_kept * sizeof *vector);
    if (embedding->is_normalized) normalize(vector, n_kept);
}

/* hidden is [tokens, D] or [1, tokens, D]; ready sentence vectors are [n, D]. A text without tokens keeps the zeros that it has alone,
 * whatever the model made of none. */
static hob_status take_texts(void *context, const struct token_range *range, hob_error *error)
{
    const struct embedding *embedding = context;
    const struct graph_roles *roles = &embedding->session->model->roles;
    struct output_rows output;
    bool is_ready = roles->sentence != ROLE_NONE;
    int64_t n_output_rows = is_ready ? (int64_t)(range->last - range->first) : range->n_tokens;
    TRY(token_lists_output(embedding->session, is_ready ? roles->sentence : roles->hidden, n_output_rows, embedding->width, "hidden states",
                           &output, error));
    for (size_t text = range->first; text < range->last; text++) {
        int64_t n_ids = (int64_t)range->lists->n_ids[text], n_rows = is_ready ? 1 : n_ids;
        if (n_ids) pool(embedding, output.rows, output.stride, n_rows, embedding->vectors + (int64_t)text * embedding->n_kept);
        output.rows += n_rows * output.stride;
    }
    return HOB_OK;
}

static hob_status take_tokens(void *context, const struct token_range *range, hob_error *error)
{
    struct embedding *embedding = context;
    struct output_rows output;
    TRY(token_lists_output(embedding->session, embedding->session->model->roles.hidden, range->n_tokens, embedding->width, "hidden states",
                           &output, error));
    for (int64_t row = 0; row < range->n_tokens; row++) {
        float *vector = embedding->vectors + embedding->n_done++ * embedding->n_kept;
        memcpy(vector, output.rows + row * output.stride, (size_t)embedding->n_kept * sizeof *vector);
        if (embedding->is_normalized) normalize(vector, embedding->n_kept);
    }
    return HOB_OK;
}

/* ---- what is asked for ---- */

static hob_status check_model(const struct hob_model *model, hob_error *error)
{
    if (model->info.kind != HOB_MODEL_ENCODER)
        FAIL(error, HOB_UNSUPPORTED, "the model is no sentence encoder (architecture %s)", model->info.architecture);
    if (model->info.width <= 0) FAIL(error, HOB_UNSUPPORTED, "the model does not say how wide its embeddings are");
    return HOB_OK;
}

static hob_status set_up(struct embedding *embedding, const hob_embed_options *options, hob_error *error)
{
    const struct hob_model *model = embedding->session->model;
    bool is_normal_anyway = model->pooling.is_normalized && !embedding->is_per_token;
    embedding->pooling = options->pooling == HOB_POOLING_DEFAULT ? model->pooling.mode : options->pooling;
    embedding->is_normalized = !options->is_raw && (is_normal_anyway || options->is_normalized);
    embedding->width = model->info.width;
    embedding->n_kept = options->n_dimensions ? (int64_t)options->n_dimensions : model->info.width;
    if (options->n_dimensions > (size_t)embedding->width)
        FAIL(error, HOB_BAD_ARGUMENT, "dimensions: found %zu, expected at most %lld, the model's", options->n_dimensions,
             (long long)embedding->width);
    if (embedding->is_per_token && model->roles.hidden == ROLE_NONE)
        FAIL(error, HOB_UNSUPPORTED, "the model gives vectors of whole texts, none of their tokens");
    return HOB_OK;
}

static hob_status count_rows(const struct embedding *embedding, const struct token_lists *lists, size_t *ret_n_rows, hob_error *error)
{
    size_t n_rows = embedding->is_per_token ? 0 : lists->n_texts, n_floats;
    bool fits = true;
    for (size_t i = 0; embedding->is_per_token && i < lists->n_texts; i++) fits = fits && size_add(n_rows, lists->n_ids[i], &n_rows);
    fits = fits && size_mul(n_rows, (size_t)embedding->n_kept, &n_floats) && n_floats <= SIZE_MAX / sizeof(float);
    if (!fits) FAIL(error, HOB_LIMIT, "found %zu texts: too many", lists->n_texts);
    *ret_n_rows = n_rows;
    return HOB_OK;
}

/* The vectors go to memory of ours first: a failure half-way leaves the caller's untouched. */
static hob_status embed_lists(struct embedding *embedding, const struct token_lists *lists, const hob_embed_options *options,
                              float *ret_vectors, hob_error *error)
{
    hob_status status = HOB_OK;
    hob_embed_options defaults = {0};
    size_t n_rows;
    TRY(set_up(embedding, options ? options : &defaults, error));
    TRY(count_rows(embedding, lists, &n_rows, error));
    size_t n_floats = n_rows * (size_t)embedding->n_kept;
    embedding->vectors = memory_new(n_floats, sizeof(float));
    if (!embedding->vectors) FAIL(error, HOB_NO_MEMORY, "%zu embeddings: out of memory", n_rows);
    TRY_CLEANUP(token_lists_run(embedding->session, lists, embedding->is_per_token ? take_tokens : take_texts, embedding, error));
    if (n_floats) memcpy(ret_vectors, embedding->vectors, n_floats * sizeof(float));
cleanup:
    memory_free(embedding->vectors);
    return status;
}

static hob_encode_options encode_options_of(const hob_embed_options *options)
{
    if (!options) return (hob_encode_options){0};
    return (hob_encode_options){.prompt = options->prompt, .max_tokens = options->max_tokens, .is_strict = options->is_strict,
                                .cuts_beginning = options->cuts_beginning};
}

hob_status hob_embed(hob_session *session, const char *const *texts, const size_t *text_bytes, size_t n_texts,
                     const hob_embed_options *options, float *ret_vectors, hob_error *error)
{
    hob_encode_options encode = encode_options_of(options);
    struct embedding embedding = {.session = session};
    hob_encodings encoded;
    TRY(check_model(session->model, error));
    TRY(hob_encode_texts(session->model, texts, text_bytes, n_texts, &encode, &encoded, error));
    struct token_lists lists = {.ids = encoded.ids, .n_ids = encoded.n_ids, .n_texts = n_texts};
    hob_status status = embed_lists(&embedding, &lists, options, ret_vectors, error);
    hob_encodings_release(&encoded);
    return status;
}

static hob_status embed_ids(struct embedding *embedding, const struct token_lists *lists, const hob_embed_options *options,
                            float *ret_vectors, hob_error *error)
{
    const struct hob_model *model = embedding->session->model;
    TRY(check_model(model, error));
    TRY(token_lists_check(model, lists, error));
    if (options && options->prompt && *options->prompt)
        FAIL(error, HOB_BAD_ARGUMENT, "prompt: found \"%.64s\" for ids, expected none: ids hold it already", options->prompt);
    return embed_lists(embedding, lists, options, ret_vectors, error);
}

hob_status hob_embed_ids(hob_session *session, const int32_t *const *ids, const size_t *n_ids, size_t n_texts,
                         const hob_embed_options *options, float *ret_vectors, hob_error *error)
{
    struct embedding embedding = {.session = session};
    struct token_lists lists = {.ids = ids, .n_ids = n_ids, .n_texts = n_texts};
    return embed_ids(&embedding, &lists, options, ret_vectors, error);
}

hob_status hob_embed_tokens(hob_session *session, const int32_t *const *ids, const size_t *n_ids, size_t n_texts,
                            const hob_embed_options *options, float *ret_vectors, hob_error *error)
{
    struct embedding embedding = {.session = session, .is_per_token = true};
    struct token_lists lists = {.ids = ids, .n_ids = n_ids, .n_texts = n_texts};
    return embed_ids(&embedding, &lists, options, ret_vectors, error);
}

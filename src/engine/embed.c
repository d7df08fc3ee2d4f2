/* Texts to vectors: tokenize, run the encoder, pool, normalise.
 *
 * Graphs with hob's own inputs, or that the pass pack_batch gave them, take several texts laid end to end in one run, told apart by
 * `segments`; others take one text a run, without padding. Either way a text's vector depends on nothing but the text. */
#include "hob/embed.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "engine/session.h"

#include <math.h>
#include <string.h>

/* The activations of so many tokens stay in the second-level cache and a part of the third (2 MB for MiniLM, whose private memory hardly
 * grows with them), and are enough rows that reading the weights for them costs little: half as many and twice as many take longer. */
enum { BATCH_TOKENS = 256 };

/* The texts as ids, whoever owns them. */
struct token_lists {
    const int32_t *const *ids;
    const size_t *n_ids;
    size_t n_texts;
};

struct tokenized {
    int32_t **ids; /* one a text, each hob_free'd */
    size_t *n_ids;
    size_t n_texts;
};

struct embedding {
    hob_session *session;
    hob_pooling pooling;
    bool is_normalized;
    int64_t width;  /* of hidden states */
    int64_t n_kept; /* numbers of a vector */
    float *vectors; /* [n_texts, n_kept] */
};

/* ---- tokens ---- */

/* Static models know no unknown token: it is left out, as model2vec does. */
static size_t drop_unknown(const hob_tokenizer *tokenizer, int32_t *ids, size_t n_ids)
{
    int32_t unknown = hob_tokenizer_role(tokenizer, HOB_TOKEN_UNKNOWN);
    size_t n_kept = 0;
    for (size_t i = 0; i < n_ids; i++)
        if (ids[i] != unknown) ids[n_kept++] = ids[i];
    return n_kept;
}

/* Cuts at the end but keeps the closing special token, as sentence-transformers' truncation does. */
static size_t cut(const struct hob_model *model, int32_t *ids, size_t n_ids)
{
    int64_t most = model->pooling.max_tokens;
    if (model->info.n_context > 0 && (most <= 0 || model->info.n_context < most)) most = model->info.n_context;
    if (most <= 0 || n_ids <= (size_t)most) return n_ids;
    if (hob_tokenizer_is_special(model->tokenizer, ids[n_ids - 1])) ids[most - 1] = ids[n_ids - 1];
    return (size_t)most;
}

static hob_status tokenize_plain(const struct hob_model *model, const char *text, size_t n_bytes, int32_t **ret_ids,
                                 size_t *ret_n_ids, hob_error *error)
{
    unsigned flags = model->pooling.is_plain_text ? 0 : HOB_ADD_SPECIAL;
    TRY(hob_tokenizer_encode(model->tokenizer, text, n_bytes, flags, ret_ids, ret_n_ids, error));
    if (model->pooling.is_plain_text) *ret_n_ids = drop_unknown(model->tokenizer, *ret_ids, *ret_n_ids);
    *ret_n_ids = cut(model, *ret_ids, *ret_n_ids);
    return HOB_OK;
}

/* The prompt and the text are one text: where one ends, a token need not. */
static hob_status tokenize(const struct hob_model *model, const char *prompt, const char *text, size_t n_bytes, int32_t **ret_ids,
                           size_t *ret_n_ids, hob_error *error)
{
    struct buffer whole = {0};
    if (!*prompt) return tokenize_plain(model, text, n_bytes, ret_ids, ret_n_ids, error);
    buffer_append_string(&whole, prompt);
    buffer_append(&whole, text, n_bytes);
    hob_status status = whole.is_failed ? error_set(error, HOB_NO_MEMORY, ERROR_HERE, "a prompt and its text: out of memory")
                                        : tokenize_plain(model, buffer_text(&whole), whole.n_bytes, ret_ids, ret_n_ids, error);
    buffer_release(&whole);
    return status;
}

static void list_prompts(const struct model_prompts *prompts, struct buffer *list)
{
    for (size_t i = 0; i < prompts->n; i++) buffer_printf(list, "%s%s", i ? ", " : "one of ", prompts->items[i].name);
    if (!prompts->n) buffer_append_string(list, "none: the model has no prompts");
}

/* The text behind a name; "" for no prompt. */
static hob_status find_prompt(const struct hob_model *model, const char *name, const char **ret_text, hob_error *error)
{
    if (!name) name = model->prompts.default_name ? model->prompts.default_name : "";
    const char *text = model_find_prompt(&model->prompts, name);
    if (!text && *name) {
        struct buffer list = {0};
        list_prompts(&model->prompts, &list);
        hob_status status = error_set(error, HOB_BAD_ARGUMENT, ERROR_HERE, "prompt: found \"%.64s\", expected %s", name, buffer_text(&list));
        buffer_release(&list);
        return status;
    }
    *ret_text = text ? text : "";
    return HOB_OK;
}

static hob_status tokenize_all(const struct hob_model *model, const char *prompt_name, const char *const *texts, const size_t *text_bytes,
                               struct tokenized *tokenized, hob_error *error)
{
    const char *prompt = "";
    TRY(find_prompt(model, prompt_name, &prompt, error));
    tokenized->ids = memory_new(tokenized->n_texts, sizeof *tokenized->ids);
    tokenized->n_ids = memory_new(tokenized->n_texts, sizeof *tokenized->n_ids);
    if (!tokenized->ids || !tokenized->n_ids) FAIL(error, HOB_NO_MEMORY, "%zu texts: out of memory", tokenized->n_texts);
    for (size_t i = 0; i < tokenized->n_texts; i++) {
        size_t n_bytes = text_bytes ? text_bytes[i] : strlen(texts[i]);
        TRY(tokenize(model, prompt, texts[i], n_bytes, &tokenized->ids[i], &tokenized->n_ids[i], error));
    }
    return HOB_OK;
}

static void release_tokenized(struct tokenized *tokenized)
{
    for (size_t i = 0; tokenized->ids && i < tokenized->n_texts; i++) hob_free(tokenized->ids[i]);
    memory_free(tokenized->ids);
    memory_free(tokenized->n_ids);
}

static hob_status check_ids(const struct hob_model *model, const struct token_lists *lists, hob_error *error)
{
    int64_t n_context = model->info.n_context, n_vocab = model->info.n_vocab;
    for (size_t text = 0; text < lists->n_texts; text++) {
        size_t n_ids = lists->n_ids[text];
        if (n_context > 0 && n_ids > (size_t)n_context)
            FAIL(error, HOB_LIMIT, "text %zu: found %zu tokens, expected at most %lld, the model's context", text, n_ids,
                 (long long)n_context);
        for (size_t i = 0; i < n_ids; i++) {
            int32_t id = lists->ids[text][i];
            if (id >= 0 && (n_vocab <= 0 || id < n_vocab)) continue;
            FAIL(error, HOB_BAD_ARGUMENT, "text %zu, token %zu: found id %d, expected 0 to %lld", text, i, id,
                 n_vocab > 0 ? (long long)n_vocab - 1 : INT32_MAX);
        }
    }
    return HOB_OK;
}

/* ---- inputs ---- */

/* n values of an integer input, from the texts [first, last): ids, positions that start anew in each text, or segment starts. */
static void fill_packed(const struct token_lists *lists, size_t first, size_t last, enum input_role role, struct tensor *tensor)
{
    int64_t at = 0, start = 0;
    for (size_t text = first; text < last; text++) {
        if (role == INPUT_SEGMENTS) {
            ((int64_t *)tensor->data)[at++] = start;
            start += (int64_t)lists->n_ids[text];
            continue;
        }
        for (size_t i = 0; i < lists->n_ids[text]; i++, at++) {
            int64_t item = role == INPUT_IDS ? lists->ids[text][i] : (int64_t)i;
            if (tensor->dtype == DTYPE_I64) ((int64_t *)tensor->data)[at] = item;
            else ((int32_t *)tensor->data)[at] = (int32_t)item;
        }
    }
    if (role == INPUT_SEGMENTS) ((int64_t *)tensor->data)[at] = start;
}

static hob_status bind_inputs(hob_session *session, const struct token_lists *lists, size_t first, size_t last, int64_t n_tokens,
                              hob_error *error)
{
    const struct graph_roles *roles = &session->model->roles;
    arena_clear(&session->run_arena);
    for (uint32_t i = 0; i < session->model->graph->n_inputs; i++) {
        struct tensor tensor;
        enum input_role role = roles->inputs[i];
        int64_t n_items = role == INPUT_SEGMENTS ? (int64_t)(last - first) + 1 : n_tokens;
        if (role == INPUT_PAST || role == INPUT_ROWS || role == INPUT_USE_CACHE || role == INPUT_CAPACITY)
            FAIL(error, HOB_UNSUPPORTED, "input %s: found in an encoder, expected those of whole texts",
                 hob_model_input_name(session->model, i));
        TRY(session_fill_input(session, i, &session->run_arena, n_items, role == INPUT_MASK, 0, &tensor, error));
        if (role == INPUT_IDS || role == INPUT_POSITIONS || role == INPUT_SEGMENTS) fill_packed(lists, first, last, role, &tensor);
        executor_bind(session->executor, i, &tensor);
    }
    return HOB_OK;
}

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

/* A row for each token, or for each text. */
static hob_status check_output(const struct tensor *output, int64_t n_rows, int64_t width, hob_error *error)
{
    int last = output->rank - 1;
    bool fits = output->dtype == DTYPE_F32 && last >= 1 && output->dims[last - 1] == n_rows && output->dims[last] == width;
    for (int d = 0; fits && d < last - 1; d++) fits = output->dims[d] == 1;
    if (fits && output->strides[last] == 1) return HOB_OK;
    char text[TENSOR_SHAPE_TEXT_BYTES];
    FAIL(error, HOB_BAD_SHAPE, "hidden states: found %s %s, expected float32 [%lld,%lld]", dtype_name(output->dtype),
         tensor_shape_text(output->rank, output->dims, text), (long long)n_rows, (long long)width);
}

/* hidden is [tokens, D] or [1, tokens, D]; ready sentence vectors are [n, D]. A text without tokens gives zeros, as it does alone,
 * whatever the model made of none. */
static hob_status pool_output(const struct embedding *embedding, const struct token_lists *lists, size_t first, size_t last,
                              int64_t n_tokens, hob_error *error)
{
    const struct graph_roles *roles = &embedding->session->model->roles;
    bool is_ready = roles->sentence != ROLE_NONE;
    const struct tensor *output = executor_output(embedding->session->executor, is_ready ? roles->sentence : roles->hidden);
    TRY(check_output(output, is_ready ? (int64_t)(last - first) : n_tokens, embedding->width, error));
    int64_t row_stride = output->strides[output->rank - 2];
    const float *rows = output->data;
    for (size_t text = first; text < last; text++) {
        int64_t n_ids = (int64_t)lists->n_ids[text], n_rows = is_ready ? 1 : n_ids;
        if (n_ids) pool(embedding, rows, row_stride, n_rows, embedding->vectors + (int64_t)text * embedding->n_kept);
        rows += n_rows * row_stride;
    }
    return HOB_OK;
}

/* ---- batches ---- */

static hob_status embed_range(const struct embedding *embedding, const struct token_lists *lists, size_t first, size_t last,
                              hob_error *error)
{
    int64_t n_tokens = 0;
    for (size_t text = first; text < last; text++) n_tokens += (int64_t)lists->n_ids[text];
    if (!n_tokens) {
        memset(embedding->vectors + (int64_t)first * embedding->n_kept, 0, (last - first) * (size_t)embedding->n_kept * sizeof(float));
        return HOB_OK;
    }
    TRY(bind_inputs(embedding->session, lists, first, last, n_tokens, error));
    TRY(executor_run(embedding->session->executor, NULL, error));
    return pool_output(embedding, lists, first, last, n_tokens, error);
}

static hob_status embed_all(const struct embedding *embedding, const struct token_lists *lists, hob_error *error)
{
    bool is_packed = embedding->session->model->roles.is_packed;
    for (size_t first = 0, last; first < lists->n_texts; first = last) {
        size_t n_tokens = lists->n_ids[first];
        last = first + 1;
        while (is_packed && last < lists->n_texts && n_tokens + lists->n_ids[last] <= BATCH_TOKENS) n_tokens += lists->n_ids[last++];
        TRY(embed_range(embedding, lists, first, last, error));
    }
    return HOB_OK;
}

static hob_status check_model(const struct hob_model *model, hob_error *error)
{
    if (model->info.kind != HOB_MODEL_ENCODER)
        FAIL(error, HOB_UNSUPPORTED, "the model is no sentence encoder (architecture %s)", model->info.architecture);
    if (model->info.width <= 0) FAIL(error, HOB_UNSUPPORTED, "the model does not say how wide its embeddings are");
    return HOB_OK;
}

/* The vectors go to memory of ours first: a failure half-way leaves the caller's untouched. */
static hob_status embed_lists(hob_session *session, const struct token_lists *lists, const hob_embed_options *options,
                              float *ret_vectors, hob_error *error)
{
    hob_status status = HOB_OK;
    hob_embed_options defaults = {0};
    if (!options) options = &defaults;
    const struct hob_model *model = session->model;
    struct embedding embedding = {
        .session = session,
        .pooling = options->pooling == HOB_POOLING_DEFAULT ? model->pooling.mode : options->pooling,
        .is_normalized = !options->is_raw && (model->pooling.is_normalized || options->is_normalized),
        .width = model->info.width,
        .n_kept = options->n_dimensions ? (int64_t)options->n_dimensions : model->info.width,
    };
    if (options->n_dimensions > (size_t)embedding.width)
        FAIL(error, HOB_BAD_ARGUMENT, "dimensions: found %zu, expected at most %lld, the model's", options->n_dimensions,
             (long long)embedding.width);
    if (lists->n_texts > SIZE_MAX / sizeof(float) / (size_t)embedding.n_kept)
        FAIL(error, HOB_LIMIT, "found %zu texts: too many", lists->n_texts);
    size_t n_floats = lists->n_texts * (size_t)embedding.n_kept;
    embedding.vectors = memory_new(n_floats, sizeof(float));
    if (!embedding.vectors) FAIL(error, HOB_NO_MEMORY, "%zu embeddings: out of memory", lists->n_texts);
    TRY_CLEANUP(embed_all(&embedding, lists, error));
    if (n_floats) memcpy(ret_vectors, embedding.vectors, n_floats * sizeof(float));
cleanup:
    memory_free(embedding.vectors);
    return status;
}

hob_status hob_embed(hob_session *session, const char *const *texts, const size_t *text_bytes, size_t n_texts,
                     const hob_embed_options *options, float *ret_vectors, hob_error *error)
{
    hob_status status = HOB_OK;
    const struct hob_model *model = session->model;
    TRY(check_model(model, error));
    if (!model->tokenizer)
        FAIL(error, HOB_UNSUPPORTED, "the model has no tokenizer: %s", model->tokenizer_error ? model->tokenizer_error : "none was sought");
    struct tokenized tokenized = {.n_texts = n_texts};
    TRY_CLEANUP(tokenize_all(model, options ? options->prompt : NULL, texts, text_bytes, &tokenized, error));
    struct token_lists lists = {(const int32_t *const *)tokenized.ids, tokenized.n_ids, n_texts};
    TRY_CLEANUP(embed_lists(session, &lists, options, ret_vectors, error));
cleanup:
    release_tokenized(&tokenized);
    return status;
}

hob_status hob_embed_ids(hob_session *session, const int32_t *const *ids, const size_t *n_ids, size_t n_texts,
                         const hob_embed_options *options, float *ret_vectors, hob_error *error)
{
    struct token_lists lists = {ids, n_ids, n_texts};
    TRY(check_model(session->model, error));
    TRY(check_ids(session->model, &lists, error));
    if (options && options->prompt && *options->prompt)
        FAIL(error, HOB_BAD_ARGUMENT, "prompt: found \"%.64s\" for ids, expected none: ids hold it already", options->prompt);
    return embed_lists(session, &lists, options, ret_vectors, error);
}

#include "engine/token_lists.h"
#include "base/error.h"

/* The activations of so many tokens stay in the second-level cache and a part of the third (2 MB for MiniLM, whose private memory hardly
 * grows with them), and are enough rows that reading the weights for them costs little: half as many and twice as many take longer. */
enum { BATCH_TOKENS = 256 };

static hob_status check_text(const struct hob_model *model, const struct token_lists *lists, size_t text, hob_error *error)
{
    int64_t n_vocab = model->info.n_vocab, n_context = model->info.n_context;
    size_t n_ids = lists->n_ids[text];
    if (n_context > 0 && n_ids > (size_t)n_context)
        FAIL(error, HOB_LIMIT, "text %zu: found %zu tokens, expected at most %lld, the model's context", text, n_ids, (long long)n_context);
    for (size_t i = 0; i < n_ids; i++) {
        int32_t id = lists->ids[text][i];
        if (id >= 0 && (n_vocab <= 0 || id < n_vocab)) continue;
        FAIL(error, HOB_BAD_ARGUMENT, "text %zu, token %zu: found id %d, expected 0 to %lld", text, i, id,
             n_vocab > 0 ? (long long)n_vocab - 1 : INT32_MAX);
    }
    return HOB_OK;
}

hob_status token_lists_check(const struct hob_model *model, const struct token_lists *lists, hob_error *error)
{
    for (size_t text = 0; text < lists->n_texts; text++) TRY(check_text(model, lists, text, error));
    return HOB_OK;
}

/* ---- inputs ---- */

static void put(struct tensor *tensor, int64_t at, int64_t item)
{
    if (tensor->dtype == DTYPE_I64) ((int64_t *)tensor->data)[at] = item;
    else ((int32_t *)tensor->data)[at] = (int32_t)item;
}

static void fill_segments(const struct token_range *range, struct tensor *tensor)
{
    int64_t at = 0, start = 0;
    for (size_t text = range->first; text < range->last; text++) {
        put(tensor, at++, start);
        start += (int64_t)range->lists->n_ids[text];
    }
    put(tensor, at, start);
}

/* Ids, types, or positions that start anew in each text. */
static void fill_tokens(const struct token_range *range, enum input_role role, struct tensor *tensor)
{
    const struct token_lists *lists = range->lists;
    int64_t at = 0;
    for (size_t text = range->first; text < range->last; text++)
        for (size_t i = 0; i < lists->n_ids[text]; i++, at++) {
            int64_t item = role == INPUT_IDS ? lists->ids[text][i] : role == INPUT_TOKEN_TYPES ? lists->types[text][i] : (int64_t)i;
            put(tensor, at, item);
        }
}

static hob_status refuse_input(const struct hob_session *session, uint32_t i, hob_error *error)
{
    FAIL(error, HOB_UNSUPPORTED, "input %s: found in an encoder, expected those of whole texts", hob_model_input_name(session->model, i));
}

static hob_status bind_input(struct hob_session *session, const struct token_range *range, uint32_t i, hob_error *error)
{
    struct tensor tensor;
    enum input_role role = session->model->roles.inputs[i];
    int64_t n_items = role == INPUT_SEGMENTS ? (int64_t)(range->last - range->first) + 1 : range->n_tokens;
    if (role == INPUT_PAST || role == INPUT_ROWS || role == INPUT_USE_CACHE || role == INPUT_CAPACITY) return refuse_input(session, i, error);
    TRY(session_fill_input(session, i, &session->run_arena, n_items, role == INPUT_MASK, 0, &tensor, error));
    bool has_types = role == INPUT_TOKEN_TYPES && range->lists->types;
    if (role == INPUT_SEGMENTS) fill_segments(range, &tensor);
    if (role == INPUT_IDS || role == INPUT_POSITIONS || has_types) fill_tokens(range, role, &tensor);
    executor_bind(session->executor, i, &tensor);
    return HOB_OK;
}

/* ---- batches ---- */

static hob_status run_range(struct hob_session *session, const struct token_range *range, hob_error *error)
{
    arena_clear(&session->run_arena);
    for (uint32_t i = 0; i < session->model->graph->n_inputs; i++) TRY(bind_input(session, range, i, error));
    return executor_run(session->executor, NULL, error);
}

hob_status token_lists_run(struct hob_session *session, const struct token_lists *lists, token_range_taker *take, void *context,
                           hob_error *error)
{
    bool is_packed = session->model->roles.is_packed;
    for (size_t first = 0, last; first < lists->n_texts; first = last) {
        size_t n_tokens = lists->n_ids[first];
        last = first + 1;
        while (is_packed && last < lists->n_texts && n_tokens + lists->n_ids[last] <= BATCH_TOKENS) n_tokens += lists->n_ids[last++];
        struct token_range range = {.lists = lists, .first = first, .last = last, .n_tokens = (int64_t)n_tokens};
        if (!n_tokens) continue;
        TRY(run_range(session, &range, error));
        TRY(take(context, &range, error));
    }
    return HOB_OK;
}

hob_status token_lists_output(const struct hob_session *session, uint32_t index, int64_t n_rows, int64_t width, const char *what,
                              struct output_rows *ret_rows, hob_error *error)
{
    const struct tensor *output = executor_output(session->executor, index);
    int last = output->rank - 1;
    bool fits = output->dtype == DTYPE_F32 && last >= 1 && output->dims[last - 1] == n_rows && output->dims[last] == width;
    for (int d = 0; fits && d < last - 1; d++) fits = output->dims[d] == 1;
    char text[TENSOR_SHAPE_TEXT_BYTES];
    if (!fits || output->strides[last] != 1)
        FAIL(error, HOB_BAD_SHAPE, "%s: found %s %s, expected float32 [%lld,%lld]", what, dtype_name(output->dtype),
             tensor_shape_text(output->rank, output->dims, text), (long long)n_rows, (long long)width);
    *ret_rows = (struct output_rows){output->data, output->strides[last - 1]};
    return HOB_OK;
}

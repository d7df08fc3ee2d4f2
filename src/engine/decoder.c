/* One run of a language model over the session's newest ids, whatever its graph looks like:
 *   states     caches that the graph appends to in place (GGUF, safetensors, ONNX with past/present pairs)
 *   carried    caches that it takes and gives back whole (fused com.microsoft attention, merged decoders)
 *   neither    no caches: every run computes all ids anew. */
#include "base/error.h"
#include "base/memory.h"
#include "engine/session.h"
#include "kernels/kernels.h"

#include <string.h>

enum { PLANNED_TOKENS = 256 }; /* a plan made for n cached positions serves until the next multiple of this */

static bool has_cache(const struct hob_session *session)
{
    return session->model->graph->n_states || session->model->roles.n_carried;
}

static hob_status reserve_ids(struct hob_session *session, hob_error *error)
{
    session->ids = memory_new((size_t)session->n_context_tokens, sizeof *session->ids);
    if (!session->ids) FAIL(error, HOB_NO_MEMORY, "a context of %lld tokens: out of memory", (long long)session->n_context_tokens);
    return HOB_OK;
}

static void empty_carried(struct hob_session *session, uint32_t index)
{
    const struct graph *graph = session->model->graph;
    const struct carried_pair *pair = &session->model->roles.carried[index];
    const struct value *past = &graph->values[graph->inputs[pair->input]];
    struct tensor *tensor = &session->carried[index].tensor;
    *tensor = (struct tensor){.dtype = past->dtype, .rank = (uint8_t)past->rank, .data = session->carried[index].bytes};
    for (int d = 0; d < past->rank; d++) tensor->dims[d] = past->dims[d] == DIM_UNKNOWN ? 1 : past->dims[d];
    tensor->dims[pair->axis] = 0;
    tensor_set_contiguous(tensor);
}

hob_status decoder_set_up(struct hob_session *session, hob_error *error)
{
    const struct graph *graph = session->model->graph;
    session->inputs = ARENA_NEW(&session->arena, struct tensor, graph->n_inputs);
    session->bounds = ARENA_NEW(&session->arena, struct tensor, graph->n_inputs);
    session->carried = ARENA_NEW(&session->arena, struct carried_cache, session->model->roles.n_carried);
    if (!session->inputs || !session->bounds || !session->carried) FAIL(error, HOB_NO_MEMORY, "a new session: out of memory");
    TRY(reserve_ids(session, error));
    for (uint32_t i = 0; i < session->model->roles.n_carried; i++) {
        session->carried[i].bytes = memory_new(1, sizeof(float)); /* a valid address for no positions */
        if (!session->carried[i].bytes) FAIL(error, HOB_NO_MEMORY, "a new session: out of memory");
        empty_carried(session, i);
    }
    return HOB_OK;
}

/* ---- inputs ---- */

static struct tensor *carried_input(struct hob_session *session, uint32_t input)
{
    for (uint32_t i = 0; i < session->model->roles.n_carried; i++)
        if (session->model->roles.carried[i].input == input) return &session->carried[i].tensor;
    return NULL;
}

static hob_status make_input(struct hob_session *session, uint32_t i, struct arena *arena, int64_t n_past, int64_t n_new, int64_t n_rows,
                             struct tensor *ret_tensor, hob_error *error)
{
    switch (session->model->roles.inputs[i]) {
    case INPUT_IDS: {
        TRY(session_fill_input(session, i, arena, n_new, 0, 0, ret_tensor, error));
        for (int64_t t = 0; t < n_new; t++) {
            int32_t id = session->ids[n_past + t];
            if (ret_tensor->dtype == DTYPE_I64) ((int64_t *)ret_tensor->data)[t] = id;
            else ((int32_t *)ret_tensor->data)[t] = id;
        }
        return HOB_OK;
    }
    case INPUT_POSITIONS: return session_fill_input(session, i, arena, n_new, n_past, 1, ret_tensor, error);
    case INPUT_MASK: return session_fill_input(session, i, arena, n_past + n_new, 1, 0, ret_tensor, error);
    case INPUT_TOKEN_TYPES: return session_fill_input(session, i, arena, n_new, 0, 0, ret_tensor, error);
    case INPUT_ROWS: return session_fill_input(session, i, arena, n_rows, n_new - n_rows, 1, ret_tensor, error);
    case INPUT_CAPACITY: return session_fill_input(session, i, arena, 1, session->n_context_tokens, 0, ret_tensor, error);
    case INPUT_USE_CACHE: return session_fill_input(session, i, arena, 1, n_past > 0, 0, ret_tensor, error);
    default: break;
    }
    const struct tensor *carried = carried_input(session, i);
    if (!carried) FAIL(error, HOB_UNSUPPORTED, "input %u of the model has no known role", i);
    *ret_tensor = *carried;
    return HOB_OK;
}

/* A dim that is as long as the cached or new positions, made as long as the plan shall hold for. */
static void bound_input(const struct hob_session *session, uint32_t i, int64_t n_past, int64_t n_new)
{
    struct tensor *bound = &session->bounds[i];
    *bound = session->inputs[i];
    bound->data = NULL;
    int last = bound->rank - 1;
    switch (session->model->roles.inputs[i]) {
    case INPUT_IDS:
    case INPUT_POSITIONS:
    case INPUT_TOKEN_TYPES: bound->dims[last] = n_new; break;
    case INPUT_MASK: bound->dims[last] = n_past + n_new; break;
    case INPUT_PAST:
        for (uint32_t p = 0; p < session->model->roles.n_carried; p++)
            if (session->model->roles.carried[p].input == i) bound->dims[session->model->roles.carried[p].axis] = n_past;
        break;
    default: break;
    }
    tensor_set_contiguous(bound);
}

static int64_t round_up(int64_t n, int64_t multiple, int64_t most)
{
    int64_t rounded = (n + multiple - 1) / multiple * multiple;
    return rounded < most ? rounded : most;
}

static struct executor_bounds make_bounds(struct hob_session *session, int64_t n_past, int64_t n_new)
{
    int64_t bound_new = n_new == 1 ? 1 : round_up(n_new, 16, session->n_context_tokens - n_past);
    int64_t bound_past = n_past ? round_up(n_past, PLANNED_TOKENS, session->n_context_tokens - bound_new) : 0;
    if (bound_past < n_past) bound_past = n_past;
    for (uint32_t i = 0; i < session->model->graph->n_inputs; i++) bound_input(session, i, bound_past, bound_new);
    return (struct executor_bounds){session->bounds, session->model->graph->n_states ? bound_past : 0};
}

/* ---- after the run ---- */

static hob_status keep_carried(struct hob_session *session, uint32_t index, hob_error *error)
{
    const struct tensor *present = executor_output(session->executor, session->model->roles.carried[index].output);
    struct carried_cache *carried = &session->carried[index];
    size_t n_bytes = tensor_n_bytes(present);
    if (n_bytes > carried->reserved_bytes) {
        float *bytes = memory_resize(carried->bytes, n_bytes + n_bytes / 2, 1);
        if (!bytes) FAIL(error, HOB_NO_MEMORY, "a KV cache of %zu bytes: out of memory", n_bytes);
        carried->bytes = bytes;
        carried->reserved_bytes = n_bytes + n_bytes / 2;
    }
    tensor_copy_contiguous(present, carried->bytes);
    carried->tensor = *present;
    carried->tensor.data = carried->bytes;
    tensor_set_contiguous(&carried->tensor);
    return HOB_OK;
}

/* Row `row` as f32: models in half precision give halves, samplers want f32. */
static void copy_row(const struct hob_session *session, const struct tensor *logits, int64_t row, float *target)
{
    const struct kernels *kernels = session->provider.kernels;
    int64_t n = session->n_vocab, at = row * logits->strides[logits->rank - 2];
    if (logits->dtype == DTYPE_F16) kernels->f32_from_f16(n, (const uint16_t *)logits->data + at, target);
    else if (logits->dtype == DTYPE_BF16) kernels->f32_from_bf16(n, (const uint16_t *)logits->data + at, target);
    else memcpy(target, (const float *)logits->data + at, (size_t)n * sizeof *target);
}

static hob_status keep_last_logits(struct hob_session *session, const struct tensor *logits, hob_error *error)
{
    int64_t last = logits->dims[logits->rank - 2] - 1;
    if (logits->dtype == DTYPE_F32) {
        session->logits = (const float *)logits->data + last * logits->strides[logits->rank - 2];
        return HOB_OK;
    }
    if (!session->wide_logits) session->wide_logits = ARENA_NEW(&session->arena, float, (size_t)session->n_vocab);
    if (!session->wide_logits) FAIL(error, HOB_NO_MEMORY, "logits of %lld tokens: out of memory", (long long)session->n_vocab);
    copy_row(session, logits, last, session->wide_logits);
    session->logits = session->wide_logits;
    return HOB_OK;
}

/* Of a row for each position, or for those that were asked for, the last n_rows count. */
static hob_status find_logits(struct hob_session *session, int64_t n_rows, float *ret_all, hob_error *error)
{
    const struct tensor *output = executor_output(session->executor, session->model->roles.logits);
    int last = output->rank - 1;
    if (output->dtype != DTYPE_F32 && output->dtype != DTYPE_F16 && output->dtype != DTYPE_BF16)
        FAIL(error, HOB_BAD_TYPE, "logits: found %s, expected float32, float16 or bfloat16", dtype_name(output->dtype));
    if (output->rank < 2 || !tensor_n_items(output) || output->strides[last] != 1)
        FAIL(error, HOB_BAD_SHAPE, "logits: found rank %d, expected positions by vocabulary", output->rank);
    if (session->n_vocab && output->dims[last] != session->n_vocab)
        FAIL(error, HOB_BAD_SHAPE, "logits: found %lld, expected the vocabulary's %lld", (long long)output->dims[last],
             (long long)session->n_vocab);
    int64_t n_given = output->dims[last - 1];
    if (ret_all && n_given < n_rows)
        FAIL(error, HOB_BAD_SHAPE, "logits: found those of %lld positions, expected %lld", (long long)n_given, (long long)n_rows);
    session->n_vocab = output->dims[last];
    for (int64_t row = 0; ret_all && row < n_rows; row++)
        copy_row(session, output, n_given - n_rows + row, ret_all + row * session->n_vocab);
    return keep_last_logits(session, output, error);
}

hob_status decoder_run(struct hob_session *session, int64_t n_new, float *ret_all, hob_error *error)
{
    int64_t n_past = has_cache(session) ? session->n_ids : 0;
    int64_t n_run = session->n_ids + n_new - n_past, n_rows = ret_all ? n_new : 1;
    arena_clear(&session->run_arena);
    session->logits = NULL;
    for (uint32_t i = 0; i < session->model->graph->n_inputs; i++) {
        TRY(make_input(session, i, &session->run_arena, n_past, n_run, n_rows, &session->inputs[i], error));
        executor_bind(session->executor, i, &session->inputs[i]);
    }
    executor_set_n_used(session->executor, session->model->graph->n_states ? n_past : 0);
    struct executor_bounds bounds = make_bounds(session, n_past, n_run);
    TRY(executor_run(session->executor, &bounds, error));
    TRY(find_logits(session, n_rows, ret_all, error));
    for (uint32_t i = 0; i < session->model->roles.n_carried; i++) TRY(keep_carried(session, i, error));
    session->n_ids += n_new;
    return HOB_OK;
}

/* Shortens a carried cache to n_tokens positions. */
static hob_status cut_carried(struct hob_session *session, uint32_t index, int64_t n_tokens, hob_error *error)
{
    struct tensor *tensor = &session->carried[index].tensor;
    int axis = session->model->roles.carried[index].axis;
    if (tensor->dims[axis] <= n_tokens) return HOB_OK;
    struct tensor kept = tensor_slice(tensor, axis, 0, n_tokens, 1);
    size_t n_bytes = tensor_n_bytes(&kept);
    float *bytes = memory_new(n_bytes ? n_bytes : 1, 1);
    if (!bytes) FAIL(error, HOB_NO_MEMORY, "rewinding a KV cache: out of memory");
    tensor_copy_contiguous(&kept, bytes);
    memory_free(session->carried[index].bytes);
    session->carried[index].bytes = bytes;
    session->carried[index].reserved_bytes = n_bytes;
    *tensor = kept;
    tensor->data = bytes;
    tensor_set_contiguous(tensor);
    return HOB_OK;
}

hob_status decoder_rewind(struct hob_session *session, int64_t n_tokens, hob_error *error)
{
    for (uint32_t i = 0; i < session->model->roles.n_carried; i++) TRY(cut_carried(session, i, n_tokens, error));
    session->n_ids = n_tokens;
    session->logits = NULL;
    return HOB_OK;
}

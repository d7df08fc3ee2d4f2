/* A language model's run over a text's newest ids, whatever its graph looks like:
 *   states     caches that the graph appends to in place (GGUF, safetensors, ONNX with past/present pairs)
 *   carried    caches that it takes and gives back whole (fused com.microsoft attention, merged decoders)
 *   neither    no caches: every run computes all ids anew. */
#include "engine/decoder.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"
#include "kernels/kernels.h"

#include <string.h>

enum { RUN_ARENA_BYTES = 16 * 1024 };
enum { PLANNED_TOKENS = 256 }; /* a plan made for n cached positions serves until the next multiple of this */

/* A cache that the graph takes and gives back whole (see roles.h). */
struct carried_cache {
    unsigned char *bytes; /* as the last present: contiguous; any element type */
    size_t reserved_bytes;
    struct tensor tensor; /* over bytes; dims[axis] positions */
};

struct decoder {
    struct hob_session *session;
    struct decoder *next, *before; /* in session->decoders */
    struct executor *executor, *own_executor;
    struct arena arena;             /* life of the decoder */
    struct arena run_arena;         /* life of a run: its inputs */
    struct carried_cache *carried;  /* model->roles.n_carried */
    struct tensor *inputs, *bounds; /* one an input of the graph */
    float *rows;                    /* logits that were in half precision, or came in several runs */
    size_t n_row_floats;
};

/* Positions of one run. */
struct chunk {
    int64_t n_past, n_new, n_rows;
};

static bool has_cache(const struct hob_model *model)
{
    return model->graph->n_states || model->roles.n_carried;
}

/* ---- life ---- */

static void empty_carried(struct decoder *decoder, uint32_t index)
{
    const struct hob_model *model = decoder->session->model;
    const struct carried_pair *pair = &model->roles.carried[index];
    const struct value *past = &model->graph->values[model->graph->inputs[pair->input]];
    struct tensor *tensor = &decoder->carried[index].tensor;
    *tensor = (struct tensor){.dtype = past->dtype, .rank = (uint8_t)past->rank, .data = decoder->carried[index].bytes};
    for (int d = 0; d < past->rank; d++) tensor->dims[d] = past->dims[d] == DIM_UNKNOWN ? 1 : past->dims[d];
    tensor->dims[pair->axis] = 0;
    tensor_set_contiguous(tensor);
}

static hob_status set_up(struct decoder *decoder, struct executor *executor, hob_error *error)
{
    struct hob_session *session = decoder->session;
    const struct hob_model *model = session->model;
    decoder->inputs = ARENA_NEW(&decoder->arena, struct tensor, model->graph->n_inputs);
    decoder->bounds = ARENA_NEW(&decoder->arena, struct tensor, model->graph->n_inputs);
    decoder->carried = ARENA_NEW(&decoder->arena, struct carried_cache, model->roles.n_carried);
    if (!decoder->inputs || !decoder->bounds || !decoder->carried) FAIL(error, HOB_NO_MEMORY, "a new sequence: out of memory");
    for (uint32_t i = 0; i < model->roles.n_carried; i++) {
        decoder->carried[i].bytes = memory_new(1, sizeof(float)); /* a valid address for no positions */
        if (!decoder->carried[i].bytes) FAIL(error, HOB_NO_MEMORY, "a new sequence: out of memory");
        empty_carried(decoder, i);
    }
    if (!executor) {
        int64_t capacity = model->graph->n_states ? session->n_context_tokens : 0;
        TRY(executor_new(model->program, &session->provider, capacity, &decoder->own_executor, error));
    }
    decoder->executor = executor ? executor : decoder->own_executor;
    return HOB_OK;
}

static void link_decoder(struct decoder *decoder)
{
    decoder->next = decoder->session->decoders;
    if (decoder->next) decoder->next->before = decoder;
    decoder->session->decoders = decoder;
}

static void unlink_decoder(struct decoder *decoder)
{
    *(decoder->before ? &decoder->before->next : &decoder->session->decoders) = decoder->next;
    if (decoder->next) decoder->next->before = decoder->before;
}

hob_status decoder_new(struct hob_session *session, struct executor *executor, struct decoder **ret_decoder, hob_error *error)
{
    struct decoder *decoder = memory_new(1, sizeof *decoder);
    if (!decoder) FAIL(error, HOB_NO_MEMORY, "a new sequence: out of memory");
    decoder->session = session;
    arena_init(&decoder->arena, 4 * 1024);
    arena_init(&decoder->run_arena, RUN_ARENA_BYTES);
    link_decoder(decoder);
    hob_status status = set_up(decoder, executor, error);
    if (status == HOB_OK) *ret_decoder = decoder;
    else decoder_free(decoder);
    return status;
}

void decoder_free(struct decoder *decoder)
{
    if (!decoder) return;
    unlink_decoder(decoder);
    for (uint32_t i = 0; decoder->carried && i < decoder->session->model->roles.n_carried; i++) memory_free(decoder->carried[i].bytes);
    executor_free(decoder->own_executor);
    memory_free(decoder->rows);
    arena_release(&decoder->arena);
    arena_release(&decoder->run_arena);
    memory_free(decoder);
}

struct decoder *decoder_next(const struct decoder *decoder)
{
    return decoder->next;
}

struct decoder_usage decoder_usage(const struct decoder *decoder)
{
    struct decoder_usage usage = {.activation_bytes = decoder->n_row_floats * sizeof *decoder->rows + decoder->run_arena.total_bytes,
                                  .other_bytes = decoder->arena.total_bytes};
    for (uint32_t i = 0; i < decoder->session->model->roles.n_carried; i++) usage.cache_bytes += decoder->carried[i].reserved_bytes;
    if (!decoder->own_executor) return usage;
    struct executor_usage own = executor_usage(decoder->own_executor);
    usage.cache_bytes += own.state_bytes;
    usage.activation_bytes += own.activation_bytes;
    usage.other_bytes += own.other_bytes;
    return usage;
}

void decoder_trim(struct decoder *decoder)
{
    memory_free(decoder->rows);
    decoder->rows = NULL;
    decoder->n_row_floats = 0;
    arena_release(&decoder->run_arena);
    arena_init(&decoder->run_arena, RUN_ARENA_BYTES);
    if (decoder->own_executor) executor_trim(decoder->own_executor);
}

/* ---- inputs ---- */

static struct tensor *carried_input(struct decoder *decoder, uint32_t input)
{
    const struct graph_roles *roles = &decoder->session->model->roles;
    for (uint32_t i = 0; i < roles->n_carried; i++)
        if (roles->carried[i].input == input) return &decoder->carried[i].tensor;
    return NULL;
}

static hob_status make_input(struct decoder *decoder, uint32_t i, const int32_t *ids, const struct chunk *chunk,
                             struct tensor *ret_tensor, hob_error *error)
{
    struct hob_session *session = decoder->session;
    struct arena *arena = &decoder->run_arena;
    int64_t n_past = chunk->n_past, n_new = chunk->n_new, n_rows = chunk->n_rows;
    switch (session->model->roles.inputs[i]) {
    case INPUT_IDS:
        TRY(session_fill_input(session, i, arena, n_new, 0, 0, ret_tensor, error));
        session_copy_ids(ids + n_past, n_new, 0, ret_tensor);
        return HOB_OK;
    case INPUT_POSITIONS: return session_fill_input(session, i, arena, n_new, n_past, 1, ret_tensor, error);
    case INPUT_MASK: return session_fill_input(session, i, arena, n_past + n_new, 1, 0, ret_tensor, error);
    case INPUT_TOKEN_TYPES: return session_fill_input(session, i, arena, n_new, 0, 0, ret_tensor, error);
    case INPUT_ROWS: return session_fill_input(session, i, arena, n_rows, n_new - n_rows, 1, ret_tensor, error);
    case INPUT_CAPACITY: return session_fill_input(session, i, arena, 1, session->n_context_tokens, 0, ret_tensor, error);
    case INPUT_USE_CACHE: return session_fill_input(session, i, arena, 1, n_past > 0, 0, ret_tensor, error);
    default: break;
    }
    const struct tensor *carried = carried_input(decoder, i);
    if (!carried) FAIL(error, HOB_UNSUPPORTED, "input %u of the model has no known role", i);
    *ret_tensor = *carried;
    return HOB_OK;
}

/* A dim that is as long as the cached or new positions, made as long as the plan shall hold for. */
static void bound_input(const struct decoder *decoder, uint32_t i, int64_t n_past, int64_t n_new)
{
    const struct graph_roles *roles = &decoder->session->model->roles;
    struct tensor *bound = &decoder->bounds[i];
    *bound = decoder->inputs[i];
    bound->data = NULL;
    int last = bound->rank - 1;
    switch (roles->inputs[i]) {
    case INPUT_IDS:
    case INPUT_POSITIONS:
    case INPUT_TOKEN_TYPES: bound->dims[last] = n_new; break;
    case INPUT_ROWS: bound->dims[last] = bound->dims[last] > 1 ? n_new : 1; break; /* one, or as many as there are drafts */
    case INPUT_MASK: bound->dims[last] = n_past + n_new; break;
    case INPUT_PAST:
        for (uint32_t p = 0; p < roles->n_carried; p++)
            if (roles->carried[p].input == i) bound->dims[roles->carried[p].axis] = n_past;
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

static struct executor_bounds make_bounds(struct decoder *decoder, const struct chunk *chunk)
{
    const struct hob_session *session = decoder->session;
    int64_t n_past = chunk->n_past, n_new = chunk->n_new;
    int64_t bound_new = n_new == 1 ? 1 : round_up(n_new, 16, session->n_context_tokens - n_past);
    int64_t bound_past = n_past ? round_up(n_past, PLANNED_TOKENS, session->n_context_tokens - bound_new) : 0;
    if (bound_past < n_past) bound_past = n_past;
    for (uint32_t i = 0; i < session->model->graph->n_inputs; i++) bound_input(decoder, i, bound_past, bound_new);
    return (struct executor_bounds){decoder->bounds, session->model->graph->n_states ? bound_past : 0};
}

/* ---- after the run ---- */

static hob_status reserve_carried(struct carried_cache *carried, size_t n_bytes, hob_error *error)
{
    if (n_bytes <= carried->reserved_bytes) return HOB_OK;
    unsigned char *bytes = memory_resize(carried->bytes, n_bytes + n_bytes / 2, 1);
    if (!bytes) FAIL(error, HOB_NO_MEMORY, "a KV cache of %zu bytes: out of memory", n_bytes);
    carried->bytes = bytes;
    carried->tensor.data = bytes;
    carried->reserved_bytes = n_bytes + n_bytes / 2;
    return HOB_OK;
}

/* source must not lie in carried's bytes. */
static hob_status keep_carried(struct carried_cache *carried, const struct tensor *source, hob_error *error)
{
    TRY(reserve_carried(carried, tensor_n_bytes(source), error));
    tensor_copy_contiguous(source, carried->bytes);
    carried->tensor = *source;
    carried->tensor.data = carried->bytes;
    tensor_set_contiguous(&carried->tensor);
    return HOB_OK;
}

static hob_status reserve_rows(struct decoder *decoder, int64_t n_rows, hob_error *error)
{
    size_t n_floats;
    bool fits = size_mul((size_t)n_rows, (size_t)decoder->session->n_vocab, &n_floats);
    if (fits && n_floats <= decoder->n_row_floats) return HOB_OK;
    float *rows = fits ? memory_resize(decoder->rows, n_floats, sizeof *rows) : NULL;
    if (!rows) FAIL(error, HOB_NO_MEMORY, "logits of %lld positions: out of memory", (long long)n_rows);
    decoder->rows = rows;
    decoder->n_row_floats = n_floats;
    return HOB_OK;
}

static hob_status run_chunk(struct decoder *decoder, const int32_t *ids, const struct chunk *chunk, hob_error *error)
{
    const struct hob_model *model = decoder->session->model;
    arena_clear(&decoder->run_arena);
    for (uint32_t i = 0; i < model->graph->n_inputs; i++) {
        TRY(make_input(decoder, i, ids, chunk, &decoder->inputs[i], error));
        executor_bind(decoder->executor, i, &decoder->inputs[i]);
    }
    executor_set_n_used(decoder->executor, model->graph->n_states ? chunk->n_past : 0);
    struct executor_bounds bounds = make_bounds(decoder, chunk);
    TRY(executor_run(decoder->executor, &bounds, error));
    for (uint32_t i = 0; i < model->roles.n_carried; i++)
        TRY(keep_carried(&decoder->carried[i], executor_output(decoder->executor, model->roles.carried[i].output), error));
    return HOB_OK;
}

/* ---- chunks ---- */

/* What comes next of a text of n_all positions, the logits of whose last n_rows are wanted; n_new 0: nothing. Where no logits are
 * wanted of a chunk, its last position's are computed: graphs are not made for none. */
static struct chunk next_chunk(const struct decoder *decoder, int64_t n_past, int64_t n_all, int64_t n_rows)
{
    int64_t n_left = n_all - n_past;
    if (!has_cache(decoder->session->model))
        return (struct chunk){.n_past = 0, .n_new = n_left ? n_all : 0, .n_rows = n_rows ? n_rows : 1};
    int64_t n_new = n_left < RUN_TOKENS ? n_left : RUN_TOKENS, rows = n_rows - (n_left - n_new);
    if (rows > n_new) rows = n_new;
    if (rows > RUN_LOGITS) {
        n_new -= rows - RUN_LOGITS;
        rows = RUN_LOGITS;
    }
    return (struct chunk){.n_past = n_past, .n_new = n_new, .n_rows = rows > 1 ? rows : 1};
}

/* The logits of rows wanted from the chunk: straight from the run where those are all there are, else copied behind the n_done that
 * earlier chunks gave. */
static hob_status take_logits(struct decoder *decoder, const struct chunk *chunk, int64_t n_done, int64_t n_rows,
                              const float **ret_logits, hob_error *error)
{
    struct hob_session *session = decoder->session;
    struct logit_rows rows;
    TRY(session_read_logits(session, decoder->executor, chunk->n_rows, &rows, error));
    int64_t n_taken = n_rows - n_done < chunk->n_rows ? n_rows - n_done : chunk->n_rows;
    if (n_taken == n_rows && rows.as_is) {
        *ret_logits = rows.as_is;
        return HOB_OK;
    }
    TRY(reserve_rows(decoder, n_rows, error));
    for (int64_t i = 0; i < n_taken; i++)
        logit_rows_copy(session, &rows, i, decoder->rows + (n_done + i) * session->n_vocab);
    *ret_logits = decoder->rows;
    return HOB_OK;
}

static hob_status run_all(struct decoder *decoder, const int32_t *ids, int64_t n_past, int64_t n_all, int64_t n_rows,
                          const float **ret_logits, hob_error *error)
{
    int64_t n_rows_done = 0;
    const float *logits = NULL;
    for (int64_t done = n_past; done < n_all;) {
        struct chunk chunk = next_chunk(decoder, done, n_all, n_rows);
        TRY(run_chunk(decoder, ids, &chunk, error));
        done = chunk.n_past + chunk.n_new;
        bool has_rows = done > n_all - n_rows;
        TRY(take_logits(decoder, &chunk, n_rows_done, has_rows ? n_rows : 0, &logits, error));
        if (has_rows) n_rows_done += chunk.n_rows;
    }
    *ret_logits = n_rows ? logits : NULL;
    return HOB_OK;
}

hob_status decoder_run(struct decoder *decoder, const int32_t *ids, int64_t n_past, int64_t n_new, int64_t n_rows,
                       const float **ret_logits, hob_error *error)
{
    hob_status status = run_all(decoder, ids, n_past, n_past + n_new, n_rows, ret_logits, error);
    if (status != HOB_OK) decoder_rewind(decoder, n_past);
    return status;
}

/* ---- another past ---- */

/* Shortens a carried cache to n_tokens positions, in place: what is kept only moves forward. */
static void cut_carried(struct carried_cache *carried, int axis, int64_t n_tokens)
{
    struct tensor *tensor = &carried->tensor;
    if (tensor->dims[axis] <= n_tokens) return;
    size_t n_outer = 1, position_bytes = dtype_block_bytes(tensor->dtype);
    for (int d = 0; d < axis; d++) n_outer *= (size_t)tensor->dims[d];
    for (int d = axis + 1; d < tensor->rank; d++) position_bytes *= (size_t)tensor->dims[d];
    size_t kept_bytes = (size_t)n_tokens * position_bytes, whole_bytes = (size_t)tensor->dims[axis] * position_bytes;
    for (size_t i = 0; i < n_outer; i++) memmove(carried->bytes + i * kept_bytes, carried->bytes + i * whole_bytes, kept_bytes);
    tensor->dims[axis] = n_tokens;
    tensor_set_contiguous(tensor);
}

void decoder_rewind(struct decoder *decoder, int64_t n_tokens)
{
    const struct graph_roles *roles = &decoder->session->model->roles;
    for (uint32_t i = 0; i < roles->n_carried; i++) cut_carried(&decoder->carried[i], roles->carried[i].axis, n_tokens);
}

hob_status decoder_copy(const struct decoder *from, int64_t n_tokens, struct decoder *to, hob_error *error)
{
    for (uint32_t i = 0; i < from->session->model->roles.n_carried; i++)
        TRY(keep_carried(&to->carried[i], &from->carried[i].tensor, error));
    decoder_rewind(to, n_tokens);
    executor_copy_states(from->executor, n_tokens, to->executor);
    return HOB_OK;
}

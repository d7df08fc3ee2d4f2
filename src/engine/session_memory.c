/* What a session will take of memory, told before it does: caches by their layout, activations by the plan that a run of a whole piece of
 * a prompt would have. */
#include "base/available_memory.h"
#include "base/error.h"
#include "engine/kv/kv_cache.h"
#include "engine/kv/prefix_cache.h"
#include "engine/session.h"

#include <string.h>

/* ---- caches ---- */

static uint64_t state_bytes(const struct graph_state *state)
{
    uint64_t n_items = 1;
    for (int d = 0; d < state->rank; d++)
        if (d != state->axis && state->dims[d] > 0) n_items *= (uint64_t)state->dims[d];
    return n_items / dtype_block_items(state->dtype) * dtype_block_bytes(state->dtype);
}

/* A cache that goes in as one tensor and comes out as another grows by halves and is there twice while a run lasts. */
static uint64_t carried_bytes(const struct graph *graph, const struct carried_pair *pair)
{
    const struct value *past = &graph->values[graph->inputs[pair->input]];
    uint64_t n_items = 1;
    for (int d = 0; d < past->rank; d++)
        if (d != pair->axis && past->dims[d] > 0) n_items *= (uint64_t)past->dims[d];
    return n_items * dtype_block_bytes(past->dtype) * 3 / 2;
}

/* Of a position of a text, with its id and, where there are blocks, its share of the table of them. */
static uint64_t text_token_bytes(const struct hob_session *session)
{
    const struct graph *graph = session->model->graph;
    const struct graph_roles *roles = &session->model->roles;
    uint64_t n_bytes = 0;
    if (session->layout.n_states) return session->layout.block_bytes / PAGED_POSITIONS;
    for (uint32_t i = 0; i < graph->n_states; i++) n_bytes += state_bytes(&graph->states[i]);
    for (uint32_t i = 0; i < roles->n_carried; i++) n_bytes += carried_bytes(graph, &roles->carried[i]);
    return n_bytes;
}

static uint64_t whole_blocks(int64_t n_tokens)
{
    return (uint64_t)kv_cache_count_blocks(n_tokens) * PAGED_POSITIONS;
}

/* ---- activations ---- */

static int64_t input_length(const struct hob_session *session, enum input_role role, int64_t n_new, int64_t n_past)
{
    switch (role) {
    case INPUT_ROWS:
    case INPUT_CAPACITY:
    case INPUT_USE_CACHE: return 1;
    case INPUT_MASK: return session->layout.n_states ? n_new : n_past + n_new;
    default: return n_new;
    }
}

static hob_status make_input(const struct hob_session *session, uint32_t i, int64_t n_new, int64_t n_past, struct tensor *ret_tensor,
                             hob_error *error)
{
    const struct graph *graph = session->model->graph;
    const struct graph_roles *roles = &session->model->roles;
    const struct value *input = &graph->values[graph->inputs[i]];
    int64_t dims[TENSOR_MAX_RANK] = {1, 1};
    int rank = input->rank == 1 ? 1 : 2;
    dims[rank - 1] = input_length(session, roles->inputs[i], n_new, n_past);
    for (uint32_t p = 0; p < roles->n_carried; p++) {
        if (roles->carried[p].input != i) continue;
        rank = input->rank;
        for (int d = 0; d < rank; d++) dims[d] = input->dims[d] == DIM_UNKNOWN ? 1 : input->dims[d];
        dims[roles->carried[p].axis] = n_past;
    }
    return tensor_init(ret_tensor, input->dtype, rank, dims, NULL, error);
}

/* With the caches nearly full, which is when they are the largest. A graph that cannot be planned for so long a text may still do for
 * shorter ones: what is wrong with it, its run will tell. */
static hob_status forecast_activations(const struct hob_session *session, struct arena *arena, hob_memory_forecast *forecast,
                                       uint64_t *ret_plan_bytes, hob_error *error)
{
    const struct program *program = session->model->program;
    struct plan *plan;
    int64_t n_new = session->n_context_tokens < RUN_TOKENS ? session->n_context_tokens : RUN_TOKENS, n_past = session->n_context_tokens - n_new;
    struct tensor *inputs = ARENA_NEW(arena, struct tensor, program->graph->n_inputs + 1);
    if (!inputs) FAIL(error, HOB_NO_MEMORY, "a forecast: out of memory");
    for (uint32_t i = 0; i < program->graph->n_inputs; i++) TRY(make_input(session, i, n_new, n_past, &inputs[i], error));
    const struct paged_layout *layout = session->layout.n_states ? &session->layout : NULL;
    *ret_plan_bytes = 0;
    if (plan_new(program, session->provider.kernels, inputs, layout ? 0 : n_past, layout, &plan, NULL) != HOB_OK) return HOB_OK;
    forecast->activations_bytes = plan->n_bytes;
    *ret_plan_bytes = plan->arena.total_bytes;
    plan_free(plan);
    return HOB_OK;
}

/* ---- the whole ---- */

/* Of the states that the executor has made already, which count as caches. */
static uint64_t made_state_bytes(const struct hob_session *session)
{
    const struct graph *graph = session->model->graph;
    uint64_t n_bytes = 0;
    if (session->layout.n_states) return 0;
    for (uint32_t i = 0; i < graph->n_states; i++) n_bytes += state_bytes(&graph->states[i]);
    return n_bytes * (uint64_t)session->n_context_tokens;
}

/* The executor's own, plans (of a piece of a prompt, its rest, one token), what samplers keep of the vocabulary. */
static uint64_t bookkeeping_bytes(const struct hob_session *session, uint64_t plan_bytes)
{
    return executor_n_bytes(session->executor) - made_state_bytes(session) + 3 * plan_bytes + (uint64_t)session->n_vocab * 16;
}

/* Everything but the caches is as it is for this context. */
static int64_t most_context(const struct hob_session *session, const hob_memory_forecast *forecast, uint64_t rest_bytes)
{
    int64_t made_for = session->model->info.n_context;
    if (rest_bytes >= forecast->available_bytes) return 0;
    uint64_t n_tokens = (forecast->available_bytes - rest_bytes) / (forecast->cache_token_bytes + sizeof(int32_t) + 1);
    if (n_tokens > INT32_MAX) n_tokens = INT32_MAX;
    n_tokens -= n_tokens % PAGED_POSITIONS;
    return made_for > 0 && n_tokens > (uint64_t)made_for ? made_for : (int64_t)n_tokens;
}

hob_status session_forecast(struct hob_session *session, const hob_session_options *options, hob_memory_forecast *ret_forecast, hob_error *error)
{
    hob_status status = HOB_OK;
    const hob_model_memory *weights = &session->model->memory;
    hob_memory_forecast forecast = {.n_context_tokens = session->n_context_tokens,
                                    .cache_token_bytes = text_token_bytes(session),
                                    .weights_bytes = weights->weights_bytes,
                                    .mapped_bytes = weights->mapped_bytes};
    uint64_t plan_bytes, kept_bytes = options->prefix_cache_bytes, n_tokens = options->n_cache_tokens > 0 ? whole_blocks(options->n_cache_tokens) : 0;
    struct arena arena;
    arena_init(&arena, 16 * 1024);
    TRY_CLEANUP(forecast_activations(session, &arena, &forecast, &plan_bytes, error));
    if (!n_tokens || !session->layout.n_states) n_tokens = whole_blocks(session->n_context_tokens);
    uint64_t rest_bytes = forecast.activations_bytes + bookkeeping_bytes(session, plan_bytes) + kept_bytes;
    forecast.cache_bytes = n_tokens * forecast.cache_token_bytes + kept_bytes;
    forecast.needed_bytes = rest_bytes + n_tokens * (forecast.cache_token_bytes + sizeof(int32_t));
    forecast.available_bytes = available_memory("");
    if (options->max_memory_bytes && options->max_memory_bytes < forecast.available_bytes) forecast.available_bytes = options->max_memory_bytes;
    forecast.most_context_tokens = most_context(session, &forecast, rest_bytes);
    *ret_forecast = forecast;
cleanup:
    arena_release(&arena);
    return status;
}

static double mib(uint64_t n_bytes)
{
    return (double)n_bytes / (1 << 20);
}

hob_status session_check_memory(const hob_memory_forecast *forecast, hob_error *error)
{
    if (forecast->needed_bytes <= forecast->available_bytes) return HOB_OK;
    FAIL(error, HOB_LIMIT,
         "memory: a context of %lld tokens needs %.1f MiB (KV cache %.1f MiB, activations %.1f MiB), found %.1f MiB available; the largest context that "
         "fits has %lld tokens",
         (long long)forecast->n_context_tokens, mib(forecast->needed_bytes), mib(forecast->cache_bytes), mib(forecast->activations_bytes),
         mib(forecast->available_bytes), (long long)forecast->most_context_tokens);
}

/* To what it has taken already: of the machine, and of what the caller lets it have. */
static uint64_t available_bytes_of(const struct hob_session *session)
{
    uint64_t n_bytes = available_memory(""), n_most = session->max_memory_bytes;
    if (!n_most) return n_bytes;
    uint64_t n_taken = hob_session_get_memory(session).total_bytes, n_left = n_most > n_taken ? n_most - n_taken : 0;
    return n_left < n_bytes ? n_left : n_bytes;
}

hob_status session_check_room(const struct hob_session *session, int64_t n_tokens, int64_t n_shared, hob_error *error)
{
    if (!session->kv_cache) return HOB_OK;
    struct kv_cache_usage usage = kv_cache_usage(session->kv_cache);
    uint64_t n_blocks = (uint64_t)(kv_cache_count_blocks(n_tokens) - n_shared / PAGED_POSITIONS);
    uint64_t n_idle = usage.memory_bytes / usage.block_bytes - usage.n_used;
    if (session->prefixes) n_idle += prefix_cache_count_droppable(session->prefixes);
    if (n_tokens > (int64_t)usage.n_blocks * PAGED_POSITIONS)
        FAIL(error, HOB_LIMIT, "KV cache: found a text of %lld tokens, expected at most the %lld that the session has room for", (long long)n_tokens,
             (long long)usage.n_blocks * PAGED_POSITIONS);
    if (n_blocks <= n_idle) return HOB_OK;
    uint64_t needed_bytes = (n_blocks - n_idle) * usage.block_bytes, available_bytes = available_bytes_of(session);
    if (needed_bytes <= available_bytes) return HOB_OK;
    int64_t n_fitting = n_tokens - (int64_t)((needed_bytes - available_bytes) / usage.block_bytes + 1) * PAGED_POSITIONS;
    FAIL(error, HOB_LIMIT, "memory: a text of %lld tokens needs %.1f MiB more of KV cache, found %.1f MiB available; the largest text that fits has %lld tokens",
         (long long)n_tokens, mib(needed_bytes), mib(available_bytes), (long long)(n_fitting > 0 ? n_fitting : 0));
}

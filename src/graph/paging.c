#include "graph/paging.h"

#include "base/error.h"
#include "base/size.h"
#include "graph/pattern.h"

enum { HEADS_AXIS = 1, POSITIONS_AXIS = 2, WIDTH_AXIS = 3, RANK = 4, BLOCK_ALIGNMENT = 64 };
enum { ATTENTION_K = 1, ATTENTION_V = 2, ATTENTION_MASK = 3 }; /* hob.Attention's inputs */

/* ---- whether ---- */

static bool is_state_shape(const struct graph_state *state)
{
    bool is_float = state->dtype == DTYPE_F32 || state->dtype == DTYPE_F16;
    return is_float && state->rank == RANK && state->axis == POSITIONS_AXIS && (state->dims[0] == 1 || state->dims[0] == DIM_UNKNOWN) &&
           state->dims[HEADS_AXIS] > 0 && state->dims[WIDTH_AXIS] > 0;
}

static bool is_cache(const struct graph *graph, uint32_t value)
{
    uint32_t producer = value == VALUE_NONE ? NODE_NONE : graph->values[value].producer;
    return producer != NODE_NONE && node_is(&graph->nodes[producer], "hob", "CacheAppend");
}

static bool reads_caches(const struct graph *graph, const struct node *node)
{
    for (uint32_t i = 0; i < node->n_inputs; i++)
        if (is_cache(graph, node->inputs[i])) return true;
    return false;
}

/* Attention as hob.Attention does it over blocks. */
static bool is_paged_attention(const struct graph *graph, const struct node *node)
{
    if (!node_is(node, "hob", "Attention") || !attributes_int(&node->attributes, "is_causal", 0)) return false;
    if (attributes_int(&node->attributes, "right_window", 0) || is_cache(graph, node->inputs[0])) return false;
    for (uint32_t i = ATTENTION_MASK; i < node->n_inputs; i++)
        if (node->inputs[i] != VALUE_NONE) return false;
    return is_cache(graph, node->inputs[ATTENTION_K]) && is_cache(graph, node->inputs[ATTENTION_V]);
}

static uint32_t count_appends(const struct graph *graph, uint32_t state)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < graph->n_nodes; i++)
        if (!graph->nodes[i].is_removed && graph->nodes[i].state == state)
            n += node_is(&graph->nodes[i], "hob", "CacheAppend") ? 1 : 2; /* whoever else looks at a state counts its positions */
    return n;
}

bool paging_fits(const struct graph *graph)
{
    if (!graph->n_states || graph->n_subgraphs) return false;
    for (uint32_t i = 0; i < graph->n_states; i++)
        if (!is_state_shape(&graph->states[i]) || graph->states[i].dtype != graph->states[0].dtype || count_appends(graph, i) != 1)
            return false;
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        const struct node *node = &graph->nodes[i];
        if (!node->is_removed && reads_caches(graph, node) && !is_paged_attention(graph, node)) return false;
    }
    for (uint32_t i = 0; i < graph->n_outputs; i++)
        if (is_cache(graph, graph->outputs[i])) return false;
    return true;
}

/* ---- where ---- */

static hob_status place_state(const struct graph_state *state, enum dtype dtype, size_t *block_bytes, struct paged_place *ret_place,
                              hob_error *error)
{
    size_t n_bytes;
    int64_t block_items = (int64_t)dtype_block_items(dtype);
    struct paged_place place = {.dtype = dtype, .n_heads = state->dims[HEADS_AXIS], .width = state->dims[WIDTH_AXIS], .offset_bytes = *block_bytes};
    if (place.width % block_items)
        FAIL(error, HOB_UNSUPPORTED, "cache %s: found heads %lld wide, expected a multiple of %lld for a cache of type %s", state->name,
             (long long)place.width, (long long)block_items, dtype_name(dtype));
    bool fits = size_mul((size_t)(place.width / block_items), dtype_block_bytes(dtype), &place.row_bytes) &&
                size_mul(place.row_bytes, PAGED_POSITIONS, &n_bytes) && size_mul(n_bytes, (size_t)place.n_heads, &n_bytes) &&
                size_add(*block_bytes, n_bytes, &n_bytes) && n_bytes < SIZE_MAX - BLOCK_ALIGNMENT;
    if (!fits) FAIL(error, HOB_LIMIT, "cache %s: too large", state->name);
    *block_bytes = size_align(n_bytes, BLOCK_ALIGNMENT);
    *ret_place = place;
    return HOB_OK;
}

hob_status paging_lay_out(const struct graph *graph, enum dtype dtype, struct arena *arena, struct paged_layout *ret_layout, hob_error *error)
{
    struct paged_place *places = ARENA_NEW(arena, struct paged_place, graph->n_states);
    if (!places) FAIL(error, HOB_NO_MEMORY, "laying out caches: out of memory");
    size_t block_bytes = 0;
    for (uint32_t i = 0; i < graph->n_states; i++) {
        const struct graph_state *state = &graph->states[i];
        TRY(place_state(state, dtype == DTYPE_NONE ? state->dtype : dtype, &block_bytes, &places[i], error));
    }
    *ret_layout = (struct paged_layout){.places = places, .n_states = graph->n_states, .block_bytes = block_bytes};
    return HOB_OK;
}

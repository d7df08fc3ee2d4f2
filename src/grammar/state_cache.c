/* Equal lists of nodes are one state. The same set of stacks may come in another order and is then another state, which costs
 * memory and is never wrong. */
#include "grammar/state_cache.h"
#include "base/error.h"
#include "base/memory.h"

#include <string.h>

enum { STEP_BYTES = 12 << 20, NODE_BYTES = 8 << 20, LEAST_STATES = 2048 };

void state_cache_release(struct state_cache *cache)
{
    memory_free(cache->steps);
    memory_free(cache->states);
    memory_free(cache->nodes);
    memory_free(cache->slots);
    memory_free(cache->starts);
}

static void forget(struct state_cache *cache)
{
    memset(cache->slots, 0, cache->n_slots * sizeof *cache->slots);
    memset(cache->starts, 0, cache->grammar->n_positions * sizeof *cache->starts);
    cache->n_states = STATE_FIRST;
    cache->n_nodes = 0;
    cache->epoch++;
}

hob_status state_cache_init(struct state_cache *cache, const struct grammar *grammar, hob_error *error)
{
    *cache = (struct state_cache){.grammar = grammar};
    cache->most_states = (uint32_t)(STEP_BYTES / (grammar->n_classes * sizeof(uint32_t)));
    if (cache->most_states < LEAST_STATES) cache->most_states = LEAST_STATES;
    cache->most_nodes = NODE_BYTES / sizeof(struct state_node);
    for (cache->n_slots = 4096; cache->n_slots < 2 * cache->most_states;) cache->n_slots *= 2;
    cache->steps = memory_aligned((size_t)cache->most_states * grammar->n_classes * sizeof(uint32_t));
    cache->states = memory_aligned(cache->most_states * sizeof *cache->states);
    cache->nodes = memory_aligned(cache->most_nodes * sizeof *cache->nodes);
    cache->slots = memory_aligned(cache->n_slots * sizeof *cache->slots);
    cache->starts = memory_new(grammar->n_positions, sizeof *cache->starts);
    if (!cache->steps || !cache->states || !cache->nodes || !cache->slots || !cache->starts) {
        state_cache_release(cache);
        FAIL(error, HOB_NO_MEMORY, "grammar: no memory for its cache");
    }
    forget(cache);
    return HOB_OK;
}

static uint32_t hash_nodes(const struct grammar_state *state)
{
    uint32_t hash = state->is_complete ? 0x9E3779B9u : 0x85EBCA6Bu;
    for (uint16_t i = 0; i < state->n_nodes; i++) {
        const struct state_node *node = &state->nodes[i];
        hash = (hash ^ node->position) * 0x01000193u;
        hash = (hash ^ (uint32_t)(node->parent << 1 | node->is_head)) * 0x01000193u;
        hash ^= hash >> 15;
    }
    return hash;
}

static bool is_equal(const struct state_cache *cache, uint32_t number, const struct grammar_state *state, uint32_t hash)
{
    const struct cached_state *known = &cache->states[number & ~STATE_IS_COMPLETE];
    if (known->hash != hash || known->n_nodes != state->n_nodes || !(number & STATE_IS_COMPLETE) != !state->is_complete)
        return false;
    for (uint16_t i = 0; i < state->n_nodes; i++) {
        const struct state_node *a = &cache->nodes[known->first_node + i], *b = &state->nodes[i];
        if (a->position != b->position || a->parent != b->parent || a->is_head != b->is_head) return false;
    }
    return true;
}

/* The number of a state, which is added when it is new. There is room: the caller saw to it. */
static uint32_t find_or_add(struct state_cache *cache, const struct grammar_state *state)
{
    if (!state->n_heads && !state->is_complete) return STATE_DEAD;
    uint32_t hash = hash_nodes(state), slot = hash & (cache->n_slots - 1);
    for (; cache->slots[slot]; slot = (slot + 1) & (cache->n_slots - 1))
        if (is_equal(cache, cache->slots[slot], state, hash)) return cache->slots[slot];
    uint32_t number = cache->n_states++, n_classes = cache->grammar->n_classes;
    cache->states[number] =
        (struct cached_state){.first_node = cache->n_nodes, .hash = hash, .n_nodes = state->n_nodes};
    memcpy(cache->nodes + cache->n_nodes, state->nodes, state->n_nodes * sizeof *cache->nodes);
    memset(cache->steps + (size_t)number * n_classes, 0, n_classes * sizeof *cache->steps);
    cache->n_nodes += state->n_nodes;
    return cache->slots[slot] = number | (state->is_complete ? STATE_IS_COMPLETE : 0);
}

static bool has_room(const struct state_cache *cache)
{
    return cache->n_states < cache->most_states && cache->most_nodes - cache->n_nodes >= STATE_NODES;
}

uint32_t state_cache_start(struct state_cache *cache, uint32_t position)
{
    if (cache->starts[position]) return cache->starts[position];
    grammar_state_start_at(&cache->to, cache->grammar, position);
    if (!has_room(cache)) forget(cache);
    return cache->starts[position] = find_or_add(cache, &cache->to);
}

uint32_t state_cache_make_step(struct state_cache *cache, uint32_t state, uint8_t byte)
{
    uint32_t number = state & ~STATE_IS_COMPLETE;
    const struct cached_state *known = &cache->states[number];
    struct grammar_state *from = &cache->from;
    size_t step = (size_t)number * cache->grammar->n_classes + cache->grammar->byte_classes[byte];
    from->n_nodes = known->n_nodes;
    memcpy(from->nodes, cache->nodes + known->first_node, known->n_nodes * sizeof from->nodes[0]);
    grammar_state_step(from, cache->grammar, byte, &cache->to);
    bool is_kept = has_room(cache);
    if (!is_kept) forget(cache);
    uint32_t next = find_or_add(cache, &cache->to);
    if (is_kept) cache->steps[step] = next;
    return next;
}

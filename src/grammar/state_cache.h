/* States of a grammar that have been met, numbered, with the steps between them: a deterministic automaton made as it is used.
 *
 * States are relative: their bottom is the rule of the position they began at, and `is_complete` says that it was left. All memory
 * is reserved at the beginning; when it is used up everything is forgotten, numbers lose their meaning and `epoch` rises. One
 * thread at a time.
 *
 *     TRY(state_cache_init(&cache, grammar, error));
 *     uint32_t state = state_cache_start(&cache, position);
 *     state = state_cache_step(&cache, state, 'x');          STATE_DEAD: no text goes on so
 *     state_cache_release(&cache);
 */
#ifndef GRAMMAR_STATE_CACHE_H
#define GRAMMAR_STATE_CACHE_H

#include "grammar/state.h"

enum { STATE_UNKNOWN = 0, STATE_DEAD = 1, STATE_FIRST = 2 };
#define STATE_IS_COMPLETE 0x80000000u /* set in the numbers of complete states */

struct cached_state {
    uint32_t first_node, hash;
    uint16_t n_nodes;
};

struct state_cache {
    const struct grammar *grammar;
    uint32_t *steps; /* [n][n_classes]: numbers of states */
    struct cached_state *states;
    struct state_node *nodes;
    uint32_t *slots;  /* hash table of numbers; n_slots is a power of two */
    uint32_t *starts; /* of each position: the number of its state */
    uint32_t n_states, most_states, n_nodes, most_nodes, n_slots;
    uint64_t epoch;
    struct grammar_state from, to; /* of the step under way */
};

HOB_MUST_CHECK hob_status state_cache_init(struct state_cache *cache, const struct grammar *grammar, hob_error *error);
void state_cache_release(struct state_cache *cache); /* takes a zeroed one */
uint32_t state_cache_start(struct state_cache *cache, uint32_t position);
/* The slow half of state_cache_step. */
uint32_t state_cache_make_step(struct state_cache *cache, uint32_t state, uint8_t byte);

static inline uint32_t state_cache_step(struct state_cache *cache, uint32_t state, uint8_t byte)
{
    uint32_t number = state & ~STATE_IS_COMPLETE;
    uint32_t next = cache->steps[(size_t)number * cache->grammar->n_classes + cache->grammar->byte_classes[byte]];
    return next != STATE_UNKNOWN ? next : state_cache_make_step(cache, state, byte);
}

#endif

/* A step moves the heads over a byte and then follows ends of rules and calls until only heads that wait for bytes are left.
 * What is followed stands in a list that is searched before anything is added, so that empty rules in loops come to rest. */
#include "grammar/state.h"

#include <string.h>

enum { MAX_FOLLOWED = 1024 };

struct place {
    uint32_t position;
    uint16_t parent;
};

struct stepping {
    const struct grammar *grammar;
    struct grammar_state *next;
    struct place followed[MAX_FOLLOWED];
    size_t n_followed;
};

static uint16_t add_node(struct grammar_state *state, uint32_t position, uint16_t parent, bool is_head)
{
    for (uint16_t i = state->n_nodes; i-- > 0;) {
        const struct state_node *node = &state->nodes[i];
        if (node->position == position && node->parent == parent && node->is_head == is_head) return i;
    }
    if (state->n_nodes == STATE_NODES) {
        state->is_full = true;
        return STACK_NONE;
    }
    state->nodes[state->n_nodes] = (struct state_node){.position = position, .parent = parent, .is_head = is_head};
    state->n_heads = (uint16_t)(state->n_heads + is_head);
    return state->n_nodes++;
}

static void follow(struct stepping *stepping, uint32_t position, uint16_t parent)
{
    for (size_t i = stepping->n_followed; i-- > 0;)
        if (stepping->followed[i].position == position && stepping->followed[i].parent == parent) return;
    if (stepping->n_followed == MAX_FOLLOWED) stepping->next->is_full = true;
    else stepping->followed[stepping->n_followed++] = (struct place){position, parent};
}

/* A call in the last place of its rule leaves nothing to come back to, so that lists written as recursion do not nest. */
static void follow_call(struct stepping *stepping, const struct grammar_call *call, uint16_t parent)
{
    if (stepping->grammar->flags[call->back] & POSITION_IS_TAIL) {
        follow(stepping, call->start, parent);
        return;
    }
    uint16_t node = add_node(stepping->next, call->back, parent, false);
    if (node != STACK_NONE) follow(stepping, call->start, node);
}

static void clear(struct grammar_state *state)
{
    state->n_nodes = state->n_heads = 0;
    state->is_complete = state->is_full = false;
}

/* A state that lacks a stack could lead to a dead end: it is none. */
static void settle(struct stepping *stepping)
{
    const struct grammar *grammar = stepping->grammar;
    struct grammar_state *next = stepping->next;
    for (size_t i = 0; i < stepping->n_followed; i++) {
        struct place place = stepping->followed[i];
        uint32_t p = place.position;
        if (grammar->first_edge[p + 1] > grammar->first_edge[p]) add_node(next, p, place.parent, true);
        for (uint32_t c = grammar->first_call[p]; c < grammar->first_call[p + 1]; c++)
            follow_call(stepping, &grammar->calls[c], place.parent);
        if (!(grammar->flags[p] & POSITION_IS_FINAL)) continue;
        if (place.parent == STACK_NONE) next->is_complete = true;
        else follow(stepping, next->nodes[place.parent].position, next->nodes[place.parent].parent);
    }
    if (!next->is_full) return;
    clear(next);
    next->is_full = true;
}

void grammar_state_start_at(struct grammar_state *state, const struct grammar *grammar, uint32_t position)
{
    struct stepping stepping;
    stepping.grammar = grammar;
    stepping.next = state;
    stepping.n_followed = 0;
    clear(state);
    follow(&stepping, position, STACK_NONE);
    settle(&stepping);
}

void grammar_state_start(struct grammar_state *state, const struct grammar *grammar)
{
    grammar_state_start_at(state, grammar, grammar->start);
}

void grammar_state_copy(struct grammar_state *to, const struct grammar_state *from)
{
    memcpy(to, from, offsetof(struct grammar_state, nodes) + from->n_nodes * sizeof from->nodes[0]);
}

/* The node and all below it, in the next state. */
static uint16_t copy_stack(const struct grammar_state *state, uint16_t node, uint16_t *copies,
                           struct grammar_state *next)
{
    uint16_t way[STATE_NODES];
    size_t n = 0;
    for (; node != STACK_NONE && copies[node] == STACK_NONE; node = state->nodes[node].parent) way[n++] = node;
    uint16_t copy = node == STACK_NONE ? STACK_NONE : copies[node];
    while (n) {
        uint16_t above = way[--n];
        copies[above] = copy = add_node(next, state->nodes[above].position, copy, false);
    }
    return copy;
}

void grammar_state_step(const struct grammar_state *state, const struct grammar *grammar, uint8_t byte,
                        struct grammar_state *ret_next)
{
    uint16_t copies[STATE_NODES];
    struct stepping stepping;
    stepping.grammar = grammar;
    stepping.next = ret_next;
    stepping.n_followed = 0;
    clear(ret_next);
    memset(copies, 0xFF, state->n_nodes * sizeof copies[0]);
    for (uint16_t h = 0; h < state->n_nodes; h++) {
        const struct state_node *head = &state->nodes[h];
        if (!head->is_head) continue;
        for (uint32_t e = grammar->first_edge[head->position]; e < grammar->first_edge[head->position + 1]; e++) {
            const struct grammar_edge *edge = &grammar->edges[e];
            if (byte < edge->low || byte > edge->high) continue;
            uint16_t parent = copy_stack(state, head->parent, copies, ret_next);
            if (parent != STACK_NONE || head->parent == STACK_NONE) follow(&stepping, edge->target, parent);
        }
    }
    settle(&stepping);
}

bool grammar_state_accept(struct grammar_state *state, const struct grammar *grammar, const char *bytes, size_t n_bytes)
{
    struct grammar_state turns[2];
    const struct grammar_state *now = state;
    for (size_t i = 0; i < n_bytes; i++) {
        struct grammar_state *next = &turns[i & 1];
        grammar_state_step(now, grammar, (uint8_t)bytes[i], next);
        if (!next->n_heads && !next->is_complete) return false;
        now = next;
    }
    if (now != state) grammar_state_copy(state, now);
    return true;
}

bool grammar_state_is_complete(const struct grammar_state *state)
{
    return state->is_complete;
}

bool grammar_state_is_over(const struct grammar_state *state)
{
    return state->is_complete && !state->n_heads;
}

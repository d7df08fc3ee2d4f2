/* Where a text is in a grammar: the set of stacks that a pushdown automaton can be in after the bytes so far.
 *
 * A stack's head is the position of its next byte, the nodes below are the positions that its calls come back to; stacks share
 * what they have in common. Plain memory without pointers: copying it is a fork or a snapshot to rewind to, at the cost of the
 * nodes in use. Nesting is limited by its size, about 500 levels. One thread at a time.
 *
 *     struct grammar_state state, before;
 *     grammar_state_start(&state, grammar);
 *     grammar_state_copy(&before, &state);
 *     if (!grammar_state_accept(&state, grammar, bytes, n_bytes)) …      the bytes do not go on so; state is as it was
 *     if (grammar_state_is_complete(&state)) …                           the text so far is a whole one
 */
#ifndef GRAMMAR_STATE_H
#define GRAMMAR_STATE_H

#include "grammar/grammar.h"

enum { STATE_NODES = 512, STACK_NONE = 0xFFFF };

struct state_node {
    uint32_t position;
    uint16_t parent; /* a node before this one; STACK_NONE: the bottom */
    bool is_head;
};

struct grammar_state {
    uint16_t n_nodes, n_heads;
    bool is_complete; /* the bottom was left: all rules may have ended */
    bool is_full;     /* there were not enough nodes: no stack is left */
    struct state_node nodes[STATE_NODES];
};

void grammar_state_start(struct grammar_state *state, const struct grammar *grammar);
/* As start, from any position: the bottom is that position's rule. */
void grammar_state_start_at(struct grammar_state *state, const struct grammar *grammar, uint32_t position);
void grammar_state_copy(struct grammar_state *to, const struct grammar_state *from);
/* One byte on; ret_next is another state. No head in it: no text goes on so (or it is only complete). */
void grammar_state_step(const struct grammar_state *state, const struct grammar *grammar, uint8_t byte,
                        struct grammar_state *ret_next);
/* false: not so, and the state is as it was. */
bool grammar_state_accept(struct grammar_state *state, const struct grammar *grammar, const char *bytes,
                          size_t n_bytes);
bool grammar_state_is_complete(const struct grammar_state *state);
/* Complete, and no byte can follow. */
bool grammar_state_is_over(const struct grammar_state *state);

#endif

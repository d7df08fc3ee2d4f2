/* A graph made ready to run: its nodes in order, each with the params its op prepared and the step after which each value is
 * no longer read. Lives in the graph's arena; read-only after it is made, shared by all sessions.
 *
 *     const struct program *program;
 *     TRY(program_new(graph, &program, error));       graph must not change afterwards
 */
#ifndef GRAPH_PROGRAM_H
#define GRAPH_PROGRAM_H

#include "graph/graph.h"
#include "ops/op.h"

struct step {
    const struct op_def *op;
    const void *params;
    const char *name;
    const uint32_t *inputs, *outputs; /* values or VALUE_NONE */
    uint32_t n_inputs, n_outputs;
    uint32_t state;                   /* STATE_NONE unless the op is stateful */
    const struct program *const *bodies; /* of the node's graph attributes, in order */
    uint32_t n_bodies;
};

struct program {
    const struct graph *graph;
    const struct step *steps;
    uint32_t n_steps;
    const uint32_t *last_use; /* a value each: index of the last step that reads it; n_steps for outputs; 0 when unread */
};

/* One resolved node as a step: bodies compiled, params prepared in arena. For passes that compute a node by itself. */
HOB_MUST_CHECK hob_status step_make(struct graph *graph, const struct node *node, struct arena *arena, struct step *ret_step,
                                    hob_error *error);

/* Resolves operators, sorts, prepares. Fails: HOB_BAD_GRAPH, HOB_UNSUPPORTED, what the ops' prepare says (with the node named). */
HOB_MUST_CHECK hob_status program_new(struct graph *graph, const struct program **ret_program, hob_error *error);

#endif

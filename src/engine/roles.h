/* What a graph's inputs and outputs are for, told from their names, types and shapes: token ids, positions, masks, caches; logits,
 * hidden states. Graphs that models/ built use hob's own names; ONNX exports use those of transformers, optimum, ORT-genai. */
#ifndef ENGINE_ROLES_H
#define ENGINE_ROLES_H

#include "base/arena.h"
#include "graph/io_role.h"

/* A past input and the present output that takes its place in the next run. */
struct carried_pair {
    uint32_t input, output; /* indices into graph->inputs and graph->outputs */
    int axis;               /* the one that grows */
};

struct graph_roles {
    const enum input_role *inputs;      /* one an input of the graph */
    uint32_t ids;                       /* index of INPUT_IDS; UINT32_MAX when there is none */
    uint32_t logits, hidden, sentence, labels; /* indices of outputs; UINT32_MAX when there is none */
    const struct carried_pair *carried;
    uint32_t n_carried;
    bool is_packed;                     /* an encoder that takes texts end to end: hob's own, without a batch dimension, or with segments */
    bool is_complete;                   /* every input has a role: the engine can run the graph by itself */
};

enum { ROLE_NONE = UINT32_MAX };

/* Results live in arena. Fails: HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status roles_find(const struct graph *graph, struct arena *arena, struct graph_roles *ret_roles, hob_error *error);

#endif

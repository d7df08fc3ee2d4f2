/* The graph: values, the nodes that make them, and what goes in and out. The one form every model takes.
 *
 * Owns (in its arena, and through graph_own) everything it points to: names, attributes, constants' bytes or the file map
 * they lie in. Values and nodes are numbered; a value has at most one producer. Nodes may stand in any order until the graph
 * is compiled (graph/plan.h), which sorts them and rejects cycles. Subgraphs (If, Loop) are graphs of their own that name
 * outer values; they belong to their parent. Not thread-safe while it changes; read-only after compilation, then shared.
 *
 *     struct graph *graph;
 *     TRY(graph_new(NULL, &graph, error));
 *     uint32_t x, y;
 *     TRY(graph_add_input(graph, "x", DTYPE_F32, 2, dims, dim_names, &x, error));
 *     TRY(graph_add_node(graph, &(struct node_spec){.op_type = "Relu", .inputs = &x, .n_inputs = 1, …}, &y, error));
 *     TRY(graph_add_output(graph, y, error));
 */
#ifndef GRAPH_GRAPH_H
#define GRAPH_GRAPH_H

#include "base/arena.h"
#include "base/string_map.h"
#include "ops/attribute.h"
#include "tensor/tensor.h"

struct op_def;

enum { VALUE_NONE = UINT32_MAX };       /* an optional input that is not given, an output that is not wanted */
enum { NODE_NONE = UINT32_MAX };
enum { DIM_UNKNOWN = -1 };

/* A caller that finds itself with a hostile file meets these first. */
enum { GRAPH_MAX_VALUES = 1 << 22, GRAPH_MAX_NODES = 1 << 21, GRAPH_MAX_NAME_BYTES = 1 << 16, GRAPH_MAX_DEPTH = 32,
       GRAPH_MAX_NODE_VALUES = 1 << 16 }; /* inputs, and outputs, of one node */

struct value {
    const char *name;              /* "" for an anonymous one; never NULL */
    uint32_t producer;             /* node, or NODE_NONE: an input, a constant or an outer value */
    uint32_t producer_output;      /* which output of the producer */
    bool is_input, is_output;
    bool is_declared;              /* dtype, rank, dims below were stated by the model */
    bool is_optional;              /* declared as optional(…): may be absent; dtype and dims are of what it holds */
    enum dtype dtype;              /* DTYPE_NONE: not stated */
    int rank;                      /* -1: not stated */
    const int64_t *dims;           /* rank of them; DIM_UNKNOWN where symbolic */
    const char *const *dim_names;  /* rank of them, NULL entries where a dim has no name; may be NULL altogether */
    const struct tensor *constant; /* weights and other constants; NULL for the rest */
    uint32_t outer;                /* in a subgraph: the parent's value of that name; else VALUE_NONE */
};

struct node {
    const char *name;              /* never NULL; "Softmax_12" made up when the file gives none */
    const char *domain, *op_type;
    int opset;                     /* of the domain */
    const struct op_def *op;       /* NULL until resolved by graph_resolve_ops */
    const uint32_t *inputs, *outputs; /* values or VALUE_NONE */
    uint32_t n_inputs, n_outputs;
    struct attributes attributes;
    uint32_t state;                /* index into graph->states for OP_STATEFUL; UINT32_MAX otherwise */
    bool is_removed;               /* passes leave holes; graph_compact drops them */
};

/* A session buffer (KV cache). One axis grows with the positions the session has seen. */
struct graph_state {
    const char *name;
    enum dtype dtype;
    int rank, axis;                      /* axis: the one that counts positions */
    int64_t dims[TENSOR_MAX_RANK];       /* dims[axis] ignored: the session's capacity; DIM_UNKNOWN elsewhere means batch (1) */
};

struct graph_opset {
    const char *domain;
    int version;
};

struct graph_metadata {
    const char *key, *text;
};

struct graph_owned {
    void *object;
    void (*release)(void *object);
};

struct graph {
    struct arena arena;
    struct arena weights;                /* what passes make of weights */
    const char *name;
    struct graph *parent;                /* of a subgraph; NULL at the top */
    struct value *values;
    struct node *nodes;
    uint32_t *inputs, *outputs;          /* values; initialisers that are also inputs count as constants, not inputs */
    const char **output_names;           /* n_outputs, as the model wrote them: passes may put another value in place */
    struct graph_state *states;
    struct graph_opset *opsets;
    struct graph_metadata *metadata;
    const char **files;                  /* that its constants come from, as they were opened: for whoever wants to name the source */
    struct graph_owned *owned;
    struct graph **subgraphs;            /* owned children */
    uint32_t n_values, n_nodes, n_inputs, n_outputs, n_states, n_opsets, n_metadata, n_files, n_owned, n_subgraphs;
    int ir_version;                      /* ONNX; 0 otherwise */
    const char *producer;                /* "pytorch 1.13.1"; "" when not stated */
    struct string_map value_by_name;
};

/* parent NULL for a top graph; a subgraph is freed with its parent. */
HOB_MUST_CHECK hob_status graph_new(struct graph *parent, struct graph **ret_graph, hob_error *error);
void graph_free(struct graph *graph); /* takes NULL; calls the owned objects' release, last first */

/* On success the graph releases object when it is freed; on failure the caller keeps it. */
HOB_MUST_CHECK hob_status graph_own(struct graph *graph, void *object, void (*release)(void *object), hob_error *error);
HOB_MUST_CHECK hob_status graph_add_opset(struct graph *graph, const char *domain, int version, hob_error *error);
/* The version the model imports for domain; a subgraph asks its parent; -1 when not imported. "hob" is always 1. */
int graph_opset(const struct graph *graph, const char *domain);
HOB_MUST_CHECK hob_status graph_add_metadata(struct graph *graph, const char *key, const char *text, hob_error *error);
const char *graph_find_metadata(const struct graph *graph, const char *key); /* NULL when absent */

HOB_MUST_CHECK hob_status graph_add_file(struct graph *graph, const char *path, hob_error *error);

/* Names are copied unless said otherwise. An empty name makes an anonymous value. */
/* A value named so far by nobody: the reader of a format calls graph_value for each name it meets, in any order. */
HOB_MUST_CHECK hob_status graph_value(struct graph *graph, const char *name, size_t n_name_bytes, uint32_t *ret_value,
                                      hob_error *error);
/* VALUE_NONE when there is none of that name. */
uint32_t graph_find_value(const struct graph *graph, const char *name);
/* States what is known of a value. dims and dim_names (may be NULL) are copied. rank -1: not stated. */
HOB_MUST_CHECK hob_status graph_declare(struct graph *graph, uint32_t value, enum dtype dtype, int rank,
                                        const int64_t *dims, const char *const *dim_names, hob_error *error);
/* graph_value + graph_declare + entry in inputs. */
HOB_MUST_CHECK hob_status graph_add_input(struct graph *graph, const char *name, enum dtype dtype, int rank,
                                          const int64_t *dims, const char *const *dim_names, uint32_t *ret_value,
                                          hob_error *error);
/* Puts a value that is declared (and has neither a producer nor a constant) at the end of inputs. */
HOB_MUST_CHECK hob_status graph_mark_input(struct graph *graph, uint32_t value, hob_error *error);
/* Named like the value. */
HOB_MUST_CHECK hob_status graph_add_output(struct graph *graph, uint32_t value, hob_error *error);
/* Makes value a constant. The struct is copied, the bytes are not: they must live as long as the graph (its arena, or owned). */
HOB_MUST_CHECK hob_status graph_set_constant(struct graph *graph, uint32_t value, const struct tensor *tensor, hob_error *error);
/* A new constant value (name may be ""). */
HOB_MUST_CHECK hob_status graph_add_constant(struct graph *graph, const char *name, const struct tensor *tensor,
                                             uint32_t *ret_value, hob_error *error);
HOB_MUST_CHECK hob_status graph_add_state(struct graph *graph, const struct graph_state *state, uint32_t *ret_state,
                                          hob_error *error);

struct node_spec {
    const char *name;               /* may be NULL */
    const char *domain, *op_type;   /* domain NULL: "" */
    const uint32_t *inputs;
    uint32_t n_inputs;
    const uint32_t *outputs;        /* existing values without producer, or NULL: n_outputs new anonymous values */
    uint32_t n_outputs;
    struct attributes attributes;   /* the array is copied; what it points to must live as long as the graph */
    uint32_t state;                 /* UINT32_MAX (STATE_NONE): none */
};
enum { STATE_NONE = UINT32_MAX };

/* ret_outputs (may be NULL) gets the n_outputs values. Fails: HOB_BAD_GRAPH when an output has a producer already (or is a
 * constant or input), HOB_LIMIT. */
HOB_MUST_CHECK hob_status graph_add_node(struct graph *graph, const struct node_spec *spec, uint32_t *ret_outputs, hob_error *error);

/* ---- for passes ---- */
/* Every reader of value, and the outputs list, reads replacement instead. Walks the whole graph: for one value. */
void graph_replace_value(struct graph *graph, uint32_t value, uint32_t replacement);
/* For many: a map of n_values entries, each value's replacement or itself. New maps map every value to itself. */
HOB_MUST_CHECK hob_status graph_new_replacements(const struct graph *graph, struct arena *scratch, uint32_t **ret_map, hob_error *error);
/* The value that stands for `value` in the end. Shortens chains on the way. */
uint32_t graph_find_replacement(uint32_t *map, uint32_t value);
/* One node's inputs, or everything (nodes, outputs, captures of subgraphs). */
void graph_replace_inputs(struct graph *graph, uint32_t node, uint32_t *map);
void graph_replace_values(struct graph *graph, uint32_t *map);
/* The node is gone and its outputs have no producer. */
void graph_remove_node(struct graph *graph, uint32_t node);
/* n_readers[value]: nodes that read it (each once per use) + 1 per output entry. Array of n_values in arena scratch. */
HOB_MUST_CHECK hob_status graph_count_readers(const struct graph *graph, struct arena *scratch, uint32_t **ret_n_readers,
                                              hob_error *error);
/* Removes the nodes that nothing reads, in subgraphs too. */
HOB_MUST_CHECK hob_status graph_remove_dead(struct graph *graph, struct arena *scratch, uint32_t *ret_n_removed, hob_error *error);
/* Nodes in an order in which each stands behind its producers; stable with respect to the file. Fails: HOB_BAD_GRAPH on a
 * cycle (names the nodes in it) and on a value that is read but neither made, fed nor constant. */
HOB_MUST_CHECK hob_status graph_sort(const struct graph *graph, struct arena *scratch, uint32_t **ret_order,
                                     uint32_t *ret_n_nodes, hob_error *error);
/* Finds the op_def of each node, checks input and output counts. Fails with HOB_UNSUPPORTED naming operator, domain, opset. */
HOB_MUST_CHECK hob_status graph_resolve_ops(struct graph *graph, hob_error *error);

#endif

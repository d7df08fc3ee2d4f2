/* Storage of a graph. Arrays grow in the arena by doubling; the old copies stay there, which costs at most as much again and
 * keeps every pointer handed out before valid until the graph dies. */
#include "graph/graph.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"

#include <stdio.h>
#include <string.h>

enum { ARENA_CHUNK_BYTES = 64 * 1024 };

static hob_status no_memory(const struct graph *graph, hob_error *error)
{
    FAIL(error, HOB_NO_MEMORY, "graph %s: out of memory at %u values, %u nodes", graph->name, graph->n_values, graph->n_nodes);
}

/* Room for one more item in an array of the graph's arena. Doubles when n_items is a power of two (or zero), so no reserved
 * count is needed. */
static void *grow_array(struct graph *graph, void *items, uint32_t n_items, size_t item_bytes)
{
    bool is_full = (n_items & (n_items - 1)) == 0;
    if (!is_full) return items;
    size_t n_reserved = n_items ? (size_t)n_items * 2 : 1;
    void *grown = arena_new(&graph->arena, n_reserved, item_bytes, 16);
    if (grown && n_items) memcpy(grown, items, n_items * item_bytes);
    return grown;
}

#define APPEND(graph, array, count, item, error)                                                           \
    do {                                                                                                   \
        void *grown_ = grow_array((graph), (array), (count), sizeof *(array));                             \
        if (!grown_) return no_memory((graph), (error));                                                   \
        (array) = grown_;                                                                                  \
        (array)[(count)++] = (item);                                                                       \
    } while (0)

hob_status graph_new(struct graph *parent, struct graph **ret_graph, hob_error *error)
{
    struct graph *graph = memory_new(1, sizeof *graph);
    if (!graph) FAIL(error, HOB_NO_MEMORY, "a new graph: out of memory");
    arena_init(&graph->arena, ARENA_CHUNK_BYTES);
    arena_init(&graph->weights, ARENA_CHUNK_BYTES);
    graph->weights.is_doubling = true;
    graph->name = "";
    graph->producer = "";
    graph->parent = parent;
    if (parent) {
        void *grown = grow_array(parent, parent->subgraphs, parent->n_subgraphs, sizeof *parent->subgraphs);
        if (!grown) {
            graph_free(graph);
            return no_memory(parent, error);
        }
        parent->subgraphs = grown;
        parent->subgraphs[parent->n_subgraphs++] = graph;
    }
    *ret_graph = graph;
    return HOB_OK;
}

void graph_free(struct graph *graph)
{
    if (!graph) return;
    for (uint32_t i = graph->n_subgraphs; i-- > 0;) graph_free(graph->subgraphs[i]);
    for (uint32_t i = graph->n_owned; i-- > 0;) graph->owned[i].release(graph->owned[i].object);
    string_map_release(&graph->value_by_name);
    arena_release(&graph->arena);
    arena_release(&graph->weights);
    memory_free(graph);
}

hob_status graph_own(struct graph *graph, void *object, void (*release)(void *object), hob_error *error)
{
    struct graph_owned owned = {object, release};
    APPEND(graph, graph->owned, graph->n_owned, owned, error);
    return HOB_OK;
}

static const char *copy_text(struct graph *graph, const char *text)
{
    return arena_copy_string(&graph->arena, text ? text : "", text ? strlen(text) : 0);
}

static bool is_same_domain(const char *a, const char *b)
{
    if (!strcmp(a, "ai.onnx")) a = "";
    if (!strcmp(b, "ai.onnx")) b = "";
    return !strcmp(a, b);
}

hob_status graph_add_opset(struct graph *graph, const char *domain, int version, hob_error *error)
{
    struct graph_opset opset = {copy_text(graph, domain), version};
    if (!opset.domain) return no_memory(graph, error);
    APPEND(graph, graph->opsets, graph->n_opsets, opset, error);
    return HOB_OK;
}

int graph_opset(const struct graph *graph, const char *domain)
{
    if (!strcmp(domain, "hob")) return 1;
    for (uint32_t i = 0; i < graph->n_opsets; i++)
        if (is_same_domain(graph->opsets[i].domain, domain)) return graph->opsets[i].version;
    return graph->parent ? graph_opset(graph->parent, domain) : -1;
}

hob_status graph_add_metadata(struct graph *graph, const char *key, const char *text, hob_error *error)
{
    struct graph_metadata item = {copy_text(graph, key), copy_text(graph, text)};
    if (!item.key || !item.text) return no_memory(graph, error);
    APPEND(graph, graph->metadata, graph->n_metadata, item, error);
    return HOB_OK;
}

hob_status graph_add_file(struct graph *graph, const char *path, hob_error *error)
{
    const char *copy = copy_text(graph, path);
    if (!copy) return no_memory(graph, error);
    APPEND(graph, graph->files, graph->n_files, copy, error);
    return HOB_OK;
}

const char *graph_find_metadata(const struct graph *graph, const char *key)
{
    for (uint32_t i = 0; i < graph->n_metadata; i++)
        if (!strcmp(graph->metadata[i].key, key)) return graph->metadata[i].text;
    return NULL;
}

static hob_status new_value(struct graph *graph, const char *name, size_t n_name_bytes, uint32_t *ret_value, hob_error *error)
{
    if (graph->n_values >= GRAPH_MAX_VALUES) FAIL(error, HOB_LIMIT, "found more than %d values", GRAPH_MAX_VALUES);
    if (n_name_bytes > GRAPH_MAX_NAME_BYTES)
        FAIL(error, HOB_LIMIT, "found a name of %zu bytes, expected at most %d", n_name_bytes, GRAPH_MAX_NAME_BYTES);
    struct value value = {.producer = NODE_NONE, .rank = -1, .outer = VALUE_NONE};
    value.name = arena_copy_string(&graph->arena, name, n_name_bytes);
    if (!value.name) return no_memory(graph, error);
    uint32_t index = graph->n_values;
    APPEND(graph, graph->values, graph->n_values, value, error);
    if (n_name_bytes && !string_map_put(&graph->value_by_name, value.name, n_name_bytes, index)) return no_memory(graph, error);
    *ret_value = index;
    return HOB_OK;
}

hob_status graph_value(struct graph *graph, const char *name, size_t n_name_bytes, uint32_t *ret_value, hob_error *error)
{
    uint64_t found;
    if (n_name_bytes && string_map_get(&graph->value_by_name, name, n_name_bytes, &found)) {
        *ret_value = (uint32_t)found;
        return HOB_OK;
    }
    return new_value(graph, name, n_name_bytes, ret_value, error);
}

uint32_t graph_find_value(const struct graph *graph, const char *name)
{
    uint64_t found;
    return string_map_get(&graph->value_by_name, name, strlen(name), &found) ? (uint32_t)found : VALUE_NONE;
}

hob_status graph_declare(struct graph *graph, uint32_t value, enum dtype dtype, int rank, const int64_t *dims,
                         const char *const *dim_names, hob_error *error)
{
    struct value *declared = &graph->values[value];
    if (rank > TENSOR_MAX_RANK)
        FAIL(error, HOB_LIMIT, "%s: found rank %d, expected at most %d", declared->name, rank, TENSOR_MAX_RANK);
    const char **names = NULL;
    int64_t *copied = NULL;
    if (rank > 0) {
        copied = arena_copy(&graph->arena, dims, (size_t)rank * sizeof *dims, _Alignof(int64_t));
        if (!copied) return no_memory(graph, error);
        if (dim_names && !(names = ARENA_NEW(&graph->arena, const char *, (size_t)rank))) return no_memory(graph, error);
        for (int i = 0; dim_names && i < rank; i++)
            if (dim_names[i] && !(names[i] = copy_text(graph, dim_names[i]))) return no_memory(graph, error);
    }
    declared->is_declared = true;
    declared->dtype = dtype;
    declared->rank = rank;
    declared->dims = copied;
    declared->dim_names = names;
    return HOB_OK;
}

hob_status graph_mark_input(struct graph *graph, uint32_t value, hob_error *error)
{
    APPEND(graph, graph->inputs, graph->n_inputs, value, error);
    graph->values[value].is_input = true;
    return HOB_OK;
}

hob_status graph_add_input(struct graph *graph, const char *name, enum dtype dtype, int rank, const int64_t *dims,
                           const char *const *dim_names, uint32_t *ret_value, hob_error *error)
{
    uint32_t value;
    TRY(graph_value(graph, name, strlen(name), &value, error));
    if (graph->values[value].is_input) FAIL(error, HOB_BAD_GRAPH, "input %s stands twice", name);
    if (graph->values[value].producer != NODE_NONE) FAIL(error, HOB_BAD_GRAPH, "input %s is also made by a node", name);
    TRY(graph_declare(graph, value, dtype, rank, dims, dim_names, error));
    TRY(graph_mark_input(graph, value, error));
    *ret_value = value;
    return HOB_OK;
}

hob_status graph_add_output(struct graph *graph, uint32_t value, hob_error *error)
{
    uint32_t n_names = graph->n_outputs;
    APPEND(graph, graph->output_names, n_names, graph->values[value].name, error);
    APPEND(graph, graph->outputs, graph->n_outputs, value, error);
    graph->values[value].is_output = true;
    return HOB_OK;
}

hob_status graph_set_constant(struct graph *graph, uint32_t value, const struct tensor *tensor, hob_error *error)
{
    struct value *target = &graph->values[value];
    if (target->producer != NODE_NONE || target->is_input)
        FAIL(error, HOB_BAD_GRAPH, "%s: found a constant for a value that a node or the caller gives", target->name);
    target->constant = arena_copy(&graph->arena, tensor, sizeof *tensor, _Alignof(struct tensor));
    return target->constant ? HOB_OK : no_memory(graph, error);
}

hob_status graph_add_constant(struct graph *graph, const char *name, const struct tensor *tensor, uint32_t *ret_value,
                              hob_error *error)
{
    uint32_t value;
    TRY(graph_value(graph, name, strlen(name), &value, error));
    if (graph->values[value].constant) FAIL(error, HOB_BAD_GRAPH, "constant %s stands twice", name);
    TRY(graph_set_constant(graph, value, tensor, error));
    *ret_value = value;
    return HOB_OK;
}

hob_status graph_add_state(struct graph *graph, const struct graph_state *state, uint32_t *ret_state, hob_error *error)
{
    struct graph_state copy = *state;
    if (!(copy.name = copy_text(graph, state->name))) return no_memory(graph, error);
    *ret_state = graph->n_states;
    APPEND(graph, graph->states, graph->n_states, copy, error);
    return HOB_OK;
}

static hob_status copy_node_text(struct graph *graph, const struct node_spec *spec, struct node *node, hob_error *error)
{
    char made_up[96];
    if (!spec->name || !*spec->name) snprintf(made_up, sizeof made_up, "%.64s_%u", spec->op_type, graph->n_nodes);
    node->name = copy_text(graph, spec->name && *spec->name ? spec->name : made_up);
    node->domain = copy_text(graph, spec->domain && strcmp(spec->domain, "ai.onnx") ? spec->domain : "");
    node->op_type = copy_text(graph, spec->op_type);
    return node->name && node->domain && node->op_type ? HOB_OK : no_memory(graph, error);
}

static hob_status check_free_output(const struct graph *graph, const struct node *node, uint32_t output, hob_error *error)
{
    const struct value *value = &graph->values[output];
    if (value->producer == graph->n_nodes) FAIL(error, HOB_BAD_GRAPH, "%s: output %s stands twice", node->name, value->name);
    if (value->producer != NODE_NONE)
        FAIL(error, HOB_BAD_GRAPH, "%s: output %s is already made by %s", node->name, value->name,
             graph->nodes[value->producer].name);
    if (value->is_input || value->constant)
        FAIL(error, HOB_BAD_GRAPH, "%s: output %s is already an input or a constant", node->name, value->name);
    return HOB_OK;
}

static void disconnect_outputs(struct graph *graph, const uint32_t *outputs, uint32_t n_outputs)
{
    for (uint32_t i = 0; i < n_outputs; i++)
        if (outputs[i] != VALUE_NONE) graph->values[outputs[i]].producer = NODE_NONE;
}

/* Fills node->outputs and makes the node, which is to be the graph's next, their producer. */
static hob_status connect_outputs(struct graph *graph, const struct node_spec *spec, struct node *node, hob_error *error)
{
    uint32_t *outputs = ARENA_NEW(&graph->arena, uint32_t, spec->n_outputs);
    if (!outputs) return no_memory(graph, error);
    for (uint32_t i = 0; i < spec->n_outputs; i++) {
        if (spec->outputs) outputs[i] = spec->outputs[i];
        else TRY(new_value(graph, "", 0, &outputs[i], error));
        if (outputs[i] == VALUE_NONE) continue;
        hob_status status = check_free_output(graph, node, outputs[i], error);
        if (status != HOB_OK) {
            disconnect_outputs(graph, outputs, i);
            return status;
        }
        graph->values[outputs[i]].producer = graph->n_nodes;
        graph->values[outputs[i]].producer_output = i;
    }
    node->outputs = outputs;
    node->n_outputs = spec->n_outputs;
    return HOB_OK;
}

hob_status graph_add_node(struct graph *graph, const struct node_spec *spec, uint32_t *ret_outputs, hob_error *error)
{
    if (graph->n_nodes >= GRAPH_MAX_NODES) FAIL(error, HOB_LIMIT, "found more than %d nodes", GRAPH_MAX_NODES);
    if (spec->n_inputs > GRAPH_MAX_NODE_VALUES || spec->n_outputs > GRAPH_MAX_NODE_VALUES)
        FAIL(error, HOB_LIMIT, "%s: found %u inputs and %u outputs, expected at most %d of each", spec->op_type, spec->n_inputs,
             spec->n_outputs, GRAPH_MAX_NODE_VALUES);
    struct node node = {.state = spec->state, .n_inputs = spec->n_inputs};
    TRY(copy_node_text(graph, spec, &node, error));
    node.opset = graph_opset(graph, node.domain);
    struct arena *arena = &graph->arena;
    node.inputs = arena_copy(arena, spec->inputs, spec->n_inputs * sizeof *spec->inputs, _Alignof(uint32_t));
    node.attributes.n_items = spec->attributes.n_items;
    node.attributes.items = arena_copy(arena, spec->attributes.items, spec->attributes.n_items * sizeof(struct attribute),
                                       _Alignof(struct attribute));
    if (!node.inputs || !node.attributes.items) return no_memory(graph, error);
    /* The array must have room before any output points at the new node. */
    struct node *grown = grow_array(graph, graph->nodes, graph->n_nodes, sizeof *graph->nodes);
    if (!grown) return no_memory(graph, error);
    graph->nodes = grown;
    TRY(connect_outputs(graph, spec, &node, error));
    graph->nodes[graph->n_nodes++] = node;
    if (ret_outputs && spec->n_outputs) memcpy(ret_outputs, node.outputs, spec->n_outputs * sizeof *ret_outputs);
    return HOB_OK;
}

hob_status graph_new_replacements(const struct graph *graph, struct arena *scratch, uint32_t **ret_map, hob_error *error)
{
    uint32_t *map = ARENA_NEW(scratch, uint32_t, graph->n_values);
    if (!map) return no_memory(graph, error);
    for (uint32_t i = 0; i < graph->n_values; i++) map[i] = i;
    *ret_map = map;
    return HOB_OK;
}

uint32_t graph_find_replacement(uint32_t *map, uint32_t value)
{
    while (map[value] != value) {
        map[value] = map[map[value]];
        value = map[value];
    }
    return value;
}

static uint32_t *inputs_of(struct graph *graph, uint32_t node)
{
    return (uint32_t *)(uintptr_t)graph->nodes[node].inputs; /* the graph's own arena memory */
}

void graph_replace_inputs(struct graph *graph, uint32_t node, uint32_t *map)
{
    uint32_t *inputs = inputs_of(graph, node);
    for (uint32_t i = 0; i < graph->nodes[node].n_inputs; i++)
        if (inputs[i] != VALUE_NONE) inputs[i] = graph_find_replacement(map, inputs[i]);
}

/* What the model states of a value holds for its replacement too. */
static void inherit_declaration(struct graph *graph, uint32_t value, uint32_t replacement)
{
    const struct value *stated = &graph->values[value];
    struct value *heir = &graph->values[replacement];
    if (!stated->is_declared || heir->is_declared) return;
    heir->is_declared = true;
    heir->dtype = stated->dtype;
    heir->rank = stated->rank;
    heir->dims = stated->dims;
    heir->dim_names = stated->dim_names;
}

void graph_replace_values(struct graph *graph, uint32_t *map)
{
    for (uint32_t i = 0; i < graph->n_values; i++)
        if (map[i] != i) inherit_declaration(graph, i, graph_find_replacement(map, i));
    for (uint32_t i = 0; i < graph->n_nodes; i++)
        if (!graph->nodes[i].is_removed) graph_replace_inputs(graph, i, map);
    for (uint32_t i = 0; i < graph->n_outputs; i++) {
        graph->values[graph->outputs[i]].is_output = false;
        graph->outputs[i] = graph_find_replacement(map, graph->outputs[i]);
    }
    for (uint32_t i = 0; i < graph->n_outputs; i++) graph->values[graph->outputs[i]].is_output = true;
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) {
        struct graph *subgraph = graph->subgraphs[s];
        for (uint32_t i = 0; i < subgraph->n_values; i++)
            if (subgraph->values[i].outer != VALUE_NONE)
                subgraph->values[i].outer = graph_find_replacement(map, subgraph->values[i].outer);
    }
}

void graph_replace_value(struct graph *graph, uint32_t value, uint32_t replacement)
{
    inherit_declaration(graph, value, replacement);
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        uint32_t *inputs = inputs_of(graph, i);
        for (uint32_t j = 0; !graph->nodes[i].is_removed && j < graph->nodes[i].n_inputs; j++)
            if (inputs[j] == value) inputs[j] = replacement;
    }
    for (uint32_t i = 0; i < graph->n_outputs; i++) {
        if (graph->outputs[i] != value) continue;
        graph->outputs[i] = replacement;
        graph->values[replacement].is_output = true;
    }
    graph->values[value].is_output = false;
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) {
        struct graph *subgraph = graph->subgraphs[s];
        for (uint32_t i = 0; i < subgraph->n_values; i++)
            if (subgraph->values[i].outer == value) subgraph->values[i].outer = replacement;
    }
}

void graph_remove_node(struct graph *graph, uint32_t node)
{
    struct node *removed = &graph->nodes[node];
    removed->is_removed = true;
    for (uint32_t i = 0; i < removed->n_outputs; i++) {
        if (removed->outputs[i] != VALUE_NONE && graph->values[removed->outputs[i]].producer == node)
            graph->values[removed->outputs[i]].producer = NODE_NONE;
    }
}

hob_status graph_count_readers(const struct graph *graph, struct arena *scratch, uint32_t **ret_n_readers, hob_error *error)
{
    uint32_t *n_readers = ARENA_NEW(scratch, uint32_t, graph->n_values);
    if (!n_readers) return no_memory(graph, error);
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        const struct node *node = &graph->nodes[i];
        for (uint32_t j = 0; !node->is_removed && j < node->n_inputs; j++)
            if (node->inputs[j] != VALUE_NONE) n_readers[node->inputs[j]]++;
    }
    for (uint32_t i = 0; i < graph->n_outputs; i++) n_readers[graph->outputs[i]]++;
    for (uint32_t s = 0; s < graph->n_subgraphs; s++)
        for (uint32_t i = 0; i < graph->subgraphs[s]->n_values; i++)
            if (graph->subgraphs[s]->values[i].outer != VALUE_NONE) n_readers[graph->subgraphs[s]->values[i].outer]++;
    *ret_n_readers = n_readers;
    return HOB_OK;
}

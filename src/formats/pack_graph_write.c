/* The graph section's writer. Values are renumbered, so that only those that something reads or makes are there. */
#include "base/error.h"
#include "formats/pack_tensor.h"

#include <string.h>

/* Counts in the arena's life; nested graphs have writers of their own. */
struct graph_writer {
    const struct graph *graph;
    const struct graph_writer *parent; /* NULL at the top */
    uint32_t *numbers;                 /* a value each: its number in the pack, or VALUE_NONE */
    struct pack_weights *weights;
    struct buffer *bytes;
    struct arena *scratch;
    hob_error *error;
};

static hob_status write_graph(const struct graph_writer *parent, const struct graph *graph, struct pack_weights *weights,
                              struct buffer *bytes, struct arena *scratch, hob_error *error);

/* ---- what is alive ---- */

static bool has_graphs(const struct attribute *attribute)
{
    return attribute->kind == ATTRIBUTE_GRAPH || attribute->kind == ATTRIBUTE_GRAPHS;
}

static void mark(bool *are_alive, const uint32_t *values, uint32_t n_values)
{
    for (uint32_t i = 0; i < n_values; i++)
        if (values[i] != VALUE_NONE) are_alive[values[i]] = true;
}

static hob_status find_alive(const struct graph *graph, struct arena *scratch, bool **ret_are_alive, hob_error *error);

/* The values that a node's subgraphs read from outside. */
static hob_status mark_captures(const struct node *node, struct arena *scratch, bool *are_alive, hob_error *error)
{
    for (size_t i = 0; i < node->attributes.n_items; i++) {
        const struct attribute *attribute = &node->attributes.items[i];
        for (size_t g = 0; has_graphs(attribute) && g < attribute->n_items; g++) {
            const struct graph *subgraph = attribute->graphs[g];
            bool *inside;
            TRY(find_alive(subgraph, scratch, &inside, error));
            for (uint32_t v = 0; v < subgraph->n_values; v++)
                if (inside[v] && subgraph->values[v].outer != VALUE_NONE) are_alive[subgraph->values[v].outer] = true;
        }
    }
    return HOB_OK;
}

static hob_status find_alive(const struct graph *graph, struct arena *scratch, bool **ret_are_alive, hob_error *error)
{
    bool *are_alive = ARENA_NEW(scratch, bool, graph->n_values);
    if (!are_alive) FAIL(error, HOB_NO_MEMORY, "packing a graph: out of memory");
    mark(are_alive, graph->inputs, graph->n_inputs);
    mark(are_alive, graph->outputs, graph->n_outputs);
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        const struct node *node = &graph->nodes[i];
        if (node->is_removed) continue;
        mark(are_alive, node->inputs, node->n_inputs);
        mark(are_alive, node->outputs, node->n_outputs);
        TRY(mark_captures(node, scratch, are_alive, error));
    }
    *ret_are_alive = are_alive;
    return HOB_OK;
}

static hob_status number_values(struct graph_writer *writer, uint32_t *ret_n_values)
{
    const struct graph *graph = writer->graph;
    bool *are_alive;
    uint32_t n_values = 0;
    TRY(find_alive(graph, writer->scratch, &are_alive, writer->error));
    writer->numbers = ARENA_NEW(writer->scratch, uint32_t, graph->n_values);
    if (!writer->numbers) FAIL(writer->error, HOB_NO_MEMORY, "packing a graph: out of memory");
    for (uint32_t i = 0; i < graph->n_values; i++) writer->numbers[i] = are_alive[i] ? n_values++ : VALUE_NONE;
    *ret_n_values = n_values;
    return HOB_OK;
}

/* ---- fields ---- */

static void put_name(struct buffer *bytes, const char *name)
{
    record_put_text(bytes, name, strlen(name));
}

static void put_values(const struct graph_writer *writer, const uint32_t *values, uint32_t n_values)
{
    record_put_u32(writer->bytes, n_values);
    for (uint32_t i = 0; i < n_values; i++)
        record_put_u32(writer->bytes, values[i] == VALUE_NONE ? VALUE_NONE : writer->numbers[values[i]]);
}

static void put_declaration(const struct value *value, struct buffer *bytes)
{
    record_put_u8(bytes, value->is_declared);
    if (!value->is_declared) return;
    record_put_u8(bytes, (uint8_t)value->dtype);
    record_put_u8(bytes, (uint8_t)(value->rank + 1));
    for (int i = 0; i < value->rank; i++) {
        const char *name = value->dim_names ? value->dim_names[i] : NULL;
        record_put_i64(bytes, value->dims[i]);
        record_put_text(bytes, name, name ? strlen(name) : 0);
    }
}

static hob_status put_value(const struct graph_writer *writer, const struct value *value)
{
    struct buffer *bytes = writer->bytes;
    put_name(bytes, value->name);
    put_declaration(value, bytes);
    record_put_u8(bytes, value->is_optional);
    record_put_u32(bytes, value->outer == VALUE_NONE ? VALUE_NONE : writer->parent->numbers[value->outer]);
    record_put_u8(bytes, value->constant != NULL);
    if (!value->constant) return HOB_OK;
    hob_status status = pack_tensor_write(value->constant, writer->weights, bytes, writer->error);
    return status == HOB_OK ? HOB_OK : error_prefix(writer->error, status, "constant %s", value->name);
}

static hob_status put_graphs(const struct graph_writer *writer, const struct attribute *attribute)
{
    for (size_t i = 0; i < attribute->n_items; i++)
        TRY(write_graph(writer, attribute->graphs[i], writer->weights, writer->bytes, writer->scratch, writer->error));
    return HOB_OK;
}

static hob_status put_tensors(const struct graph_writer *writer, const struct attribute *attribute)
{
    for (size_t i = 0; i < attribute->n_items; i++)
        TRY(pack_tensor_write(&attribute->tensor[i], writer->weights, writer->bytes, writer->error));
    return HOB_OK;
}

static void put_strings(struct buffer *bytes, const struct tensor_string *strings, size_t n_strings)
{
    for (size_t i = 0; i < n_strings; i++) record_put_text(bytes, strings[i].bytes ? strings[i].bytes : "", strings[i].n_bytes);
}

static hob_status put_attribute(const struct graph_writer *writer, const struct attribute *attribute)
{
    struct buffer *bytes = writer->bytes;
    put_name(bytes, attribute->name);
    record_put_u8(bytes, (uint8_t)attribute->kind);
    record_put_u32(bytes, (uint32_t)attribute->n_items);
    switch (attribute->kind) {
    case ATTRIBUTE_FLOAT:
        record_put_f32(bytes, attribute->number);
        break;
    case ATTRIBUTE_INT:
        record_put_i64(bytes, attribute->integer);
        break;
    case ATTRIBUTE_STRING:
        put_strings(bytes, &attribute->string, 1);
        break;
    case ATTRIBUTE_STRINGS:
        put_strings(bytes, attribute->strings, attribute->n_items);
        break;
    case ATTRIBUTE_FLOATS:
        record_put_array(bytes, attribute->numbers, attribute->n_items, sizeof *attribute->numbers);
        break;
    case ATTRIBUTE_INTS:
        record_put_array(bytes, attribute->integers, attribute->n_items, sizeof *attribute->integers);
        break;
    case ATTRIBUTE_TENSOR:
    case ATTRIBUTE_TENSORS:
        return put_tensors(writer, attribute);
    case ATTRIBUTE_GRAPH:
    case ATTRIBUTE_GRAPHS:
        return put_graphs(writer, attribute);
    }
    return HOB_OK;
}

static hob_status put_node(const struct graph_writer *writer, const struct node *node)
{
    struct buffer *bytes = writer->bytes;
    put_name(bytes, node->name);
    put_name(bytes, node->domain);
    put_name(bytes, node->op_type);
    record_put_i64(bytes, node->opset);
    record_put_u32(bytes, node->state);
    put_values(writer, node->inputs, node->n_inputs);
    put_values(writer, node->outputs, node->n_outputs);
    record_put_u32(bytes, (uint32_t)node->attributes.n_items);
    for (size_t i = 0; i < node->attributes.n_items; i++) {
        hob_status status = put_attribute(writer, &node->attributes.items[i]);
        if (status != HOB_OK) return error_prefix(writer->error, status, "%s: attribute %s", node->name, node->attributes.items[i].name);
    }
    return HOB_OK;
}

/* ---- the graph's own ---- */

static void put_head(const struct graph *graph, struct buffer *bytes)
{
    put_name(bytes, graph->name);
    put_name(bytes, graph->producer);
    record_put_i64(bytes, graph->ir_version);
    record_put_u32(bytes, graph->n_opsets);
    for (uint32_t i = 0; i < graph->n_opsets; i++) {
        put_name(bytes, graph->opsets[i].domain);
        record_put_i64(bytes, graph->opsets[i].version);
    }
    record_put_u32(bytes, graph->n_metadata);
    for (uint32_t i = 0; i < graph->n_metadata; i++) {
        put_name(bytes, graph->metadata[i].key);
        put_name(bytes, graph->metadata[i].text);
    }
}

static void put_states(const struct graph *graph, struct buffer *bytes)
{
    record_put_u32(bytes, graph->n_states);
    for (uint32_t i = 0; i < graph->n_states; i++) {
        const struct graph_state *state = &graph->states[i];
        put_name(bytes, state->name);
        record_put_u8(bytes, (uint8_t)state->dtype);
        record_put_u8(bytes, (uint8_t)state->rank);
        record_put_u8(bytes, (uint8_t)state->axis);
        for (int d = 0; d < state->rank; d++) record_put_i64(bytes, state->dims[d]);
    }
}

static hob_status put_nodes(const struct graph_writer *writer)
{
    uint32_t *order, n_nodes;
    TRY(graph_sort(writer->graph, writer->scratch, &order, &n_nodes, writer->error));
    record_put_u32(writer->bytes, n_nodes);
    for (uint32_t i = 0; i < n_nodes; i++) TRY(put_node(writer, &writer->graph->nodes[order[i]]));
    return HOB_OK;
}

static hob_status write_graph(const struct graph_writer *parent, const struct graph *graph, struct pack_weights *weights,
                              struct buffer *bytes, struct arena *scratch, hob_error *error)
{
    struct graph_writer writer = {.graph = graph, .parent = parent, .weights = weights, .bytes = bytes, .scratch = scratch, .error = error};
    uint32_t n_values;
    TRY(number_values(&writer, &n_values));
    put_head(graph, bytes);
    put_states(graph, bytes);
    record_put_u32(bytes, n_values);
    for (uint32_t i = 0; i < graph->n_values; i++)
        if (writer.numbers[i] != VALUE_NONE) TRY(put_value(&writer, &graph->values[i]));
    put_values(&writer, graph->inputs, graph->n_inputs);
    TRY(put_nodes(&writer));
    put_values(&writer, graph->outputs, graph->n_outputs);
    for (uint32_t i = 0; i < graph->n_outputs; i++) put_name(bytes, graph->output_names[i]);
    return HOB_OK;
}

hob_status pack_graph_write(const struct graph *graph, struct pack_weights *weights, struct buffer *bytes, hob_error *error)
{
    struct arena scratch;
    arena_init(&scratch, 256 * 1024);
    hob_status status = write_graph(NULL, graph, weights, bytes, &scratch, error);
    arena_release(&scratch);
    if (status == HOB_OK && bytes->is_failed) FAIL(error, HOB_NO_MEMORY, "packing a graph: out of memory");
    return status;
}

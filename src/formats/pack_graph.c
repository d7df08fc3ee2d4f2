/* The graph section's reader: the calls that made the graph are made again, with the checks they come with. */
#include "formats/pack_graph.h"
#include "base/error.h"
#include "formats/pack_tensor.h"

#include <inttypes.h>

/* Least bytes of a thing, so that a damaged count cannot ask for more memory than the file has bytes. */
enum { LEAST_OPSET = 13, LEAST_METADATA = 10, LEAST_STATE = 8, LEAST_VALUE = 12, LEAST_NUMBER = 4, LEAST_NODE = 39, LEAST_ATTRIBUTE = 10,
       LEAST_TENSOR = 4, LEAST_GRAPH = 46 };

struct graph_reader {
    struct graph *graph;
    struct record_reader *record;
    struct pack_tensor_source tensors;
    int depth;
    hob_error *error;
};

static hob_status read_graph(struct graph *parent, const struct graph_reader *outside, struct graph **ret_graph, hob_error *error);

static hob_status damaged(const struct graph_reader *reader, const char *what)
{
    FAIL(reader->error, HOB_BAD_FILE, "graph: %s: found what cannot be, at byte %zu", what,
         (size_t)(reader->record->at - reader->record->start));
}

static hob_status no_memory(const struct graph_reader *reader)
{
    FAIL(reader->error, HOB_NO_MEMORY, "graph: out of memory");
}

/* ---- the graph's own ---- */

static hob_status read_opsets(struct graph_reader *reader)
{
    for (uint32_t i = 0, n = record_count(reader->record, LEAST_OPSET); i < n; i++) {
        const char *domain = record_name(reader->record);
        int64_t version = record_i64(reader->record);
        if (version < INT32_MIN || version > INT32_MAX) return damaged(reader, "opset");
        TRY(graph_add_opset(reader->graph, domain, (int)version, reader->error));
    }
    return HOB_OK;
}

static hob_status read_head(struct graph_reader *reader)
{
    struct graph *graph = reader->graph;
    struct record_reader *record = reader->record;
    graph->name = record_name(record);
    graph->producer = record_name(record);
    graph->ir_version = (int)(uint32_t)record_i64(record);
    TRY(read_opsets(reader));
    for (uint32_t i = 0, n = record_count(record, LEAST_METADATA); i < n; i++) {
        const char *key = record_name(record);
        const char *text = record_name(record);
        TRY(graph_add_metadata(graph, key, text, reader->error));
    }
    return HOB_OK;
}

static hob_status read_state(struct graph_reader *reader)
{
    struct record_reader *record = reader->record;
    struct graph_state state = {.name = record_name(record)};
    state.dtype = (enum dtype)record_u8(record);
    state.rank = record_u8(record);
    state.axis = record_u8(record);
    uint32_t ignored;
    bool is_plain = dtype_is_known((int)state.dtype) && state.dtype != DTYPE_STRING && state.dtype != DTYPE_SEQUENCE &&
                    dtype_block_items(state.dtype) == 1;
    if (!is_plain || reader->graph->parent || /* only a session has caches, and it knows the whole graph alone */
        state.rank > TENSOR_MAX_RANK || state.axis >= state.rank) return damaged(reader, "state");
    for (int d = 0; d < state.rank; d++) {
        state.dims[d] = record_i64(record);
        if (state.dims[d] < DIM_UNKNOWN) return damaged(reader, "state");
    }
    return graph_add_state(reader->graph, &state, &ignored, reader->error);
}

/* ---- values ---- */

static hob_status read_declaration(struct graph_reader *reader, uint32_t value)
{
    struct record_reader *record = reader->record;
    int64_t dims[TENSOR_MAX_RANK] = {0};
    const char *names[TENSOR_MAX_RANK] = {NULL};
    if (!record_bool(record)) return HOB_OK;
    uint8_t dtype = record_u8(record);
    int rank = record_u8(record) - 1;
    if ((dtype && !dtype_is_known(dtype)) || rank > TENSOR_MAX_RANK) return damaged(reader, "declaration");
    for (int i = 0; i < rank; i++) {
        size_t n_bytes;
        dims[i] = record_i64(record);
        names[i] = record_text(record, &n_bytes);
        if (dims[i] < DIM_UNKNOWN || (names[i] && strlen(names[i]) != n_bytes)) return damaged(reader, "declaration");
    }
    return graph_declare(reader->graph, value, (enum dtype)dtype, rank, dims, names, reader->error);
}

static hob_status read_outer(struct graph_reader *reader, uint32_t value)
{
    uint32_t outer = record_u32(reader->record);
    const struct graph *parent = reader->graph->parent;
    if (outer != VALUE_NONE && (!parent || outer >= parent->n_values)) return damaged(reader, "outer value");
    reader->graph->values[value].outer = outer;
    return HOB_OK;
}

static hob_status read_value(struct graph_reader *reader, uint32_t number)
{
    struct tensor tensor;
    uint32_t value;
    const char *name = record_name(reader->record);
    TRY(graph_value(reader->graph, name, strlen(name), &value, reader->error));
    if (value != number) FAIL(reader->error, HOB_BAD_FILE, "graph: value %s stands twice", name);
    TRY(read_declaration(reader, value));
    reader->graph->values[value].is_optional = record_bool(reader->record);
    TRY(read_outer(reader, value));
    if (!record_bool(reader->record)) return HOB_OK;
    hob_status status = pack_tensor_read(&reader->tensors, &tensor, reader->error);
    if (status != HOB_OK) return error_prefix(reader->error, status, "graph: constant %s", name);
    if (reader->graph->values[value].outer != VALUE_NONE) return damaged(reader, "constant");
    return graph_set_constant(reader->graph, value, &tensor, reader->error);
}

/* none: whether VALUE_NONE may be among them. */
static hob_status read_numbers(struct graph_reader *reader, bool takes_none, uint32_t **ret_values, uint32_t *ret_n_values)
{
    uint32_t n_values = record_count(reader->record, LEAST_NUMBER);
    uint32_t *values = ARENA_NEW(&reader->graph->arena, uint32_t, n_values);
    if (!values) return no_memory(reader);
    for (uint32_t i = 0; i < n_values; i++) {
        values[i] = record_u32(reader->record);
        if (values[i] >= reader->graph->n_values && !(takes_none && values[i] == VALUE_NONE)) return damaged(reader, "number of a value");
    }
    *ret_values = values;
    *ret_n_values = n_values;
    return HOB_OK;
}

static hob_status read_inputs(struct graph_reader *reader)
{
    uint32_t *inputs = NULL, n_inputs = 0;
    TRY(read_numbers(reader, false, &inputs, &n_inputs));
    for (uint32_t i = 0; i < n_inputs; i++) {
        const struct value *value = &reader->graph->values[inputs[i]];
        if (value->is_input || value->constant || value->outer != VALUE_NONE) return damaged(reader, "input");
        TRY(graph_mark_input(reader->graph, inputs[i], reader->error));
    }
    return HOB_OK;
}

static hob_status read_outputs(struct graph_reader *reader)
{
    uint32_t *outputs = NULL, n_outputs = 0;
    TRY(read_numbers(reader, false, &outputs, &n_outputs));
    for (uint32_t i = 0; i < n_outputs; i++) TRY(graph_add_output(reader->graph, outputs[i], reader->error));
    for (uint32_t i = 0; i < n_outputs; i++) reader->graph->output_names[i] = record_name(reader->record);
    return HOB_OK;
}

/* ---- nodes ---- */

static hob_status read_tensors(struct graph_reader *reader, struct attribute *attribute)
{
    struct tensor *tensors = ARENA_NEW(&reader->graph->arena, struct tensor, attribute->n_items);
    if (!tensors) return no_memory(reader);
    for (size_t i = 0; i < attribute->n_items; i++) {
        TRY(pack_tensor_read(&reader->tensors, &tensors[i], reader->error));
        TRY(pack_check_plain(&tensors[i], reader->error));
    }
    attribute->tensor = tensors;
    return HOB_OK;
}

static hob_status read_graphs(struct graph_reader *reader, struct attribute *attribute)
{
    struct graph **graphs = ARENA_NEW(&reader->graph->arena, struct graph *, attribute->n_items);
    if (!graphs) return no_memory(reader);
    for (size_t i = 0; i < attribute->n_items; i++) TRY(read_graph(reader->graph, reader, &graphs[i], reader->error));
    attribute->graphs = graphs;
    return HOB_OK;
}

static hob_status read_strings(struct graph_reader *reader, struct tensor_string *strings, size_t n_strings)
{
    for (size_t i = 0; i < n_strings; i++) {
        strings[i].bytes = record_text(reader->record, &strings[i].n_bytes);
        if (!strings[i].bytes) return damaged(reader, "text");
    }
    return HOB_OK;
}

/* The lists of one kind of plain items. */
static hob_status read_list(struct graph_reader *reader, struct attribute *attribute)
{
    size_t n_items;
    const void *items = NULL;
    if (attribute->kind == ATTRIBUTE_STRINGS) {
        struct tensor_string *strings = ARENA_NEW(&reader->graph->arena, struct tensor_string, attribute->n_items);
        if (!strings) return no_memory(reader);
        attribute->strings = strings;
        return read_strings(reader, strings, attribute->n_items);
    }
    if (attribute->kind == ATTRIBUTE_FLOATS) attribute->numbers = items = record_array(reader->record, sizeof(float), &n_items);
    else attribute->integers = items = record_array(reader->record, sizeof(int64_t), &n_items);
    return items && n_items == attribute->n_items ? HOB_OK : damaged(reader, "list");
}

static bool is_list(enum attribute_kind kind)
{
    return kind >= ATTRIBUTE_FLOATS && kind <= ATTRIBUTE_GRAPHS;
}

static size_t least_item_bytes(enum attribute_kind kind)
{
    return kind == ATTRIBUTE_GRAPHS ? LEAST_GRAPH : kind == ATTRIBUTE_TENSORS ? LEAST_TENSOR : LEAST_NUMBER;
}

static hob_status read_attribute(struct graph_reader *reader, struct attribute *attribute)
{
    struct record_reader *record = reader->record;
    attribute->name = record_name(record);
    uint8_t kind = record_u8(record);
    if (kind < ATTRIBUTE_FLOAT || kind > ATTRIBUTE_GRAPHS) return damaged(reader, "attribute");
    attribute->kind = (enum attribute_kind)kind;
    attribute->n_items = record_count(record, is_list(attribute->kind) ? least_item_bytes(attribute->kind) : 1);
    if (!is_list(attribute->kind) && attribute->n_items != 1) return damaged(reader, "attribute");
    switch (attribute->kind) {
    case ATTRIBUTE_FLOAT:
        attribute->number = record_f32(record);
        break;
    case ATTRIBUTE_INT:
        attribute->integer = record_i64(record);
        break;
    case ATTRIBUTE_STRING:
        return read_strings(reader, &attribute->string, 1);
    case ATTRIBUTE_FLOATS:
    case ATTRIBUTE_INTS:
    case ATTRIBUTE_STRINGS:
        return read_list(reader, attribute);
    case ATTRIBUTE_TENSOR:
    case ATTRIBUTE_TENSORS:
        return read_tensors(reader, attribute);
    case ATTRIBUTE_GRAPH:
    case ATTRIBUTE_GRAPHS:
        return read_graphs(reader, attribute);
    }
    return HOB_OK;
}

static hob_status read_attributes(struct graph_reader *reader, struct attributes *ret_attributes)
{
    uint32_t n_items = record_count(reader->record, LEAST_ATTRIBUTE);
    struct attribute *items = ARENA_NEW(&reader->graph->arena, struct attribute, n_items);
    if (!items) return no_memory(reader);
    for (uint32_t i = 0; i < n_items; i++) TRY(read_attribute(reader, &items[i]));
    *ret_attributes = (struct attributes){.items = items, .n_items = n_items};
    return HOB_OK;
}

static hob_status read_node(struct graph_reader *reader)
{
    struct record_reader *record = reader->record;
    struct graph *graph = reader->graph;
    uint32_t *inputs, *outputs;
    struct node_spec spec = {.name = record_name(record)};
    spec.domain = record_name(record);
    spec.op_type = record_name(record);
    int64_t opset = record_i64(record);
    spec.state = record_u32(record);
    if (opset < INT32_MIN || opset > INT32_MAX || (spec.state != STATE_NONE && spec.state >= graph->n_states)) return damaged(reader, spec.name);
    TRY(read_numbers(reader, true, &inputs, &spec.n_inputs));
    TRY(read_numbers(reader, true, &outputs, &spec.n_outputs));
    spec.inputs = inputs;
    spec.outputs = outputs;
    for (uint32_t i = 0; i < spec.n_outputs; i++)
        if (outputs[i] != VALUE_NONE && graph->values[outputs[i]].outer != VALUE_NONE) return damaged(reader, spec.name);
    TRY(read_attributes(reader, &spec.attributes));
    if (record->is_bad) return damaged(reader, "node");
    TRY(graph_add_node(graph, &spec, NULL, reader->error));
    graph->nodes[graph->n_nodes - 1].opset = (int)opset; /* of an expanded function: not the graph's */
    return HOB_OK;
}

/* ---- the whole ---- */

static hob_status read_all(struct graph_reader *reader)
{
    struct record_reader *record = reader->record;
    TRY(read_head(reader));
    for (uint32_t i = 0, n = record_count(record, LEAST_STATE); i < n; i++) TRY(read_state(reader));
    for (uint32_t i = 0, n = record_count(record, LEAST_VALUE); i < n; i++) TRY(read_value(reader, i));
    TRY(read_inputs(reader));
    for (uint32_t i = 0, n = record_count(record, LEAST_NODE); i < n; i++) TRY(read_node(reader));
    TRY(read_outputs(reader));
    return record->is_bad ? damaged(reader, "the end") : HOB_OK;
}

/* A subgraph belongs to its parent from the start; a failure frees the whole tree. */
static hob_status read_graph(struct graph *parent, const struct graph_reader *outside, struct graph **ret_graph, hob_error *error)
{
    struct graph_reader reader = *outside;
    reader.depth++;
    if (reader.depth > GRAPH_MAX_DEPTH) FAIL(error, HOB_LIMIT, "graph: found more than %d nested graphs", GRAPH_MAX_DEPTH);
    TRY(graph_new(parent, &reader.graph, error));
    reader.tensors.arena = &reader.graph->arena;
    hob_status status = read_all(&reader);
    if (status != HOB_OK) {
        if (!parent) graph_free(reader.graph);
        return status;
    }
    *ret_graph = reader.graph;
    return HOB_OK;
}

hob_status pack_graph_read(const struct pack *pack, struct graph **ret_graph, hob_error *error)
{
    struct record_reader record = pack_read(pack, PACK_GRAPH);
    struct graph_reader reader = {.record = &record, .error = error, .tensors = {.reader = &record}};
    struct graph *graph;
    reader.tensors.weights = pack_bytes(pack, PACK_WEIGHTS, &reader.tensors.n_weight_bytes);
    TRY(read_graph(NULL, &reader, &graph, error));
    if (!record_is_read(&record)) {
        graph_free(graph);
        FAIL(error, HOB_BAD_FILE, "graph: found bytes behind its end");
    }
    *ret_graph = graph;
    return HOB_OK;
}

/* GraphProto to struct graph. Fields may stand in any order, so the message is walked once for each kind of thing, in the order
 * in which the graph must learn of them: constants, inputs, nodes, outputs, declarations. Calls of the model's own functions are
 * expanded on the way. Names a subgraph does not define itself are looked for in the graphs around it once everything is read. */
#include "base/error.h"
#include "formats/onnx_proto.h"
#include "ops/op.h"

#include <string.h>

enum { SHOWN_NAME_BYTES = 80 };

#define SHOWN(span) \
    (int)((span).n_bytes < SHOWN_NAME_BYTES ? (span).n_bytes : SHOWN_NAME_BYTES), (const char *)(span).bytes

/* What the graph that is being built calls it: in a function, names are not the file's. */
static hob_status scoped(const struct onnx_reader *reader, struct wire_span name, struct wire_span *ret_name)
{
    return onnx_scope_name(reader->scope, name, reader->scratch, ret_name, reader->error);
}

/* VALUE_NONE for a name that stands for nothing: an input not given, an output not wanted. */
static hob_status find_value(const struct onnx_reader *reader, struct wire_span name, uint32_t *ret_value)
{
    TRY(scoped(reader, name, &name));
    *ret_value = VALUE_NONE;
    if (!name.n_bytes) return HOB_OK;
    if (memchr(name.bytes, '\0', name.n_bytes))
        FAIL(reader->error, HOB_BAD_FILE, "name %.*s: found a NUL in it", SHOWN(name));
    return graph_value(reader->graph, (const char *)name.bytes, name.n_bytes, ret_value, reader->error);
}

/* Calls visit with each message of that field number. */
typedef hob_status visitor(const struct onnx_reader *reader, struct wire message);

static hob_status visit_each(const struct onnx_reader *reader, struct wire graph, uint32_t number, visitor *visit)
{
    while (!wire_at_end(&graph)) {
        struct wire_field field;
        struct wire_span span;
        TRY(wire_next(&graph, &field, reader->error));
        if (field.number != number) continue;
        TRY(wire_as_span(&field, &span, reader->error));
        TRY(visit(reader, wire_within(&graph, span)));
    }
    return HOB_OK;
}

/* ---- constants ---- */

static hob_status add_constant(const struct onnx_reader *reader, struct wire_span name, const struct tensor *tensor)
{
    uint32_t value;
    if (!name.n_bytes) FAIL(reader->error, HOB_BAD_FILE, "found an initialiser without a name");
    TRY(find_value(reader, name, &value));
    if (value == VALUE_NONE) FAIL(reader->error, HOB_BAD_GRAPH, "initialiser %.*s is an input of the function", SHOWN(name));
    if (reader->graph->values[value].constant)
        FAIL(reader->error, HOB_BAD_GRAPH, "initialiser %.*s stands twice", SHOWN(name));
    return graph_set_constant(reader->graph, value, tensor, reader->error);
}

static hob_status read_initializer(const struct onnx_reader *reader, struct wire message)
{
    struct tensor tensor;
    struct wire_span name = {0};
    TRY(onnx_read_tensor(&reader->memory, message, &tensor, &name, reader->error));
    return add_constant(reader, name, &tensor);
}

static hob_status read_sparse_initializer(const struct onnx_reader *reader, struct wire message)
{
    struct tensor tensor;
    struct wire_span name = {0};
    TRY(onnx_read_sparse(&reader->memory, message, &tensor, &name, reader->error));
    return add_constant(reader, name, &tensor);
}

/* ---- declarations ---- */

struct declaration {
    struct wire_span name;
    enum dtype dtype; /* DTYPE_NONE: not stated, or nothing hob computes with (maps, opaque types) */
    bool is_optional;
    int rank; /* -1: not stated */
    int64_t dims[TENSOR_MAX_RANK];
    const char *dim_names[TENSOR_MAX_RANK];
};

static hob_status read_dim(const struct onnx_reader *reader, struct wire message, struct declaration *declaration)
{
    int i = declaration->rank;
    if (i == TENSOR_MAX_RANK) FAIL(reader->error, HOB_UNSUPPORTED, "found more than %d dimensions", TENSOR_MAX_RANK);
    declaration->rank++;
    declaration->dims[i] = DIM_UNKNOWN;
    declaration->dim_names[i] = NULL;
    while (!wire_at_end(&message)) {
        struct wire_field field;
        struct wire_span name;
        TRY(wire_next(&message, &field, reader->error));
        if (field.number == DIM_VALUE) TRY(wire_as_int(&field, &declaration->dims[i], reader->error));
        if (field.number != DIM_PARAM) continue;
        TRY(wire_as_span(&field, &name, reader->error));
        if (name.n_bytes) TRY(onnx_copy_name(reader, reader->scratch, name, &declaration->dim_names[i]));
    }
    if (declaration->dims[i] < 0) declaration->dims[i] = DIM_UNKNOWN;
    return HOB_OK;
}

static hob_status read_shape(const struct onnx_reader *reader, struct wire message, struct declaration *declaration)
{
    declaration->rank = 0;
    while (!wire_at_end(&message)) {
        struct wire_field field;
        struct wire_span span;
        TRY(wire_next(&message, &field, reader->error));
        if (field.number != SHAPE_DIM) continue;
        TRY(wire_as_span(&field, &span, reader->error));
        TRY(read_dim(reader, wire_within(&message, span), declaration));
    }
    return HOB_OK;
}

static hob_status read_tensor_type(const struct onnx_reader *reader, struct wire message,
                                   struct declaration *declaration)
{
    while (!wire_at_end(&message)) {
        struct wire_field field;
        struct wire_span span;
        int64_t id = 0;
        TRY(wire_next(&message, &field, reader->error));
        if (field.number == TYPE_ELEM) {
            TRY(wire_as_int(&field, &id, reader->error));
            bool is_known = id > 0 && id < DTYPE_SEQUENCE && dtype_is_known((int)id);
            declaration->dtype = is_known ? (enum dtype)id : DTYPE_NONE;
        } else if (field.number == TYPE_SHAPE) {
            TRY(wire_as_span(&field, &span, reader->error));
            TRY(read_shape(reader, wire_within(&message, span), declaration));
        }
    }
    return HOB_OK;
}

static hob_status read_type(const struct onnx_reader *reader, struct wire message, int depth,
                            struct declaration *declaration);

/* What an optional may hold is all that is kept of it. */
static hob_status read_optional_type(const struct onnx_reader *reader, struct wire message, int depth,
                                     struct declaration *declaration)
{
    declaration->is_optional = true;
    while (!wire_at_end(&message)) {
        struct wire_field field;
        struct wire_span span;
        TRY(wire_next(&message, &field, reader->error));
        if (field.number != TYPE_ELEM) continue;
        TRY(wire_as_span(&field, &span, reader->error));
        TRY(read_type(reader, wire_within(&message, span), depth + 1, declaration));
    }
    return HOB_OK;
}

static hob_status read_type(const struct onnx_reader *reader, struct wire message, int depth,
                            struct declaration *declaration)
{
    if (depth > GRAPH_MAX_DEPTH) FAIL(reader->error, HOB_LIMIT, "types nested deeper than %d", GRAPH_MAX_DEPTH);
    while (!wire_at_end(&message)) {
        struct wire_field field;
        struct wire_span span;
        TRY(wire_next(&message, &field, reader->error));
        if (field.number == TYPE_SEQUENCE_FIELD) declaration->dtype = DTYPE_SEQUENCE;
        bool is_tensor = field.number == TYPE_TENSOR || field.number == TYPE_SPARSE_TENSOR;
        if (!is_tensor && field.number != TYPE_OPTIONAL) continue;
        TRY(wire_as_span(&field, &span, reader->error));
        struct wire inner = wire_within(&message, span);
        if (is_tensor) TRY(read_tensor_type(reader, inner, declaration));
        else TRY(read_optional_type(reader, inner, depth, declaration));
    }
    return HOB_OK;
}

static hob_status read_declaration(const struct onnx_reader *reader, struct wire message,
                                   struct declaration *ret_declaration)
{
    *ret_declaration = (struct declaration){.rank = -1};
    while (!wire_at_end(&message)) {
        struct wire_field field;
        struct wire_span span;
        TRY(wire_next(&message, &field, reader->error));
        if (field.number != VALUE_NAME && field.number != VALUE_TYPE) continue;
        TRY(wire_as_span(&field, &span, reader->error));
        if (field.number == VALUE_NAME) ret_declaration->name = span;
        else TRY(read_type(reader, wire_within(&message, span), 0, ret_declaration));
    }
    return HOB_OK;
}

/* ---- inputs, outputs, value_info ---- */

static hob_status read_input(const struct onnx_reader *reader, struct wire message)
{
    struct declaration declaration;
    const char *name;
    uint32_t value;
    TRY(read_declaration(reader, message, &declaration));
    TRY(scoped(reader, declaration.name, &declaration.name));
    if (!declaration.name.n_bytes) FAIL(reader->error, HOB_BAD_FILE, "found an input without a name");
    TRY(onnx_copy_name(reader, reader->scratch, declaration.name, &name));
    uint32_t known = graph_find_value(reader->graph, name);
    bool has_default = known != VALUE_NONE && reader->graph->values[known].constant;
    /* Before IR version 4 every initialiser had to be listed as an input. A subgraph's inputs count by position: none may go. */
    if (has_default && reader->graph->parent)
        FAIL(reader->error, HOB_UNSUPPORTED, "input %s of a subgraph has an initialiser", name);
    if (has_default) return HOB_OK;
    TRY(graph_add_input(reader->graph, name, declaration.dtype, declaration.rank, declaration.dims,
                        declaration.dim_names, &value, reader->error));
    reader->graph->values[value].is_optional = declaration.is_optional;
    return HOB_OK;
}

static hob_status declare(const struct onnx_reader *reader, uint32_t value, const struct declaration *declaration)
{
    TRY(graph_declare(reader->graph, value, declaration->dtype, declaration->rank, declaration->dims,
                      declaration->dim_names, reader->error));
    reader->graph->values[value].is_optional = declaration->is_optional;
    return HOB_OK;
}

static hob_status read_output(const struct onnx_reader *reader, struct wire message)
{
    struct declaration declaration;
    uint32_t value;
    TRY(read_declaration(reader, message, &declaration));
    if (!declaration.name.n_bytes) FAIL(reader->error, HOB_BAD_FILE, "found an output without a name");
    TRY(find_value(reader, declaration.name, &value));
    if (value == VALUE_NONE)
        FAIL(reader->error, HOB_BAD_GRAPH, "output %.*s is an input that the call does not give", SHOWN(declaration.name));
    if (!reader->graph->values[value].is_declared) TRY(declare(reader, value, &declaration));
    return graph_add_output(reader->graph, value, reader->error);
}

/* Says nothing of values that nobody makes or reads. */
static hob_status read_value_info(const struct onnx_reader *reader, struct wire message)
{
    struct declaration declaration;
    const char *name;
    TRY(read_declaration(reader, message, &declaration));
    TRY(scoped(reader, declaration.name, &declaration.name));
    if (!declaration.name.n_bytes) return HOB_OK;
    TRY(onnx_copy_name(reader, reader->scratch, declaration.name, &name));
    uint32_t value = graph_find_value(reader->graph, name);
    if (value == VALUE_NONE || reader->graph->values[value].is_declared) return HOB_OK;
    return declare(reader, value, &declaration);
}

/* ---- nodes ---- */

struct stored_node {
    struct wire_span name, op_type, domain, overload;
    uint32_t *inputs, *outputs;
    uint32_t n_inputs, n_outputs;
};

/* What kind of node it is, and how many values it has. */
static hob_status read_head(const struct onnx_reader *reader, struct wire message, struct stored_node *node)
{
    while (!wire_at_end(&message)) {
        struct wire_field field;
        TRY(wire_next(&message, &field, reader->error));
        node->n_inputs += field.number == NODE_INPUT; /* each takes two bytes of a file below 2^33: they fit */
        node->n_outputs += field.number == NODE_OUTPUT;
        struct wire_span *text = field.number == NODE_NAME       ? &node->name
                                 : field.number == NODE_OP_TYPE  ? &node->op_type
                                 : field.number == NODE_DOMAIN   ? &node->domain
                                 : field.number == NODE_OVERLOAD ? &node->overload
                                                                 : NULL;
        if (text) TRY(wire_as_span(&field, text, reader->error));
    }
    if (!node->op_type.n_bytes) FAIL(reader->error, HOB_BAD_FILE, "found a node without an operator");
    return HOB_OK;
}

/* An empty name is an optional input not given, or an output not wanted. */
static hob_status read_values(const struct onnx_reader *reader, struct wire message, struct stored_node *node)
{
    uint32_t n_inputs = 0, n_outputs = 0;
    node->inputs = ARENA_NEW(reader->scratch, uint32_t, node->n_inputs);
    node->outputs = ARENA_NEW(reader->scratch, uint32_t, node->n_outputs);
    if (!node->inputs || !node->outputs) FAIL(reader->error, HOB_NO_MEMORY, "out of memory");
    while (!wire_at_end(&message)) {
        struct wire_field field;
        struct wire_span name;
        TRY(wire_next(&message, &field, reader->error));
        if (field.number != NODE_INPUT && field.number != NODE_OUTPUT) continue;
        TRY(wire_as_span(&field, &name, reader->error));
        TRY(find_value(reader, name, field.number == NODE_INPUT ? &node->inputs[n_inputs++] : &node->outputs[n_outputs++]));
    }
    return HOB_OK;
}

/* The opset of a domain here: a function has imports of its own. 1 when nobody imports it, as graph_resolve_ops has it. */
static hob_status find_opset(const struct onnx_reader *reader, const char *domain, int *ret_opset)
{
    int opset = -1;
    if (reader->scope) TRY(onnx_scope_opset(reader->scope, domain, &opset, reader->error));
    if (opset < 0) opset = graph_opset(reader->graph, domain);
    *ret_opset = opset < 0 ? 1 : opset;
    return HOB_OK;
}

static hob_status add_node(const struct onnx_reader *reader, struct wire message, const struct stored_node *stored,
                           struct node_spec *spec)
{
    struct wire_span name;
    TRY(scoped(reader, stored->name, &name));
    TRY(onnx_copy_name(reader, reader->scratch, name, &spec->name));
    TRY(onnx_read_attributes(reader, message, &spec->attributes));
    TRY(graph_add_node(reader->graph, spec, NULL, reader->error));
    return reader->scope ? find_opset(reader, spec->domain, &reader->graph->nodes[reader->graph->n_nodes - 1].opset) : HOB_OK;
}

/* ---- calls of functions ---- */

static hob_status read_node(const struct onnx_reader *reader, struct wire message);

/* The model's function that a node calls; NULL: an operator. Hob's own operator goes before a function of the same name, which
 * exporters write for runtimes that lack it. */
static hob_status find_function(const struct onnx_reader *reader, const struct stored_node *node, const struct node_spec *spec,
                                const struct onnx_function **ret_function)
{
    const char *overload;
    int opset;
    TRY(onnx_copy_name(reader, reader->scratch, node->overload, &overload));
    *ret_function = onnx_functions_find(reader->functions, spec->domain, spec->op_type, overload);
    if (!*ret_function || *overload || !strcmp(spec->domain, "hob")) return HOB_OK;
    TRY(find_opset(reader, spec->domain, &opset));
    if (op_find(spec->domain, spec->op_type, opset)) *ret_function = NULL;
    return HOB_OK;
}

/* An output of the function that is one of its inputs, or another output. */
static hob_status pass_through(const struct onnx_reader *reader, const struct onnx_scope *scope, uint32_t output)
{
    struct wire_span name = scope->outputs[output], source;
    if (!name.n_bytes) return HOB_OK;
    TRY(onnx_scope_name(scope, scope->function->outputs[output], reader->scratch, &source, reader->error));
    if (source.n_bytes == name.n_bytes && !memcmp(source.bytes, name.bytes, name.n_bytes)) return HOB_OK;
    struct onnx_reader outside = *reader;
    outside.scope = NULL; /* both are names of the graph already */
    uint32_t from, to;
    TRY(find_value(&outside, source, &from));
    TRY(find_value(&outside, name, &to));
    struct node_spec spec = {
        .op_type = "Identity", .inputs = &from, .n_inputs = 1, .outputs = &to, .n_outputs = 1, .state = STATE_NONE};
    return graph_add_node(reader->graph, &spec, NULL, reader->error);
}

static hob_status expand(const struct onnx_reader *reader, struct wire call, const struct onnx_function *function)
{
    struct onnx_reader inner = *reader;
    struct onnx_scope scope;
    inner.scope = &scope;
    inner.depth++;
    if (inner.depth > GRAPH_MAX_DEPTH)
        FAIL(reader->error, HOB_LIMIT, "graphs and functions nested deeper than %d", GRAPH_MAX_DEPTH);
    TRY(onnx_scope_open(reader->functions, function, reader->scope, call, reader->scratch, &scope, reader->error));
    TRY(visit_each(&inner, function->message, FUNCTION_NODE, read_node));
    for (uint32_t i = 0; i < function->n_outputs; i++) TRY(pass_through(reader, &scope, i));
    return HOB_OK;
}

static hob_status read_call_or_node(const struct onnx_reader *reader, struct wire message, struct stored_node *node)
{
    struct node_spec spec = {.state = STATE_NONE};
    const struct onnx_function *function;
    TRY(onnx_copy_name(reader, reader->scratch, node->op_type, &spec.op_type));
    TRY(onnx_copy_name(reader, reader->scratch, node->domain, &spec.domain));
    TRY(find_function(reader, node, &spec, &function));
    if (function) return expand(reader, message, function);
    TRY(read_values(reader, message, node));
    spec.inputs = node->inputs;
    spec.n_inputs = node->n_inputs;
    spec.outputs = node->outputs;
    spec.n_outputs = node->n_outputs;
    return add_node(reader, message, node, &spec);
}

static hob_status read_node(const struct onnx_reader *reader, struct wire message)
{
    struct stored_node node = {0};
    if (!reader->depth) arena_clear(reader->scratch);
    if (reader->scope) TRY(onnx_functions_spend(reader->functions, message, reader->error));
    hob_status status = read_head(reader, message, &node);
    if (status == HOB_OK) status = read_call_or_node(reader, message, &node);
    if (status != HOB_OK && reader->depth < NAMED_DEPTH) {
        struct wire_span shown = node.name.n_bytes ? node.name : node.op_type;
        error_prefix(reader->error, status, "node %.*s", SHOWN(shown));
    }
    return status;
}

/* ---- the graph ---- */

static hob_status read_name(const struct onnx_reader *reader, struct wire message)
{
    while (!wire_at_end(&message)) {
        struct wire_field field;
        struct wire_span name;
        TRY(wire_next(&message, &field, reader->error));
        if (field.number != GRAPH_NAME) continue;
        TRY(wire_as_span(&field, &name, reader->error));
        TRY(onnx_copy_name(reader, &reader->graph->arena, name, &reader->graph->name));
    }
    return HOB_OK;
}

/* Names that a subgraph reads and nobody in it makes. A graph in between gets the value too and passes it on. */
static hob_status find_outer_values(const struct onnx_reader *reader, struct graph *graph)
{
    for (uint32_t i = 0; i < graph->n_subgraphs; i++) TRY(find_outer_values(reader, graph->subgraphs[i]));
    for (uint32_t i = 0; graph->parent && i < graph->n_values; i++) {
        const struct value *value = &graph->values[i];
        if (value->producer != NODE_NONE || value->is_input || value->constant || !*value->name) continue;
        uint32_t outer;
        TRY(graph_value(graph->parent, value->name, strlen(value->name), &outer, reader->error));
        graph->values[i].outer = outer;
    }
    return HOB_OK;
}

hob_status onnx_read_graph(const struct onnx_reader *reader, struct wire message)
{
    TRY(read_name(reader, message));
    TRY(visit_each(reader, message, GRAPH_INITIALIZER, read_initializer));
    TRY(visit_each(reader, message, GRAPH_SPARSE_INITIALIZER, read_sparse_initializer));
    TRY(visit_each(reader, message, GRAPH_INPUT, read_input));
    TRY(visit_each(reader, message, GRAPH_NODE, read_node));
    TRY(visit_each(reader, message, GRAPH_OUTPUT, read_output));
    TRY(visit_each(reader, message, GRAPH_VALUE_INFO, read_value_info));
    return reader->depth ? HOB_OK : find_outer_values(reader, reader->graph);
}

#include "graph/builder.h"
#include "base/error.h"

#include <stdio.h>
#include <string.h>

void builder_init(struct builder *builder, struct graph *graph)
{
    *builder = (struct builder){.graph = graph, .status = HOB_OK};
}

hob_status builder_finish(struct builder *builder, hob_error *error)
{
    if (builder->status != HOB_OK && error) *error = builder->error;
    return builder->status;
}

void builder_fail(struct builder *builder, hob_status status, const char *format, ...)
{
    if (builder->status != HOB_OK) return;
    char message[sizeof builder->error.message];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    builder->status = error_set(&builder->error, status, ERROR_HERE, "%s", message);
}

uint32_t builder_input(struct builder *builder, const char *name, enum dtype dtype, int rank, const int64_t *dims,
                       const char *const *dim_names)
{
    uint32_t value = VALUE_NONE;
    if (builder->status == HOB_OK)
        builder->status = graph_add_input(builder->graph, name, dtype, rank, dims, dim_names, &value, &builder->error);
    return value;
}

uint32_t builder_constant(struct builder *builder, const char *name, const struct tensor *tensor)
{
    uint32_t value = VALUE_NONE;
    if (builder->status == HOB_OK)
        builder->status = graph_add_constant(builder->graph, name, tensor, &value, &builder->error);
    return value;
}

static uint32_t copied_constant(struct builder *builder, enum dtype dtype, int rank, const int64_t *dims, const void *data,
                                size_t n_bytes)
{
    if (builder->status != HOB_OK) return VALUE_NONE;
    struct tensor tensor;
    void *copy = arena_copy(&builder->graph->arena, data, n_bytes, 64);
    if (!copy) return builder_fail(builder, HOB_NO_MEMORY, "a constant: out of memory"), VALUE_NONE;
    builder->status = tensor_init(&tensor, dtype, rank, dims, copy, &builder->error);
    return builder_constant(builder, "", &tensor);
}

uint32_t builder_ints(struct builder *builder, const int64_t *values, size_t n_values)
{
    return copied_constant(builder, DTYPE_I64, 1, (int64_t[]){(int64_t)n_values}, values, n_values * sizeof *values);
}

uint32_t builder_float(struct builder *builder, float number)
{
    return copied_constant(builder, DTYPE_F32, 0, NULL, &number, sizeof number);
}

struct attribute attribute_string(const char *name, const char *text)
{
    return (struct attribute){.name = name, .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {text, strlen(text)}};
}

/* The name and whatever the attribute points to move into the graph's arena; tensors and graphs belong to it already. */
static bool copy_attribute(struct arena *arena, struct attribute *attribute)
{
    attribute->name = arena_copy_string(arena, attribute->name, strlen(attribute->name));
    if (!attribute->name) return false;
    switch (attribute->kind) {
    case ATTRIBUTE_STRING:
        attribute->string.bytes = arena_copy_string(arena, attribute->string.bytes, attribute->string.n_bytes);
        return attribute->string.bytes;
    case ATTRIBUTE_INTS:
        attribute->integers = arena_copy(arena, attribute->integers, attribute->n_items * sizeof(int64_t), _Alignof(int64_t));
        return attribute->integers;
    case ATTRIBUTE_FLOATS:
        attribute->numbers = arena_copy(arena, attribute->numbers, attribute->n_items * sizeof(float), _Alignof(float));
        return attribute->numbers;
    default:
        return true;
    }
}

static hob_status copy_attributes(struct builder *builder, const struct attribute *attributes, size_t n_attributes,
                                  struct attributes *ret_attributes)
{
    struct arena *arena = &builder->graph->arena;
    struct attribute *copies = arena_copy(arena, attributes, n_attributes * sizeof *attributes, _Alignof(struct attribute));
    if (!copies) FAIL(&builder->error, HOB_NO_MEMORY, "attributes: out of memory");
    for (size_t i = 0; i < n_attributes; i++)
        if (!copy_attribute(arena, &copies[i])) FAIL(&builder->error, HOB_NO_MEMORY, "attributes: out of memory");
    *ret_attributes = (struct attributes){.items = copies, .n_items = n_attributes};
    return HOB_OK;
}

static hob_status add_op(struct builder *builder, const char *op, struct node_spec *spec, const struct attribute *attributes,
                         size_t n_attributes, uint32_t *ret_outputs)
{
    char domain[32] = "";
    const char *dot = strrchr(op, '.');
    if (dot) snprintf(domain, sizeof domain, "%.*s", (int)(dot - op), op);
    spec->domain = domain;
    spec->op_type = dot ? dot + 1 : op;
    TRY(copy_attributes(builder, attributes, n_attributes, &spec->attributes));
    return graph_add_node(builder->graph, spec, ret_outputs, &builder->error);
}

void builder_op_n(struct builder *builder, const char *op, const uint32_t *inputs, uint32_t n_inputs,
                  const struct attribute *attributes, size_t n_attributes, uint32_t n_outputs, uint32_t *ret_outputs)
{
    for (uint32_t i = 0; i < n_outputs; i++) ret_outputs[i] = VALUE_NONE;
    if (builder->status != HOB_OK) return;
    struct node_spec spec = {.inputs = inputs, .n_inputs = n_inputs, .n_outputs = n_outputs, .state = STATE_NONE};
    builder->status = add_op(builder, op, &spec, attributes, n_attributes, ret_outputs);
}

uint32_t builder_op(struct builder *builder, const char *op, const uint32_t *inputs, uint32_t n_inputs,
                    const struct attribute *attributes, size_t n_attributes)
{
    uint32_t output;
    builder_op_n(builder, op, inputs, n_inputs, attributes, n_attributes, 1, &output);
    return output;
}

void builder_op_into(struct builder *builder, const char *name, const char *op, const uint32_t *inputs, uint32_t n_inputs,
                     const struct attribute *attributes, size_t n_attributes, const uint32_t *outputs, uint32_t n_outputs)
{
    if (builder->status != HOB_OK) return;
    struct node_spec spec = {.name = name, .inputs = inputs, .n_inputs = n_inputs, .outputs = outputs, .n_outputs = n_outputs,
                             .state = STATE_NONE};
    builder->status = add_op(builder, op, &spec, attributes, n_attributes, NULL);
}

uint32_t builder_cache(struct builder *builder, const char *state_name, uint32_t x, enum dtype dtype, int rank,
                       const int64_t *dims, int axis)
{
    if (builder->status != HOB_OK) return VALUE_NONE;
    struct graph_state state = {.name = state_name, .dtype = dtype, .rank = rank, .axis = axis};
    memcpy(state.dims, dims, (size_t)rank * sizeof *dims);
    struct node_spec spec = {.inputs = &x, .n_inputs = 1, .n_outputs = 1};
    builder->status = graph_add_state(builder->graph, &state, &spec.state, &builder->error);
    struct attribute attribute = attribute_int("axis", axis);
    uint32_t view = VALUE_NONE;
    if (builder->status == HOB_OK) builder->status = add_op(builder, "hob.CacheAppend", &spec, &attribute, 1, &view);
    return view;
}

void builder_output(struct builder *builder, const char *name, uint32_t value)
{
    if (builder->status != HOB_OK) return;
    struct graph *graph = builder->graph;
    /* The output's name is the value's name, when it has none yet. */
    if (!*graph->values[value].name) {
        char *copy = arena_copy_string(&graph->arena, name, strlen(name));
        if (!copy || !string_map_put(&graph->value_by_name, copy, strlen(copy), value)) {
            builder_fail(builder, HOB_NO_MEMORY, "output %s: out of memory", name);
            return;
        }
        graph->values[value].name = copy;
    }
    builder->status = graph_add_output(graph, value, &builder->error);
}

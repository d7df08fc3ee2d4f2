/* Building a graph by hand, as models/ do: every call returns a value, the first failure sticks, and builder_finish reports it,
 * so that an architecture reads like its paper. After a failure all calls return VALUE_NONE and do nothing.
 *
 *     struct builder b;
 *     builder_init(&b, graph);
 *     uint32_t x = builder_op(&b, "Gather", (uint32_t[]){embedding, ids}, 2, NULL, 0);
 *     x = builder_op(&b, "hob.RMSNorm", (uint32_t[]){x, weight}, 2, (struct attribute[]){attribute_float("epsilon", 1e-5f)}, 1);
 *     TRY(builder_finish(&b, error));
 */
#ifndef GRAPH_BUILDER_H
#define GRAPH_BUILDER_H

#include "graph/graph.h"

struct builder {
    struct graph *graph;
    hob_status status;
    hob_error error;
};

void builder_init(struct builder *builder, struct graph *graph);
HOB_MUST_CHECK hob_status builder_finish(struct builder *builder, hob_error *error);
/* Records a failure found by the caller, with its own error text, unless one is recorded already. */
void builder_fail(struct builder *builder, hob_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

uint32_t builder_input(struct builder *builder, const char *name, enum dtype dtype, int rank, const int64_t *dims,
                       const char *const *dim_names);
uint32_t builder_constant(struct builder *builder, const char *name, const struct tensor *tensor);
/* int64 vector constant, copied. */
uint32_t builder_ints(struct builder *builder, const int64_t *values, size_t n_values);
/* f32 scalar constant. */
uint32_t builder_float(struct builder *builder, float number);
/* One output. "hob.Linear" is operator Linear of domain hob; "MatMul" is ai.onnx. Attributes' names and lists are copied. */
uint32_t builder_op(struct builder *builder, const char *op, const uint32_t *inputs, uint32_t n_inputs,
                    const struct attribute *attributes, size_t n_attributes);
/* Several outputs. */
void builder_op_n(struct builder *builder, const char *op, const uint32_t *inputs, uint32_t n_inputs,
                  const struct attribute *attributes, size_t n_attributes, uint32_t n_outputs, uint32_t *ret_outputs);
/* Makes existing values that have no producer; VALUE_NONE among outputs: not wanted. */
void builder_op_into(struct builder *builder, const char *name, const char *op, const uint32_t *inputs, uint32_t n_inputs,
                     const struct attribute *attributes, size_t n_attributes, const uint32_t *outputs, uint32_t n_outputs);
/* hob.CacheAppend of x [.., T, ..] to a new state: a view of all positions so far. */
uint32_t builder_cache(struct builder *builder, const char *state_name, uint32_t x, enum dtype dtype, int rank,
                       const int64_t *dims, int axis);
void builder_output(struct builder *builder, const char *name, uint32_t value);

static inline struct attribute attribute_int(const char *name, int64_t integer)
{
    return (struct attribute){.name = name, .kind = ATTRIBUTE_INT, .n_items = 1, .integer = integer};
}
static inline struct attribute attribute_float(const char *name, float number)
{
    return (struct attribute){.name = name, .kind = ATTRIBUTE_FLOAT, .n_items = 1, .number = number};
}
static inline struct attribute attribute_ints(const char *name, const int64_t *integers, size_t n_items)
{
    return (struct attribute){.name = name, .kind = ATTRIBUTE_INTS, .n_items = n_items, .integers = integers};
}
struct attribute attribute_string(const char *name, const char *text);

#endif

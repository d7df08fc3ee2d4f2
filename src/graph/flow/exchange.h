/* Putting a node in another's place once the flow is known: the same operator, the same outputs, other inputs. Values that a pass adds
 * lie beyond flows->n_values. */
#ifndef GRAPH_FLOW_EXCHANGE_H
#define GRAPH_FLOW_EXCHANGE_H

#include "graph/builder.h"
#include "graph/flow/flow.h"

void exchange_inputs(struct builder *builder, uint32_t node, const uint32_t *inputs, uint32_t n_inputs, const struct attribute *attributes,
                     size_t n_attributes);
/* CHANGE_SHAPE: a Reshape by constants, -1 for the rows, instead of what an export computes at every layer anew. */
void exchange_shape(struct builder *builder, const struct flows *flows, uint32_t node);

#endif

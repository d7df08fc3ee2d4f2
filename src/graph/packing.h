/* Constant matrices laid into panels (kernels/panel.h), for passes. The panels live in the graph's arena. */
#ifndef GRAPH_PACKING_H
#define GRAPH_PACKING_H

#include "graph/graph.h"
#include "kernels/panel.h"

/* A plain [N,K] weight as something to pack. false: it is none, or of a type that cannot be packed. */
bool packing_describe(const struct tensor *weight, struct panel_source *ret_source);
/* Room for the panels of an [n,k] weight, to be filled. Fails: HOB_LIMIT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status packing_new(struct graph *graph, int64_t n, int64_t k, struct tensor *ret_panels, hob_error *error);

#endif

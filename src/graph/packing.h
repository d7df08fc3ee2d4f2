/* Constant matrices laid into panels (kernels/panel.h), for passes. The panels live in the graph's arena of weights.
 *
 *     struct panel_source source;
 *     if (packing_describe(weight, &source)) …
 *     enum dtype dtype = packing_type(options, &source, is_head);
 *     TRY(packing_new(graph, dtype, source.n, source.k, &panels, error));
 *     TRY(packing_fill(options, &source, dtype, panels.data, error));
 */
#ifndef GRAPH_PACKING_H
#define GRAPH_PACKING_H

#include "graph/graph.h"
#include "graph/pass.h"
#include "kernels/panel.h"

/* A plain [N,K] weight as something to pack. false: it is none, or of a type that cannot be packed. */
bool packing_describe(const struct tensor *weight, struct panel_source *ret_source);
/* The type of its panels: what options->quant asks for where that fits, else its own where there is a product of it, else float32. A
 * weight that is quantised in its file stays as it is. is_head: the weight makes the logits or holds the tokens' vectors, which
 * suffer most: no fewer than 8 bits, as llama.cpp does it. */
enum dtype packing_type(const struct pass_options *options, const struct panel_source *source, bool is_head);
/* Room for the panels of an [n,k] weight, to be filled. Fails: HOB_LIMIT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status packing_new(struct graph *graph, enum dtype dtype, int64_t n, int64_t k, struct tensor *ret_panels,
                                      hob_error *error);
/* Lays all panels of source, by options->pool's threads. Fails: HOB_LIMIT (a number that f16 cannot hold). */
HOB_MUST_CHECK hob_status packing_fill(const struct pass_options *options, const struct panel_source *source, enum dtype dtype, void *panels,
                                       hob_error *error);

#endif

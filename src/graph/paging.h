/* States in blocks (ops/paged_state.h): whether a graph's can lie so, and where in a block.
 *
 *     if (paging_fits(graph)) …
 *     struct paged_layout layout;
 *     TRY(paging_lay_out(graph, DTYPE_NONE, arena, &layout, error));
 *
 * Thread-safe over a graph that does not change. */
#ifndef GRAPH_PAGING_H
#define GRAPH_PAGING_H

#include "graph/graph.h"
#include "ops/paged_state.h"

struct paged_layout {
    const struct paged_place *places; /* one a state of the graph */
    uint32_t n_states;
    size_t block_bytes; /* of all states together; a multiple of 64 */
};

/* Every state is appended to in one place, [1,heads,T,width] along axis 2, and read by causal hob.Attention only: nobody asks how many
 * positions there are, so that rows of several texts can go through in one run. false for a graph without states. */
bool paging_fits(const struct graph *graph);
/* dtype: of all states; DTYPE_NONE: what the graph says. Lives in arena.
 * Fails: HOB_UNSUPPORTED (heads that are no whole blocks of 32 items), HOB_LIMIT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status paging_lay_out(const struct graph *graph, enum dtype dtype, struct arena *arena, struct paged_layout *ret_layout,
                                         hob_error *error);

#endif

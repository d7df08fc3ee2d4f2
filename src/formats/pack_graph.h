/* A graph as a section of a pack, with its larger constants in the weights section.
 *
 * What is written is what can be reached: values and nodes that passes left behind are not. Nodes stand in the order in which
 * they run. Constants of more than PACK_INLINE_BYTES lie in the weights section, each on a 64-byte boundary, in the order of
 * their first reader and once even if several values share them; the rest stands in the graph section.
 *
 *     struct pack_weights weights;
 *     pack_weights_init(&weights);
 *     TRY_CLEANUP(pack_graph_write(graph, &weights, &bytes, error));
 *     … weights.blobs, each at its offset
 *     pack_weights_release(&weights);
 *
 *     TRY(pack_graph_read(pack, &graph, error));      constants point into the pack, which must live as long as the graph
 */
#ifndef FORMATS_PACK_GRAPH_H
#define FORMATS_PACK_GRAPH_H

#include "base/arena.h"
#include "base/string_map.h"
#include "formats/pack_file.h"
#include "graph/graph.h"

enum { PACK_INLINE_BYTES = 1024 };

/* Where a tensor's elements are. */
enum pack_place { PACK_NOWHERE, PACK_INLINE, PACK_IN_WEIGHTS, PACK_STRINGS, PACK_ELEMENTS };

/* Bytes of the weights section, which belong to the graph or to the weights' arena. */
struct pack_blob {
    const void *bytes;
    size_t n_bytes;
    uint64_t offset;
};

struct pack_weights {
    struct arena arena; /* copies of what is not contiguous, keys of the map */
    struct pack_blob *blobs;
    size_t n_blobs;
    uint64_t n_bytes;              /* of the section */
    struct string_map blob_by_key; /* address and size of what is there already */
};

void pack_weights_init(struct pack_weights *weights);
void pack_weights_release(struct pack_weights *weights);

/* Appends to bytes. The graph is compiled: sorted and resolved without an error. Fails: HOB_UNSUPPORTED (a constant of a layout that
 * has no size of its own), HOB_BAD_GRAPH, HOB_LIMIT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status pack_graph_write(const struct graph *graph, struct pack_weights *weights, struct buffer *bytes,
                                           hob_error *error);
/* Fails: HOB_BAD_FILE, HOB_BAD_GRAPH, HOB_LIMIT, HOB_NO_MEMORY; the message names no file. */
HOB_MUST_CHECK hob_status pack_graph_read(const struct pack *pack, struct graph **ret_graph, hob_error *error);

/* ---- for both ---- */
/* Bytes of a weight in panels, rank 2 or one matrix behind the other. false: there are no such panels. */
bool pack_panel_bytes(const struct tensor *weight, size_t *ret_n_bytes);
/* First and last item, counted from data, that the strides reach. false: they, or the number of items between them, overflow. Not for
 * empty tensors. */
bool pack_find_extent(const struct tensor *tensor, int64_t *ret_first, int64_t *ret_last);

#endif

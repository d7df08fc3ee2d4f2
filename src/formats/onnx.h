/* ONNX models: a .onnx file becomes a graph, every tensor encoding included, in place where alignment allows.
 *
 * The graph owns the map of the file and of its external data. Operators are not looked at: a model with operators hob lacks
 * opens, so that it can be inspected. Functions that the model defines for itself are expanded where they are called.
 *
 *     struct graph *graph;
 *     TRY(onnx_open("model.onnx", &graph, error));
 *     graph_free(graph);
 */
#ifndef FORMATS_ONNX_H
#define FORMATS_ONNX_H

#include "graph/graph.h"

/* Fails: HOB_NOT_FOUND, HOB_IO, HOB_BAD_FILE, HOB_BAD_GRAPH, HOB_UNSUPPORTED, HOB_LIMIT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status onnx_open(const char *path, struct graph **ret_graph, hob_error *error);
/* The same for bytes in memory, which must live as long as the graph. path says where external data lies; the message does not
 * name it. */
HOB_MUST_CHECK hob_status onnx_parse(const void *bytes, size_t n_bytes, const char *path, struct graph **ret_graph,
                                     hob_error *error);

#endif

/* The parts of a description (JSON): what hob_describe gathers, and how it becomes text. */
#ifndef ENGINE_DESCRIBE_H
#define ENGINE_DESCRIBE_H

#include "graph/graph.h"
#include "hob/status.h"

#include <jansson.h>

struct pack;

json_t *describe_shape(int rank, const int64_t *dims, const char *const *dim_names);
/* Text from a file may be no UTF-8, which jansson wants; long ones are cut. */
json_t *describe_text(const char *bytes, size_t n_bytes);

/* What the passes make of the graph and what a run would take: "passes", "compiled_operators", "nodes" with the shapes of what
 * they make, "sample" (the input shapes that these hold for), "memory"; or "problem". Changes the graph: nothing else can be
 * done with it. Operators hob lacks may be in it. */
void describe_compiled(struct graph *graph, json_t *root);
/* The same for a graph that went through the passes already: "passes" is left out. */
void describe_packed(struct graph *graph, json_t *root);
struct model_labels;
/* "labels" of a classifier; of another model nothing. */
void describe_labels(const struct model_labels *labels, json_t *root);
/* Counts nodes by operator, subgraphs' too. */
void describe_count_ops(const struct graph *graph, json_t *counts);

/* What a pack says of itself: "version", "source", "sections", "checksums", "quantisation", "weights", "tokenizer", "passes", "report",
 * and the model's facts. The weights are summed: that reads the whole file. What is damaged is told, also in "problem". */
void describe_pack(const struct pack *pack, const struct graph *graph, json_t *root);

/* One object on one line, and a page for a person. ret_text: heap, freed with hob_free. Fails: HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status describe_dump(const json_t *root, char **ret_text, hob_error *error);
HOB_MUST_CHECK hob_status describe_render(const json_t *root, char **ret_text, hob_error *error);

#endif

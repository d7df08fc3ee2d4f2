/* What a model's inputs and outputs are for, told from the names that exporters give them and ours: the one table of those names.
 *
 *     if (input_role_find(&graph->values[graph->inputs[i]]) == INPUT_IDS) …
 */
#ifndef GRAPH_IO_ROLE_H
#define GRAPH_IO_ROLE_H

#include "graph/graph.h"

enum input_role {
    INPUT_OTHER,
    INPUT_IDS,
    INPUT_POSITIONS,
    INPUT_MASK,         /* ones for every position so far */
    INPUT_TOKEN_TYPES,
    INPUT_ROWS,         /* hob's own: positions whose logits are wanted */
    INPUT_SEGMENTS,     /* hob's own: where each text of a packed batch begins */
    INPUT_CAPACITY,     /* hob's own: the most positions a text may take in this session */
    INPUT_USE_CACHE,    /* a merged decoder's switch */
    INPUT_PAST          /* a cache that the graph takes and gives back whole */
};

enum output_role {
    OUTPUT_OTHER,
    OUTPUT_LOGITS,
    OUTPUT_HIDDEN,   /* a row a token */
    OUTPUT_SENTENCE, /* a row a text */
    OUTPUT_LABELS    /* a number a label for each text */
};

/* By name, and a type that fits it. */
enum input_role input_role_find(const struct value *input);
/* By name, and for logits by rank: a language model has them for each position, a classifier for each text. */
enum output_role output_role_find(const struct graph *graph, uint32_t output);

/* The names hob itself gives such inputs. */
extern const char input_positions_name[], input_rows_name[], input_segments_name[], input_capacity_name[];

#endif

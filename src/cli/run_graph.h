/* Running a graph on tensors: what `hob run` and its cases share.
 *
 *     struct run run = {.model = …};
 *     TRY(run_add_input(&run, name, path, error));      for each
 *     TRY(run_graph(&run, error));
 *     … run.outputs[0 … run.n_outputs) …
 *     run_release(&run);
 */
#ifndef CLI_RUN_GRAPH_H
#define CLI_RUN_GRAPH_H

#include "cli/load.h"

struct run {
    struct loaded loaded;
    hob_named_tensor *inputs;
    size_t n_inputs;
    hob_tensor **outputs; /* NULL before run_graph */
    size_t n_outputs;
};

/* Opens the model; most_inputs is how many run_add_input may add. On failure the run is empty. */
HOB_MUST_CHECK hob_status run_open(struct run *run, const char *model_path, size_t n_threads, size_t most_inputs,
                                   hob_error *error);
/* Reads a tensor file as the model declares that input. name must outlive the run. */
HOB_MUST_CHECK hob_status run_add_input(struct run *run, const char *name, const char *path, hob_error *error);
HOB_MUST_CHECK hob_status run_graph(struct run *run, hob_error *error);
void run_release(struct run *run); /* takes a zeroed run */

#endif

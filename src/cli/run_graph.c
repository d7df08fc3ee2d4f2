#include "cli/run_graph.h"

#include "base/error.h"
#include "base/memory.h"

hob_status run_open(struct run *run, const char *model_path, size_t n_threads, size_t most_inputs, hob_error *error)
{
    *run = (struct run){0};
    TRY(load_model(model_path, HOB_MODEL_GRAPH, n_threads, &run->loaded, error));
    run->inputs = memory_new(most_inputs, sizeof *run->inputs);
    if (run->inputs) return HOB_OK;
    loaded_release(&run->loaded);
    *run = (struct run){0};
    FAIL(error, HOB_NO_MEMORY, "%s: no memory for %zu inputs", model_path, most_inputs);
}

hob_status run_add_input(struct run *run, const char *name, const char *path, hob_error *error)
{
    hob_tensor *tensor;
    TRY(hob_model_read_input(run->loaded.model, name, path, &tensor, error));
    run->inputs[run->n_inputs++] = (hob_named_tensor){.name = name, .tensor = tensor};
    return HOB_OK;
}

hob_status run_graph(struct run *run, hob_error *error)
{
    size_t n_outputs = hob_model_n_outputs(run->loaded.model);
    hob_tensor **outputs = memory_new(n_outputs, sizeof(hob_tensor *));
    if (!outputs) FAIL(error, HOB_NO_MEMORY, "no memory for %zu outputs", n_outputs);
    hob_status status = hob_session_run(run->loaded.session, run->inputs, run->n_inputs, outputs, n_outputs, error);
    if (status != HOB_OK) {
        memory_free(outputs);
        return status;
    }
    run->outputs = outputs;
    run->n_outputs = n_outputs;
    return HOB_OK;
}

void run_release(struct run *run)
{
    for (size_t i = 0; i < run->n_inputs; i++)
        hob_tensor_free((hob_tensor *)(uintptr_t)run->inputs[i].tensor); /* ours: read by run_add_input */
    for (size_t i = 0; i < run->n_outputs; i++) hob_tensor_free(run->outputs[i]);
    memory_free(run->inputs);
    memory_free(run->outputs);
    loaded_release(&run->loaded);
    *run = (struct run){0};
}

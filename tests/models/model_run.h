/* For tests of models: opens a model file or folder as the engine does, runs it step by step and compares
 * with stored numbers.
 *
 *     struct model_run run;
 *     model_run_open(&run, "tests/data/models/gpt2", NULL);
 *     model_run_feed(&run, "ids", ids, 5);                    and the other inputs
 *     const struct tensor *logits = model_run_step(&run, 5);  5 positions join the KV cache
 *     model_run_close(&run);
 */
#ifndef TESTS_MODELS_MODEL_RUN_H
#define TESTS_MODELS_MODEL_RUN_H

#include "unit.h"

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/memory.h"
#include "formats/formats.h"
#include "formats/tensor_file.h"
#include "graph/executor.h"
#include "graph/pass.h"
#include "kernels/kernels.h"
#include "models/model.h"
#include "providers/providers.h"
#include "tensor/npy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MODEL_RUN_CAPACITY = 64 };

struct model_run {
    struct arena arena; /* of what the test reads */
    struct graph *graph;
    struct model_info info;
    struct provider provider;
    struct executor *executor;
    int64_t capacity; /* what graphs that ask for it are told; what there is, is MODEL_RUN_CAPACITY */
    hob_error error;
};

#define ASSERT_OK(expr, error)                                 \
    do {                                                       \
        if ((expr) != HOB_OK) fail_msg("%s", (error).message); \
    } while (0)

static inline void model_run_release_file(void *file)
{
    tensor_file_free(file);
}

/* The graph as the engine gets it; the file belongs to it. */
static inline hob_status model_run_build(const char *path, struct graph **ret_graph, struct model_info *ret_info,
                                         hob_error *error)
{
    hob_status status = HOB_OK;
    struct format_content content;
    TRY(format_open(path, &content, error));
    assert_non_null(content.tensors);
    TRY_CLEANUP(model_build(content.tensors, content.folder, ret_graph, ret_info, error));
    status = graph_own(*ret_graph, content.tensors, model_run_release_file, error);
    content.tensors = NULL;
cleanup:
    format_content_release(&content);
    return status;
}

/* run->graph and run->info are there. */
static inline void model_run_start_graph(struct model_run *run, const char *disabled_passes, bool has_full_caches)
{
    const struct program *program;
    struct pass_options options = {.kernels = kernels_select(), .disabled = disabled_passes};
    for (uint32_t i = 0; has_full_caches && i < run->graph->n_states; i++) run->graph->states[i].dtype = DTYPE_F32;
    ASSERT_OK(passes_run(run->graph, &options, NULL, &run->error), run->error);
    ASSERT_OK(program_new(run->graph, &program, &run->error), run->error);
    const struct provider_def *cpu = provider_find("cpu");
    run->provider.def = cpu;
    ASSERT_OK(cpu->open(&(struct provider_options){.n_threads = 1}, &run->provider, &run->error), run->error);
    ASSERT_OK(executor_new(program, &run->provider, MODEL_RUN_CAPACITY, &run->executor, &run->error), run->error);
}

static inline void model_run_start(struct model_run *run, const char *path, const char *disabled_passes, bool has_full_caches)
{
    *run = (struct model_run){.capacity = MODEL_RUN_CAPACITY};
    ASSERT_OK(model_run_build(path, &run->graph, &run->info, &run->error), run->error);
    model_run_start_graph(run, disabled_passes, has_full_caches);
}

static inline void model_run_open(struct model_run *run, const char *path, const char *disabled_passes)
{
    model_run_start(run, path, disabled_passes, false);
}

/* With caches in f32, whatever the weights are: the model's own numbers. */
static inline void model_run_open_exact(struct model_run *run, const char *path, const char *disabled_passes)
{
    model_run_start(run, path, disabled_passes, true);
}

static inline void model_run_close(struct model_run *run)
{
    executor_free(run->executor);
    run->provider.def->release(&run->provider);
    graph_free(run->graph);
    arena_release(&run->arena);
}

static inline bool model_run_has_input(const struct model_run *run, const char *name)
{
    for (uint32_t i = 0; i < run->graph->n_inputs; i++)
        if (!strcmp(run->graph->values[run->graph->inputs[i]].name, name)) return true;
    return false;
}

/* values must last until the step. */
static inline void model_run_feed(struct model_run *run, const char *name, const int64_t *values, int64_t n_values)
{
    struct tensor tensor;
    ASSERT_OK(tensor_init(&tensor, DTYPE_I64, 1, &n_values, (void *)(uintptr_t)values, &run->error), run->error);
    for (uint32_t i = 0; i < run->graph->n_inputs; i++)
        if (!strcmp(run->graph->values[run->graph->inputs[i]].name, name)) {
            executor_bind(run->executor, i, &tensor);
            return;
        }
    fail_msg("the graph has no input %s", name);
}

/* The first output, contiguous, valid until the next step. */
static inline const struct tensor *model_run_step(struct model_run *run, int64_t n_positions)
{
    ASSERT_OK(executor_run(run->executor, NULL, &run->error), run->error);
    executor_set_n_used(run->executor, executor_n_used(run->executor) + n_positions);
    const struct tensor *output = executor_output(run->executor, 0);
    assert_true(tensor_is_contiguous(output));
    assert_int_equal(output->dtype, DTYPE_F32);
    return output;
}

/* A decoder's step: ids at positions n_used, n_used+1 …; logits of all of them. */
static inline const struct tensor *model_run_append(struct model_run *run, const int64_t *ids, int64_t n_ids)
{
    int64_t positions[MODEL_RUN_CAPACITY], rows[MODEL_RUN_CAPACITY];
    assert_true(n_ids <= MODEL_RUN_CAPACITY);
    for (int64_t i = 0; i < n_ids; i++) {
        positions[i] = executor_n_used(run->executor) + i;
        rows[i] = i;
    }
    model_run_feed(run, "ids", ids, n_ids);
    model_run_feed(run, "positions", positions, n_ids);
    model_run_feed(run, "rows", rows, n_ids);
    if (model_run_has_input(run, "capacity")) model_run_feed(run, "capacity", &run->capacity, 1);
    return model_run_step(run, n_ids);
}

/* A stored array, in the run's arena. */
static inline struct tensor model_run_load(struct model_run *run, const char *folder, const char *name)
{
    char path[512];
    struct mapped_file file;
    struct tensor tensor;
    snprintf(path, sizeof path, "%s/%s.npy", folder, name);
    ASSERT_OK(mapped_file_open(path, &file, &run->error), run->error);
    ASSERT_OK(npy_read(file.bytes, file.n_bytes, path, &run->arena, &tensor, &run->error), run->error);
    mapped_file_release(&file);
    return tensor;
}

/* Every |found - expected| within tolerance of the largest |expected|. */
static inline void assert_close(const float *found, const float *expected, size_t n_items, double tolerance)
{
    double largest = 0, worst = 0;
    size_t where = 0;
    for (size_t i = 0; i < n_items; i++) {
        double difference = fabs((double)found[i] - (double)expected[i]);
        if (!(difference <= worst)) {
            worst = difference;
            where = i;
        }
        if (fabs((double)expected[i]) > largest) largest = fabs((double)expected[i]);
    }
    if (!(worst <= tolerance * largest))
        fail_msg("item %zu: found %.9g, expected %.9g; %.3g of the largest, expected at most %.3g", where,
                 (double)found[where], (double)expected[where], worst / largest, tolerance);
}

static inline void skip_without(const char *path)
{
    if (access(path, R_OK) != 0) skip();
}

#endif

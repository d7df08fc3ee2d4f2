#include "graph/sample_shapes.h"
#include "base/error.h"
#include "graph/plan.h"

#include <string.h>

/* Odd and different, so that no dim of a model is likely to equal one by chance; small, for tables of few positions. */
struct sizes {
    int64_t batch, n_past, n_new;
};
static const struct sizes first_sizes = {1, 11, 13}, second_sizes = {3, 9, 7};

/* Exporters name the dims: "batch_size", "past_sequence_length", "total_sequence_length", "past_sequence_length + 1". */
static int64_t sample_dim(const struct sizes *sizes, const char *name, int axis)
{
    if (!name) return axis == 0 ? sizes->batch : sizes->n_new;
    if (strstr(name, "batch")) return sizes->batch;
    if (strstr(name, "total") || strchr(name, '+')) return sizes->n_past + sizes->n_new;
    return strstr(name, "past") ? sizes->n_past : sizes->n_new;
}

static hob_status sample_input(const struct sizes *sizes, const struct value *input, struct tensor *ret_tensor, hob_error *error)
{
    int64_t dims[TENSOR_MAX_RANK];
    for (int d = 0; d < input->rank; d++) {
        const char *name = input->dim_names ? input->dim_names[d] : NULL;
        dims[d] = input->dims[d] != DIM_UNKNOWN ? input->dims[d] : sample_dim(sizes, name, d);
    }
    return tensor_init(ret_tensor, input->dtype, input->rank, dims, NULL, error);
}

static hob_status sample(const struct graph *graph, const struct sizes *sizes, struct arena *arena, struct tensor **ret_inputs,
                         hob_error *error)
{
    struct tensor *inputs = ARENA_NEW(arena, struct tensor, graph->n_inputs);
    if (!inputs) FAIL(error, HOB_NO_MEMORY, "sampling shapes: out of memory");
    for (uint32_t i = 0; i < graph->n_inputs; i++) {
        const struct value *input = &graph->values[graph->inputs[i]];
        if (input->rank >= 0 && input->dtype != DTYPE_NONE) TRY(sample_input(sizes, input, &inputs[i], error));
    }
    *ret_inputs = inputs;
    return HOB_OK;
}

hob_status sample_inputs(const struct graph *graph, struct arena *arena, struct tensor **ret_inputs, int64_t *ret_n_used,
                         hob_error *error)
{
    TRY(sample(graph, &first_sizes, arena, ret_inputs, error));
    *ret_n_used = graph->n_states ? first_sizes.n_past : 0;
    return HOB_OK;
}

hob_status sample_shapes(struct graph *graph, const struct kernels *kernels, struct arena *arena,
                         const struct tensor **ret_shapes, hob_error *error)
{
    struct tensor *inputs;
    int64_t n_used;
    const struct program *program;
    TRY(sample_inputs(graph, arena, &inputs, &n_used, error));
    TRY(program_new(graph, &program, error));
    return plan_infer_shapes(program, kernels, inputs, n_used, arena, ret_shapes, error);
}

static bool leaves_sizes_open(const struct graph *graph)
{
    for (uint32_t i = 0; i < graph->n_inputs; i++) {
        const struct value *input = &graph->values[graph->inputs[i]];
        for (int d = 0; d < input->rank; d++)
            if (input->dims[d] == DIM_UNKNOWN) return true;
    }
    return graph->n_states > 0;
}

hob_status sample_shapes_twice(struct graph *graph, const struct kernels *kernels, struct arena *arena,
                               const struct tensor **ret_first, const struct tensor **ret_second, hob_error *error)
{
    struct tensor *inputs;
    int64_t n_used;
    const struct program *program;
    struct sizes sizes = second_sizes;
    if (graph->n_states) sizes.batch = 1; /* a session has one */
    TRY(sample_inputs(graph, arena, &inputs, &n_used, error));
    TRY(program_new(graph, &program, error));
    TRY(plan_infer_shapes(program, kernels, inputs, n_used, arena, ret_first, error));
    *ret_second = NULL;
    if (!leaves_sizes_open(graph)) return HOB_OK;
    TRY(sample(graph, &sizes, arena, &inputs, error));
    if (plan_infer_shapes(program, kernels, inputs, graph->n_states ? sizes.n_past : 0, arena, ret_second, NULL) != HOB_OK)
        *ret_second = NULL;
    return HOB_OK;
}

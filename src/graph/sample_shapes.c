#include "graph/sample_shapes.h"
#include "base/error.h"
#include "graph/plan.h"

#include <string.h>

/* Odd and different, so that no dim of a model is likely to equal one by chance. */
enum { SAMPLE_BATCH = 1, SAMPLE_PAST = 11, SAMPLE_NEW = 13 };

/* Exporters name the dims: "batch_size", "past_sequence_length", "total_sequence_length", "past_sequence_length + 1". */
static int64_t sample_dim(const char *name, int axis)
{
    if (!name) return axis == 0 ? SAMPLE_BATCH : SAMPLE_NEW;
    if (strstr(name, "batch")) return SAMPLE_BATCH;
    if (strstr(name, "total") || strchr(name, '+')) return SAMPLE_PAST + SAMPLE_NEW;
    return strstr(name, "past") ? SAMPLE_PAST : SAMPLE_NEW;
}

static hob_status sample_input(const struct value *input, struct tensor *ret_tensor, hob_error *error)
{
    int64_t dims[TENSOR_MAX_RANK];
    for (int d = 0; d < input->rank; d++)
        dims[d] = input->dims[d] != DIM_UNKNOWN ? input->dims[d] : sample_dim(input->dim_names ? input->dim_names[d] : NULL, d);
    return tensor_init(ret_tensor, input->dtype, input->rank, dims, NULL, error);
}

hob_status sample_inputs(const struct graph *graph, struct arena *arena, struct tensor **ret_inputs, int64_t *ret_n_used, hob_error *error)
{
    struct tensor *inputs = ARENA_NEW(arena, struct tensor, graph->n_inputs);
    if (!inputs) FAIL(error, HOB_NO_MEMORY, "sampling shapes: out of memory");
    for (uint32_t i = 0; i < graph->n_inputs; i++) {
        const struct value *input = &graph->values[graph->inputs[i]];
        if (input->rank >= 0 && input->dtype != DTYPE_NONE) TRY(sample_input(input, &inputs[i], error));
    }
    *ret_inputs = inputs;
    *ret_n_used = graph->n_states ? SAMPLE_PAST : 0;
    return HOB_OK;
}

hob_status sample_shapes(struct graph *graph, const struct kernels *kernels, struct arena *arena, const struct tensor **ret_shapes,
                         hob_error *error)
{
    struct tensor *inputs;
    int64_t n_used;
    const struct program *program;
    TRY(sample_inputs(graph, arena, &inputs, &n_used, error));
    TRY(program_new(graph, &program, error));
    return plan_infer_shapes(program, kernels, inputs, n_used, arena, ret_shapes, error);
}

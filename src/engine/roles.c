#include "engine/roles.h"
#include "base/error.h"

#include <string.h>

/* The axis that counts positions: of the two shapes' unknown dims, the one that is not the batch. -1 when it cannot be told. */
static int growing_axis(const struct value *past, const struct value *present)
{
    if (past->rank != present->rank || past->dtype != present->dtype) return -1;
    int axis = -1;
    for (int d = 0; d < past->rank; d++) {
        bool is_fixed = past->dims[d] != DIM_UNKNOWN;
        if (is_fixed && present->dims[d] != DIM_UNKNOWN && past->dims[d] != present->dims[d]) return -1;
        if (!is_fixed) axis = d; /* the last unknown one: batch comes before positions in every layout in use */
    }
    return axis;
}

/* Pairs are in the same order on both sides in every exporter; a pair must agree in type and shape. */
static hob_status find_carried(const struct graph *graph, struct arena *arena, struct graph_roles *roles, hob_error *error)
{
    struct carried_pair *carried = ARENA_NEW(arena, struct carried_pair, graph->n_inputs);
    if (!carried) FAIL(error, HOB_NO_MEMORY, "finding caches: out of memory");
    uint32_t n_carried = 0, output = 0;
    for (uint32_t i = 0; i < graph->n_inputs; i++) {
        if (roles->inputs[i] != INPUT_PAST) continue;
        const struct value *past = &graph->values[graph->inputs[i]];
        for (; output < graph->n_outputs; output++) {
            const struct value *present = &graph->values[graph->outputs[output]];
            if (!strstr(graph->output_names[output], "present") && !strstr(graph->output_names[output], "past")) continue;
            int axis = growing_axis(past, present);
            if (axis < 0) continue;
            carried[n_carried++] = (struct carried_pair){.input = i, .output = output, .axis = axis};
            output++;
            break;
        }
    }
    roles->carried = carried;
    roles->n_carried = n_carried;
    return HOB_OK;
}

/* The first of several is the one, as for the passes: exports put the main output in front. */
static void find_outputs(const struct graph *graph, struct graph_roles *roles)
{
    roles->logits = roles->hidden = roles->sentence = roles->labels = ROLE_NONE;
    for (uint32_t i = graph->n_outputs; i-- > 0;) {
        enum output_role role = output_role_find(graph, i);
        if (role == OUTPUT_LOGITS) roles->logits = i;
        if (role == OUTPUT_HIDDEN) roles->hidden = i;
        if (role == OUTPUT_SENTENCE) roles->sentence = i;
        if (role == OUTPUT_LABELS) roles->labels = i;
    }
}

hob_status roles_find(const struct graph *graph, struct arena *arena, struct graph_roles *ret_roles, hob_error *error)
{
    enum input_role *inputs = ARENA_NEW(arena, enum input_role, graph->n_inputs);
    if (!inputs) FAIL(error, HOB_NO_MEMORY, "finding inputs: out of memory");
    struct graph_roles roles = {.inputs = inputs, .ids = ROLE_NONE, .is_complete = true};
    uint32_t n_past = 0;
    for (uint32_t i = 0; i < graph->n_inputs; i++) {
        inputs[i] = input_role_find(&graph->values[graph->inputs[i]]);
        if (inputs[i] == INPUT_IDS) roles.ids = i;
        if (inputs[i] == INPUT_SEGMENTS) roles.is_packed = true;
        roles.is_complete &= inputs[i] != INPUT_OTHER;
        n_past += inputs[i] == INPUT_PAST;
    }
    if (roles.ids != ROLE_NONE && graph->values[graph->inputs[roles.ids]].rank == 1) roles.is_packed = true;
    find_outputs(graph, &roles);
    TRY(find_carried(graph, arena, &roles, error));
    roles.is_complete &= roles.ids != ROLE_NONE && roles.n_carried == n_past;
    *ret_roles = roles;
    return HOB_OK;
}

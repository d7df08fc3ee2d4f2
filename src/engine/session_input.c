/* Inputs that the engine makes itself: ids, positions, masks. Apart from session.c, which calls the decoder, because the decoder
 * needs them too. */
#include "base/error.h"
#include "engine/session.h"

void session_fill_items(struct tensor *tensor, int64_t first, int64_t n, int64_t start, int64_t step)
{
    for (int64_t i = first; i < first + n; i++) {
        int64_t item = start + (i - first) * step;
        switch (tensor->dtype) {
        case DTYPE_I64: ((int64_t *)tensor->data)[i] = item; break;
        case DTYPE_I32: ((int32_t *)tensor->data)[i] = (int32_t)item; break;
        case DTYPE_F32: ((float *)tensor->data)[i] = (float)item; break;
        default: ((uint8_t *)tensor->data)[i] = item != 0; break; /* bool */
        }
    }
}

hob_status session_fill_input(struct hob_session *session, uint32_t i, struct arena *arena, int64_t n, int64_t start, int64_t step,
                              struct tensor *ret_tensor, hob_error *error)
{
    const struct graph *graph = session->model->graph;
    const struct value *input = &graph->values[graph->inputs[i]];
    if (input->dtype != DTYPE_I64 && input->dtype != DTYPE_I32 && input->dtype != DTYPE_F32 && input->dtype != DTYPE_BOOL)
        FAIL(error, HOB_UNSUPPORTED, "input %s: found type %s, expected int64, int32, float32 or bool", input->name,
             dtype_name(input->dtype));
    struct tensor tensor;
    bool is_flat = input->rank == 1;
    TRY(tensor_init(&tensor, input->dtype, is_flat ? 1 : 2, is_flat ? (int64_t[]){n} : (int64_t[]){1, n}, NULL, error));
    tensor.data = arena_alloc(arena, tensor_n_bytes(&tensor), 64);
    if (!tensor.data) FAIL(error, HOB_NO_MEMORY, "input %s: out of memory", input->name);
    session_fill_items(&tensor, 0, n, start, step);
    *ret_tensor = tensor;
    return HOB_OK;
}

void session_copy_ids(const int32_t *ids, int64_t n_ids, int64_t first, struct tensor *tensor)
{
    for (int64_t i = 0; i < n_ids; i++) {
        if (tensor->dtype == DTYPE_I64) ((int64_t *)tensor->data)[first + i] = ids[i];
        else ((int32_t *)tensor->data)[first + i] = ids[i];
    }
}

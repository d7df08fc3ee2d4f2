#include "graph/packing.h"
#include "base/error.h"

#include <inttypes.h>

bool packing_describe(const struct tensor *weight, struct panel_source *ret_source)
{
    if (!weight || weight->rank != 2 || weight->layout != LAYOUT_STRIDED) return false;
    *ret_source = (struct panel_source){.data = weight->data, .dtype = weight->dtype, .n = weight->dims[0], .k = weight->dims[1],
                                        .n_stride = weight->strides[0], .k_stride = weight->strides[1]};
    return panel_can_pack(ret_source, DTYPE_F32);
}

hob_status packing_new(struct graph *graph, int64_t n, int64_t k, struct tensor *ret_panels, hob_error *error)
{
    size_t n_bytes;
    if (!panel_bytes(DTYPE_F32, n, k, &n_bytes)) FAIL(error, HOB_LIMIT, "found a weight of [%" PRId64 ",%" PRId64 "], which is too large", n, k);
    void *panels = arena_alloc(&graph->arena, n_bytes, PANEL_ALIGNMENT);
    if (!panels) FAIL(error, HOB_NO_MEMORY, "no memory for %zu bytes of weights", n_bytes);
    TRY(tensor_init(ret_panels, DTYPE_F32, 2, (int64_t[]){n, k}, panels, error));
    ret_panels->layout = LAYOUT_PANELS;
    return HOB_OK;
}

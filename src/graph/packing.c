#include "graph/packing.h"

#include "base/error.h"
#include "base/thread_pool.h"
#include "ops/matrix/panel_product.h"

#include <inttypes.h>

enum { WORTHWHILE_ITEMS = 1 << 15, F16_MAGNITUDE = 0x7fff, F16_INFINITY = 0x7c00 };

bool packing_describe(const struct tensor *weight, struct panel_source *ret_source)
{
    if (!weight || weight->rank != 2 || weight->layout != LAYOUT_STRIDED) return false;
    *ret_source = (struct panel_source){.data = weight->data, .dtype = weight->dtype, .n = weight->dims[0], .k = weight->dims[1],
                                        .n_stride = weight->strides[0], .k_stride = weight->strides[1]};
    return panel_product_type(ret_source) != DTYPE_NONE;
}

enum dtype packing_type(const struct pass_options *options, const struct panel_source *source, bool is_head)
{
    enum dtype quant = options->quant;
    bool is_float = dtype_block_items(source->dtype) == 1;
    if (is_head && dtype_block_items(quant) > 1) quant = DTYPE_Q8_0;
    if (quant != DTYPE_NONE && is_float && panel_can_pack(source, quant)) return quant;
    return panel_product_type(source);
}

hob_status packing_new(struct graph *graph, enum dtype dtype, int64_t n, int64_t k, struct tensor *ret_panels, hob_error *error)
{
    size_t n_bytes;
    if (!panel_bytes(dtype, n, k, &n_bytes)) FAIL(error, HOB_LIMIT, "found a weight of [%" PRId64 ",%" PRId64 "], which is too large", n, k);
    void *panels = arena_alloc(&graph->weights, n_bytes, PANEL_ALIGNMENT);
    if (!panels) FAIL(error, HOB_NO_MEMORY, "no memory for %zu bytes of weights", n_bytes);
    TRY(tensor_init(ret_panels, dtype, 2, (int64_t[]){n, k}, panels, error));
    ret_panels->layout = LAYOUT_PANELS;
    return HOB_OK;
}

struct fill_job {
    const struct panel_source *source;
    enum dtype dtype;
    void *panels;
};

static void fill(void *context, size_t begin, size_t end)
{
    const struct fill_job *job = context;
    panel_pack(job->source, job->dtype, (int64_t)begin, (int64_t)end, job->panels);
}

/* Among n halves, NaN aside. */
static bool has_infinity(const uint16_t *halves, size_t n)
{
    bool is_found = false;
    for (size_t i = 0; i < n; i++) is_found |= (halves[i] & F16_MAGNITUDE) == F16_INFINITY;
    return is_found;
}

hob_status packing_fill(const struct pass_options *options, const struct panel_source *source, enum dtype dtype, void *panels, hob_error *error)
{
    size_t n_bytes;
    struct fill_job job = {source, dtype, panels};
    thread_pool_run(options->pool, (size_t)panel_count(source->n), (size_t)(1 + WORTHWHILE_ITEMS / (source->k + 1) / PANEL_COLUMNS),
                    fill, &job);
    if (dtype != DTYPE_F16 || source->dtype == DTYPE_F16 || !panel_bytes(dtype, source->n, source->k, &n_bytes)) return HOB_OK;
    if (has_infinity(panels, n_bytes / sizeof(uint16_t)))
        FAIL(error, HOB_LIMIT, "found a number beyond 65504, the largest that f16 holds, expected another format: bf16 holds it");
    return HOB_OK;
}

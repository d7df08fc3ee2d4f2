/* com.microsoft.MatMulNBits that allows activations of 8 bits (accuracy_level 4) becomes hob.Linear over panels of a block format, whose
 * products are exact in the integers: 2 and 4 bits as q4_0, with zero points as q4_1, 8 bits as q8_0. Blocks are of 32 items there, so a longer block's
 * scale is repeated; scales become f16, which is finer than what the activations lose. Done once: the operator itself would unpack its
 * weights at every run. Weights that do not fit (scales that f16 cannot hold, a g_idx, f16 activations) stay as they are. */
#include "base/error.h"
#include "base/thread_pool.h"
#include "graph/builder.h"
#include "graph/packing.h"
#include "graph/pass.h"
#include "graph/pattern.h"
#include "ops/numbers.h"
#include "ops/quant/packed_weight.h"

#include <math.h>
#include <string.h>

enum { INPUT_A, INPUT_B, SCALES, ZEROS, GROUPS, BIAS };
enum { BLOCK_ITEMS = 32, Q4_0_MIDDLE = 8, INT8_ACCURACY = 4, WORTHWHILE_ITEMS = 1 << 15 };

struct nbits_weight {
    int64_t n, k, block, n_blocks;
    int bits;
    const uint8_t *codes;
    const float *scales;
    const struct tensor *zeros; /* uint8, packed, or f32; NULL: the middle of the range */
    enum dtype dtype;           /* of the panels */
};

/* ---- whether ---- */

static const struct tensor *constant_of(const struct graph *graph, const struct node *node, uint32_t i)
{
    return i < node->n_inputs ? pattern_constant(graph, node->inputs[i]) : NULL;
}

static bool is_given(const struct node *node, uint32_t i)
{
    return i < node->n_inputs && node->inputs[i] != VALUE_NONE;
}

static bool read_sizes(const struct node *node, struct nbits_weight *w)
{
    const struct attributes *attributes = &node->attributes;
    w->n = attributes_int(attributes, "N", 0), w->k = attributes_int(attributes, "K", 0);
    w->block = attributes_int(attributes, "block_size", 0), w->bits = (int)attributes_int(attributes, "bits", 4);
    if (w->n < 1 || w->n > INT32_MAX || w->k < 1 || w->k > INT32_MAX || w->k % BLOCK_ITEMS || w->block < BLOCK_ITEMS ||
        w->block > INT32_MAX || w->block & (w->block - 1))
        return false;
    w->n_blocks = (w->k + w->block - 1) / w->block;
    return (w->bits == 2 || w->bits == 4 || w->bits == 8) && !attributes_int(attributes, "weight_prepacked", 0);
}

static bool fits_f16(const float *scales, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (scales[i] != 0 && !(fabsf(scales[i]) >= 0x1p-14f && fabsf(scales[i]) <= 65504)) return false;
    return true;
}

static float zero_of(const struct nbits_weight *w, int64_t row, int64_t block)
{
    if (w->zeros->dtype == DTYPE_F32) return ((const float *)w->zeros->data)[row * w->n_blocks + block];
    const uint8_t *zeros = w->zeros->data;
    return (float)packed_item(zeros + row * packed_bytes(w->bits, w->n_blocks), w->bits, block);
}

/* Scales with zero points make offsets, scale * zero, and those are f16 too. */
static bool offsets_fit_f16(const struct nbits_weight *w)
{
    for (int64_t row = 0; row < w->n; row++)
        for (int64_t block = 0; block < w->n_blocks; block++)
            if (!(fabsf(w->scales[row * w->n_blocks + block] * zero_of(w, row, block)) <= 65504)) return false;
    return true;
}

static bool has_items(const struct tensor *x, enum dtype dtype, int64_t n)
{
    return x && x->dtype == dtype && tensor_is_contiguous(x) && tensor_n_items(x) == n;
}

/* q8_0 has no zero points but the middle, which they may all be. */
static bool are_all_middle(const struct nbits_weight *w)
{
    for (int64_t row = 0; row < w->n; row++)
        for (int64_t block = 0; block < w->n_blocks; block++)
            if (zero_of(w, row, block) != (float)(1 << (w->bits - 1))) return false;
    return true;
}

static bool read_zeros(const struct graph *graph, const struct node *node, struct nbits_weight *w)
{
    if (!is_given(node, ZEROS)) return true;
    w->zeros = constant_of(graph, node, ZEROS);
    if (!has_items(w->zeros, DTYPE_U8, w->n * packed_bytes(w->bits, w->n_blocks)) &&
        !has_items(w->zeros, DTYPE_F32, w->n * w->n_blocks))
        return false;
    if (!are_all_middle(w)) return w->bits != 8;
    w->zeros = NULL;
    return true;
}

/* The scales' type is the activations'. */
static bool match(const struct graph *graph, const struct node *node, struct nbits_weight *ret_weight)
{
    struct nbits_weight w = {.zeros = NULL};
    if (!node_is(node, "com.microsoft", "MatMulNBits") || is_given(node, GROUPS)) return false;
    if (attributes_int(&node->attributes, "accuracy_level", 0) != INT8_ACCURACY || !read_sizes(node, &w)) return false;
    const struct tensor *codes = constant_of(graph, node, INPUT_B), *scales = constant_of(graph, node, SCALES);
    if (!has_items(scales, DTYPE_F32, w.n * w.n_blocks) || !fits_f16(scales->data, w.n * w.n_blocks)) return false;
    if (!has_items(codes, DTYPE_U8, w.n * w.n_blocks * (w.block * w.bits / 8)) || !read_zeros(graph, node, &w))
        return false;
    w.codes = codes->data, w.scales = scales->data;
    if (w.zeros && !offsets_fit_f16(&w)) return false;
    w.dtype = w.bits == 8 ? DTYPE_Q8_0 : w.zeros ? DTYPE_Q4_1 : DTYPE_Q4_0;
    *ret_weight = w;
    return true;
}

/* ---- rows of blocks, as ggml has them ---- */

static uint8_t *put_f16(uint8_t *at, float number)
{
    uint16_t bits = number_to_f16(number);
    memcpy(at, &bits, sizeof bits);
    return at + sizeof bits;
}

/* Of 2 and 4 bits; without zero points the middle is q4_0's. */
static int code_of(const struct nbits_weight *w, const uint8_t *codes, int64_t i)
{
    const int middle = w->zeros ? 0 : Q4_0_MIDDLE - (1 << (w->bits - 1));
    return packed_item(codes, w->bits, i) + middle;
}

/* 32 items: d, for q4_1 m too, then the codes, of which a byte holds items i and i + 16. */
static uint8_t *put_block(const struct nbits_weight *w, int64_t row, int64_t first, uint8_t *at)
{
    const uint8_t *codes = w->codes + row * w->n_blocks * (w->block * w->bits / 8);
    const int64_t block = first / w->block;
    const float scale = w->scales[row * w->n_blocks + block];
    at = put_f16(at, scale);
    if (w->dtype == DTYPE_Q4_1) at = put_f16(at, -scale * zero_of(w, row, block));
    if (w->bits == 8) {
        for (int i = 0; i < BLOCK_ITEMS; i++) *at++ = (uint8_t)(codes[first + i] ^ 0x80);
        return at;
    }
    for (int i = 0; i < BLOCK_ITEMS / 2; i++)
        *at++ = (uint8_t)(code_of(w, codes, first + i) | code_of(w, codes, first + i + BLOCK_ITEMS / 2) << 4);
    return at;
}

struct filling {
    const struct nbits_weight *weight;
    size_t panel_bytes, row_bytes;
    uint8_t *rows; /* of all panels */
    unsigned char *panels;
};

static void fill_panels(void *context, size_t begin, size_t end)
{
    const struct filling *job = context;
    const struct nbits_weight *w = job->weight;
    for (int64_t panel = (int64_t)begin; panel < (int64_t)end; panel++) {
        int64_t first = panel * PANEL_COLUMNS, n = w->n - first < PANEL_COLUMNS ? w->n - first : PANEL_COLUMNS;
        uint8_t *rows = job->rows + (size_t)first * job->row_bytes, *at = rows;
        for (int64_t row = first; row < first + n; row++)
            for (int64_t k = 0; k < w->k; k += BLOCK_ITEMS) at = put_block(w, row, k, at);
        const struct panel_source source = {
            .data = rows, .dtype = w->dtype, .n = n, .k = w->k, .n_stride = w->k, .k_stride = 1};
        panel_pack(&source, w->dtype, 0, 1, job->panels + (size_t)panel * job->panel_bytes);
    }
}

static hob_status pack(struct graph *graph, const struct nbits_weight *w, struct pass_context *context,
                       uint32_t *ret_value)
{
    struct tensor panels, rows;
    struct filling job = {.weight = w};
    TRY(packing_new(graph, w->dtype, w->n, w->k, &panels, context->error));
    TRY(tensor_init(&rows, w->dtype, 2, (int64_t[]){w->n, w->k}, NULL, context->error));
    bool has_size = panel_bytes(w->dtype, 1, w->k, &job.panel_bytes);
    HOB_ASSERT(has_size);
    job.row_bytes = tensor_n_bytes(&rows) / (size_t)w->n;
    job.rows = arena_alloc(context->scratch, tensor_n_bytes(&rows) + 1, 16);
    if (!job.rows) FAIL(context->error, HOB_NO_MEMORY, "no memory for %zu bytes of weights", tensor_n_bytes(&rows));
    job.panels = panels.data;
    thread_pool_run(context->options->pool, (size_t)panel_count(w->n),
                    (size_t)(1 + WORTHWHILE_ITEMS / w->k / PANEL_COLUMNS), fill_panels, &job);
    return graph_add_constant(graph, "", &panels, ret_value, context->error);
}

static hob_status rewrite(struct graph *graph, uint32_t index, const struct nbits_weight *w,
                          struct pass_context *context)
{
    const struct node node = graph->nodes[index];
    struct builder builder;
    uint32_t inputs[] = {node.inputs[INPUT_A], VALUE_NONE, is_given(&node, BIAS) ? node.inputs[BIAS] : VALUE_NONE};
    TRY(pack(graph, w, context, &inputs[1]));
    graph_remove_node(graph, index);
    builder_init(&builder, graph);
    builder_op_into(&builder, node.name, "hob.Linear", inputs, inputs[2] == VALUE_NONE ? 2 : 3, NULL, 0, node.outputs,
                    1);
    context->n_changes++;
    return builder_finish(&builder, context->error);
}

static hob_status apply(struct graph *graph, struct pass_context *context)
{
    const uint32_t n_nodes = graph->n_nodes; /* new ones stand behind */
    struct nbits_weight weight;
    for (uint32_t i = 0; i < n_nodes; i++)
        if (match(graph, &graph->nodes[i], &weight)) TRY(rewrite(graph, i, &weight, context));
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) TRY(apply(graph->subgraphs[s], context));
    return HOB_OK;
}

const struct pass_def pass_pack_nbits = {
    .name = "pack_nbits",
    .summary = "lays 2-, 4- and 8-bit weights that allow 8-bit activations out in the order the kernels read them",
    .makes = "hob.Linear",
    .apply = apply};

/* TopK: the k largest (or smallest) items of an axis and where they stand. Equal items: the lower index first.
 * A heap of k candidates a row, whose root is the one to give up next, then sorted in place: O(n log k). */
#include "ops/axes.h"
#include "ops/numbers.h"
#include "ops/reduction.h"

struct top_k_params {
    int64_t axis, k; /* k -1: input 1 */
    bool is_smallest;
};

struct candidate {
    uint64_t key; /* the larger the better */
    int64_t index;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct top_k_params *params = ARENA_NEW(node->arena, struct top_k_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->axis = attributes_int(node->attributes, "axis", -1);
    params->k = node->n_inputs > 1 ? -1 : attributes_int(node->attributes, "k", -1);
    params->is_smallest = attributes_int(node->attributes, "largest", 1) == 0;
    if (node->n_inputs < 2 && params->k < 0)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: found no attribute k of 0 or more, expected one in opsets below 10",
             node->node_name);
    *ret_params = params;
    return HOB_OK;
}

static hob_status read_k(struct op_context *ctx, int64_t n_items, int64_t *ret_k)
{
    const struct top_k_params *params = ctx->params;
    int64_t k = params->k;
    size_t n_values = 1;
    if (k < 0) TRY(op_read_ints(ctx, 1, 1, &k, &n_values));
    if (n_values != 1 || k < 0 || k > n_items)
        OP_FAIL(ctx, HOB_BAD_SHAPE, "k: found %lld, expected one value in [0,%lld]", n_values ? (long long)k : 0,
                (long long)n_items);
    *ret_k = k;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    const struct top_k_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    if (!numbers_is_float(x->dtype) && !numbers_is_integer(x->dtype))
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s, expected a float or integer type", dtype_name(x->dtype));
    int axis;
    TRY(axis_normalize(ctx, params->axis, &axis));
    int64_t dims[TENSOR_MAX_RANK];
    for (int i = 0; i < x->rank; i++) dims[i] = x->dims[i];
    TRY(read_k(ctx, x->dims[axis], &dims[axis]));
    TRY(op_set_output(ctx, 0, x->dtype, x->rank, dims));
    return op_set_output(ctx, 1, DTYPE_I64, x->rank, dims);
}

static bool is_better(const struct candidate *a, const struct candidate *b)
{
    return a->key > b->key || (a->key == b->key && a->index < b->index);
}

/* Restores the heap below item `at`: every parent is worse than its children. */
static void sift_down(struct candidate *heap, size_t n_items, size_t at)
{
    struct candidate moved = heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= n_items) break;
        if (child + 1 < n_items && is_better(&heap[child], &heap[child + 1])) child++;
        if (!is_better(&moved, &heap[child])) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moved;
}

/* Best first: the root, always the worst left, goes to the end. */
static void sort_heap(struct candidate *heap, size_t n_items)
{
    for (size_t end = n_items; end > 1; end--) {
        struct candidate worst = heap[0];
        heap[0] = heap[end - 1];
        heap[end - 1] = worst;
        sift_down(heap, end - 1, 0);
    }
}

struct top_k_job {
    const struct tensor *x, *values, *indices; /* the outputs may be NULL */
    struct reduction from, to;
    struct candidate *candidates; /* k for each output row */
    int64_t k;
    uint64_t flip;
};

static void find_best(const struct top_k_job *job, int64_t offset, struct candidate *heap)
{
    int64_t n_items = job->from.n_folded, stride = job->from.folded_strides[0];
    size_t k = (size_t)job->k;
    uint64_t keys[NUMBERS_RUN];
    for (int64_t begin = 0; begin < n_items; begin += NUMBERS_RUN) {
        int64_t n = n_items - begin < NUMBERS_RUN ? n_items - begin : NUMBERS_RUN;
        numbers_load_keys(job->x, offset + begin * stride, stride, (size_t)n, keys);
        for (int64_t i = 0; i < n; i++) {
            struct candidate next = {keys[i] ^ job->flip, begin + i};
            if (begin + i < job->k) {
                heap[begin + i] = next;
                if (begin + i + 1 == job->k)
                    for (size_t at = k / 2; at-- > 0;) sift_down(heap, k, at);
            } else if (is_better(&next, &heap[0])) {
                heap[0] = next;
                sift_down(heap, k, 0);
            }
        }
    }
    sort_heap(heap, k);
}

static void store_best(const struct top_k_job *job, int64_t from, int64_t to, const struct candidate *best)
{
    size_t item_bytes = dtype_block_bytes(job->x->dtype);
    for (int64_t i = 0; i < job->k; i++) {
        int64_t target = to + i * job->to.folded_strides[0];
        int64_t source = from + best[i].index * job->from.folded_strides[0];
        if (job->values)
            memcpy((char *)job->values->data + target * (int64_t)item_bytes,
                   (const char *)job->x->data + source * (int64_t)item_bytes, item_bytes);
        if (job->indices) ((int64_t *)job->indices->data)[target] = best[i].index;
    }
}

static void run_tiles(void *context, size_t begin, size_t end)
{
    const struct top_k_job *job = context;
    for (size_t i = begin; i < end; i++) {
        struct reduction_tile from = reduction_tile(&job->from, (int64_t)i), to = reduction_tile(&job->to, (int64_t)i);
        for (size_t row = 0; row < from.n_items; row++) {
            struct candidate *heap = job->candidates + (from.first_output + (int64_t)row) * job->k;
            int64_t offset = from.offset + (int64_t)row * from.stride;
            find_best(job, offset, heap);
            store_best(job, offset, to.offset + (int64_t)row * to.stride, heap);
        }
    }
}

static hob_status run(struct op_context *ctx)
{
    const struct top_k_params *params = ctx->params;
    struct top_k_job job = {.x = ctx->inputs[0],
                            .values = ctx->outputs[0],
                            .indices = op_output(ctx, 1),
                            .flip = params->is_smallest ? UINT64_MAX : 0};
    bool is_folded[TENSOR_MAX_RANK] = {0};
    int axis;
    TRY(axis_normalize(ctx, params->axis, &axis));
    is_folded[axis] = true;
    TRY(read_k(ctx, job.x->dims[axis], &job.k));
    const struct tensor *output = job.values ? job.values : job.indices;
    if (!job.k || !output) return HOB_OK;
    reduction_init(&job.from, job.x, is_folded);
    reduction_init(&job.to, output, is_folded);
    job.candidates = ARENA_NEW(ctx->scratch, struct candidate, (size_t)tensor_n_items(output));
    if (!job.candidates) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    thread_pool_run(ctx->pool, (size_t)job.from.n_tiles, reduction_least_tiles(&job.from), run_tiles, &job);
    return HOB_OK;
}

const struct op_def op_top_k = {
    .name = "TopK",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 2,
    .min_outputs = 2,
    .max_outputs = 2,
    .types = TYPES_NUMBER, .flags = OP_STRIDED_INPUTS,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};

#include "ops/attention/attention.h"

#include "kernels/kernels.h"
#include "ops/attention/attention_rows.h"
#include "ops/thread_scratch.h"

/* A run of queries with the keys they may see: the unit of parallel work, once for each KV head. */
struct query_block {
    int64_t batch;
    int64_t query, n_queries;
    int64_t key, n_keys; /* key 0 of the sentence or cache, and how many there are */
    int64_t first_limit; /* as in attention_f32_args */
    int64_t first_key;
    const uint32_t *tiles; /* of keys in blocks; NULL: they lie in one piece */
};

struct attention_job {
    const struct kernels *kernels;
    const struct attention *attention;
    const struct query_block *blocks;
    struct thread_scratch scratch;
    int64_t n_kv_heads, group; /* group: query heads that share a KV head */
};

/* A head's keys or values: see attention_f32_args. */
struct rows {
    const void *first;
    int64_t row_bytes, tile_bytes;
};

static struct rows find_rows(const struct tensor *x, const struct query_block *block, int64_t kv_head)
{
    if (x->layout == LAYOUT_PAGED) {
        const struct paged_state *state = x->data;
        const struct paged_place *place = &state->place;
        return (struct rows){.first = state->run->bytes + place->offset_bytes + (size_t)kv_head * PAGED_POSITIONS * place->row_bytes,
                             .row_bytes = (int64_t)place->row_bytes,
                             .tile_bytes = (int64_t)state->run->block_bytes};
    }
    int64_t item_bytes = (int64_t)dtype_block_bytes(x->dtype), row_bytes = x->strides[2] * item_bytes;
    int64_t offset = block->batch * x->strides[0] + kv_head * x->strides[1] + block->key * x->strides[2];
    return (struct rows){
        .first = (const char *)x->data + offset * item_bytes, .row_bytes = row_bytes, .tile_bytes = ATTENTION_KEY_TILE * row_bytes};
}

static enum attention_items items_of(enum dtype dtype)
{
    return dtype == DTYPE_F16 ? ATTENTION_F16 : dtype == DTYPE_Q8_0 ? ATTENTION_Q8_0 : dtype == DTYPE_Q4_0 ? ATTENTION_Q4_0 : ATTENTION_F32;
}

static void attend(const struct attention_job *job, const struct query_block *block, int64_t kv_head, float *scratch)
{
    const struct attention *at = job->attention;
    int64_t head = kv_head * job->group;
    struct rows keys = find_rows(&at->k, block, kv_head), values = find_rows(&at->v, block, kv_head);
    struct attention_f32_args args = {.q = (const float *)at->q.data + block->batch * at->q.strides[0] +
                                           head * at->q.strides[1] + block->query * at->q.strides[2],
                                      .q_head_stride = at->q.strides[1],
                                      .q_stride = at->q.strides[2],
                                      .k = keys.first,
                                      .k_row_bytes = keys.row_bytes,
                                      .k_tile_bytes = keys.tile_bytes,
                                      .v = values.first,
                                      .v_row_bytes = values.row_bytes,
                                      .v_tile_bytes = values.tile_bytes,
                                      .tiles = block->tiles,
                                      .items = items_of(at->k.dtype),
                                      .out = (float *)at->out.data + block->batch * at->out.strides[0] +
                                             head * at->out.strides[1] + block->query * at->out.strides[2],
                                      .out_head_stride = at->out.strides[1],
                                      .out_stride = at->out.strides[2],
                                      .n_heads = job->group,
                                      .n_queries = block->n_queries,
                                      .n_keys = block->n_keys,
                                      .width = at->q.dims[3],
                                      .value_width = at->v.dims[3],
                                      .first_limit = block->first_limit,
                                      .first_key = block->first_key,
                                      .is_windowed = at->left_window != 0,
                                      .scale = at->scale,
                                      .softcap = at->softcap,
                                      .scratch = scratch};
    if (at->mask.data) {
        /* One sum before the pointer: strides may be negative. */
        args.mask = (const float *)at->mask.data + (block->batch * at->mask.strides[0] + head * at->mask.strides[1] +
                                                    block->query * at->mask.strides[2] + block->key * at->mask.strides[3]);
        args.mask_head_stride = at->mask.strides[1];
        args.mask_stride = at->mask.strides[2];
        args.mask_key_stride = at->mask.strides[3];
    }
    job->kernels->attention_f32(&args);
}

static void attend_range(void *context, size_t begin, size_t end)
{
    struct attention_job *job = context;
    float *scratch = thread_scratch_take(&job->scratch);
    for (size_t i = begin; i < end; i++)
        attend(job, &job->blocks[(int64_t)i / job->n_kv_heads], (int64_t)i % job->n_kv_heads, scratch);
    thread_scratch_put(&job->scratch, scratch);
}

/* The blocks of one batch row or segment; returns how many. blocks NULL only counts. */
static int64_t cut(int64_t queries_per_block, const struct query_block *whole, bool is_limited, struct query_block *blocks)
{
    int64_t n_blocks = 0;
    for (int64_t at = 0; at < whole->n_queries; at += queries_per_block, n_blocks++) {
        if (!blocks) continue;
        struct query_block block = *whole;
        block.query = whole->query + at;
        block.n_queries = whole->n_queries - at < queries_per_block ? whole->n_queries - at : queries_per_block;
        block.first_limit = is_limited ? whole->first_limit + at : whole->n_keys;
        block.first_key = whole->first_key + at;
        blocks[n_blocks] = block;
    }
    return n_blocks;
}

/* Keys behind its own position that a query sees; it is limited if causal or to the right. */
static int64_t keys_ahead(const struct attention *at)
{
    return at->is_causal || !at->right_window ? 0 : at->right_window - 1;
}

static struct query_block find_whole(const struct attention *at, int64_t i)
{
    if (at->segments) {
        int64_t begin = at->segments[i], n_rows = at->segments[i + 1] - begin;
        return (struct query_block){
            .query = begin, .key = begin, .n_queries = n_rows, .n_keys = n_rows,
            .first_limit = 1 + keys_ahead(at), .first_key = 1 - at->left_window};
    }
    int64_t n_before = at->n_before ? at->n_before[i] : at->k.dims[2] - at->q.dims[2];
    return (struct query_block){.batch = i,
                                .n_queries = at->q.dims[2],
                                .n_keys = at->n_keys ? at->n_keys[i] : at->k.dims[2],
                                .first_limit = n_before + 1 + keys_ahead(at),
                                .first_key = n_before - at->left_window + 1};
}

/* The texts of a run over a cache in blocks. */
static int64_t cut_texts(const struct attention *at, int64_t queries_per_block, struct query_block *blocks)
{
    const struct paged_run *run = ((const struct paged_state *)at->k.data)->run;
    int64_t n_blocks = 0, n_rows = 0;
    for (size_t i = 0; i < run->n_texts; n_rows += run->texts[i].n_new, i++) {
        const struct paged_text *text = &run->texts[i];
        struct query_block whole = {.query = n_rows,
                                    .n_queries = text->n_new,
                                    .n_keys = text->n_used + text->n_new,
                                    .first_limit = text->n_used + 1,
                                    .first_key = text->n_used - at->left_window + 1,
                                    .tiles = text->blocks};
        n_blocks += cut(queries_per_block, &whole, true, blocks ? blocks + n_blocks : NULL);
    }
    return n_blocks;
}

static int64_t cut_all(const struct attention *at, int64_t queries_per_block, struct query_block *blocks)
{
    if (at->k.layout == LAYOUT_PAGED) return cut_texts(at, queries_per_block, blocks);
    int64_t n_blocks = 0;
    int64_t n_wholes = at->segments ? at->n_segments : at->q.dims[0];
    bool is_limited = at->is_causal || at->right_window;
    for (int64_t i = 0; i < n_wholes; i++) {
        struct query_block *next = blocks ? blocks + n_blocks : NULL, whole = find_whole(at, i);
        n_blocks += cut(queries_per_block, &whole, is_limited, next);
    }
    return n_blocks;
}

/* What kernels->attention_f32 does not know. */
static bool needs_rows(const struct attention *at)
{
    return at->q.dtype == DTYPE_F64 || at->sinks || at->scores.data ||
           (at->softmax_type != DTYPE_NONE && at->softmax_type != DTYPE_F32);
}

/* Numbers of a row next to each other, as the kernel wants them. */
static hob_status make_rows(struct op_context *ctx, struct tensor *x)
{
    if (x->layout == LAYOUT_PAGED || x->strides[3] == 1 || x->dims[3] <= 1) return HOB_OK;
    void *items = arena_alloc(ctx->scratch, tensor_n_bytes(x) + 1, 64);
    if (!items) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for a copy of %s", OP_SHAPE(x));
    tensor_copy_contiguous(x, items);
    x->data = items;
    tensor_set_contiguous(x);
    return HOB_OK;
}

hob_status attention_run(struct op_context *ctx, const struct attention *attention)
{
    struct attention at = *attention;
    struct attention_job job = {.kernels = ctx->kernels, .attention = &at, .n_kv_heads = at.k.dims[1]};
    if (tensor_n_items(&at.out) == 0 && !at.scores.data) return HOB_OK;
    job.group = at.q.dims[1] / job.n_kv_heads;
    TRY(make_rows(ctx, &at.q));
    TRY(make_rows(ctx, &at.k));
    TRY(make_rows(ctx, &at.v));
    if (needs_rows(&at)) return attention_rows_run(ctx, &at);
    int64_t queries_per_block = job.group < ATTENTION_TILE_ROWS ? ATTENTION_TILE_ROWS / job.group : 1;
    int64_t n_blocks = cut_all(&at, queries_per_block, NULL);
    struct query_block *blocks = ARENA_NEW(ctx->scratch, struct query_block, (size_t)n_blocks);
    if (!blocks) OP_FAIL(ctx, HOB_NO_MEMORY, "no memory for %lld blocks", (long long)n_blocks);
    cut_all(&at, queries_per_block, blocks);
    job.blocks = blocks;
    size_t n_floats;
    if (!attention_scratch_floats(at.q.dims[3], at.v.dims[3], &n_floats))
        OP_FAIL(ctx, HOB_LIMIT, "scratch for heads %lld wide is too large", (long long)at.q.dims[3]);
    TRY(thread_scratch_init(&job.scratch, ctx, n_floats));
    thread_pool_run(ctx->pool, (size_t)(n_blocks * job.n_kv_heads), 1, attend_range, &job);
    return HOB_OK;
}

/* How a session keeps a decoder's keys and values: in blocks where the graph allows it, else as the graph has them. */
#include "base/error.h"
#include "base/memory.h"
#include "engine/kv/cache_folder.h"
#include "engine/kv/cache_identity.h"
#include "engine/kv/kv_cache.h"
#include "engine/kv/paged_batch.h"
#include "engine/kv/prefix_cache.h"
#include "engine/session.h"
#include "graph/paging.h"

#include <string.h>

enum { TEXTS_TOGETHER = 8 }; /* that fit the pool by default: address space, no memory */
enum { MOST_BLOCKS = 1 << 30 };
static const uint64_t DEFAULT_FOLDER_BYTES = UINT64_C(8) << 30;

static const struct {
    const char *name;
    enum dtype dtype;
} cache_types[] = {{"f32", DTYPE_F32}, {"f16", DTYPE_F16}, {"q8_0", DTYPE_Q8_0}, {"q4_0", DTYPE_Q4_0}};

static hob_status find_type(const char *name, enum dtype *ret_dtype, hob_error *error)
{
    *ret_dtype = DTYPE_NONE;
    for (size_t i = 0; name && i < sizeof cache_types / sizeof cache_types[0]; i++)
        if (!strcmp(name, cache_types[i].name)) *ret_dtype = cache_types[i].dtype;
    if (name && *ret_dtype == DTYPE_NONE)
        FAIL(error, HOB_BAD_ARGUMENT, "cache type: found %s, expected f32, f16, q8_0 or q4_0", name);
    return HOB_OK;
}

/* Caches that are not ours to lay out have the type that the graph gives them. */
static hob_status check_fixed_type(const struct graph *graph, enum dtype dtype, hob_error *error)
{
    if (dtype == DTYPE_NONE || (graph->n_states && graph->states[0].dtype == dtype)) return HOB_OK;
    FAIL(error, HOB_UNSUPPORTED, "cache type: found %s, but this model's graph keeps its caches as %s", dtype_name(dtype),
         graph->n_states ? dtype_name(graph->states[0].dtype) : "inputs and outputs of its own");
}

/* ---- beginnings of texts ---- */

static hob_status check_no_prefixes(const hob_session_options *options, hob_error *error)
{
    if (!options->prefix_cache_bytes && !options->cache_folder) return HOB_OK;
    FAIL(error, HOB_UNSUPPORTED, "cache of prefixes: this model's caches are not in blocks that texts can share");
}

static hob_status count_prefix_blocks(const hob_session_options *options, size_t block_bytes, uint32_t *ret_n_blocks, hob_error *error)
{
    size_t n_blocks = options->prefix_cache_bytes / block_bytes;
    if (options->prefix_cache_bytes && !n_blocks)
        FAIL(error, HOB_BAD_ARGUMENT, "cache of prefixes: found room for %zu bytes, expected at least a block of %zu (%d positions)",
             options->prefix_cache_bytes, block_bytes, PAGED_POSITIONS);
    if (n_blocks > MOST_BLOCKS) FAIL(error, HOB_LIMIT, "cache of prefixes: found %zu blocks, expected fewer", n_blocks);
    *ret_n_blocks = (uint32_t)n_blocks;
    return HOB_OK;
}

static hob_status open_folder(struct hob_session *session, const hob_session_options *options, hob_error *error)
{
    unsigned char identity[SHA256_BYTES];
    uint64_t most_bytes = options->cache_folder_bytes ? options->cache_folder_bytes : DEFAULT_FOLDER_BYTES;
    if (!options->cache_folder) return HOB_OK;
    TRY(cache_identity(session, identity, error));
    return cache_folder_open(options->cache_folder, identity, session->layout.block_bytes, most_bytes, &session->cache_folder, error);
}

static bool reclaim(void *context)
{
    return prefix_cache_drop(context);
}

static hob_status open_prefixes(struct hob_session *session, const hob_session_options *options, uint32_t n_blocks, hob_error *error)
{
    if (!options->prefix_cache_bytes && !options->cache_folder) return HOB_OK;
    size_t n_most = (size_t)kv_cache_count_blocks(session->n_context_tokens);
    session->prefix_blocks = memory_new(n_most, sizeof *session->prefix_blocks);
    if (!session->prefix_blocks) FAIL(error, HOB_NO_MEMORY, "a cache of prefixes: out of memory");
    TRY(prefix_cache_new(session->kv_cache, n_blocks, &session->prefixes, error));
    kv_cache_set_reclaim(session->kv_cache, reclaim, session->prefixes);
    return open_folder(session, options, error);
}

/* ---- the pool ---- */

/* Blocks that are begun are a text's alone: each may have one more than its positions fill. Where the caller leaves it to us, there are
 * no more than memory lasts for, and enough for one text. */
static void count_blocks(const struct hob_session *session, const hob_session_options *options, const hob_memory_forecast *forecast,
                         uint32_t *ret_n_blocks)
{
    int64_t n_blocks = kv_cache_count_blocks(options->n_cache_tokens), n_text = kv_cache_count_blocks(session->n_context_tokens);
    if (options->n_cache_tokens <= 0) {
        uint64_t n_more = (forecast->available_bytes - forecast->needed_bytes) / session->layout.block_bytes;
        n_blocks = n_text + (n_more < (uint64_t)((TEXTS_TOGETHER - 1) * n_text) ? (int64_t)n_more : (TEXTS_TOGETHER - 1) * n_text);
    }
    *ret_n_blocks = (uint32_t)n_blocks;
}

static hob_status check_sizes(const struct hob_session *session, const hob_session_options *options, hob_error *error)
{
    uint32_t n_prefix_blocks;
    const int64_t most_tokens = (int64_t)MOST_BLOCKS * PAGED_POSITIONS;
    if (options->n_cache_tokens > most_tokens)
        FAIL(error, HOB_LIMIT, "found a cache of %lld tokens, expected at most %lld", (long long)options->n_cache_tokens, (long long)most_tokens);
    return count_prefix_blocks(options, session->layout.block_bytes, &n_prefix_blocks, error);
}

hob_status session_open_executor(struct hob_session *session, const hob_session_options *options, hob_error *error)
{
    const struct graph *graph = session->model->graph;
    enum dtype dtype;
    TRY(find_type(options->cache_type, &dtype, error));
    if (session->model->info.kind != HOB_MODEL_DECODER || !paging_fits(graph) || !paged_batch_fits(session->model)) {
        int64_t capacity = graph->n_states ? session->n_context_tokens : 0;
        TRY(check_fixed_type(graph, dtype, error));
        TRY(check_no_prefixes(options, error));
        return executor_new(session->model->program, &session->provider, capacity, &session->executor, error);
    }
    TRY(paging_lay_out(graph, dtype, &session->arena, &session->layout, error));
    TRY(check_sizes(session, options, error));
    return executor_new_paged(session->model->program, &session->provider, &session->layout, &session->executor, error);
}

hob_status session_open_caches(struct hob_session *session, const hob_session_options *options, const hob_memory_forecast *forecast,
                               hob_error *error)
{
    uint32_t n_blocks, n_prefix_blocks;
    if (!session->layout.n_states) return HOB_OK;
    count_blocks(session, options, forecast, &n_blocks);
    TRY(count_prefix_blocks(options, session->layout.block_bytes, &n_prefix_blocks, error));
    TRY(kv_cache_new(&session->layout, n_blocks + n_prefix_blocks, &session->kv_cache, error));
    TRY(open_prefixes(session, options, n_prefix_blocks, error));
    return paged_batch_new(session, &session->batch, error);
}

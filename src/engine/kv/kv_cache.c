#include "engine/kv/kv_cache.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"

#include <string.h>

struct kv_cache {
    const struct paged_layout *layout;
    unsigned char *bytes;  /* n_blocks blocks, of which the first n_touched have been in use */
    size_t n_bytes;
    uint32_t *n_refs;      /* one a block */
    uint32_t *free_blocks; /* a stack: the one that was in use last is the warmest */
    bool *has_memory;      /* one a block */
    uint32_t n_blocks, n_touched, n_free, n_with_memory;
    bool (*reclaim)(void *context);
    void *context;
};

static hob_status set_up(struct kv_cache *cache, hob_error *error)
{
    size_t block_bytes = cache->layout->block_bytes;
    if (!size_mul(cache->n_blocks, block_bytes, &cache->n_bytes))
        FAIL(error, HOB_LIMIT, "a KV cache of %u blocks of %zu bytes is too large", cache->n_blocks, block_bytes);
    cache->n_refs = memory_new(cache->n_blocks, sizeof *cache->n_refs);
    cache->free_blocks = memory_new(cache->n_blocks, sizeof *cache->free_blocks);
    cache->has_memory = memory_new(cache->n_blocks, sizeof *cache->has_memory);
    cache->bytes = memory_reserve(cache->n_bytes);
    if (!cache->n_refs || !cache->free_blocks || !cache->has_memory || !cache->bytes)
        FAIL(error, HOB_NO_MEMORY, "no address space for a KV cache of %u blocks of %zu bytes", cache->n_blocks, block_bytes);
    return HOB_OK;
}

hob_status kv_cache_new(const struct paged_layout *layout, uint32_t n_blocks, struct kv_cache **ret_cache, hob_error *error)
{
    struct kv_cache *cache = memory_new(1, sizeof *cache);
    if (!cache) FAIL(error, HOB_NO_MEMORY, "a KV cache: out of memory");
    cache->layout = layout;
    cache->n_blocks = n_blocks;
    hob_status status = set_up(cache, error);
    if (status == HOB_OK) *ret_cache = cache;
    else kv_cache_free(cache);
    return status;
}

void kv_cache_free(struct kv_cache *cache)
{
    if (!cache) return;
    memory_unreserve(cache->bytes, cache->n_bytes);
    memory_free(cache->n_refs);
    memory_free(cache->free_blocks);
    memory_free(cache->has_memory);
    memory_free(cache);
}

void kv_cache_set_reclaim(struct kv_cache *cache, bool (*reclaim)(void *context), void *context)
{
    cache->reclaim = reclaim;
    cache->context = context;
}

static bool is_full(const struct kv_cache *cache)
{
    return !cache->n_free && cache->n_touched == cache->n_blocks;
}

hob_status kv_cache_take(struct kv_cache *cache, uint32_t *ret_block, hob_error *error)
{
    while (is_full(cache) && cache->reclaim && cache->reclaim(cache->context)) continue;
    if (is_full(cache))
        FAIL(error, HOB_LIMIT, "KV cache: found all %u blocks of %d positions in use, %zu bytes, expected a free one", cache->n_blocks,
             PAGED_POSITIONS, cache->n_bytes);
    uint32_t block = cache->n_free ? cache->free_blocks[--cache->n_free] : cache->n_touched++;
    cache->n_refs[block] = 1;
    cache->n_with_memory += !cache->has_memory[block];
    cache->has_memory[block] = true;
    *ret_block = block;
    return HOB_OK;
}

void kv_cache_ref(struct kv_cache *cache, uint32_t block)
{
    HOB_ASSERT(block < cache->n_touched && cache->n_refs[block] > 0 && cache->n_refs[block] < UINT32_MAX);
    cache->n_refs[block]++;
}

void kv_cache_unref(struct kv_cache *cache, uint32_t block)
{
    HOB_ASSERT(block < cache->n_touched && cache->n_refs[block] > 0);
    if (--cache->n_refs[block] == 0) cache->free_blocks[cache->n_free++] = block;
}

uint32_t kv_cache_n_refs(const struct kv_cache *cache, uint32_t block)
{
    return cache->n_refs[block];
}

/* Each head of each state has its positions together. */
static void copy_positions(const struct kv_cache *cache, uint32_t from, uint32_t to, int64_t n_positions)
{
    const unsigned char *source = kv_cache_bytes(cache, from);
    unsigned char *target = kv_cache_bytes(cache, to);
    for (uint32_t i = 0; i < cache->layout->n_states; i++) {
        const struct paged_place *place = &cache->layout->places[i];
        for (int64_t head = 0; head < place->n_heads; head++) {
            size_t offset = place->offset_bytes + (size_t)head * PAGED_POSITIONS * place->row_bytes;
            memcpy(target + offset, source + offset, (size_t)n_positions * place->row_bytes);
        }
    }
}

hob_status kv_cache_own(struct kv_cache *cache, uint32_t *block, int64_t n_positions, hob_error *error)
{
    uint32_t own;
    if (cache->n_refs[*block] == 1) return HOB_OK;
    TRY(kv_cache_take(cache, &own, error));
    copy_positions(cache, *block, own, n_positions);
    kv_cache_unref(cache, *block);
    *block = own;
    return HOB_OK;
}

/* Blocks need not end where pages do: those that lie side by side go together. */
void kv_cache_trim(struct kv_cache *cache)
{
    for (uint32_t first = 0, last; first < cache->n_touched; first = last + 1) {
        for (last = first; last < cache->n_touched && !cache->n_refs[last]; last++) {
            cache->n_with_memory -= cache->has_memory[last];
            cache->has_memory[last] = false;
        }
        memory_discard(kv_cache_bytes(cache, first), (last - first) * cache->layout->block_bytes);
    }
}

unsigned char *kv_cache_bytes(const struct kv_cache *cache, uint32_t block)
{
    return cache->bytes + (size_t)block * cache->layout->block_bytes;
}

const struct paged_layout *kv_cache_layout(const struct kv_cache *cache)
{
    return cache->layout;
}

struct kv_cache_usage kv_cache_usage(const struct kv_cache *cache)
{
    uint32_t n_used = cache->n_touched - cache->n_free;
    return (struct kv_cache_usage){.n_blocks = cache->n_blocks,
                                   .n_used = n_used,
                                   .n_free = cache->n_blocks - n_used,
                                   .block_bytes = cache->layout->block_bytes,
                                   .memory_bytes = (size_t)cache->n_with_memory * cache->layout->block_bytes};
}

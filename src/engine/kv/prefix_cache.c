/* Nodes stand in an array, in a hash table by what they are, and in a list by when they were used. A node is never used later than the
 * one before it in its text, so the list's end is never one with a continuation. */
#include "engine/kv/prefix_cache.h"

#include "base/checksum.h"
#include "base/error.h"
#include "base/memory.h"

#include <string.h>

struct prefix_node {
    int32_t ids[PAGED_POSITIONS];
    uint32_t parent, block, n_children;
    uint32_t next;         /* in its bucket, or of the free ones */
    uint32_t newer, older; /* by use */
    bool is_pinned;        /* while counting: something behind it is in use */
};

struct prefix_cache {
    struct kv_cache *pool;
    struct prefix_node *nodes;
    uint32_t *buckets; /* 1 << n_bucket_bits */
    bool *has_block;   /* one a block of the pool */
    unsigned n_bucket_bits;
    uint32_t most_blocks, n_blocks;
    uint32_t free, newest, oldest;
    uint64_t n_dropped;
};

/* ---- life ---- */

static hob_status set_up(struct prefix_cache *cache, hob_error *error)
{
    while (cache->n_bucket_bits < 31 && (1u << cache->n_bucket_bits) < cache->most_blocks) cache->n_bucket_bits++;
    size_t n_buckets = (size_t)1 << cache->n_bucket_bits;
    cache->nodes = memory_new(cache->most_blocks, sizeof *cache->nodes);
    cache->buckets = memory_new(n_buckets, sizeof *cache->buckets);
    cache->has_block = memory_new(kv_cache_usage(cache->pool).n_blocks, sizeof *cache->has_block);
    if (!cache->nodes || !cache->buckets || !cache->has_block)
        FAIL(error, HOB_NO_MEMORY, "a cache of %u prefix blocks: out of memory", cache->most_blocks);
    for (size_t i = 0; i < n_buckets; i++) cache->buckets[i] = PREFIX_NONE;
    for (uint32_t i = 0; i < cache->most_blocks; i++)
        cache->nodes[i].next = i + 1 < cache->most_blocks ? i + 1 : PREFIX_NONE;
    cache->free = cache->most_blocks ? 0 : PREFIX_NONE;
    cache->newest = cache->oldest = PREFIX_NONE;
    return HOB_OK;
}

hob_status prefix_cache_new(struct kv_cache *pool, uint32_t most_blocks, struct prefix_cache **ret_cache,
                            hob_error *error)
{
    struct prefix_cache *cache = memory_new(1, sizeof *cache);
    if (!cache) FAIL(error, HOB_NO_MEMORY, "a cache of prefixes: out of memory");
    cache->pool = pool;
    cache->most_blocks = most_blocks;
    hob_status status = set_up(cache, error);
    if (status == HOB_OK) *ret_cache = cache;
    else prefix_cache_free(cache);
    return status;
}

void prefix_cache_free(struct prefix_cache *cache)
{
    if (!cache) return;
    if (cache->n_blocks)
        for (uint32_t i = cache->newest; i != PREFIX_NONE; i = cache->nodes[i].older)
            kv_cache_unref(cache->pool, cache->nodes[i].block);
    memory_free(cache->nodes);
    memory_free(cache->buckets);
    memory_free(cache->has_block);
    memory_free(cache);
}

/* ---- by use ---- */

static void unlink_node(struct prefix_cache *cache, uint32_t index)
{
    const struct prefix_node *node = &cache->nodes[index];
    *(node->newer == PREFIX_NONE ? &cache->newest : &cache->nodes[node->newer].older) = node->older;
    *(node->older == PREFIX_NONE ? &cache->oldest : &cache->nodes[node->older].newer) = node->newer;
}

static void link_newest(struct prefix_cache *cache, uint32_t index)
{
    struct prefix_node *node = &cache->nodes[index];
    node->newer = PREFIX_NONE;
    node->older = cache->newest;
    *(cache->newest == PREFIX_NONE ? &cache->oldest : &cache->nodes[cache->newest].newer) = index;
    cache->newest = index;
}

/* The text's beginning last, which makes it the newest. */
void prefix_cache_touch(struct prefix_cache *cache, uint32_t node)
{
    for (; node < PREFIX_ROOT; node = cache->nodes[node].parent) {
        unlink_node(cache, node);
        link_newest(cache, node);
    }
}

/* ---- by what they are ---- */

static uint32_t *bucket_of(const struct prefix_cache *cache, uint32_t parent, const int32_t *ids)
{
    uint64_t hash = (checksum_bytes(ids, PAGED_POSITIONS * sizeof *ids) + parent) * UINT64_C(0x9E3779B97F4A7C15);
    return &cache->buckets[hash >> 32 & ((UINT64_C(1) << cache->n_bucket_bits) - 1)];
}

uint32_t prefix_cache_find(const struct prefix_cache *cache, uint32_t parent, const int32_t *ids)
{
    uint32_t index = *bucket_of(cache, parent, ids);
    while (index != PREFIX_NONE) {
        const struct prefix_node *node = &cache->nodes[index];
        if (node->parent == parent && !memcmp(node->ids, ids, sizeof node->ids)) return index;
        index = node->next;
    }
    return PREFIX_NONE;
}

uint32_t prefix_cache_block(const struct prefix_cache *cache, uint32_t node)
{
    return cache->nodes[node].block;
}

static void remove_node(struct prefix_cache *cache, uint32_t index)
{
    struct prefix_node *node = &cache->nodes[index];
    uint32_t *link = bucket_of(cache, node->parent, node->ids);
    while (*link != index) link = &cache->nodes[*link].next;
    *link = node->next;
    unlink_node(cache, index);
    if (node->parent != PREFIX_ROOT) cache->nodes[node->parent].n_children--;
    cache->has_block[node->block] = false;
    kv_cache_unref(cache->pool, node->block);
    node->next = cache->free;
    cache->free = index;
    cache->n_blocks--;
    cache->n_dropped++;
}

static bool drop_but(struct prefix_cache *cache, uint32_t kept)
{
    for (uint32_t i = cache->oldest; i != PREFIX_NONE; i = cache->nodes[i].newer) {
        if (i == kept || cache->nodes[i].n_children || kv_cache_n_refs(cache->pool, cache->nodes[i].block) > 1)
            continue;
        remove_node(cache, i);
        return true;
    }
    return false;
}

bool prefix_cache_drop(struct prefix_cache *cache)
{
    return drop_but(cache, PREFIX_NONE);
}

uint32_t prefix_cache_add(struct prefix_cache *cache, uint32_t parent, const int32_t *ids, uint32_t block)
{
    if (cache->free == PREFIX_NONE && !drop_but(cache, parent)) return PREFIX_NONE;
    uint32_t index = cache->free, *bucket = bucket_of(cache, parent, ids);
    struct prefix_node *node = &cache->nodes[index];
    cache->free = node->next;
    node->parent = parent;
    node->block = block;
    node->n_children = 0;
    node->next = *bucket;
    memcpy(node->ids, ids, sizeof node->ids);
    *bucket = index;
    if (parent != PREFIX_ROOT) cache->nodes[parent].n_children++;
    kv_cache_ref(cache->pool, block);
    cache->has_block[block] = true;
    cache->n_blocks++;
    link_newest(cache, index);
    return index;
}

/* From the oldest on, so that what stands behind a node comes before it. */
uint32_t prefix_cache_count_droppable(struct prefix_cache *cache)
{
    uint32_t n_droppable = 0;
    for (uint32_t i = cache->n_blocks ? cache->newest : PREFIX_NONE; i != PREFIX_NONE; i = cache->nodes[i].older)
        cache->nodes[i].is_pinned = false;
    for (uint32_t i = cache->n_blocks ? cache->oldest : PREFIX_NONE; i != PREFIX_NONE; i = cache->nodes[i].newer) {
        const struct prefix_node *node = &cache->nodes[i];
        bool is_pinned = node->is_pinned || kv_cache_n_refs(cache->pool, node->block) > 1;
        if (is_pinned && node->parent != PREFIX_ROOT) cache->nodes[node->parent].is_pinned = true;
        n_droppable += !is_pinned;
    }
    return n_droppable;
}

bool prefix_cache_has(const struct prefix_cache *cache, uint32_t block)
{
    return cache->has_block[block];
}

struct prefix_cache_usage prefix_cache_usage(const struct prefix_cache *cache)
{
    return (struct prefix_cache_usage){
        .n_blocks = cache->n_blocks, .most_blocks = cache->most_blocks, .n_dropped = cache->n_dropped};
}

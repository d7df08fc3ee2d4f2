/* The pool of blocks that a session's sequences keep their keys and values in. A block holds PAGED_POSITIONS positions of all states
 * of the graph (graph/paging.h) and is named by a number; whoever holds a reference may read it, and only who holds the only one
 * may write. Blocks that are full never change, so they can be held for other texts that begin alike, and written to disk.
 *
 * Address space is reserved for all of them at the start; memory is taken as blocks are used for the first time, and kept until
 * kv_cache_trim. One thread at a time.
 *
 *     struct kv_cache *cache;
 *     TRY(kv_cache_new(&layout, 1024, &cache, error));
 *     uint32_t block;
 *     TRY(kv_cache_take(cache, &block, error));
 *     kv_cache_ref(cache, block);                    two hold it now
 *     TRY(kv_cache_own(cache, &block, 10, error));   another, with a copy of the first 10 positions, in place of our reference
 *     kv_cache_unref(cache, block);
 */
#ifndef ENGINE_KV_KV_CACHE_H
#define ENGINE_KV_KV_CACHE_H

#include "graph/paging.h"

struct kv_cache;

struct kv_cache_usage {
    uint32_t n_blocks; /* there are */
    uint32_t n_used;   /* somebody holds a reference to */
    uint32_t n_free;
    size_t block_bytes;
    size_t memory_bytes; /* of blocks that have been used, and were not trimmed since */
};

/* layout and what it points to must outlive the pool. Fails: HOB_LIMIT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status kv_cache_new(const struct paged_layout *layout, uint32_t n_blocks, struct kv_cache **ret_cache, hob_error *error);
void kv_cache_free(struct kv_cache *cache); /* takes NULL */

/* Asked when no block is free: drops references that nobody needs at once (a cache of prefixes), and says whether a block became free. */
void kv_cache_set_reclaim(struct kv_cache *cache, bool (*reclaim)(void *context), void *context);

/* A block with one reference; it holds anything. Fails: HOB_LIMIT when all are in use. */
HOB_MUST_CHECK hob_status kv_cache_take(struct kv_cache *cache, uint32_t *ret_block, hob_error *error);
void kv_cache_ref(struct kv_cache *cache, uint32_t block);
void kv_cache_unref(struct kv_cache *cache, uint32_t block);
uint32_t kv_cache_n_refs(const struct kv_cache *cache, uint32_t block);
/* Makes *block one that nobody else holds: itself, or a new one with its first n_positions. Fails: HOB_LIMIT. */
HOB_MUST_CHECK hob_status kv_cache_own(struct kv_cache *cache, uint32_t *block, int64_t n_positions, hob_error *error);

/* Gives the memory of blocks that nobody holds back to the system, but for pages that they share with others. */
void kv_cache_trim(struct kv_cache *cache);

/* block_bytes of them: what a file of a block holds. The same texts give the same bytes; those behind the positions in use mean
 * nothing. */
unsigned char *kv_cache_bytes(const struct kv_cache *cache, uint32_t block);
const struct paged_layout *kv_cache_layout(const struct kv_cache *cache);
struct kv_cache_usage kv_cache_usage(const struct kv_cache *cache);

/* How many blocks so many positions take. */
static inline int64_t kv_cache_count_blocks(int64_t n_positions)
{
    return (n_positions + PAGED_POSITIONS - 1) / PAGED_POSITIONS;
}

#endif

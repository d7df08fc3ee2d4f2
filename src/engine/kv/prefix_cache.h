/* Beginnings of texts whose keys and values are kept for texts to come: a trie of full blocks of a session's pool, each named by the
 * PAGED_POSITIONS ids it holds and by the block before it. Ids are compared one by one: equal hashes alone share nothing.
 *
 * It holds references to at most so many blocks, and drops those that were used longest ago first, never one that a sequence holds, nor
 * one with a continuation. Everything it needs is reserved when it is made. Does not own the pool, which must outlive it. One thread
 * at a time.
 *
 *     struct prefix_cache *cache;
 *     TRY(prefix_cache_new(pool, 100, &cache, error));
 *     uint32_t node = prefix_cache_find(cache, PREFIX_ROOT, ids);                 the text's first 64 ids
 *     if (node == PREFIX_NONE) node = prefix_cache_add(cache, PREFIX_ROOT, ids, block);
 *     prefix_cache_touch(cache, node);                                            used just now
 */
#ifndef ENGINE_KV_PREFIX_CACHE_H
#define ENGINE_KV_PREFIX_CACHE_H

#include "engine/kv/kv_cache.h"

struct prefix_cache;

enum { PREFIX_ROOT = UINT32_MAX - 1, PREFIX_NONE = UINT32_MAX };

struct prefix_cache_usage {
    uint32_t n_blocks, most_blocks;
    uint64_t n_dropped; /* since the beginning */
};

/* most_blocks may be 0: nothing is kept then. Fails: HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status prefix_cache_new(struct kv_cache *pool, uint32_t most_blocks, struct prefix_cache **ret_cache,
                                           hob_error *error);
void prefix_cache_free(struct prefix_cache *cache); /* takes NULL; gives its references back */

/* The node of PAGED_POSITIONS ids behind node `parent`; PREFIX_NONE: there is none. */
uint32_t prefix_cache_find(const struct prefix_cache *cache, uint32_t parent, const int32_t *ids);
/* Adds one that is not there, with a reference of its own; parent stays. The text's last node is to be touched behind it.
 * PREFIX_NONE: no place, all others are in use. */
uint32_t prefix_cache_add(struct prefix_cache *cache, uint32_t parent, const int32_t *ids, uint32_t block);
uint32_t prefix_cache_block(const struct prefix_cache *cache, uint32_t node);
/* The node and all before it were used. */
void prefix_cache_touch(struct prefix_cache *cache, uint32_t node);
/* Drops one block that nobody else holds, if there is any: for kv_cache_set_reclaim. */
bool prefix_cache_drop(struct prefix_cache *cache);

/* How many blocks prefix_cache_drop would give, one after the other. */
uint32_t prefix_cache_count_droppable(struct prefix_cache *cache);
/* Whether the block of the pool is in it. */
bool prefix_cache_has(const struct prefix_cache *cache, uint32_t block);

struct prefix_cache_usage prefix_cache_usage(const struct prefix_cache *cache);

#endif

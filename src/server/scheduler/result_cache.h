/* Results of deterministic jobs, kept as the transcripts they were: within a number of entries and bytes, for a time, and for less where
 * nobody asks for them. Thread-safe. Time is the caller's (clock_now_ns), so that tests may let it pass.
 *
 *     struct transcript *known = result_cache_get(cache, key, clock_now_ns());       a reference, or NULL
 *     result_cache_put(cache, key, job->transcript, clock_now_ns());                 one that is over
 */
#ifndef SERVER_RESULT_CACHE_H
#define SERVER_RESULT_CACHE_H

#include "base/sha256.h"
#include "server/transcript.h"

struct result_cache;

struct result_limits {
    size_t max_entries; /* 0: nothing is kept */
    uint64_t max_bytes;
    uint64_t ttl_ns, idle_ns; /* 0: no bound */
};

struct result_counts {
    uint64_t n_hits, n_misses, n_entries, n_bytes;
};

struct result_cache *result_cache_new(const struct result_limits *limits); /* NULL: memory is out */
void result_cache_free(struct result_cache *cache);                        /* takes NULL */
void result_cache_set_limits(struct result_cache *cache, const struct result_limits *limits, uint64_t now_ns);
struct transcript *result_cache_get(struct result_cache *cache, const unsigned char key[SHA256_BYTES], uint64_t now_ns);
/* Keeps a reference where there is room for it; for want of memory it just is not kept. */
void result_cache_put(struct result_cache *cache, const unsigned char key[SHA256_BYTES], struct transcript *transcript, uint64_t now_ns);
struct result_counts result_cache_counts(struct result_cache *cache);

#endif

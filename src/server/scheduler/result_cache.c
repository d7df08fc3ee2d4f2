/* A hash table of chains, and a list of all entries by when they were used last. Keys are digests: their first bytes are the hash. */
#include "server/scheduler/result_cache.h"

#include "base/memory.h"

#include <pthread.h>

enum { LEAST_BUCKETS = 64 };
static const uint64_t SWEEP_NS = UINT64_C(1000000000);

struct result {
    unsigned char key[SHA256_BYTES];
    struct transcript *transcript;
    size_t n_bytes;
    uint64_t made_ns, used_ns;
    struct result *next_in_bucket;
    struct result *newer, *older;
};

struct result_cache {
    pthread_mutex_t lock;
    struct result_limits limits;
    struct result **buckets;
    size_t n_buckets; /* a power of two */
    struct result *newest, *oldest;
    struct result_counts counts;
    uint64_t swept_ns;
};

struct result_cache *result_cache_new(const struct result_limits *limits)
{
    struct result_cache *cache = memory_new(1, sizeof *cache);
    struct result **buckets = memory_new(LEAST_BUCKETS, sizeof *buckets);
    if (!cache || !buckets) {
        memory_free(cache);
        memory_free(buckets);
        return NULL;
    }
    pthread_mutex_init(&cache->lock, NULL);
    cache->limits = *limits;
    cache->buckets = buckets;
    cache->n_buckets = LEAST_BUCKETS;
    return cache;
}

/* ---- the table ---- */

static struct result **bucket_of(const struct result_cache *cache, const unsigned char *key)
{
    uint64_t hash;
    memcpy(&hash, key, sizeof hash);
    return &cache->buckets[hash & (cache->n_buckets - 1)];
}

static struct result *find(const struct result_cache *cache, const unsigned char *key)
{
    struct result *result = *bucket_of(cache, key);
    while (result && memcmp(result->key, key, SHA256_BYTES) != 0) result = result->next_in_bucket;
    return result;
}

/* Longer chains are all that comes of it where memory is out. */
static void grow(struct result_cache *cache)
{
    struct result **old = cache->buckets, **buckets;
    size_t n_old = cache->n_buckets;
    if (cache->counts.n_entries < n_old || !(buckets = memory_new(n_old * 2, sizeof *buckets))) return;
    cache->buckets = buckets;
    cache->n_buckets = n_old * 2;
    for (size_t i = 0; i < n_old; i++) {
        for (struct result *result = old[i], *next; result; result = next) {
            next = result->next_in_bucket;
            struct result **bucket = bucket_of(cache, result->key);
            result->next_in_bucket = *bucket;
            *bucket = result;
        }
    }
    memory_free(old);
}

/* ---- the list ---- */

static void unlink_result(struct result_cache *cache, struct result *result)
{
    *(result->newer ? &result->newer->older : &cache->newest) = result->older;
    *(result->older ? &result->older->newer : &cache->oldest) = result->newer;
}

static void link_newest(struct result_cache *cache, struct result *result)
{
    result->newer = NULL;
    result->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = result;
    cache->newest = result;
}

static void drop(struct result_cache *cache, struct result *result)
{
    struct result **at = bucket_of(cache, result->key);
    while (*at != result) at = &(*at)->next_in_bucket;
    *at = result->next_in_bucket;
    unlink_result(cache, result);
    cache->counts.n_entries--;
    cache->counts.n_bytes -= result->n_bytes;
    transcript_unref(result->transcript);
    memory_free(result);
}

void result_cache_free(struct result_cache *cache)
{
    if (!cache) return;
    while (cache->oldest) drop(cache, cache->oldest);
    pthread_mutex_destroy(&cache->lock);
    memory_free(cache->buckets);
    memory_free(cache);
}

/* ---- limits ---- */

static bool is_stale(const struct result_cache *cache, const struct result *result, uint64_t now_ns)
{
    uint64_t age_ns = now_ns - result->made_ns, idle_ns = now_ns - result->used_ns;
    return (cache->limits.ttl_ns && age_ns >= cache->limits.ttl_ns) || (cache->limits.idle_ns && idle_ns >= cache->limits.idle_ns);
}

static void sweep(struct result_cache *cache, uint64_t now_ns)
{
    if (now_ns - cache->swept_ns < SWEEP_NS) return;
    cache->swept_ns = now_ns;
    for (struct result *result = cache->oldest, *newer; result; result = newer) {
        newer = result->newer;
        if (is_stale(cache, result, now_ns)) drop(cache, result);
    }
}

static void shrink(struct result_cache *cache)
{
    while (cache->oldest && (cache->counts.n_entries > cache->limits.max_entries || cache->counts.n_bytes > cache->limits.max_bytes))
        drop(cache, cache->oldest);
}

void result_cache_set_limits(struct result_cache *cache, const struct result_limits *limits, uint64_t now_ns)
{
    pthread_mutex_lock(&cache->lock);
    cache->limits = *limits;
    cache->swept_ns = 0;
    sweep(cache, now_ns);
    shrink(cache);
    pthread_mutex_unlock(&cache->lock);
}

/* ---- use ---- */

static struct transcript *get(struct result_cache *cache, const unsigned char *key, uint64_t now_ns)
{
    struct result *result = find(cache, key);
    if (result && is_stale(cache, result, now_ns)) {
        drop(cache, result);
        result = NULL;
    }
    if (!result) {
        cache->counts.n_misses++;
        return NULL;
    }
    cache->counts.n_hits++;
    result->used_ns = now_ns;
    unlink_result(cache, result);
    link_newest(cache, result);
    return transcript_ref(result->transcript);
}

struct transcript *result_cache_get(struct result_cache *cache, const unsigned char key[SHA256_BYTES], uint64_t now_ns)
{
    pthread_mutex_lock(&cache->lock);
    sweep(cache, now_ns);
    struct transcript *transcript = get(cache, key, now_ns);
    pthread_mutex_unlock(&cache->lock);
    return transcript;
}

static void put(struct result_cache *cache, const unsigned char *key, struct transcript *transcript, uint64_t now_ns)
{
    size_t n_bytes = transcript_bytes(transcript) + sizeof(struct result);
    struct result *result = find(cache, key);
    if (result) drop(cache, result);
    if (!cache->limits.max_entries || n_bytes > cache->limits.max_bytes || !(result = memory_new(1, sizeof *result))) return;
    grow(cache);
    memcpy(result->key, key, SHA256_BYTES);
    result->transcript = transcript_ref(transcript);
    result->n_bytes = n_bytes;
    result->made_ns = result->used_ns = now_ns;
    struct result **bucket = bucket_of(cache, key);
    result->next_in_bucket = *bucket;
    *bucket = result;
    link_newest(cache, result);
    cache->counts.n_entries++;
    cache->counts.n_bytes += n_bytes;
    shrink(cache);
}

void result_cache_put(struct result_cache *cache, const unsigned char key[SHA256_BYTES], struct transcript *transcript, uint64_t now_ns)
{
    pthread_mutex_lock(&cache->lock);
    sweep(cache, now_ns);
    put(cache, key, transcript, now_ns);
    pthread_mutex_unlock(&cache->lock);
}

struct result_counts result_cache_counts(struct result_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    struct result_counts counts = cache->counts;
    pthread_mutex_unlock(&cache->lock);
    return counts;
}

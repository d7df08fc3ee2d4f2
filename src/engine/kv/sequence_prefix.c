/* Where a text begins: with blocks that other texts left, in memory (prefix_cache.h) or on disk (cache_folder.h). */
#include "base/thread_pool.h"
#include "engine/kv/cache_folder.h"
#include "engine/kv/prefix_cache.h"
#include "engine/kv/sequence.h"
#include "engine/kv/sequence_parts.h"

/* A block of a text on its way through both caches. */
struct walk {
    struct hob_session *session;
    struct cache_folder_text text;
    uint32_t node; /* of the last block; PREFIX_NONE: it is not in the trie, nor is what comes behind it */
};

static struct walk start(struct hob_session *session)
{
    struct walk walk = {.session = session, .node = PREFIX_ROOT};
    if (session->cache_folder) cache_folder_begin(session->cache_folder, &walk.text);
    return walk;
}

/* The node of the next block, if it is in the trie. */
static bool step(struct walk *walk, const int32_t *ids, uint32_t *ret_parent)
{
    const struct hob_session *session = walk->session;
    *ret_parent = walk->node;
    if (session->cache_folder) cache_folder_step(session->cache_folder, &walk->text, ids);
    if (walk->node != PREFIX_NONE) walk->node = prefix_cache_find(session->prefixes, walk->node, ids);
    return walk->node != PREFIX_NONE;
}

static void add(struct walk *walk, uint32_t parent, const int32_t *ids, uint32_t block)
{
    walk->node = parent == PREFIX_NONE ? PREFIX_NONE : prefix_cache_add(walk->session->prefixes, parent, ids, block);
}

/* ---- from the disk ---- */

enum { READ_TOGETHER = 16 }; /* blocks, by all threads: a file is copied and summed at a core's speed, not at the disk's */

struct reading {
    struct hob_session *session;
    struct cache_folder_text texts[READ_TOGETHER];
    uint32_t blocks[READ_TOGETHER];
    bool are_good[READ_TOGETHER];
    int64_t n;
};

static void read_blocks(void *context, size_t begin, size_t end)
{
    struct reading *reading = context;
    const struct hob_session *session = reading->session;
    for (size_t i = begin; i < end; i++)
        reading->are_good[i] = cache_folder_read(session->cache_folder, &reading->texts[i], kv_cache_bytes(session->kv_cache, reading->blocks[i]));
}

/* The walk stands at the first of n_wanted blocks. */
static void start_reading(const struct walk *walk, const int32_t *ids, int64_t n_wanted, struct reading *reading)
{
    struct cache_folder_text text = walk->text;
    reading->session = walk->session;
    reading->n = 0;
    while (reading->n < n_wanted && kv_cache_take(walk->session->kv_cache, &reading->blocks[reading->n], NULL) == HOB_OK) {
        if (reading->n) cache_folder_step(walk->session->cache_folder, &text, ids + reading->n * PAGED_POSITIONS);
        reading->texts[reading->n++] = text;
    }
}

/* As many of n_wanted blocks as there are, up to the first that is not; references are the caller's. The walk goes on behind them. */
static int64_t load(struct walk *walk, const int32_t *ids, int64_t n_wanted, uint32_t *ret_blocks)
{
    struct reading reading;
    struct hob_session *session = walk->session;
    int64_t n_good = 0;
    if (!session->cache_folder) return 0;
    start_reading(walk, ids, n_wanted, &reading);
    thread_pool_run(session->provider.pool, (size_t)reading.n, 1, read_blocks, &reading);
    while (n_good < reading.n && reading.are_good[n_good]) {
        ret_blocks[n_good] = reading.blocks[n_good];
        add(walk, walk->node, ids + n_good * PAGED_POSITIONS, reading.blocks[n_good]);
        n_good++;
    }
    for (int64_t i = n_good; i < reading.n; i++) kv_cache_unref(session->kv_cache, reading.blocks[i]);
    if (n_good) walk->text = reading.texts[n_good - 1];
    return n_good;
}

/* ---- a text's beginning ---- */

/* The node that is touched at the end: the last one that was in the trie. */
static void note(const struct walk *walk, uint32_t *last)
{
    if (walk->node != PREFIX_NONE) *last = walk->node;
}

/* One of the trie, or several of the disk, for n_most blocks of ids; references are the caller's, and keep what was found from being
 * dropped while the walk goes on. Where one file is missing, most often all are: it is looked for alone. */
static int64_t find_next(struct walk *walk, const int32_t *ids, int64_t n_most, bool was_read, uint32_t *ret_blocks)
{
    uint32_t parent;
    if (step(walk, ids, &parent)) {
        *ret_blocks = prefix_cache_block(walk->session->prefixes, walk->node);
        kv_cache_ref(walk->session->kv_cache, *ret_blocks);
        return 1;
    }
    walk->node = parent;
    return load(walk, ids, !was_read ? 1 : n_most < READ_TOGETHER ? n_most : READ_TOGETHER, ret_blocks);
}

int64_t sequence_recall(struct sequence *sequence, const int32_t *ids, int64_t n_ids)
{
    struct hob_session *session = sequence->session;
    uint32_t last = PREFIX_ROOT;
    if (!session->prefixes || sequence->n_ids) return 0;
    struct walk walk = start(session);
    int64_t n_blocks = 0, n_most = (n_ids < session->n_context_tokens ? n_ids : session->n_context_tokens) / PAGED_POSITIONS;
    while (n_blocks < n_most) {
        int64_t n = find_next(&walk, ids + n_blocks * PAGED_POSITIONS, n_most - n_blocks, n_blocks > 0, session->prefix_blocks + n_blocks);
        if (!n) break;
        note(&walk, &last);
        n_blocks += n;
    }
    prefix_cache_touch(session->prefixes, last);
    sequence_share(sequence, ids, session->prefix_blocks, n_blocks);
    for (int64_t i = 0; i < n_blocks; i++) kv_cache_unref(session->kv_cache, session->prefix_blocks[i]);
    return n_blocks * PAGED_POSITIONS;
}

void sequence_remember(const struct sequence *sequence, bool is_saved)
{
    struct hob_session *session = sequence->session;
    uint32_t parent, last = PREFIX_ROOT;
    bool saves = is_saved && session->cache_folder;
    if (!session->prefixes) return;
    struct walk walk = start(session);
    for (int64_t i = 0; i < sequence->n_ids / PAGED_POSITIONS; i++) {
        const int32_t *ids = sequence->ids + i * PAGED_POSITIONS;
        if (!step(&walk, ids, &parent)) add(&walk, parent, ids, sequence->blocks[i]);
        if (saves) saves = cache_folder_write(session->cache_folder, &walk.text, kv_cache_bytes(session->kv_cache, sequence->blocks[i]));
        if (!saves && walk.node == PREFIX_NONE) break;
        note(&walk, &last);
    }
    prefix_cache_touch(session->prefixes, last);
}

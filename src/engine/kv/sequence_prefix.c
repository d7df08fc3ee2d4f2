/* Where a text begins: with blocks that other texts left, in memory (prefix_cache.h) or on disk (cache_folder.h). */
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

/* From the disk into a block of the pool. */
static bool load(struct walk *walk, uint32_t *ret_block)
{
    struct hob_session *session = walk->session;
    if (!session->cache_folder || kv_cache_take(session->kv_cache, ret_block, NULL) != HOB_OK) return false;
    if (cache_folder_read(session->cache_folder, &walk->text, kv_cache_bytes(session->kv_cache, *ret_block)))
        return true;
    kv_cache_unref(session->kv_cache, *ret_block);
    return false;
}

/* With a reference for the caller, which also keeps the block from being dropped while the walk goes on. */
static bool find_next(struct walk *walk, const int32_t *ids, uint32_t *ret_block)
{
    uint32_t parent;
    if (step(walk, ids, &parent)) {
        *ret_block = prefix_cache_block(walk->session->prefixes, walk->node);
        kv_cache_ref(walk->session->kv_cache, *ret_block);
        return true;
    }
    if (!load(walk, ret_block)) {
        walk->node = parent;
        return false;
    }
    add(walk, parent, ids, *ret_block);
    return true;
}

/* The node that is touched at the end: the last one that was in the trie. */
static void note(const struct walk *walk, uint32_t *last)
{
    if (walk->node != PREFIX_NONE) *last = walk->node;
}

int64_t sequence_recall(struct sequence *sequence, const int32_t *ids, int64_t n_ids)
{
    struct hob_session *session = sequence->session;
    uint32_t last = PREFIX_ROOT;
    if (!session->prefixes || sequence->n_ids) return 0;
    struct walk walk = start(session);
    int64_t n_blocks = 0,
            n_most = (n_ids < session->n_context_tokens ? n_ids : session->n_context_tokens) / PAGED_POSITIONS;
    while (n_blocks < n_most && find_next(&walk, ids + n_blocks * PAGED_POSITIONS, &session->prefix_blocks[n_blocks])) {
        note(&walk, &last);
        n_blocks++;
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
        if (saves)
            cache_folder_write(session->cache_folder, &walk.text,
                               kv_cache_bytes(session->kv_cache, sequence->blocks[i]));
        else if (walk.node == PREFIX_NONE) break;
        note(&walk, &last);
    }
    prefix_cache_touch(session->prefixes, last);
}

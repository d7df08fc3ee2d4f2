/* What generations take of the pool of blocks, told before they do: a run takes blocks for new positions, and a copy of a block that was
 * begun and is shared, for each that writes to it but the last to hold it. */
#include "engine/generate/generation.h"
#include "engine/kv/kv_cache.h"
#include "engine/kv/prefix_cache.h"

size_t hob_session_room_tokens(const hob_session *session)
{
    if (!session->kv_cache) return SIZE_MAX;
    size_t n_blocks = kv_cache_usage(session->kv_cache).n_free;
    if (session->prefixes) n_blocks += prefix_cache_count_droppable(session->prefixes);
    return n_blocks * PAGED_POSITIONS;
}

/* ---- what a step takes ---- */

/* The block that was begun last, where others hold it, too. false: there is none. */
static bool find_shared(const struct kv_cache *pool, const struct sequence *sequence, uint32_t *ret_block)
{
    int64_t n_blocks = sequence_n_blocks(sequence);
    if (sequence_n_tokens(sequence) % PAGED_POSITIONS == 0) return false;
    *ret_block = sequence_blocks(sequence)[n_blocks - 1];
    return kv_cache_n_refs(pool, *ret_block) > 1;
}

/* Whether entry i must copy the block, and is not the one to which it is left. */
static bool needs_copy(const struct kv_cache *pool, const struct batch_entry *entries, size_t i)
{
    uint32_t block, other;
    size_t n_before = 0;
    if (!find_shared(pool, entries[i].sequence, &block)) return false;
    for (size_t j = 0; j < i; j++) n_before += find_shared(pool, entries[j].sequence, &other) && other == block;
    return n_before + 1 < kv_cache_n_refs(pool, block);
}

static size_t count_new(const struct hob_session *session, const struct batch_entry *entries, size_t n_entries)
{
    size_t n_blocks = 0;
    for (size_t i = 0; i < n_entries; i++) {
        const struct sequence *sequence = entries[i].sequence;
        int64_t n_wanted = kv_cache_count_blocks(sequence_n_tokens(sequence) + entries[i].n_ids);
        n_blocks += (size_t)(n_wanted - sequence_n_blocks(sequence)) + needs_copy(session->kv_cache, entries, i);
    }
    return n_blocks;
}

static bool is_away(const struct hob_generation *generation)
{
    return generation->is_parked || generation->restoring.texts;
}

size_t hob_generation_needs_tokens(const hob_generation *generation)
{
    const struct hob_session *session = generation->request.session;
    size_t n_pieces = SIZE_MAX;
    if (generation->is_done || !session->kv_cache) return 0;
    if (is_away(generation)) return hob_generation_wants_tokens(generation);
    size_t n_entries = generation_plan(generation, &n_pieces, session->entries);
    return count_new(session, session->entries, n_entries) * PAGED_POSITIONS;
}

/* ---- what it takes to go on ---- */

/* The prompt, and for each text a block that is its alone: a new one, or a copy but for one of them. */
static size_t count_prompt(const struct hob_generation *generation)
{
    size_t n_prompt = generation->request.n_prompt, n_texts = generation_most_entries(generation);
    return (size_t)kv_cache_count_blocks((int64_t)n_prompt) + n_texts - (n_prompt % PAGED_POSITIONS != 0);
}

size_t hob_generation_wants_tokens(const hob_generation *generation)
{
    if (generation->is_done || !generation->request.session->kv_cache) return 0;
    if (generation->has_prompt && !is_away(generation)) return hob_generation_needs_tokens(generation);
    size_t n_there = generation_count_blocks(generation);
    size_t n_wanted = generation->has_prompt ? generation->n_parked_blocks + generation_count_open(generation) : count_prompt(generation);
    return (n_wanted > n_there ? n_wanted - n_there : 0) * PAGED_POSITIONS;
}

/* ---- what it has ---- */

/* How many of the generation's first n sequences hold what sequence i has as its block-th: it has the same place in all. */
static uint32_t count_holders(const struct hob_generation *generation, size_t n, uint32_t block, int64_t place)
{
    uint32_t n_holders = 0;
    for (size_t i = 0; i < n; i++) {
        const struct sequence *sequence = generation_sequence(generation, i);
        n_holders += sequence && place < sequence_n_blocks(sequence) && sequence_blocks(sequence)[place] == block;
    }
    return n_holders;
}

/* Of the cache of prefixes, and this generation's, but nobody else's. */
static bool is_own(const struct hob_generation *generation, uint32_t block, int64_t place)
{
    const struct hob_session *session = generation->request.session;
    uint32_t n_own = count_holders(generation, generation_most_entries(generation), block, place);
    if (session->prefixes && prefix_cache_has(session->prefixes, block)) n_own++;
    return kv_cache_n_refs(session->kv_cache, block) == n_own;
}

static size_t count_blocks(const struct hob_generation *generation, bool is_all)
{
    size_t n_found = 0;
    if (!generation->request.session->kv_cache) return 0;
    for (size_t i = 0; i < generation_most_entries(generation); i++) {
        const struct sequence *sequence = generation_sequence(generation, i);
        for (int64_t place = 0; sequence && place < sequence_n_blocks(sequence); place++) {
            uint32_t block = sequence_blocks(sequence)[place];
            if (!count_holders(generation, i, block, place) && (is_all || is_own(generation, block, place))) n_found++;
        }
    }
    return n_found;
}

size_t generation_count_blocks(const struct hob_generation *generation)
{
    return count_blocks(generation, true);
}

size_t hob_generation_holds_tokens(const hob_generation *generation)
{
    return count_blocks(generation, false) * PAGED_POSITIONS;
}

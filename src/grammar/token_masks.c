/* The walk keeps, for each depth of the trie, the number of the grammar's state there. When the cache of states has to forget in
 * the middle of a walk, the numbers on the way are worked out again from the bytes on the way. */
#include "grammar/token_masks.h"
#include "base/error.h"
#include "base/memory.h"
#include "grammar/state_cache.h"

#include <pthread.h>
#include <string.h>

enum {
    ENTRY_BYTES = 24 << 20,
    SPARSE_SHARE = 32,
    NEAR_FULL = 300, /* nodes that a token might add: calls of a few rules for each of its bytes */
    PASSED_SLOTS = 1 << 15,
    MOST_PASSED = PASSED_SLOTS / 2,
};

/* What a position allows: bits or ids, then nodes of the trie where its rule ended. */
struct entry {
    uint32_t n_ids; /* DENSE: bits */
    uint32_t n_exits;
    uint32_t words[];
};
#define DENSE UINT32_MAX

struct token_masks {
    atomic_uint n_refs;
    pthread_mutex_t mutex; /* of all below */
    struct grammar *grammar;
    struct token_trie *trie;
    struct state_cache cache;
    unsigned char *entries; /* a block of them */
    size_t entries_used, entries_bytes;
    uint32_t *entry_of;     /* of a position: its place in the block / 4 + 1; 0: not known */
    uint32_t *bits, *exits; /* of the entry under way */
    uint32_t n_exits;
    size_t n_words;                       /* of bits: all tokens of the vocabulary */
    uint32_t states[TOKEN_MAX_BYTES + 1]; /* at each depth of the walk */
    uint8_t way[TOKEN_MAX_BYTES + 1];     /* the byte that led there */
    uint64_t *passed; /* hash table of the mask under way: nodes of the trie with nodes of the stack that were gone on from; 0: free */
    size_t n_passed;
};

/* ---- life ---- */

static hob_status allocate(struct token_masks *masks, hob_error *error)
{
    size_t n_tokens = masks->trie->n_tokens, n_nodes = masks->trie->n_nodes;
    size_t least_bytes = 2 * (sizeof(struct entry) + n_tokens / 8 + 8 + n_nodes * sizeof(uint32_t));
    masks->entries_bytes = least_bytes > ENTRY_BYTES ? least_bytes : ENTRY_BYTES;
    masks->n_words = (n_tokens + 31) / 32;
    masks->entries = memory_aligned(masks->entries_bytes);
    masks->entry_of = memory_new(masks->grammar->n_positions, sizeof(uint32_t));
    masks->bits = memory_new(masks->n_words + 1, sizeof(uint32_t));
    masks->exits = memory_aligned((n_nodes + 1) * sizeof(uint32_t));
    masks->passed = memory_new(PASSED_SLOTS, sizeof *masks->passed);
    if (!masks->entries || !masks->entry_of || !masks->bits || !masks->exits || !masks->passed)
        FAIL(error, HOB_NO_MEMORY, "grammar: no memory for token masks");
    return state_cache_init(&masks->cache, masks->grammar, error);
}

hob_status token_masks_new(struct grammar *grammar, struct token_trie *trie, struct token_masks **ret_masks,
                           hob_error *error)
{
    struct token_masks *masks = memory_new(1, sizeof *masks);
    if (!masks) FAIL(error, HOB_NO_MEMORY, "grammar: no memory for token masks");
    atomic_init(&masks->n_refs, 1);
    pthread_mutex_init(&masks->mutex, NULL);
    masks->grammar = grammar_ref(grammar);
    masks->trie = token_trie_ref(trie);
    hob_status status = allocate(masks, error);
    if (status == HOB_OK) *ret_masks = masks;
    else token_masks_unref(masks);
    return status;
}

struct token_masks *token_masks_ref(struct token_masks *masks)
{
    atomic_fetch_add(&masks->n_refs, 1);
    return masks;
}

void token_masks_unref(struct token_masks *masks)
{
    if (!masks || atomic_fetch_sub(&masks->n_refs, 1) != 1) return;
    state_cache_release(&masks->cache);
    memory_free(masks->entries);
    memory_free(masks->entry_of);
    memory_free(masks->bits);
    memory_free(masks->exits);
    memory_free(masks->passed);
    grammar_unref(masks->grammar);
    token_trie_unref(masks->trie);
    pthread_mutex_destroy(&masks->mutex);
    memory_free(masks);
}

const struct grammar *token_masks_grammar(const struct token_masks *masks)
{
    return masks->grammar;
}

const struct token_trie *token_masks_trie(const struct token_masks *masks)
{
    return masks->trie;
}

/* ---- the walk ---- */

/* A walk below a node of the trie, beginning at a position of the grammar. */
struct walk {
    struct token_masks *masks;
    uint32_t position;
    size_t top; /* the depth of the node */
    uint64_t epoch;
};

/* Numbers of the states down to a depth, after the cache forgot them. */
static void renew(struct walk *walk, size_t depth)
{
    struct token_masks *masks = walk->masks;
    do {
        walk->epoch = masks->cache.epoch;
        masks->states[walk->top] = state_cache_start(&masks->cache, walk->position);
        for (size_t d = walk->top + 1; d <= depth && masks->cache.epoch == walk->epoch; d++)
            masks->states[d] = state_cache_step(&masks->cache, masks->states[d - 1], masks->way[d]);
    } while (masks->cache.epoch != walk->epoch);
}

static void mark_tokens(const struct token_trie *trie, uint32_t node, uint32_t *bits, size_t n_bits)
{
    for (uint32_t i = trie->first_id[node]; i < trie->first_id[node + 1]; i++) {
        uint32_t id = (uint32_t)trie->ids[i];
        if (id < n_bits) bits[id / 32] |= 1u << id % 32;
    }
}

/* Goes on from the state above to a node; false: nothing below it can be. */
static bool enter(struct walk *walk, uint32_t node)
{
    struct token_masks *masks = walk->masks;
    size_t depth = masks->trie->depths[node];
    masks->way[depth] = masks->trie->bytes[node];
    masks->states[depth] = state_cache_step(&masks->cache, masks->states[depth - 1], masks->way[depth]);
    if (masks->cache.epoch != walk->epoch) renew(walk, depth);
    return masks->states[depth] != STATE_DEAD;
}

static void begin_walk(struct walk *walk, struct token_masks *masks, uint32_t node, uint32_t position)
{
    *walk = (struct walk){.masks = masks, .position = position, .top = masks->trie->depths[node]};
    renew(walk, walk->top);
}

/* All tokens that a position allows into masks->bits, and where its rule ended into masks->exits. */
static void walk_position(struct token_masks *masks, uint32_t position)
{
    const struct token_trie *trie = masks->trie;
    struct walk walk;
    begin_walk(&walk, masks, 0, position);
    masks->n_exits = 0;
    for (uint32_t node = 1; node < trie->n_nodes;) {
        if (!enter(&walk, node)) {
            node = trie->ends[node];
            continue;
        }
        mark_tokens(trie, node, masks->bits, trie->n_tokens);
        bool is_exit = masks->states[trie->depths[node]] & STATE_IS_COMPLETE && trie->ends[node] > node + 1;
        if (is_exit) masks->exits[masks->n_exits++] = node;
        node++;
    }
}

/* ---- entries ---- */

static struct entry *entry_at(const struct token_masks *masks, uint32_t place)
{
    return (struct entry *)(void *)(masks->entries + (size_t)(place - 1) * 4);
}

static struct entry *new_entry(struct token_masks *masks, uint32_t position, size_t n_words)
{
    size_t n_bytes = sizeof(struct entry) + n_words * sizeof(uint32_t);
    if (masks->entries_bytes - masks->entries_used < n_bytes) {
        memset(masks->entry_of, 0, masks->grammar->n_positions * sizeof *masks->entry_of);
        masks->entries_used = 0;
    }
    masks->entry_of[position] = (uint32_t)(masks->entries_used / 4) + 1;
    masks->entries_used += n_bytes;
    return entry_at(masks, masks->entry_of[position]);
}

static size_t count_bits(const uint32_t *bits, size_t n_words)
{
    size_t n = 0;
    for (size_t w = 0; w < n_words; w++) n += (size_t)__builtin_popcount(bits[w]);
    return n;
}

static void list_bits(const uint32_t *bits, size_t n_words, uint32_t *ret_ids)
{
    for (size_t w = 0; w < n_words; w++)
        for (uint32_t rest = bits[w]; rest; rest &= rest - 1)
            *ret_ids++ = (uint32_t)w * 32 + (uint32_t)__builtin_ctz(rest);
}

/* Ids where they are few, bits otherwise. */
static const struct entry *make_entry(struct token_masks *masks, uint32_t position)
{
    memset(masks->bits, 0, masks->n_words * sizeof *masks->bits);
    walk_position(masks, position);
    size_t n_ids = count_bits(masks->bits, masks->n_words);
    bool is_sparse = n_ids < masks->trie->n_tokens / SPARSE_SHARE;
    size_t n_first = is_sparse ? n_ids : masks->n_words;
    struct entry *entry = new_entry(masks, position, n_first + masks->n_exits);
    entry->n_ids = is_sparse ? (uint32_t)n_ids : DENSE;
    entry->n_exits = masks->n_exits;
    if (is_sparse) list_bits(masks->bits, masks->n_words, entry->words);
    else memcpy(entry->words, masks->bits, masks->n_words * sizeof *masks->bits);
    memcpy(entry->words + n_first, masks->exits, masks->n_exits * sizeof *masks->exits);
    return entry;
}

static const struct entry *find_entry(struct token_masks *masks, uint32_t position)
{
    uint32_t place = masks->entry_of[position];
    return place ? entry_at(masks, place) : make_entry(masks, position);
}

/* ---- masks ---- */

struct filling {
    struct token_masks *masks;
    const struct grammar_state *state;
    uint32_t *bits;
    size_t n_bits;
    bool is_rough; /* more is allowed than may be: each token must be tried */
};

enum passing { PASSING_NEW, PASSING_KNOWN, PASSING_FULL };

/* A text can be cut among nested rules in very many ways ("(" root? "-"*), which all come by the same few pairs of nodes. */
static enum passing pass(struct token_masks *masks, uint32_t trie_node, uint16_t stack_node)
{
    uint64_t key = ((uint64_t)trie_node + 1) << 16 | stack_node;
    size_t slot = (size_t)((key * 0x9E3779B97F4A7C15u) >> 32) & (PASSED_SLOTS - 1);
    for (; masks->passed[slot]; slot = (slot + 1) & (PASSED_SLOTS - 1))
        if (masks->passed[slot] == key) return PASSING_KNOWN;
    if (masks->n_passed == MOST_PASSED) return PASSING_FULL;
    masks->passed[slot] = key;
    masks->n_passed++;
    return PASSING_NEW;
}

static void forget_passed(struct token_masks *masks)
{
    if (masks->n_passed) memset(masks->passed, 0, PASSED_SLOTS * sizeof *masks->passed);
    masks->n_passed = 0;
}

static void allow_all_below(struct filling *filling, uint32_t top)
{
    const struct token_trie *trie = filling->masks->trie;
    for (uint32_t node = top + 1; node < trie->ends[top]; node++) mark_tokens(trie, node, filling->bits, filling->n_bits);
    filling->is_rough = true;
}

/* Below a node of the trie with a stack of the state: the rule of the node above has ended there. */
static void walk_below(struct filling *filling, uint32_t top, uint16_t stack_node)
{
    struct token_masks *masks = filling->masks;
    const struct token_trie *trie = masks->trie;
    size_t top_depth = trie->depths[top];
    for (bool is_ended = true; is_ended && stack_node != STACK_NONE;) {
        struct walk walk;
        enum passing passing = pass(masks, top, stack_node);
        if (passing == PASSING_FULL) allow_all_below(filling, top);
        if (passing != PASSING_NEW) return;
        uint16_t below = filling->state->nodes[stack_node].parent;
        begin_walk(&walk, masks, top, filling->state->nodes[stack_node].position);
        is_ended = masks->states[top_depth] & STATE_IS_COMPLETE;
        for (uint32_t node = top + 1; node < trie->ends[top];) {
            if (!enter(&walk, node)) {
                node = trie->ends[node];
                continue;
            }
            mark_tokens(trie, node, filling->bits, filling->n_bits);
            size_t depth = trie->depths[node];
            if (masks->states[depth] & STATE_IS_COMPLETE && trie->ends[node] > node + 1 && below != STACK_NONE) {
                walk_below(filling, node, below);
                renew(&walk, depth); /* the walk below used the same places */
            }
            node++;
        }
        stack_node = below;
    }
}

static void add_entry(struct filling *filling, const struct entry *entry, uint16_t below)
{
    struct token_masks *masks = filling->masks;
    size_t n_first = entry->n_ids == DENSE ? masks->n_words : entry->n_ids;
    size_t n_words = (filling->n_bits + 31) / 32;
    if (entry->n_ids == DENSE) {
        for (size_t w = 0; w < n_words && w < masks->n_words; w++) filling->bits[w] |= entry->words[w];
    } else {
        for (uint32_t i = 0; i < entry->n_ids; i++)
            if (entry->words[i] < filling->n_bits) filling->bits[entry->words[i] / 32] |= 1u << entry->words[i] % 32;
    }
    for (uint32_t i = 0; below != STACK_NONE && i < entry->n_exits; i++)
        walk_below(filling, entry->words[n_first + i], below);
}

/* A rough mask, and one near the limit of nesting, may allow what the state cannot hold. */
static void try_each(struct filling *filling)
{
    for (size_t id = 0; id < filling->n_bits; id++) {
        struct grammar_state state;
        if (!(filling->bits[id / 32] >> id % 32 & 1)) continue;
        grammar_state_copy(&state, filling->state);
        if (!token_masks_accept(filling->masks, &state, (int32_t)id)) filling->bits[id / 32] &= ~(1u << id % 32);
    }
}

size_t token_masks_fill(struct token_masks *masks, const struct grammar_state *state, uint32_t *bits, size_t n_bits)
{
    struct filling filling = {.masks = masks, .state = state, .bits = bits, .n_bits = n_bits};
    size_t n_words = (n_bits + 31) / 32;
    memset(bits, 0, n_words * sizeof *bits);
    pthread_mutex_lock(&masks->mutex);
    forget_passed(masks);
    for (uint16_t n = 0; n < state->n_nodes; n++)
        if (state->nodes[n].is_head)
            add_entry(&filling, find_entry(masks, state->nodes[n].position), state->nodes[n].parent);
    pthread_mutex_unlock(&masks->mutex);
    if (n_bits % 32) bits[n_words - 1] &= (1u << n_bits % 32) - 1;
    if (filling.is_rough || state->n_nodes > STATE_NODES - NEAR_FULL) try_each(&filling);
    return count_bits(bits, n_words);
}

bool token_masks_accept(const struct token_masks *masks, struct grammar_state *state, int32_t id)
{
    size_t n_bytes;
    const char *text = token_trie_text(masks->trie, id, &n_bytes);
    return text && grammar_state_accept(state, masks->grammar, text, n_bytes);
}

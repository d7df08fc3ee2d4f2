/* Two ways to the same end: words of a few symbols are scanned for the lowest rank again and again, which is quickest there;
 * long ones go through a heap of (rank, position), with entries that a merge made stale left in and passed over. */
#include "text/bpe_merge.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"

#include <string.h>
#include <sys/random.h>

/* Records are written with a seed of their own; a table in which pairs collide more than this was made to. */
enum { SHORT_SYMBOLS = 32, RECORD_SEED = 0x5EED, MOST_RECORD_PROBES = 4096 };
#define FREE_SLOT UINT64_MAX

hob_status merge_table_init(struct merge_table *table, size_t n_merges, hob_error *error)
{
    size_t n_slots = 16;
    while (n_slots / 2 < n_merges) n_slots *= 2;
    *table = (struct merge_table){.slots = memory_new(n_slots, sizeof *table->slots), .n_slots = n_slots, .most_probes = n_slots};
    if (!table->slots) FAIL(error, HOB_NO_MEMORY, "merges: no memory for %zu", n_merges);
    for (size_t i = 0; i < n_slots; i++) table->slots[i].pair = FREE_SLOT;
    if (getrandom(&table->seed, sizeof table->seed, GRND_NONBLOCK) != sizeof table->seed)
        table->seed = (uint64_t)(uintptr_t)table->slots;
    return HOB_OK;
}

void merge_table_release(struct merge_table *table)
{
    if (!table->is_mapped) memory_free(table->slots);
    *table = (struct merge_table){0};
}

static uint64_t pair_of(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

static size_t first_probe(const struct merge_table *table, uint64_t pair)
{
    unsigned __int128 product = (unsigned __int128)(pair ^ table->seed) * 0x9E3779B97F4A7C15u;
    return (size_t)((uint64_t)product ^ (uint64_t)(product >> 64));
}

/* The pair's slot or a free one for it; NULL: the pair is not there, and there is no room for it. */
static struct merge *find_slot(const struct merge_table *table, uint64_t pair)
{
    size_t at = first_probe(table, pair);
    for (size_t n_left = table->most_probes; n_left; n_left--, at++) {
        struct merge *slot = &table->slots[at & (table->n_slots - 1)];
        if (slot->pair == pair || slot->pair == FREE_SLOT) return slot;
    }
    return NULL;
}

/* NULL: the pair does not merge. */
static const struct merge *find_pair(const struct merge_table *table, uint64_t pair)
{
    const struct merge *slot = find_slot(table, pair);
    return slot && slot->pair == pair ? slot : NULL;
}

void merge_table_put(struct merge_table *table, int32_t left, int32_t right, uint32_t rank, int32_t id)
{
    struct merge *slot = find_slot(table, pair_of(left, right));
    HOB_ASSERT(slot);
    if (slot->pair == FREE_SLOT) table->n_merges++;
    HOB_ASSERT(table->n_merges <= table->n_slots / 2);
    *slot = (struct merge){pair_of(left, right), rank, id};
}

bool merge_table_has(const struct merge_table *table, int32_t left, int32_t right)
{
    return find_pair(table, pair_of(left, right)) != NULL;
}

const struct merge *merge_table_at(const struct merge_table *table, size_t slot)
{
    return table->slots[slot].pair == FREE_SLOT ? NULL : &table->slots[slot];
}

/* right NULL: symbol is the last. */
static void find_merge(const struct merge_table *table, struct symbol *symbol, const struct symbol *right)
{
    symbol->rank = MERGE_NONE;
    if (!right || symbol->id < 0 || right->id < 0) return;
    const struct merge *slot = find_pair(table, pair_of(symbol->id, right->id));
    if (!slot) return;
    symbol->rank = slot->rank;
    symbol->merged = slot->id;
}

static size_t merge_few(const struct merge_table *table, struct symbol *symbols, size_t n)
{
    for (;;) {
        size_t best = 0;
        for (size_t i = 1; i < n; i++)
            if (symbols[i].rank < symbols[best].rank) best = i;
        if (n == 0 || symbols[best].rank == MERGE_NONE) return n;
        symbols[best].id = symbols[best].merged;
        n--;
        memmove(&symbols[best + 1], &symbols[best + 2], (n - best - 1) * sizeof *symbols);
        find_merge(table, &symbols[best], best + 1 < n ? &symbols[best + 1] : NULL);
        if (best > 0) find_merge(table, &symbols[best - 1], &symbols[best]);
    }
}

struct heap {
    uint64_t *entries; /* rank << 32 | position: the lowest rank first, leftmost among equals */
    size_t n_entries;
};

static void heap_push(struct heap *heap, uint64_t entry)
{
    size_t at = heap->n_entries++;
    for (size_t parent; at > 0 && entry < heap->entries[parent = (at - 1) / 2]; at = parent)
        heap->entries[at] = heap->entries[parent];
    heap->entries[at] = entry;
}

static uint64_t heap_pop(struct heap *heap)
{
    uint64_t least = heap->entries[0], moved = heap->entries[--heap->n_entries];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < heap->n_entries; at = child) {
        if (child + 1 < heap->n_entries && heap->entries[child + 1] < heap->entries[child]) child++;
        if (moved <= heap->entries[child]) break;
        heap->entries[at] = heap->entries[child];
    }
    heap->entries[at] = moved;
    return least;
}

static void queue(struct heap *heap, const struct symbol *symbols, uint32_t at)
{
    if (symbols[at].rank != MERGE_NONE) heap_push(heap, (uint64_t)symbols[at].rank << 32 | at);
}

static void merge_at(const struct merge_table *table, struct symbol *symbols, uint32_t n, uint32_t at,
                     struct heap *heap)
{
    struct symbol *left = &symbols[at], *right = &symbols[left->next];
    left->id = left->merged;
    left->next = right->next;
    right->rank = MERGE_NONE; /* its entries in the heap are stale now */
    if (left->next < n) symbols[left->next].prev = at;
    find_merge(table, left, left->next < n ? &symbols[left->next] : NULL);
    queue(heap, symbols, at);
    if (left->prev == MERGE_NONE) return;
    find_merge(table, &symbols[left->prev], left);
    queue(heap, symbols, left->prev);
}

static size_t merge_many(const struct merge_table *table, struct symbol *symbols, size_t n, struct heap *heap)
{
    for (uint32_t i = 0; i < n; i++) {
        symbols[i].prev = i ? i - 1 : MERGE_NONE;
        symbols[i].next = i + 1;
        queue(heap, symbols, i);
    }
    while (heap->n_entries) {
        uint64_t entry = heap_pop(heap);
        uint32_t at = (uint32_t)entry;
        if (symbols[at].rank == (uint32_t)(entry >> 32)) merge_at(table, symbols, (uint32_t)n, at, heap);
    }
    size_t n_left = 0;
    for (uint32_t at = 0; at < n; at = symbols[at].next) symbols[n_left++].id = symbols[at].id;
    return n_left;
}

size_t merge_heap_bytes(size_t n_symbols)
{
    return n_symbols > SHORT_SYMBOLS ? 3 * n_symbols * sizeof(uint64_t) : 0; /* one each, two more for each merge */
}

size_t merge_symbols(const struct merge_table *table, struct symbol *symbols, size_t n_symbols, void *heap)
{
    for (size_t i = 0; i < n_symbols; i++)
        find_merge(table, &symbols[i], i + 1 < n_symbols ? &symbols[i + 1] : NULL);
    if (n_symbols <= SHORT_SYMBOLS) return merge_few(table, symbols, n_symbols);
    return merge_many(table, symbols, n_symbols, &(struct heap){.entries = heap});
}

/* ---- records ---- */

static int compare_merges(const void *left, const void *right)
{
    const struct merge *a = left, *b = right;
    if (a->rank != b->rank) return a->rank < b->rank ? -1 : 1;
    return (a->pair > b->pair) - (a->pair < b->pair);
}

/* How far the farthest pair lies from where it is looked for first, and one more for what is not there. */
static size_t count_probes(const struct merge_table *table)
{
    size_t most = 0;
    for (size_t i = 0; i < table->n_slots; i++) {
        size_t far = (i - first_probe(table, table->slots[i].pair)) & (table->n_slots - 1);
        if (table->slots[i].pair != FREE_SLOT && far > most) most = far;
    }
    return most + 1;
}

/* In order of rank, so that the places do not depend on the seed of the table that is copied. */
static hob_status copy_sorted(const struct merge_table *table, struct merge_table *copy, hob_error *error)
{
    struct merge *merges = memory_new(table->n_merges, sizeof *merges);
    size_t n_merges = 0;
    if (!merges) FAIL(error, HOB_NO_MEMORY, "merges: no memory for %zu", table->n_merges);
    for (size_t i = 0; i < table->n_slots; i++)
        if (table->slots[i].pair != FREE_SLOT) merges[n_merges++] = table->slots[i];
    qsort(merges, n_merges, sizeof *merges, compare_merges);
    hob_status status = merge_table_init(copy, n_merges, error);
    copy->seed = RECORD_SEED;
    for (size_t i = 0; status == HOB_OK && i < n_merges; i++)
        merge_table_put(copy, merge_left(&merges[i]), merge_right(&merges[i]), merges[i].rank, merges[i].id);
    memory_free(merges);
    return status;
}

hob_status merge_table_write(const struct merge_table *table, struct buffer *bytes, hob_error *error)
{
    struct merge_table copy = {0};
    hob_status status = HOB_OK;
    TRY_CLEANUP(copy_sorted(table, &copy, error));
    size_t n_probes = count_probes(&copy);
    if (n_probes > MOST_RECORD_PROBES)
        FAIL_CLEANUP(error, HOB_LIMIT, "merges: found pairs of which %zu collide, expected at most %d", n_probes, MOST_RECORD_PROBES);
    record_put_u64(bytes, copy.n_merges);
    record_put_u64(bytes, copy.seed);
    record_put_u64(bytes, n_probes);
    record_put_array(bytes, copy.slots, copy.n_slots, sizeof *copy.slots);
cleanup:
    merge_table_release(&copy);
    return status;
}

void merge_table_read(struct merge_table *table, struct record_reader *reader)
{
    struct merge_table read = {.is_mapped = true};
    read.n_merges = (size_t)record_u64(reader);
    read.seed = record_u64(reader);
    read.most_probes = (size_t)record_u64(reader);
    read.slots = (struct merge *)(uintptr_t)record_array(reader, sizeof *read.slots, &read.n_slots);
    bool is_power = read.n_slots && !(read.n_slots & (read.n_slots - 1));
    if (is_power && read.n_merges <= read.n_slots && read.most_probes <= MOST_RECORD_PROBES) *table = read;
    else record_fail(reader);
}

/* Two ways to the same end: words of a few symbols are scanned for the lowest rank again and again, which is quickest there;
 * long ones go through a heap of (rank, position), with entries that a merge made stale left in and passed over. */
#include "text/bpe_merge.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"

#include <string.h>
#include <sys/random.h>

enum { SHORT_SYMBOLS = 32 };
#define FREE_SLOT UINT64_MAX

hob_status merge_table_init(struct merge_table *table, size_t n_merges, hob_error *error)
{
    size_t n_slots = 16;
    while (n_slots / 2 < n_merges) n_slots *= 2;
    *table = (struct merge_table){.slots = memory_new(n_slots, sizeof *table->slots), .n_slots = n_slots};
    if (!table->slots) FAIL(error, HOB_NO_MEMORY, "merges: no memory for %zu", n_merges);
    for (size_t i = 0; i < n_slots; i++) table->slots[i].pair = FREE_SLOT;
    if (getrandom(&table->seed, sizeof table->seed, GRND_NONBLOCK) != sizeof table->seed)
        table->seed = (uint64_t)(uintptr_t)table->slots;
    return HOB_OK;
}

void merge_table_release(struct merge_table *table)
{
    memory_free(table->slots);
    *table = (struct merge_table){0};
}

static uint64_t pair_of(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

static struct merge *find_slot(const struct merge_table *table, uint64_t pair)
{
    unsigned __int128 product = (unsigned __int128)(pair ^ table->seed) * 0x9E3779B97F4A7C15u;
    size_t at = (size_t)((uint64_t)product ^ (uint64_t)(product >> 64));
    for (;; at++) {
        struct merge *slot = &table->slots[at & (table->n_slots - 1)];
        if (slot->pair == pair || slot->pair == FREE_SLOT) return slot;
    }
}

void merge_table_put(struct merge_table *table, int32_t left, int32_t right, uint32_t rank, int32_t id)
{
    struct merge *slot = find_slot(table, pair_of(left, right));
    if (slot->pair == FREE_SLOT) table->n_merges++;
    HOB_ASSERT(table->n_merges <= table->n_slots / 2);
    *slot = (struct merge){pair_of(left, right), rank, id};
}

bool merge_table_has(const struct merge_table *table, int32_t left, int32_t right)
{
    return find_slot(table, pair_of(left, right))->pair != FREE_SLOT;
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
    const struct merge *slot = find_slot(table, pair_of(symbol->id, right->id));
    if (slot->pair == FREE_SLOT) return;
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

/* Byte-pair merging: which two neighbours become one token, in order of rank.
 *
 * The table is immutable once filled; threads may share it. Merging takes O(n log n) however long the word is.
 *
 *     struct merge_table merges;
 *     TRY(merge_table_init(&merges, n_merges, error));
 *     merge_table_put(&merges, left, right, rank, merged);
 *     struct symbol *symbols = …                      ids set
 *     n_symbols = merge_symbols(&merges, symbols, n_symbols, heap);
 *     merge_table_release(&merges);
 */
#ifndef TEXT_BPE_MERGE_H
#define TEXT_BPE_MERGE_H

#include "base/record.h"
#include "hob/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct merge {
    uint64_t pair;
    uint32_t rank; /* the lowest goes first */
    int32_t id;    /* what the two become */
};

struct merge_table {
    struct merge *slots; /* open addressing, at most half full */
    size_t n_slots, n_merges;
    size_t most_probes; /* to find a pair, or that it is not there */
    uint64_t seed;      /* so that a file cannot choose pairs that collide */
    bool is_mapped;     /* the slots lie in a record and are not owned */
};

struct symbol {
    int32_t id; /* below 0: a symbol that never merges */
    uint32_t prev, next;
    uint32_t rank;  /* of this one and the next; MERGE_NONE when they do not merge */
    int32_t merged; /* what they become */
};

#define MERGE_NONE UINT32_MAX

HOB_MUST_CHECK hob_status merge_table_init(struct merge_table *table, size_t n_merges, hob_error *error);
void merge_table_release(struct merge_table *table); /* takes a zeroed one */
/* Puts or replaces; no more pairs than announced. */
void merge_table_put(struct merge_table *table, int32_t left, int32_t right, uint32_t rank, int32_t id);
/* As a record of ready slots, the same for the same merges, and back: the record must live as long as the table. A failure to
 * read shows in the reader. Writing fails: HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status merge_table_write(const struct merge_table *table, struct buffer *bytes, hob_error *error);
void merge_table_read(struct merge_table *table, struct record_reader *reader);
bool merge_table_has(const struct merge_table *table, int32_t left, int32_t right);
/* The merge in slot 0 … n_slots-1; NULL where the slot is free. */
const struct merge *merge_table_at(const struct merge_table *table, size_t slot);

static inline int32_t merge_left(const struct merge *merge)
{
    return (int32_t)(uint32_t)(merge->pair >> 32);
}

static inline int32_t merge_right(const struct merge *merge)
{
    return (int32_t)(uint32_t)merge->pair;
}

/* Bytes of scratch that merge_symbols needs. */
size_t merge_heap_bytes(size_t n_symbols);
/* Merges all that can be; the rest stays in front. Returns how many. */
size_t merge_symbols(const struct merge_table *table, struct symbol *symbols, size_t n_symbols, void *heap);

#endif

/* A read-only trie over byte strings: which of them begin here?
 *
 * Nodes lie in breadth-first order, so the children of one node are neighbours, sorted by their byte, and end where the
 * next node's begin: nine bytes a node. Owns its arrays. Reading is thread-safe.
 *
 *     struct trie trie;
 *     TRY(trie_init(&trie, keys, n_keys, error));
 *     uint32_t node = TRIE_ROOT;
 *     while (at < n_bytes && trie_step(&trie, &node, text[at++]))
 *         if (trie.values[node] >= 0) …             keys[that] ends here
 *     trie_release(&trie);
 */
#ifndef TEXT_TRIE_H
#define TEXT_TRIE_H

#include "base/record.h"
#include "hob/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRIE_ROOT 0u

struct trie_key {
    const char *text;
    size_t n_bytes;
    int32_t value; /* 0 or above */
};

struct trie {
    unsigned char *labels; /* the byte that leads to a node */
    uint32_t *first_child; /* n_nodes + 1 */
    int32_t *values;       /* -1: no key ends at the node */
    size_t n_nodes;
    bool is_mapped; /* the arrays lie in a record and are not owned */
};

/* Sorts keys in place. Of equal keys the one with the least value counts; empty keys are left out. */
HOB_MUST_CHECK hob_status trie_init(struct trie *trie, struct trie_key *keys, size_t n_keys, hob_error *error);
/* As a record of ready arrays, and back: the record must live as long as the trie. n_values: every value is below it. A failure to read shows in the reader. */
void trie_write(const struct trie *trie, struct buffer *bytes);
void trie_read(struct trie *trie, struct record_reader *reader, size_t n_values);
void trie_release(struct trie *trie); /* takes a zeroed one */
/* Goes down by one byte; false: no key goes on so. */
bool trie_step(const struct trie *trie, uint32_t *node, char byte);

#endif

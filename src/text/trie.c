/* Built from sorted keys: a node is a range of keys that share a prefix, and its children are that range cut where the next
 * byte changes. Ranges are handled first in, first out, which gives the breadth-first order. */
#include "text/trie.h"
#include "base/error.h"
#include "base/memory.h"

#include <string.h>

struct range {
    uint32_t begin, end, depth;
};

static int compare_keys(const void *left, const void *right)
{
    const struct trie_key *a = left, *b = right;
    size_t n = a->n_bytes < b->n_bytes ? a->n_bytes : b->n_bytes;
    int order = n ? memcmp(a->text, b->text, n) : 0;
    if (order) return order;
    if (a->n_bytes != b->n_bytes) return a->n_bytes < b->n_bytes ? -1 : 1;
    return (a->value > b->value) - (a->value < b->value);
}

/* One for the root and one for each byte by which a key is longer than what it shares with the key before. */
static size_t count_nodes(const struct trie_key *keys, size_t n_keys)
{
    size_t n_nodes = 1;
    for (size_t i = 0; i < n_keys; i++) {
        size_t shared = 0;
        while (i > 0 && shared < keys[i].n_bytes && shared < keys[i - 1].n_bytes &&
               keys[i].text[shared] == keys[i - 1].text[shared])
            shared++;
        n_nodes += keys[i].n_bytes - shared;
    }
    return n_nodes;
}

/* Skips the keys that end at this node, noting the first's value. */
static uint32_t take_value(const struct trie_key *keys, struct range range, int32_t *ret_value)
{
    uint32_t at = range.begin;
    while (at < range.end && keys[at].n_bytes == range.depth) at++;
    *ret_value = at > range.begin && range.depth > 0 ? keys[range.begin].value : -1;
    return at;
}

static void fill_nodes(struct trie *trie, const struct trie_key *keys, struct range *ranges)
{
    uint32_t n_made = 1;
    for (uint32_t node = 0; node < trie->n_nodes; node++) {
        struct range range = ranges[node];
        trie->first_child[node] = n_made;
        uint32_t at = take_value(keys, range, &trie->values[node]);
        while (at < range.end) {
            uint32_t begin = at;
            char label = keys[at].text[range.depth];
            while (at < range.end && keys[at].text[range.depth] == label) at++;
            ranges[n_made] = (struct range){begin, at, range.depth + 1};
            trie->labels[n_made++] = (unsigned char)label;
        }
    }
    trie->first_child[trie->n_nodes] = n_made;
}

hob_status trie_init(struct trie *trie, struct trie_key *keys, size_t n_keys, hob_error *error)
{
    *trie = (struct trie){0};
    if (n_keys) qsort(keys, n_keys, sizeof *keys, compare_keys);
    size_t n_nodes = count_nodes(keys, n_keys);
    if (n_nodes > UINT32_MAX / 2) FAIL(error, HOB_LIMIT, "tokens: found %zu bytes of them, at most 2^31 fit", n_nodes);
    struct range *ranges = memory_new(n_nodes, sizeof *ranges);
    trie->labels = memory_new(n_nodes, 1);
    trie->first_child = memory_new(n_nodes + 1, sizeof *trie->first_child);
    trie->values = memory_new(n_nodes, sizeof *trie->values);
    hob_status status = HOB_OK;
    if (!ranges || !trie->labels || !trie->first_child || !trie->values)
        FAIL_CLEANUP(error, HOB_NO_MEMORY, "tokens: no memory for %zu trie nodes", n_nodes);
    trie->n_nodes = n_nodes;
    ranges[0] = (struct range){0, (uint32_t)n_keys, 0};
    fill_nodes(trie, keys, ranges);
cleanup:
    memory_free(ranges);
    if (status != HOB_OK) trie_release(trie);
    return status;
}

void trie_release(struct trie *trie)
{
    if (!trie->is_mapped) {
        memory_free(trie->labels);
        memory_free(trie->first_child);
        memory_free(trie->values);
    }
    *trie = (struct trie){0};
}

bool trie_step(const struct trie *trie, uint32_t *node, char byte)
{
    uint32_t low = trie->first_child[*node], high = trie->first_child[*node + 1];
    unsigned char label = (unsigned char)byte;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (trie->labels[middle] == label) return *node = middle, true;
        if (trie->labels[middle] < label)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

void trie_write(const struct trie *trie, struct buffer *bytes)
{
    record_put_array(bytes, trie->labels, trie->n_nodes, sizeof *trie->labels);
    record_put_array(bytes, trie->first_child, trie->n_nodes + 1, sizeof *trie->first_child);
    record_put_array(bytes, trie->values, trie->n_nodes, sizeof *trie->values);
}

/* Whatever the nodes say, a step stays inside the arrays, and goes down: each node has one way to it. */
static bool is_sound(const struct trie *trie, size_t n_values)
{
    bool is_sound = trie->first_child[trie->n_nodes] <= trie->n_nodes;
    for (size_t i = 0; i < trie->n_nodes; i++) {
        is_sound &= trie->first_child[i] > i && trie->first_child[i] <= trie->first_child[i + 1];
        is_sound &= trie->values[i] >= -1 && trie->values[i] < (int64_t)n_values;
    }
    return is_sound;
}

void trie_read(struct trie *trie, struct record_reader *reader, size_t n_values)
{
    size_t n_labels, n_children, n_found;
    const void *labels = record_array(reader, sizeof *trie->labels, &n_labels);
    const void *children = record_array(reader, sizeof *trie->first_child, &n_children);
    const void *values = record_array(reader, sizeof *trie->values, &n_found);
    if (reader->is_bad || !n_labels || n_children != n_labels + 1 || n_found != n_labels) {
        record_fail(reader);
        return;
    }
    *trie = (struct trie){.labels = (unsigned char *)(uintptr_t)labels,
                          .first_child = (uint32_t *)(uintptr_t)children,
                          .values = (int32_t *)(uintptr_t)values,
                          .n_nodes = n_labels,
                          .is_mapped = true};
    if (!is_sound(trie, n_values)) record_fail(reader);
}

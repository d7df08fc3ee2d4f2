#include "ops/lookup.h"

#include <stdlib.h>
#include <string.h>

uint64_t lookup_real_key(double number)
{
    uint64_t bits;
    if (number != number) return UINT64_MAX;
    if (number == 0) return 0;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

int lookup_compare_texts(const struct tensor_string *a, const struct tensor_string *b)
{
    size_t n_common = a->n_bytes < b->n_bytes ? a->n_bytes : b->n_bytes;
    int order = n_common ? memcmp(a->bytes, b->bytes, n_common) : 0;
    return order ? order : (a->n_bytes > b->n_bytes) - (a->n_bytes < b->n_bytes);
}

static int compare_keys(const struct lookup *lookup, int64_t a, int64_t b)
{
    if (lookup->texts) return lookup_compare_texts(&lookup->texts[a], &lookup->texts[b]);
    return (lookup->numbers[a] > lookup->numbers[b]) - (lookup->numbers[a] < lookup->numbers[b]);
}

static int compare_places(const void *a, const void *b, void *context)
{
    int64_t i = *(const int64_t *)a, j = *(const int64_t *)b;
    int order = compare_keys(context, i, j);
    return order ? order : (i > j) - (i < j);
}

static bool sort_places(struct lookup *lookup, struct arena *arena, size_t n_keys)
{
    lookup->places = ARENA_NEW(arena, int64_t, n_keys);
    if (!lookup->places) return false;
    for (size_t i = 0; i < n_keys; i++) lookup->places[i] = (int64_t)i;
    if (n_keys) qsort_r(lookup->places, n_keys, sizeof lookup->places[0], compare_places, lookup);
    for (size_t i = 0; i < n_keys; i++) {
        bool is_last_of_equals = i + 1 == n_keys || compare_keys(lookup, lookup->places[i], lookup->places[i + 1]);
        if (is_last_of_equals) lookup->places[lookup->n_places++] = lookup->places[i];
    }
    return true;
}

bool lookup_init_numbers(struct lookup *ret_lookup, struct arena *arena, const uint64_t *keys, size_t n_keys)
{
    *ret_lookup = (struct lookup){.numbers = keys};
    return sort_places(ret_lookup, arena, n_keys);
}

bool lookup_init_texts(struct lookup *ret_lookup, struct arena *arena, const struct tensor_string *keys, size_t n_keys)
{
    *ret_lookup = (struct lookup){.texts = keys};
    return sort_places(ret_lookup, arena, n_keys);
}

int64_t lookup_find_number(const struct lookup *lookup, uint64_t key)
{
    size_t begin = 0, end = lookup->numbers ? lookup->n_places : 0;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        uint64_t found = lookup->numbers[lookup->places[middle]];
        if (found == key) return lookup->places[middle];
        if (found < key) begin = middle + 1;
        else end = middle;
    }
    return -1;
}

int64_t lookup_find_text(const struct lookup *lookup, const struct tensor_string *text)
{
    size_t begin = 0, end = lookup->texts ? lookup->n_places : 0;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        int order = lookup_compare_texts(&lookup->texts[lookup->places[middle]], text);
        if (!order) return lookup->places[middle];
        if (order < 0) begin = middle + 1;
        else end = middle;
    }
    return -1;
}

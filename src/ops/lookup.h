/* Finds the place of a number or a text in a list of keys: what encoders and n-gram tables are made of.
 *
 * A sorted index over keys that stay where they are (they must outlive it): no hash, so no chosen keys make it slow. Of equal keys the last
 * one counts. Immutable once made: thread-safe.
 *
 *     struct lookup lookup;
 *     if (!lookup_init_numbers(&lookup, arena, keys, n_keys)) …           memory is out
 *     int64_t place = lookup_find_number(&lookup, lookup_real_key(0.5));  -1: not there
 */
#ifndef OPS_LOOKUP_H
#define OPS_LOOKUP_H

#include "base/arena.h"
#include "tensor/tensor.h"

struct lookup {
    const uint64_t *numbers; /* one of the two is set, unless there are no keys */
    const struct tensor_string *texts;
    size_t n_places;
    int64_t *places; /* sorted by key, each key once */
};

/* false: memory is out. */
bool lookup_init_numbers(struct lookup *ret_lookup, struct arena *arena, const uint64_t *keys, size_t n_keys);
bool lookup_init_texts(struct lookup *ret_lookup, struct arena *arena, const struct tensor_string *keys, size_t n_keys);
int64_t lookup_find_number(const struct lookup *lookup, uint64_t key);
int64_t lookup_find_text(const struct lookup *lookup, const struct tensor_string *text);

/* Keys for reals: all NaN are one key, and so are both zeros. */
uint64_t lookup_real_key(double number);

/* Order of the bytes; < 0, 0, > 0. */
int lookup_compare_texts(const struct tensor_string *a, const struct tensor_string *b);

#endif

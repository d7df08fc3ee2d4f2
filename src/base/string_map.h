/* A hash map from byte strings to 64-bit numbers (an index, usually). Keys are not copied: they must outlive the map.
 *
 * Owns its table. Reading is thread-safe while nobody writes. Hashes are seeded per map, so hostile keys in a file cannot
 * be chosen to collide.
 *
 *     struct string_map map = {0};
 *     string_map_put(&map, name, strlen(name), 7);
 *     uint64_t value;
 *     if (string_map_get(&map, name, strlen(name), &value)) …
 *     string_map_release(&map);
 */
#ifndef BASE_STRING_MAP_H
#define BASE_STRING_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct string_map_slot;

struct string_map {
    struct string_map_slot *slots;
    size_t n_slots, n_items; /* n_slots: 0 or a power of two */
    uint64_t seed;
};

void string_map_release(struct string_map *map);
bool string_map_reserve(struct string_map *map, size_t n_items);
/* Puts or replaces. false: memory is out. */
bool string_map_put(struct string_map *map, const void *key, size_t key_bytes, uint64_t value);
/* What lies in slot 0 … n_slots-1, in no order that means anything; false: the slot is free. */
bool string_map_at(const struct string_map *map, size_t slot, const void **ret_key, size_t *ret_key_bytes, uint64_t *ret_value);
/* The hash of a key. Packs hold tables that were made with it: another function is another version of their format. */
uint64_t string_map_hash(uint64_t seed, const void *key, size_t key_bytes);
bool string_map_get(const struct string_map *map, const void *key, size_t key_bytes, uint64_t *ret_value);

#endif

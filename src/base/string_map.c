/* Open addressing with linear probing at up to 2/3 full; nothing is ever removed. */
#include "base/string_map.h"
#include "base/memory.h"
#include "base/size.h"

#include <string.h>
#include <sys/random.h>

struct string_map_slot {
    const void *key; /* NULL: free */
    size_t key_bytes;
    uint64_t hash, value;
};

/* Eight bytes at a time through a 64x64->128 multiply (the mixing step of wyhash, Wang Yi 2019). */
static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t string_map_hash(uint64_t seed, const void *key, size_t n_bytes)
{
    const unsigned char *bytes = key;
    uint64_t hash = seed ^ (n_bytes * 0x9E3779B97F4A7C15u);
    for (; n_bytes >= 8; bytes += 8, n_bytes -= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        hash = mix(hash ^ word, 0xA0761D6478BD642Fu);
    }
    uint64_t tail = 0;
    for (size_t i = 0; i < n_bytes; i++) tail |= (uint64_t)bytes[i] << (8 * i);
    return mix(hash ^ tail, 0xE7037ED1A0B428DBu) ^ seed;
}

void string_map_release(struct string_map *map)
{
    memory_free(map->slots);
    *map = (struct string_map){0};
}

static struct string_map_slot *find_slot(const struct string_map *map, uint64_t hash, const void *key,
                                         size_t key_bytes)
{
    size_t mask = map->n_slots - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct string_map_slot *slot = &map->slots[i];
        if (!slot->key) return slot;
        if (slot->hash == hash && slot->key_bytes == key_bytes && !memcmp(slot->key, key, key_bytes)) return slot;
    }
}

static bool rehash(struct string_map *map, size_t n_slots)
{
    struct string_map grown = {.n_slots = n_slots, .n_items = map->n_items, .seed = map->seed};
    grown.slots = memory_new(n_slots, sizeof *grown.slots);
    if (!grown.slots) return false;
    for (size_t i = 0; i < map->n_slots; i++) {
        const struct string_map_slot *slot = &map->slots[i];
        if (slot->key) *find_slot(&grown, slot->hash, slot->key, slot->key_bytes) = *slot;
    }
    memory_free(map->slots);
    *map = grown;
    return true;
}

bool string_map_reserve(struct string_map *map, size_t n_items)
{
    if (n_items > SIZE_MAX / 4) return false;
    if (!map->seed && getrandom(&map->seed, sizeof map->seed, GRND_NONBLOCK) != sizeof map->seed)
        map->seed = (uint64_t)(uintptr_t)map * 0x9E3779B97F4A7C15u;
    size_t n_slots = map->n_slots ? map->n_slots : 16;
    while (n_slots / 3 * 2 < n_items) n_slots *= 2;
    return n_slots == map->n_slots || rehash(map, n_slots);
}

bool string_map_put(struct string_map *map, const void *key, size_t key_bytes, uint64_t value)
{
    if (!string_map_reserve(map, map->n_items + 1)) return false;
    uint64_t hash = string_map_hash(map->seed, key, key_bytes);
    struct string_map_slot *slot = find_slot(map, hash, key, key_bytes);
    if (!slot->key) map->n_items++;
    *slot = (struct string_map_slot){.key = key, .key_bytes = key_bytes, .hash = hash, .value = value};
    return true;
}

bool string_map_get(const struct string_map *map, const void *key, size_t key_bytes, uint64_t *ret_value)
{
    if (!map->n_items) return false;
    const struct string_map_slot *slot = find_slot(map, string_map_hash(map->seed, key, key_bytes), key, key_bytes);
    if (!slot->key) return false;
    *ret_value = slot->value;
    return true;
}

bool string_map_at(const struct string_map *map, size_t slot, const void **ret_key, size_t *ret_key_bytes, uint64_t *ret_value)
{
    const struct string_map_slot *found = &map->slots[slot];
    if (!found->key) return false;
    *ret_key = found->key;
    *ret_key_bytes = found->key_bytes;
    *ret_value = found->value;
    return true;
}

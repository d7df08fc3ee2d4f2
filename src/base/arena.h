/* A bump allocator: many small things with one lifetime, released together.
 *
 * Owns its chunks. Not thread-safe: one owner at a time.
 *
 *     struct arena arena;
 *     arena_init(&arena, 64 * 1024);
 *     int64_t *dims = ARENA_NEW(&arena, int64_t, rank);      zeroed; NULL when memory is out
 *     char *name = arena_copy_string(&arena, text, n_bytes);
 *     arena_release(&arena);
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_chunk;
enum { ARENA_MOST_DOUBLED = 32 << 20 };

struct arena {
    struct arena_chunk *first, *current;
    size_t chunk_bytes; /* least size of a new chunk */
    size_t total_bytes; /* of all chunks */
    bool is_doubling;   /* a new chunk is as large as all before it, up to ARENA_MOST_DOUBLED, and of large pages where it can be */
};

void arena_init(struct arena *arena, size_t chunk_bytes); /* allocates nothing yet */
void arena_release(struct arena *arena);                  /* takes a zeroed arena */
void arena_clear(struct arena *arena);                    /* keeps the chunks for reuse */

/* Uninitialised bytes; alignment a power of two up to 64. NULL when memory is out. */
void *arena_alloc(struct arena *arena, size_t size_bytes, size_t alignment);
/* Zeroed; NULL on overflow too. */
void *arena_new(struct arena *arena, size_t n_items, size_t item_bytes, size_t alignment);
/* n_bytes of text plus a NUL. */
char *arena_copy_string(struct arena *arena, const char *text, size_t n_bytes);
bool arena_has(const struct arena *arena, const void *bytes); /* whether bytes lie in one of its chunks */
void *arena_copy(struct arena *arena, const void *bytes, size_t n_bytes, size_t alignment);

#define ARENA_NEW(arena, type, n) ((type *)arena_new((arena), (n), sizeof(type), _Alignof(type)))

#endif

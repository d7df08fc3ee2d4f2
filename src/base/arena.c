/* Chunks form a list that arena_clear walks again from the start; a request larger than chunk_bytes gets a chunk of its own. */
#include "base/arena.h"
#include "base/memory.h"
#include "base/size.h"

#include <stdint.h>
#include <string.h>

struct arena_chunk {
    struct arena_chunk *next;
    size_t size_bytes, used_bytes;
    _Alignas(64) unsigned char bytes[];
};

void arena_init(struct arena *arena, size_t chunk_bytes)
{
    *arena = (struct arena){.chunk_bytes = chunk_bytes};
}

void arena_release(struct arena *arena)
{
    for (struct arena_chunk *chunk = arena->first, *next; chunk; chunk = next) {
        next = chunk->next;
        memory_free(chunk);
    }
    *arena = (struct arena){.chunk_bytes = arena->chunk_bytes, .is_doubling = arena->is_doubling};
}

void arena_clear(struct arena *arena)
{
    for (struct arena_chunk *chunk = arena->first; chunk; chunk = chunk->next) chunk->used_bytes = 0;
    arena->current = arena->first;
}

static void *chunk_take(struct arena_chunk *chunk, size_t size_bytes, size_t alignment)
{
    size_t start = size_align(chunk->used_bytes, alignment);
    if (start > chunk->size_bytes || chunk->size_bytes - start < size_bytes) return NULL;
    chunk->used_bytes = start + size_bytes;
    return chunk->bytes + start;
}

static size_t doubled(const struct arena *arena, size_t size_bytes)
{
    size_t all_bytes = arena->total_bytes < ARENA_MOST_DOUBLED ? arena->total_bytes : ARENA_MOST_DOUBLED;
    return size_bytes < all_bytes ? all_bytes : size_bytes;
}

static struct arena_chunk *add_chunk(struct arena *arena, size_t size_bytes)
{
    if (size_bytes < arena->chunk_bytes) size_bytes = arena->chunk_bytes;
    if (arena->is_doubling) size_bytes = doubled(arena, size_bytes);
    if (size_bytes > SIZE_MAX / 2) return NULL;
    size_bytes += sizeof(struct arena_chunk);
    struct arena_chunk *chunk = arena->is_doubling ? memory_large(size_bytes) : memory_aligned(size_bytes);
    if (!chunk) return NULL;
    size_bytes -= sizeof *chunk;
    chunk->size_bytes = size_bytes;
    chunk->used_bytes = 0;
    /* Inserted after the current chunk, so that the chunks behind it stay in use after arena_clear. */
    struct arena_chunk **link = arena->current ? &arena->current->next : &arena->first;
    chunk->next = *link;
    *link = chunk;
    arena->current = chunk;
    arena->total_bytes += size_bytes;
    return chunk;
}

void *arena_alloc(struct arena *arena, size_t size_bytes, size_t alignment)
{
    while (arena->current) {
        void *taken = chunk_take(arena->current, size_bytes, alignment);
        if (taken) return taken;
        if (!arena->current->next) break;
        arena->current = arena->current->next;
    }
    struct arena_chunk *chunk = add_chunk(arena, size_bytes);
    return chunk ? chunk_take(chunk, size_bytes, alignment) : NULL;
}

void *arena_new(struct arena *arena, size_t n_items, size_t item_bytes, size_t alignment)
{
    size_t size_bytes;
    if (!size_mul(n_items, item_bytes, &size_bytes)) return NULL;
    void *block = arena_alloc(arena, size_bytes, alignment);
    return block ? memset(block, 0, size_bytes) : NULL;
}

bool arena_has(const struct arena *arena, const void *bytes)
{
    for (const struct arena_chunk *chunk = arena->first; chunk; chunk = chunk->next)
        if ((uintptr_t)bytes - (uintptr_t)chunk->bytes < chunk->size_bytes) return true;
    return false;
}

void *arena_copy(struct arena *arena, const void *bytes, size_t n_bytes, size_t alignment)
{
    void *copy = arena_alloc(arena, n_bytes, alignment);
    if (copy && n_bytes) memcpy(copy, bytes, n_bytes);
    return copy;
}

char *arena_copy_string(struct arena *arena, const char *text, size_t n_bytes)
{
    if (n_bytes == SIZE_MAX) return NULL;
    char *copy = arena_alloc(arena, n_bytes + 1, 1);
    if (!copy) return NULL;
    if (n_bytes) memcpy(copy, text, n_bytes);
    copy[n_bytes] = '\0';
    return copy;
}

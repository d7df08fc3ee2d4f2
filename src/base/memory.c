#include "base/memory.h"
#include "hob/memory.h"
#include "base/size.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LARGE_PAGE_BYTES = 2 << 20 };

static atomic_uint_fast64_t n_allocations; /* statistics only: the one global besides the kernel table and log sink */

void *memory_new(size_t n_items, size_t item_bytes)
{
    atomic_fetch_add_explicit(&n_allocations, 1, memory_order_relaxed);
    return calloc(n_items ? n_items : 1, item_bytes ? item_bytes : 1);
}

void *memory_resize(void *block, size_t n_items, size_t item_bytes)
{
    size_t size_bytes;
    if (!size_mul(n_items, item_bytes, &size_bytes)) return NULL;
    atomic_fetch_add_explicit(&n_allocations, 1, memory_order_relaxed);
    return realloc(block, size_bytes ? size_bytes : 1);
}

void *memory_aligned(size_t size_bytes)
{
    if (size_bytes > SIZE_MAX - 64) return NULL;
    atomic_fetch_add_explicit(&n_allocations, 1, memory_order_relaxed);
    return aligned_alloc(64, size_align(size_bytes ? size_bytes : 1, 64));
}

void *memory_large(size_t size_bytes)
{
    if (size_bytes < LARGE_PAGE_BYTES || size_bytes > SIZE_MAX - LARGE_PAGE_BYTES) return memory_aligned(size_bytes);
    size_bytes = size_align(size_bytes, LARGE_PAGE_BYTES);
    atomic_fetch_add_explicit(&n_allocations, 1, memory_order_relaxed);
    void *block = aligned_alloc(LARGE_PAGE_BYTES, size_bytes);
    if (block) (void)!madvise(block, size_bytes, MADV_HUGEPAGE); /* a wish: small pages do as well */
    return block;
}

void *memory_reserve(size_t size_bytes)
{
    atomic_fetch_add_explicit(&n_allocations, 1, memory_order_relaxed);
    void *block = mmap(NULL, size_bytes ? size_bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return block == MAP_FAILED ? NULL : block;
}

void memory_unreserve(void *block, size_t size_bytes)
{
    if (block) munmap(block, size_bytes ? size_bytes : 1);
}

char *memory_copy_string(const char *text)
{
    if (!text) return NULL;
    size_t size_bytes = strlen(text) + 1;
    char *copy = memory_new(size_bytes, 1);
    if (copy) memcpy(copy, text, size_bytes);
    return copy;
}

void memory_free(void *block)
{
    free(block);
}

uint64_t memory_n_allocations(void)
{
    return atomic_load_explicit(&n_allocations, memory_order_relaxed);
}

void hob_free(void *block)
{
    memory_free(block);
}

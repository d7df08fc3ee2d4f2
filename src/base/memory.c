#include "base/memory.h"
#include "hob/memory.h"
#include "base/size.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LARGE_PAGE_BYTES = 2 << 20 };

/* Statistics only: the globals besides the kernel table and log sink. */
static atomic_uint_fast64_t n_allocations;
static _Thread_local int64_t n_thread_bytes;

static void *count(void *block)
{
    atomic_fetch_add_explicit(&n_allocations, 1, memory_order_relaxed);
    n_thread_bytes += (int64_t)malloc_usable_size(block);
    return block;
}

void *memory_new(size_t n_items, size_t item_bytes)
{
    return count(calloc(n_items ? n_items : 1, item_bytes ? item_bytes : 1));
}

void *memory_resize(void *block, size_t n_items, size_t item_bytes)
{
    size_t size_bytes;
    if (!size_mul(n_items, item_bytes, &size_bytes)) return NULL;
    int64_t n_old_bytes = (int64_t)malloc_usable_size(block);
    void *resized = realloc(block, size_bytes ? size_bytes : 1);
    if (resized) n_thread_bytes -= n_old_bytes;
    return count(resized);
}

void *memory_aligned(size_t size_bytes)
{
    if (size_bytes > SIZE_MAX - 64) return NULL;
    return count(aligned_alloc(64, size_align(size_bytes ? size_bytes : 1, 64)));
}

void *memory_large(size_t size_bytes)
{
    if (size_bytes < LARGE_PAGE_BYTES / 2 || size_bytes > SIZE_MAX - LARGE_PAGE_BYTES) return memory_aligned(size_bytes);
    size_bytes = size_align(size_bytes, LARGE_PAGE_BYTES);
    void *block = count(aligned_alloc(LARGE_PAGE_BYTES, size_bytes));
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

/* On a failure the pages stay, which harms nobody. */
void memory_discard(void *part, size_t size_bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = ((uintptr_t)part + page - 1) & ~(page - 1), last = ((uintptr_t)part + size_bytes) & ~(page - 1);
    if (last > first) (void)!madvise((char *)part + (first - (uintptr_t)part), last - first, MADV_DONTNEED);
}

void memory_give_back(void)
{
    malloc_trim(0);
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
    n_thread_bytes -= (int64_t)malloc_usable_size(block);
    free(block);
}

int64_t memory_thread_bytes(void)
{
    return n_thread_bytes;
}

uint64_t memory_n_allocations(void)
{
    return atomic_load_explicit(&n_allocations, memory_order_relaxed);
}

void hob_free(void *block)
{
    memory_free(block);
}

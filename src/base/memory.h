/* The only place that asks the C library for heap memory.
 *
 * Memory is zeroed unless it says otherwise, aligned to 64 bytes when asked with memory_aligned. Every block is counted, so
 * that a test can prove that decoding a token allocates nothing. Thread-safe.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* n_items * item_bytes zeroed bytes; NULL when they overflow or memory is out. n_items 0 gives a valid pointer. */
void *memory_new(size_t n_items, size_t item_bytes);
/* Resizes; what grows is not zeroed. NULL leaves the old block as it was. */
void *memory_resize(void *block, size_t n_items, size_t item_bytes);
/* size_bytes of uninitialised memory aligned to 64 bytes; free with memory_free. */
void *memory_aligned(size_t size_bytes);
/* As memory_aligned, for what is as large as weights or activations: the system is asked for large pages, with which a read spends no
 * time on finding addresses. A page is resident as soon as a byte of it is written, so not for what is mostly left empty. */
void *memory_large(size_t size_bytes);
/* Zeroed address space of whole pages, which takes memory page by page as it is written to: for pools that may never fill. Given back with
 * memory_unreserve and the same size. NULL when there is none. */
void *memory_reserve(size_t size_bytes);
void memory_unreserve(void *block, size_t size_bytes); /* takes NULL */
/* The whole pages of a part of such space are empty again: read as zeros, and take memory when they are written to. */
void memory_discard(void *part, size_t size_bytes);
/* What the C library keeps of freed blocks goes back to the system. Takes milliseconds. */
void memory_give_back(void);
char *memory_copy_string(const char *text); /* NULL in, NULL out */
void memory_free(void *block);              /* takes NULL */

/* Heap blocks handed out since the program started. */
uint64_t memory_n_allocations(void);
/* Bytes of the heap blocks that the calling thread asked for, less those that it freed, so far: the difference over a call is what the
 * call left behind. */
int64_t memory_thread_bytes(void);

#endif

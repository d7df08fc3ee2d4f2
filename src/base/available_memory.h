/* How much memory this process can still take: what the kernel thinks it can give without swapping (MemAvailable), or what is left of the
 * limit of a control group that the process is in (version 2 and 1), whichever is less. Reads a few small files; thread-safe.
 *
 *     uint64_t n_bytes = available_memory("");
 */
#ifndef BASE_AVAILABLE_MEMORY_H
#define BASE_AVAILABLE_MEMORY_H

#include <stdint.h>

/* root: stands before /proc and /sys, for tests; "" otherwise. UINT64_MAX: the system does not say. */
uint64_t available_memory(const char *root);

#endif

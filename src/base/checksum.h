/* A fast 64-bit checksum against damage, not against malice: XXH64 (Yann Collet's specification, version 0.1.1), about ten
 * gigabytes a second. The same on every machine. Thread-safe.
 *
 *     uint64_t sum = checksum_bytes(bytes, n_bytes);
 *
 *     struct checksum checksum;                       in parts
 *     checksum_init(&checksum);
 *     checksum_add(&checksum, bytes, n_bytes);
 *     uint64_t sum = checksum_finish(&checksum);
 */
#ifndef BASE_CHECKSUM_H
#define BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

enum { CHECKSUM_STRIPE_BYTES = 32 };

struct checksum {
    uint64_t lanes[4];
    uint64_t n_bytes;                             /* so far */
    unsigned char held[CHECKSUM_STRIPE_BYTES];    /* what is not a whole stripe yet */
};

void checksum_init(struct checksum *checksum);
void checksum_add(struct checksum *checksum, const void *bytes, size_t n_bytes);
uint64_t checksum_finish(const struct checksum *checksum);
uint64_t checksum_bytes(const void *bytes, size_t n_bytes);

#endif

/* A weight [N,K] as rows of blocks of 2, 4 or 8 bit integers with a scale and a zero point for each block: com.microsoft's
 * MatMulNBits and GatherBlockQuantized with bytes. Item i of a row stands in byte i * bits / 8, low bits first; zero points that
 * are integers are packed the same way, each row of them from a byte on.
 *
 * Owns nothing. Thread-safe.
 */
#ifndef OPS_QUANT_PACKED_WEIGHT_H
#define OPS_QUANT_PACKED_WEIGHT_H

#include "ops/op.h"

/* Item i of bytes that hold integers of that many bits. */
static inline int packed_item(const uint8_t *bytes, int bits, int64_t i)
{
    const int per_byte = 8 / bits;
    return bytes[i / per_byte] >> i % per_byte * bits & ((1 << bits) - 1);
}

/* Bytes of n such integers. */
static inline int64_t packed_bytes(int bits, int64_t n)
{
    const int per_byte = 8 / bits;
    return n / per_byte + (n % per_byte != 0);
}

#endif

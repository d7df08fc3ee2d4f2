#include "tensor/sub_byte.h"

#include <string.h>

int sub_byte_bits(enum dtype dtype)
{
    switch (dtype) {
    case DTYPE_U4:
    case DTYPE_I4:
    case DTYPE_F4E2M1:
        return 4;
    case DTYPE_U2:
    case DTYPE_I2:
        return 2;
    default:
        return 0;
    }
}

size_t sub_byte_packed_bytes(enum dtype dtype, size_t n_items)
{
    size_t per_byte = 8 / (size_t)sub_byte_bits(dtype);
    return n_items / per_byte + (n_items % per_byte != 0);
}

uint8_t sub_byte_wrap(enum dtype dtype, int64_t x)
{
    unsigned n_values = 1u << sub_byte_bits(dtype), bits = (unsigned)(x & (n_values - 1));
    bool is_negative = (dtype == DTYPE_I4 || dtype == DTYPE_I2) && bits >= n_values / 2;
    return (uint8_t)(is_negative ? bits - n_values : bits);
}

void sub_byte_unpack(enum dtype dtype, const void *packed, size_t n_items, void *ret_items)
{
    const size_t bits = (size_t)sub_byte_bits(dtype), per_byte = 8 / bits;
    const uint8_t *bytes = packed;
    uint8_t *items = ret_items;
    for (size_t i = 0; i < n_items; i++) items[i] = sub_byte_wrap(dtype, bytes[i / per_byte] >> i % per_byte * bits);
}

void sub_byte_pack(enum dtype dtype, const void *items, size_t n_items, void *ret_packed)
{
    const size_t bits = (size_t)sub_byte_bits(dtype), per_byte = 8 / bits;
    const uint8_t *bytes = items;
    uint8_t *packed = ret_packed;
    memset(packed, 0, sub_byte_packed_bytes(dtype, n_items));
    for (size_t i = 0; i < n_items; i++) {
        unsigned low = bytes[i] & ((1u << bits) - 1);
        packed[i / per_byte] = (uint8_t)(packed[i / per_byte] | low << i % per_byte * bits);
    }
}

/* Elements of 2 and 4 bits: a byte each in memory, so that views, slices and copies treat them like any other; packed in files,
 * the first element in the lowest bits. Signed ones are sign-extended in memory, the others have zeros above.
 *
 * Owns nothing, allocates nothing. Thread-safe.
 *
 *     size_t n_bytes = sub_byte_packed_bytes(tensor.dtype, n_items);
 *     sub_byte_unpack(tensor.dtype, file_bytes, n_items, tensor.data);
 */
#ifndef TENSOR_SUB_BYTE_H
#define TENSOR_SUB_BYTE_H

#include "tensor/tensor.h"

/* Bits of an element: 2 or 4; 0 for every other type. */
int sub_byte_bits(enum dtype dtype);
/* Bytes that n_items elements fill in a file. The type is one of 2 or 4 bits. */
size_t sub_byte_packed_bytes(enum dtype dtype, size_t n_items);
/* packed and items do not overlap. */
void sub_byte_unpack(enum dtype dtype, const void *packed, size_t n_items, void *ret_items);
/* Upper bits of each element are dropped; those that the last byte lacks are zeros. */
void sub_byte_pack(enum dtype dtype, const void *items, size_t n_items, void *ret_packed);
/* The lowest bits of x, as memory holds such an element. */
uint8_t sub_byte_wrap(enum dtype dtype, int64_t x);

#endif

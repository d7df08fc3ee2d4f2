/* Runs of numbers of any type, read and written as f32, f64 or i64: what the readable, not hot, loops of operators are
 * made of. Runs have a stride in elements. Floats of 4 and 8 bits and integers of 2 and 4 bits can be loaded, not stored; block
 * formats are not numbers here.
 *
 * Storing rounds to nearest, ties to even, for floats; wraps for integers (callers that must saturate do so first).
 * Loading floats as integers, or storing fractions to integers, is a caller's mistake. Thread-safe.
 *
 *     double x[64];
 *     numbers_load_f64(tensor, offset, stride, 64, x);
 */
#ifndef OPS_NUMBERS_H
#define OPS_NUMBERS_H

#include "tensor/tensor.h"

/* A run of this many numbers is worth a call and fits the stack. */
enum { NUMBERS_RUN = 64 };

/* f16 bf16 f32 f64: what the float loops take. */
bool numbers_is_float(enum dtype dtype);
/* i8…i64, u8…u64, bool. */
bool numbers_is_integer(enum dtype dtype);

float number_from_f16(uint16_t bits);
uint16_t number_to_f16(float number);
float number_from_bf16(uint16_t bits);
uint16_t number_to_bf16(float number); /* NaN stays NaN */

/* Element k of the run is the one at data[offset + k * stride]. f64 takes floats and integers (rounded above 2^53). */
void numbers_load_f64(const struct tensor *tensor, int64_t offset, int64_t stride, size_t n_items, double *ret_items);
void numbers_load_f32(const struct tensor *tensor, int64_t offset, int64_t stride, size_t n_items, float *ret_items);
/* u64 comes as the same bits. */
void numbers_load_i64(const struct tensor *tensor, int64_t offset, int64_t stride, size_t n_items, int64_t *ret_items);

/* u64 keys that compare as the numbers do: for ordering any type with one comparison. -0 equals 0; NaN lies beyond
 * infinity on the side of its sign. */
void numbers_load_keys(const struct tensor *tensor, int64_t offset, int64_t stride, size_t n_items, uint64_t *ret_keys);

void numbers_store_f64(const struct tensor *tensor, int64_t offset, int64_t stride, size_t n_items,
                       const double *items);
void numbers_store_f32(const struct tensor *tensor, int64_t offset, int64_t stride, size_t n_items, const float *items);
void numbers_store_i64(const struct tensor *tensor, int64_t offset, int64_t stride, size_t n_items,
                       const int64_t *items);

#endif

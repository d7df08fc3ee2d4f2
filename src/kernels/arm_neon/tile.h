/* The innermost loop of the float products: a tile of C, at most 6 rows by 16 columns, held in registers while k runs.
 *
 * Each lane is one output and sees the steps of k in order, so the shape of the tile has no influence on the bytes. 6 x 4 sums,
 * four registers of B and one broadcast item are 29 of the 32 registers.
 *
 *     tile_multiply(&(struct tile){.a = a, …, .n_rows = 6, .n_columns = 16, .k = K});
 */
#ifndef KERNELS_ARM_NEON_TILE_H
#define KERNELS_ARM_NEON_TILE_H

#include <stdbool.h>
#include <stdint.h>

enum { TILE_ROWS = 6, TILE_COLUMNS = 16 };

struct tile {
    const float *a;
    int64_t a_row_stride, a_column_stride;
    const float *b;      /* sixteen columns next to each other at every step: all of them can be read */
    int64_t b_step;      /* to the same columns of the next k */
    float *c;            /* columns next to each other */
    int64_t c_stride;
    const float *bias;   /* of column 0 of the tile; NULL: none */
    int64_t n_rows;      /* 1 … TILE_ROWS */
    int64_t n_columns;   /* 1 … TILE_COLUMNS: what c and bias have */
    int64_t k;
    bool is_accumulating; /* start from c instead of 0 */
};

void tile_multiply(const struct tile *tile);

#endif

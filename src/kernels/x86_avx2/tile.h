/* The innermost loop of every matrix product: a tile of C, at most 6 rows by 64 columns, held in registers while k runs.
 *
 * Each register lane is one output and sees the steps of k in order, so the shape of the tile has no influence on the bytes.
 *
 *     tile_multiply(&(struct tile){.a = a, …, .n_rows = 6, .n_columns = 16, .k = K});
 */
#ifndef KERNELS_X86_AVX2_TILE_H
#define KERNELS_X86_AVX2_TILE_H

#include <stdbool.h>
#include <stdint.h>

struct tile {
    const float *a;
    int64_t a_row_stride, a_column_stride;
    const float *b;          /* sixteen columns next to each other at every step, or eight when n_columns <= 8 */
    int64_t b_step;          /* to the same columns of the next k */
    int64_t b_group;         /* to the next sixteen columns of the same k */
    float *c;                /* columns next to each other */
    int64_t c_stride;
    const float *bias;       /* of column 0 of the tile; NULL: none */
    int64_t n_rows;          /* 1 … TILE_ROWS */
    int64_t n_columns;       /* 1 … tile_columns(n_rows); b is read in whole eights or sixteens, c is not */
    int64_t k;
    bool is_accumulating;    /* start from c instead of 0 */
    const char *next;        /* memory to be asked for on the way, next_step bytes a step; NULL: none */
    int64_t next_step;
};

enum { TILE_ROWS = 6 };

/* Columns that a tile of so many rows takes at most: few rows need many columns to keep the multipliers busy. */
static inline int64_t tile_columns(int64_t n_rows)
{
    return n_rows == 1 ? 64 : n_rows <= 3 ? 32 : 16;
}

/* Rows for the next tile when n_rows are left: 8 are better cut 4 + 4 than 6 + 2. */
static inline int64_t tile_rows(int64_t n_rows)
{
    if (n_rows <= TILE_ROWS) return n_rows;
    return n_rows == 7 || n_rows == 8 ? 4 : TILE_ROWS;
}

void tile_multiply(const struct tile *tile);

#endif

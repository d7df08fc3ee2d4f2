/* How much scratch attention needs: a tile of query rows, their scores, and their outputs. */
#include "kernels/kernels.h"

bool attention_scratch_floats(int64_t n_keys, int64_t width, int64_t value_width, size_t *ret_floats)
{
    size_t row;
    return size_add((size_t)n_keys, (size_t)width, &row) && size_add(row, (size_t)value_width, &row) &&
           size_add(row, 3 * 8, &row) && size_mul(row, ATTENTION_TILE_ROWS, ret_floats);
}

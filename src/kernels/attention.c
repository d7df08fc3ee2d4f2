/* How much scratch attention needs: a tile of query rows with their outputs, a tile of keys and values, and the weights between a
 * few of the rows and the keys. */
#include "kernels/attention_tiles.h"

bool attention_scratch_floats(int64_t width, int64_t value_width, size_t *ret_floats)
{
    size_t values, items, rows, keys;
    if (width > INT64_MAX / 2 || value_width > INT64_MAX / 2) return false;
    values = (size_t)attention_value_stride(value_width);
    return size_add(values, (size_t)width, &items) && size_mul(items, ATTENTION_TILE_ROWS, &rows) &&
           size_mul(items, ATTENTION_KEY_TILE, &keys) && size_add(rows, keys, ret_floats) &&
           size_mul((size_t)width, PANEL_COLUMNS, &keys) && size_add(*ret_floats, keys, ret_floats) &&
           size_add(*ret_floats, ATTENTION_FIXED_FLOATS, ret_floats);
}

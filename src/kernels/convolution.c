/* How much scratch depthwise_f32 needs: the offset of each tap and the inside of each line, the rows that one output row reads, and a cacheful more of them. */
#include "kernels/convolution.h"

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

bool depthwise_lines_init(const struct depthwise_f32_args *args, struct depthwise_lines *ret_lines)
{
    int64_t reach, last = args->taps[1] - 1;
    size_t row, n_floats, n_rows, table;
    if (!int64_mul(last, args->dilations[1], &reach) ||
        !int64_mul(args->taps[0] - 1, args->dilations[0], &ret_lines->extent))
        return false;
    ret_lines->extent++;
    ret_lines->n_lines = smaller(args->strides[1], args->taps[1]);
    ret_lines->is_by_tap = args->strides[1] > args->taps[1];
    if (!ret_lines->is_by_tap) reach /= args->strides[1];
    else reach = 0;
    if (!size_add((size_t)args->out_width, (size_t)reach + 16, &n_floats)) return false;
    ret_lines->length = (int64_t)(n_floats & ~(size_t)7);
    if (!size_mul((size_t)ret_lines->length, (size_t)ret_lines->n_lines, &row) ||
        !size_mul(row, (size_t)ret_lines->extent, &n_rows) ||
        !size_mul((size_t)args->taps[0], (size_t)args->taps[1] * 6, &table) ||
        !size_add(n_rows, table + 16 + DEPTHWISE_BAND_FLOATS, &n_floats) || n_floats > INT64_MAX)
        return false;
    ret_lines->row_floats = (int64_t)row;
    ret_lines->table_floats = (int64_t)size_align(table, 16);
    ret_lines->n_rows = ((int64_t)n_rows + DEPTHWISE_BAND_FLOATS) / ret_lines->row_floats;
    ret_lines->scratch_floats = n_floats;
    return true;
}

bool depthwise_scratch_floats(const struct depthwise_f32_args *args, size_t *ret_floats)
{
    struct depthwise_lines lines;
    if (!depthwise_lines_init(args, &lines)) return false;
    *ret_floats = lines.scratch_floats;
    return true;
}

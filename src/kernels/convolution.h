/* The layout of depthwise_f32's scratch, for the tables that use it.
 *
 * Behind a table of offsets, one for each tap and two for each line, lie rows of the input with their pads, each cut into lines so that the outputs' taps
 * lie next to each other whatever the stride: line l of a row holds positions l, l + stride, l + 2 stride, … (a line for each tap
 * where the stride is larger than the kernel). So the loop over outputs knows neither edges nor strides.
 *
 *     struct depthwise_lines lines;
 *     if (!depthwise_lines_init(args, &lines)) …                  too large for the machine
 */
#ifndef KERNELS_CONVOLUTION_H
#define KERNELS_CONVOLUTION_H

#include "kernels/kernels.h"

/* Rows that stay in the first-level cache between being copied and being read. */
enum { DEPTHWISE_BAND_FLOATS = 6144 };

struct depthwise_lines {
    int64_t n_lines, length; /* of a row; length in floats, a multiple of 8, with room to read whole eights */
    int64_t row_floats;      /* n_lines * length */
    int64_t extent;          /* rows that one output row spans */
    int64_t n_rows;          /* that fit the scratch, at least extent */
    int64_t table_floats;    /* an offset (int64_t) for each tap and two for each line, in floats */
    size_t scratch_floats;
    bool is_by_tap;
};

/* false: they overflow. */
HOB_MUST_CHECK bool depthwise_lines_init(const struct depthwise_f32_args *args, struct depthwise_lines *ret_lines);

#endif

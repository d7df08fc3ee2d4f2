/* Small integers to a panel, item by item. */
#include "kernels/generic/generic.h"

static void decode_row(const struct nbits_args *args, int row)
{
    const uint8_t *bytes = args->rows + row * args->row_bytes;
    const float *scales = args->scales + row * args->n_blocks, *zeros = args->zeros + row * args->n_blocks;
    const int per_byte = 8 / args->bits;
    for (int64_t k = 0; k < args->k; k++) {
        int q = bytes[k / per_byte] >> k % per_byte * args->bits & ((1 << args->bits) - 1);
        args->panel[k * PANEL_COLUMNS + row] = ((float)q - zeros[k / args->block]) * scales[k / args->block];
    }
}

void generic_panel_from_nbits(const struct nbits_args *args)
{
    for (int row = 0; row < args->n_rows; row++) decode_row(args, row);
    for (int row = args->n_rows; row < PANEL_COLUMNS; row++)
        for (int64_t k = 0; k < args->k; k++) args->panel[k * PANEL_COLUMNS + row] = 0;
}

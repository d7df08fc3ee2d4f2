/* The block formats' panels, a block of a column at a time: the one place that knows where panel.h's layout puts what. Packing takes
 * ggml's blocks, reading gives small integers and what they are multiplied with; the generic products and panel_unpack_row read.
 *
 * Owns nothing. Thread-safe: different panels may be packed by different threads.
 *
 *     const struct panel_blocks *blocks = panel_blocks_find(DTYPE_Q4_0);
 *     struct panel_column column;
 *     blocks->read(panel_part_at(format, &shape, panel, i), j, &column);   column j of the 16, steps 32 i … 32 i + 31
 */
#ifndef KERNELS_PANEL_BLOCK_H
#define KERNELS_PANEL_BLOCK_H

#include "kernels/panel.h"

enum { PANEL_STEPS = 32 }; /* of K: what shares a scale of the activations */

/* item = d * scale * code + offset, where scale is scales[i / 16] for step i. */
struct panel_column {
    int8_t codes[PANEL_STEPS]; /* the zero point is subtracted */
    float d;
    float m;       /* the offset, or what `min` is multiplied with to be subtracted */
    int scales[2]; /* 1 where the format has none */
    int min;
};

/* What the formats with an offset add to d * scale * code. */
enum panel_offset { PANEL_OFFSET_NONE, PANEL_OFFSET_M, PANEL_OFFSET_MIN };

/* Where the bytes of 32 steps are: of all 16 columns. */
struct panel_part {
    unsigned char *parameters, *details, *codes;
};

struct panel_blocks {
    enum dtype dtype;
    enum panel_offset offset;
    /* Puts one of ggml's blocks into column `column`, whose bytes are zeros so far; part is that of the block's first 32 steps. */
    void (*pack)(const unsigned char *block, int column, struct panel_part part);
    /* `part` is only read. */
    void (*read)(struct panel_part part, int column, struct panel_column *ret_column);
};

/* NULL: not a block format. */
const struct panel_blocks *panel_blocks_find(enum dtype dtype);

/* Steps [32 index, 32 index + 32) of a panel. What is found there is only written by pack. */
struct panel_part panel_part_at(const struct panel_format *format, const struct panel_shape *shape, const void *panel,
                                int64_t index);

#endif

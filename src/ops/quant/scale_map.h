/* Which scale (and zero point) belongs to which element of a quantised tensor: one for all, one for each index of an axis, or
 * one for each block of an axis. Read in runs, so that inner loops do not divide. Owns nothing. Thread-safe.
 *
 *     struct scale_map map;
 *     TRY(scale_map_init(ctx, axis, block_size, &map));
 *     for (int64_t i = begin, n; i < end; i += n) {
 *         struct scale_run run = scale_map_run(&map, i, end - i);
 *         n = run.n_items;                                   item i + k has scale run.index + k * run.step
 *     }
 */
#ifndef OPS_QUANT_SCALE_MAP_H
#define OPS_QUANT_SCALE_MAP_H

#include "ops/op.h"

struct scale_map {
    int64_t inner;    /* elements behind the axis; 0: one scale for all */
    int64_t n_axis;   /* elements along the axis */
    int64_t block;    /* of them that share a scale, 1 where each has its own */
    int64_t n_blocks; /* along the axis; the last may be shorter */
    bool is_blocked;  /* the scale has the rank of the input: the other axes count too */
};

struct scale_run {
    int64_t index, step, n_items; /* step 0 or 1 */
};

/* Input 0 with the scale in input 1 and, if there is one, a zero point of its shape in input 2. block_size 0: none.
 * Fails: HOB_BAD_SHAPE. */
HOB_MUST_CHECK hob_status scale_map_init(struct op_context *ctx, int64_t axis, int64_t block_size,
                                         struct scale_map *ret_map);
/* From element i on (row-major), at most n_items of them, at least one. */
struct scale_run scale_map_run(const struct scale_map *map, int64_t i, int64_t n_items);

#endif

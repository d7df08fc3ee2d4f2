/* How a tensor is walked when some of its axes are folded (summed, normalised over) and the others kept.
 *
 * The kept index space is cut into tiles: runs of up to NUMBERS_RUN neighbours along the last kept axis. A tile is the unit
 * of parallel work; within it every output folds its items one after the other in row-major order of the folded axes, so
 * that a result does not depend on tiles, neighbours or threads. Plain values on the stack; nothing to release.
 *
 *     struct reduction r;
 *     reduction_init(&r, x, is_folded);
 *     struct reduction_tile tile = reduction_tile(&r, index);               index < r.n_tiles
 *     for (int64_t k = 0; k < r.n_folded; k++)
 *         numbers_load_f64(x, tile.offset + reduction_offset(&r, k), tile.stride, tile.n_items, items);
 */
#ifndef OPS_REDUCTION_H
#define OPS_REDUCTION_H

#include "tensor/tensor.h"

struct reduction {
    int kept_rank, folded_rank;
    int64_t kept_dims[TENSOR_MAX_RANK], kept_strides[TENSOR_MAX_RANK];
    int64_t folded_dims[TENSOR_MAX_RANK], folded_strides[TENSOR_MAX_RANK];
    int64_t n_kept, n_folded; /* items: products of the dims */
    int64_t tiles_per_row;    /* of the last kept axis */
    int64_t n_tiles;          /* 0 when n_kept is */
};

struct reduction_tile {
    int64_t offset, stride; /* in the tensor's elements: of the first output's first item, and to the next output's */
    int64_t first_output;   /* row-major index among the kept */
    size_t n_items;         /* 1 … NUMBERS_RUN */
};

/* is_folded has x->rank entries. */
void reduction_init(struct reduction *ret_reduction, const struct tensor *x, const bool *is_folded);
struct reduction_tile reduction_tile(const struct reduction *reduction, int64_t index);
/* Where the folded item of that row-major index lies, relative to its output's first item. */
int64_t reduction_offset(const struct reduction *reduction, int64_t folded_index);
/* The folded items of an output lie next to each other, in order: they are a row that a kernel can take. */
bool reduction_folds_rows(const struct reduction *reduction);
/* The least number of tiles worth a hand-over to another thread. */
size_t reduction_least_tiles(const struct reduction *reduction);

#endif

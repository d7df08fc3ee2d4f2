#include "ops/reduction.h"

#include "ops/numbers.h"

void reduction_init(struct reduction *ret_reduction, const struct tensor *x, const bool *is_folded)
{
    struct reduction r = {.n_kept = 1, .n_folded = 1};
    for (int axis = 0; axis < x->rank; axis++) {
        if (is_folded[axis]) {
            r.folded_dims[r.folded_rank] = x->dims[axis];
            r.folded_strides[r.folded_rank++] = x->strides[axis];
            r.n_folded *= x->dims[axis];
        } else if (x->dims[axis] != 1) {
            r.kept_dims[r.kept_rank] = x->dims[axis];
            r.kept_strides[r.kept_rank++] = x->strides[axis];
            r.n_kept *= x->dims[axis];
        }
    }
    int64_t last = r.kept_rank ? r.kept_dims[r.kept_rank - 1] : 1;
    r.tiles_per_row = (last + NUMBERS_RUN - 1) / NUMBERS_RUN;
    r.n_tiles = r.n_kept ? r.n_kept / last * r.tiles_per_row : 0;
    *ret_reduction = r;
}

struct reduction_tile reduction_tile(const struct reduction *reduction, int64_t index)
{
    const struct reduction *r = reduction;
    if (!r->kept_rank) return (struct reduction_tile){.n_items = 1};
    int last = r->kept_rank - 1;
    int64_t row = index / r->tiles_per_row;
    int64_t begin = index % r->tiles_per_row * NUMBERS_RUN;
    int64_t left = r->kept_dims[last] - begin;
    struct reduction_tile tile = {.offset = begin * r->kept_strides[last],
                                  .stride = r->kept_strides[last],
                                  .first_output = row * r->kept_dims[last] + begin,
                                  .n_items = (size_t)(left < NUMBERS_RUN ? left : NUMBERS_RUN)};
    for (int axis = last - 1; axis >= 0; axis--) {
        tile.offset += row % r->kept_dims[axis] * r->kept_strides[axis];
        row /= r->kept_dims[axis];
    }
    return tile;
}

int64_t reduction_offset(const struct reduction *reduction, int64_t folded_index)
{
    int64_t offset = 0;
    int axis = reduction->folded_rank - 1;
    for (; axis > 0; axis--) {
        offset += folded_index % reduction->folded_dims[axis] * reduction->folded_strides[axis];
        folded_index /= reduction->folded_dims[axis];
    }
    return axis < 0 ? 0 : offset + folded_index * reduction->folded_strides[0];
}

size_t reduction_least_tiles(const struct reduction *reduction)
{
    enum { WORTHWHILE_ITEMS = 1 << 14 };
    int64_t least = WORTHWHILE_ITEMS / NUMBERS_RUN / (reduction->n_folded + 1);
    return least < 1 ? 1 : (size_t)least;
}

bool reduction_folds_rows(const struct reduction *reduction)
{
    int64_t expected = 1;
    for (int axis = reduction->folded_rank - 1; axis >= 0; axis--) {
        if (reduction->folded_dims[axis] != 1 && reduction->folded_strides[axis] != expected) return false;
        expected *= reduction->folded_dims[axis];
    }
    return true;
}

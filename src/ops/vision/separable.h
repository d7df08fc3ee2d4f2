/* Functions of a neighbourhood that can be done axis after axis: maxima, sums, interpolations. How pooling and Resize walk.
 *
 * A tensor is n_units blocks of the same shape, one behind the other (the planes of an image). Each block is cut into bands along
 * its first axis, so that what lies between two passes stays in the cache and a single large plane still keeps every thread busy;
 * within a band the last axis is done first and the first axis last, or before all others if it shrinks. An output item depends on
 * its inputs only, never on its band: bytes do not change with threads. Passes work on f32 or f64; other types are converted, a band
 * at a time, by load and store.
 *
 *     struct separable job = {.rank = 2, .n_units = n * c, .x = x, .y = y, .item_bytes = sizeof(float)};
 *     job.axes[0] = (struct separable_axis){h, out_h, &table[0], max_pass, max_reads};
 *     job.axes[1] = (struct separable_axis){w, out_w, &table[1], max_pass, max_reads};
 *     TRY(separable_run(ctx, &job));
 */
#ifndef OPS_VISION_SEPARABLE_H
#define OPS_VISION_SEPARABLE_H

#include "ops/op.h"

/* What one call of a pass makes: outputs [out_begin,out_end) of the axis. */
struct separable_span {
    int64_t out_begin, out_end;
    int64_t in_begin; /* the input position of the axis that `in` points to */
    int64_t inner;    /* items that lie at one position, next to each other; each has an axis of its own */
};

/* out points to the item of out_begin. in and out hold item_bytes numbers and do not overlap. */
typedef void separable_pass(const void *table, const struct separable_span *span, const void *in, void *out);
/* Input positions [*ret_begin,*ret_end) that output o reads; empty is allowed. */
typedef void separable_reads(const void *table, int64_t o, int64_t *ret_begin, int64_t *ret_end);

struct separable_axis {
    int64_t n_in, n_out;
    const void *table;
    separable_pass *pass;   /* NULL: the axis stays as it is; not for axis 0 */
    separable_reads *reads; /* axis 0 only */
};

struct separable {
    int rank; /* 1 … TENSOR_MAX_RANK */
    struct separable_axis axes[TENSOR_MAX_RANK];
    int64_t n_units;
    const struct tensor *x, *y; /* contiguous; n_units blocks of the axes' n_in and n_out items */
    size_t item_bytes;          /* 4: passes work on float, 8: on double */
    const void *context;        /* for load and store */
    /* x's items [offset,offset+n) as numbers to work on. NULL: x holds such numbers. */
    void (*load)(const void *context, const struct tensor *x, int64_t offset, int64_t n, void *ret_items);
    /* n results for y's items from offset. NULL: they are y's items. y's own memory is what `items` points to when
     * is_stored_in_place, and store finishes them there. */
    void (*store)(const void *context, const struct tensor *y, int64_t offset, int64_t n, void *items);
    bool is_stored_in_place;
};

/* Fails: HOB_LIMIT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status separable_run(struct op_context *ctx, const struct separable *job);

#endif

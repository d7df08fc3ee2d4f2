/* What operators that only move elements share: they know an element's size and nothing else of its type.
 * Thread-safe. Element sizes are whole bytes: block and 4-bit types are turned away by moving_check. */
#ifndef OPS_MOVING_H
#define OPS_MOVING_H

#include "ops/op.h"

#include <string.h>

/* Fails with HOB_BAD_TYPE unless input i holds elements of whole bytes. An absent input passes. */
HOB_MUST_CHECK hob_status moving_check(struct op_context *ctx, int i);

/* infer: output 0 is input 0 under other dims (as many elements): a view where its strides allow one, else a copy that
 * moving_run_copy makes. */
HOB_MUST_CHECK hob_status moving_infer_reshaped(struct op_context *ctx, int rank, const int64_t *dims);
/* run: the elements of input 0 in row-major order. */
HOB_MUST_CHECK hob_status moving_run_copy(struct op_context *ctx);
/* run of an op whose infer only makes views. */
HOB_MUST_CHECK hob_status moving_run_nothing(struct op_context *ctx);

/* Copies source to destination (same shape and type); any strides on both sides; they do not overlap. */
void moving_copy_strided(const struct tensor *source, const struct tensor *destination);

/* An integer tensor's elements as int64 in row-major order, in scratch. Fails: HOB_BAD_TYPE, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status moving_load_indices(struct op_context *ctx, int i, int64_t **ret_indices);
/* index in [-dim, dim-1] to [0, dim-1]. Fails: HOB_BAD_ARGUMENT. */
HOB_MUST_CHECK hob_status moving_normalize_index(struct op_context *ctx, int64_t index, int64_t dim, int64_t *ret_index);

/* output[i0,i1,…] = source[maps[0][i0], maps[1][i1], …], or *fill where a map says MAP_FILL. One map an axis of output,
 * with an entry for each of its positions. output is contiguous; source has any strides. */
enum { MAP_FILL = -1 };
void moving_copy_mapped(const struct tensor *source, const int64_t *const *maps, const void *fill,
                        const struct tensor *output);

/* Fixed sizes become one load and one store. */
static inline void moving_copy_element(void *destination, const void *source, size_t item_bytes)
{
    switch (item_bytes) {
    case 1: memcpy(destination, source, 1); break;
    case 2: memcpy(destination, source, 2); break;
    case 4: memcpy(destination, source, 4); break;
    case 8: memcpy(destination, source, 8); break;
    default: memcpy(destination, source, item_bytes); break;
    }
}

static inline void *moving_element_at(const struct tensor *tensor, int64_t offset)
{
    return (char *)tensor->data + offset * (int64_t)dtype_block_bytes(tensor->dtype);
}

#endif

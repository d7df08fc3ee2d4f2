/* Storage formats of weights that are not f32: half floats and blocks of small integers that share a scale.
 *
 * A row of a weight is n_items items, a whole number of blocks; blocks follow each other without gaps. Decoding is exact
 * (each stored pattern is one f32), encoding rounds to the nearest pattern as the format's reference does. Both are the plain
 * scalar definition; the kernels have fast versions of what is hot. Bytes need no alignment. Thread-safe, no state.
 *
 *     const struct quant_def *quant = quant_find(DTYPE_Q8_0);
 *     quant->decode(n_items, bytes, row);
 */
#ifndef QUANT_QUANT_H
#define QUANT_QUANT_H

#include "tensor/tensor.h"

struct quant_def {
    const char *name;   /* as llama.cpp spells it, lower case: "q8_0" */
    enum dtype dtype;   /* block items and bytes are dtype_block_items(dtype), dtype_block_bytes(dtype) */
    int gguf_id;        /* ggml_type in a GGUF file */
    int block_items;    /* items share a block; 1 for half floats */
    int block_bytes;
    /* n_items: a multiple of block_items. */
    void (*decode)(int64_t n_items, const void *blocks, float *ret_items);
    void (*encode)(int64_t n_items, const float *items, void *ret_blocks); /* NULL: only read */
};

const struct quant_def *quant_find(enum dtype dtype);      /* NULL: no row, as for F32 */
const struct quant_def *quant_find_gguf(int gguf_id);      /* NULL: no row */
const struct quant_def *quant_at(size_t index);            /* NULL behind the last */

#endif

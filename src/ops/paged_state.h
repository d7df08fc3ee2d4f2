/* States in blocks: a KV cache whose positions lie, 64 by 64, in blocks that several texts of a session may share.
 *
 * A block holds the positions of all states of a graph: in each state's part, at offset_bytes, stand the rows of its first head at
 * PAGED_POSITIONS positions, then those of the next head. A text's blocks are named by a table, so its positions need not lie
 * together. Who owns the blocks, and says which are whose, is the engine (engine/kv/kv_cache.h); operators only write and read.
 *
 * The rows of several texts lie end to end in a run: n_new of the first, then those of the next. hob.CacheAppend writes them behind
 * the n_used that each has, and gives a tensor of LAYOUT_PAGED, [1, heads, rows of the run, width], whose data is the
 * struct paged_state: only hob.Attention reads it. */
#ifndef OPS_PAGED_STATE_H
#define OPS_PAGED_STATE_H

#include "tensor/tensor.h"

enum { PAGED_POSITIONS = 64 }; /* of a block: a tile of keys (kernels/kernels.h), so that a result's bytes are those of one piece */

struct paged_text {
    int64_t n_used, n_new;
    const uint32_t *blocks; /* of positions 0 … n_used + n_new - 1; those that n_new fall in are this text's alone */
};

/* What the states of a run have in common. */
struct paged_run {
    const struct paged_text *texts;
    size_t n_texts;
    int64_t n_rows;       /* all texts' n_new */
    unsigned char *bytes; /* block i begins at bytes + i * block_bytes */
    size_t block_bytes;
};

/* A state's part of each block. */
struct paged_place {
    enum dtype dtype;          /* float32, float16, q8_0 or q4_0 */
    int64_t n_heads, width;
    size_t offset_bytes, row_bytes;
};

struct paged_state {
    struct paged_place place;
    const struct paged_run *run;
};

#endif

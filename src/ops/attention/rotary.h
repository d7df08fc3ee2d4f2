/* Turning heads by cosines and sines from caches: what the RotaryEmbedding operators and attention with rotary inside share.
 * Nothing here owns memory. Thread-safe.
 *
 *     struct rotary rotary = {.cos = cos, .sin = sin, .positions = positions, .n_dims = 64};
 *     rotary_run(ctx, &rotary, &q, &turned);
 */
#ifndef OPS_ATTENTION_ROTARY_H
#define OPS_ATTENTION_ROTARY_H

#include "ops/op.h"

struct rotary {
    const float *cos, *sin;   /* rows of n_dims / 2, contiguous */
    const int64_t *positions; /* [B,T]: which row; every one within the caches */
    int64_t n_dims;           /* of each head, from its first: even, 0 turns nothing */
    bool is_interleaved;      /* pairs (2i, 2i+1) instead of (i, i + n_dims/2) */
};

/* x and y f32, dims [B,H,T,K], any strides but 1 for the last axis; y may be x. n_dims <= K. */
void rotary_run(struct op_context *ctx, const struct rotary *rotary, const struct tensor *x, const struct tensor *y);

#endif

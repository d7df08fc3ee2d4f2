/* Scaled dot-product attention over tensors: cuts the work into blocks of query rows for kernels->attention_f32. Shared by
 * hob.Attention and the attention operators of other domains, which only differ in how q, k, v and the mask come about. */
#ifndef OPS_ATTENTION_H
#define OPS_ATTENTION_H

#include "ops/op.h"

/* All f32. q [B,H,T,K], k [B,Hkv,S,K], v [B,Hkv,S,Kv], out [B,H,T,Kv]; H % Hkv == 0; any strides, but 1 for out's last axis. */
struct attention {
    struct tensor q, k, v, out;
    struct tensor mask; /* broadcast to [B,H,T,S], added to the scaled scores; data NULL: none */
    float scale;
    bool is_causal;          /* query t sees the keys up to S - T + t */
    const int64_t *segments; /* rows segments[i]..segments[i+1] see each other only (B 1, T == S); NULL: no segments */
    int64_t n_segments;
};

/* out's bytes depend neither on the pool, nor on T (chunks), nor on other segments. */
HOB_MUST_CHECK hob_status attention_run(struct op_context *ctx, const struct attention *attention);

#endif

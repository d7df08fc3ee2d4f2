/* Scaled dot-product attention over tensors, shared by every operator that attends: they only differ in how q, k, v, the mask
 * and the limits come about.
 *
 * What kernels->attention_f32 knows (a mask, a causal limit, keys that count, windows, a soft cap) goes there, cut into blocks of
 * query rows. Sinks, scores that somebody wants to see, and f64 take attention_rows.c, a query row at a time.
 *
 *     struct attention attention = {.q = q, .k = k, .v = v, .out = out, .scale = 0.125f, .is_causal = true};
 *     TRY(attention_run(ctx, &attention));
 */
#ifndef OPS_ATTENTION_H
#define OPS_ATTENTION_H

#include "ops/op.h"

/* How far the scores have come when they are written out. */
enum attention_stage {
    ATTENTION_PRODUCT,      /* q kT * scale, of unseen keys too */
    ATTENTION_CAPPED,       /* the same after the soft cap */
    ATTENTION_MASKED,       /* plus the mask; unseen keys are -inf */
    ATTENTION_SEEN,         /* the same, but that unseen keys are 0 */
    ATTENTION_PROBABILITIES /* after the softmax; unseen keys are 0 */
};

/* All f32 or all f64; k and v may be f16, or both a cache in blocks (LAYOUT_PAGED), where q is f32 and the kernel knows the rest: over
 * blocks B is 1, the rows of T are those of the cache's texts end to end, and there is no mask. q [B,H,T,K], k [B,Hkv,S,K], v [B,Hkv,S,Kv], out [B,H,T,Kv]; H % Hkv == 0, query head h reads KV head
 * h / (H / Hkv); any strides, but 1 for out's last axis. A query that sees no key, or only keys with a score of -inf, gives
 * zeros. Members that are left 0 or NULL do nothing. */
struct attention {
    struct tensor q, k, v, out;
    struct tensor mask; /* broadcast to [B,H,T,S], added to the scaled scores; data NULL: none */
    float scale;
    bool is_causal;          /* query t sees the keys up to its own position, n_before + t */
    const int64_t *segments; /* rows segments[i]..segments[i+1] see each other only (B 1, T == S); NULL: no segments */
    int64_t n_segments;
    const int64_t *n_before; /* [B]: the position of query 0 among the keys; NULL: S - T */
    const int64_t *n_keys;   /* [B]: keys that count; NULL: S. Those behind may hold anything */
    int64_t left_window;     /* a query at position p sees only keys above p - left_window … */
    int64_t right_window;    /* … and below p + right_window */
    float softcap;           /* scores become softcap * tanh(score / softcap) before the mask is added */
    const float *sinks;      /* [H]: exp(sink) joins the sum that probabilities are divided by */
    enum dtype softmax_type; /* f16, bf16: scores and probabilities are rounded to it; f64: the softmax is f64 */
    struct tensor scores;    /* [B,H,T,S], rows contiguous: what to write at scores_stage; data NULL: nothing */
    enum attention_stage scores_stage;
};

/* The keys begin..end that query t of batch row b sees. */
struct key_range {
    int64_t begin, end;
};
struct key_range attention_range(const struct attention *attention, int64_t b, int64_t t);

/* out's bytes depend neither on the pool, nor on T (chunks), nor on other rows, segments or unseen keys. */
HOB_MUST_CHECK hob_status attention_run(struct op_context *ctx, const struct attention *attention);

#endif

/* How attention operators look at their inputs: packed heads as [B,H,T,K], a past joined with new keys or values, and one
 * working type for all numbers (f32, or f64 where an input is). Nothing here owns memory: copies lie in the node's scratch.
 *
 *     struct tensor q = heads_split(ctx->inputs[0], n_heads), keys;
 *     TRY(heads_join(ctx, past, &fresh, op_output(ctx, 1), &keys));
 *     TRY(heads_convert(ctx, &keys, DTYPE_F32, &attention.k));
 */
#ifndef OPS_ATTENTION_HEADS_H
#define OPS_ATTENTION_HEADS_H

#include "ops/op.h"

/* [B,T,H*K] as [B,H,T,K]: a view. dims[2] % n_heads == 0. */
struct tensor heads_split(const struct tensor *x, int64_t n_heads);
/* Contiguous items of [B,T,H*K] (is_packed) or [B,H,T,K], as dims [B,H,T,K]. Sizes must have been checked. */
struct tensor heads_over(void *items, enum dtype dtype, const int64_t dims[4], bool is_packed);
/* past ++ fresh along axis 2, both [B,H,…,K] of one type and any strides. Written to present (contiguous) when that is wanted,
 * else to scratch; without a past and a present, fresh itself. */
HOB_MUST_CHECK hob_status heads_join(struct op_context *ctx, const struct tensor *past, const struct tensor *fresh,
                                     const struct tensor *present, struct tensor *ret_joined);
/* x itself if it has that type (f32 or f64), else converted; any number type. x NULL gives data NULL. */
HOB_MUST_CHECK hob_status heads_convert(struct op_context *ctx, const struct tensor *x, enum dtype dtype,
                                        struct tensor *ret_x);
/* Where to write y's items in row-major order as dtype (f32 or f64); NULL for y NULL. heads_finish converts them. */
HOB_MUST_CHECK hob_status heads_output(struct op_context *ctx, const struct tensor *y, enum dtype dtype,
                                       void **ret_items);
void heads_finish(struct op_context *ctx, const void *items, enum dtype dtype, const struct tensor *y);

#endif

/* The masks of com.microsoft's Attention, QAttention and MultiHeadAttention: which keys count, in the shapes that exporters
 * write, and a bias on the scores.
 *
 *     struct ms_mask mask = {.keys = op_input(ctx, 3), .bias = op_input(ctx, 5), .filter = -10000, .B = B, …};
 *     TRY(ms_mask_apply(ctx, &mask, &attention));
 */
#ifndef OPS_ATTENTION_MS_MASK_H
#define OPS_ATTENTION_MS_MASK_H

#include "ops/attention/attention.h"

struct ms_mask {
    /* i32, NULL: every key counts. [B] keys that count; [2B] ends, then starts; [3B+2] keys that count, then what packing needs;
     * [B,S] and [B,T,S] truths; [B,1,M,M] truths of a square that begins at position 0. */
    const struct tensor *keys;
    const struct tensor *bias; /* [1 or B, 1 or H, T, S], NULL: none */
    float filter;              /* added to the score of a key that does not count */
    int64_t B, H, T, P, S;     /* P past positions of S */
};

/* Sets attention->mask, in scratch. Fails: HOB_BAD_SHAPE. */
HOB_MUST_CHECK hob_status ms_mask_apply(struct op_context *ctx, const struct ms_mask *mask,
                                        struct attention *attention);

#endif

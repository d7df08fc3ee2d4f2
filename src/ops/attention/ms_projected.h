/* What com.microsoft's Attention and QAttention share: everything but the projection of the input to q, k and v. */
#ifndef OPS_ATTENTION_MS_PROJECTED_H
#define OPS_ATTENTION_MS_PROJECTED_H

#include "ops/op.h"

/* Which input is what; 0: not among them. */
struct projected_inputs {
    int mask, past, score_bias, past_length;
};

struct projected_params {
    struct projected_inputs inputs;
    int64_t n_heads;
    bool is_unidirectional;
    bool has_rotary;
    int64_t n_rotary_dims; /* 0: the whole head */
    bool shares_buffer;    /* past and present are one buffer with room for more than it holds */
    float scale, mask_filter;
    int64_t widths[3]; /* qkv_hidden_sizes; 0: a third of the weight each */
};

HOB_MUST_CHECK hob_status projected_prepare(const struct op_prepare *node, const struct projected_inputs *inputs,
                                            void **ret_params);
/* Checks input [B,T,D], weight [D,widths] and past, and sets the outputs, of type dtype. */
HOB_MUST_CHECK hob_status projected_infer(struct op_context *ctx, const struct tensor *weight, enum dtype dtype);
/* projected: [B*T, q | k | v] in scratch, bias included; changed when q and k are turned. */
HOB_MUST_CHECK hob_status projected_run(struct op_context *ctx, const struct tensor *weight, float *projected);

#endif

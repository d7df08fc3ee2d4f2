/* The decoder that Llama made common: a norm before each part, rotary positions, grouped-query attention, a gated feed-forward
 * part. The architectures of that family are this with few differences, which are what struct rotary_decoder says.
 *
 * Source: Touvron et al. 2023 (Llama), Ainslie et al. 2023 (grouped-query attention), Su et al. 2021 (rotary positions).
 *
 *     struct rotary_decoder decoder = {.has_qkv_bias = true, .rope_base = 10000};
 *     TRY(rotary_decoder_read(draft, &decoder, error));
 *     return rotary_decoder_build(draft, &decoder, error);
 */
#ifndef MODELS_ROTARY_DECODER_H
#define MODELS_ROTARY_DECODER_H

#include "models/draft.h"
#include "models/layer_pattern.h"
#include "models/rope.h"

/* How q, k and v come out of their matrices. */
enum qkv_layout {
    QKV_SEPARATE,
    QKV_ROWS,    /* one matrix: all of q, all of k, all of v */
    QKV_BY_HEAD, /* one matrix: q, k and v of the first head, then of the next */
};

/* Norms of q and k before they turn. */
enum head_norm {
    HEAD_NORM_NONE,
    HEAD_NORM_EACH, /* over each head, weights shared */
    HEAD_NORM_WHOLE /* over all heads together */
};

enum feed_forward {
    FEED_SWIGLU,       /* down(silu(gate) * up) */
    FEED_SWIGLU_FUSED, /* the same, gate and up in one matrix */
    FEED_GEGLU,        /* down(gelu_tanh(gate) * up) */
    FEED_GELU          /* down(gelu(up)) */
};

struct rotary_decoder {
    enum norm_kind norm;
    bool is_norm_zero_centred; /* weights hold what is to be added to 1 */
    bool lacks_pre_norms;      /* parts read what the last one left */
    bool has_post_norms;       /* behind attention and the feed-forward part, before their residuals */
    bool is_parallel;          /* both parts read the same x, and their sum is added to it */
    bool shares_norm;          /* … through one norm */
    enum qkv_layout qkv;
    enum head_norm head_norm;
    bool has_qkv_bias, has_output_bias, has_ff_bias, has_head_bias;
    enum feed_forward feed;
    const char *gelu;       /* FEED_GELU: the activation when the file does not say, as config.json spells it */
    double rope_base;       /* when the file does not say */
    double rope_local_base; /* of layers with a window; 0: as the others */
    bool is_interleaved;    /* pairs (2i, 2i+1) turn, not (i, i + R/2) */
    struct window_rule window;
    int64_t unturned_period; /* the last of each so many layers has no positions; 0: all have */

    /* What architectures set behind rotary_decoder_read; 0: none. */
    float embedding_scale, residual_scale, attention_scale, logit_scale, attention_softcap, logit_softcap;

    /* Filled by rotary_decoder_read. */
    float epsilon;
    const char *approximate; /* hob.Gelu's */
    struct rope rope, local_rope;
    struct layer_windows windows;
    const bool *is_unturned; /* [n_layers] */
};

/* Module names of Hugging Face's Llama, which most of the family kept. */
extern const char *const rotary_decoder_hf_names[TENSOR_ROLE_COUNT];

/* Hyperparameters, into draft and decoder. Fails: HOB_BAD_FILE, HOB_UNSUPPORTED (names the key). */
HOB_MUST_CHECK hob_status rotary_decoder_read(struct draft *draft, struct rotary_decoder *decoder, hob_error *error);
/* Biases of attention and of the feed-forward part: as config.json says (no word: none), or as a GGUF's tensors are. */
HOB_MUST_CHECK hob_status rotary_decoder_read_biases(struct draft *draft, struct rotary_decoder *decoder,
                                                     hob_error *error);
/* The whole graph. Fails: as rope_scale; what fails in a node or tensor sticks in draft->builder. */
HOB_MUST_CHECK hob_status rotary_decoder_build(struct draft *draft, struct rotary_decoder *decoder, hob_error *error);

#endif

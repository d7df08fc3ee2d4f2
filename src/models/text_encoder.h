/* Encoders of whole sentences that share BERT's skeleton: embeddings and their norm, then layers of attention that looks both ways and
 * a feed-forward part. What differs between the architectures is in struct text_encoder: where the norms stand, how positions come in,
 * which biases there are and how the feed-forward part is gated. Sentences of a batch lie end to end; `segments` keeps them apart.
 *
 * A plain value on the stack of an architecture's build. Thread-safe for different drafts.
 *
 *     struct text_encoder encoder = {.has_qkv_bias = true, …, .epsilon = 1e-12, .distance_bias = VALUE_NONE};
 *     TRY(text_encoder_read(draft, &encoder, error));
 *     draft_begin(draft);
 *     text_encoder_build(draft, &encoder);
 */
#ifndef MODELS_TEXT_ENCODER_H
#define MODELS_TEXT_ENCODER_H

#include "models/draft.h"
#include "models/sequence_head.h"

/* How the feed-forward part's first product is gated: down(act(gate) * up). */
enum encoder_gate {
    GATE_NONE,  /* down(act(up)) */
    GATE_APART, /* a matrix each */
    GATE_FIRST, /* one matrix: the gate's rows, then up's */
    GATE_LAST   /* one matrix: up's rows, then the gate's */
};

/* Rotary positions of some layers; base 0: none. */
struct encoder_rope {
    float base;
    uint32_t factors; /* what each frequency is divided by; VALUE_NONE: 1 */
};

enum { POSITIONS_NOT_LEARNED = -1 };

struct text_encoder {
    bool is_pre_norm;      /* norms in front of each part and one at the end; else behind each sum (BERT) */
    bool lacks_first_norm; /* pre-norm: the first layer's attention reads the embeddings' norm as it is */
    bool has_qkv_bias, has_output_bias, has_up_bias, has_down_bias;
    bool lacks_norm_bias;
    bool is_silu; /* the activation; else gelu */
    enum encoder_gate gate;
    float epsilon;          /* of the norms: what the file says, by default this */
    int64_t n_token_types;  /* 0: no embedding of types */
    int64_t first_position; /* the row of the first token's learned position, or POSITIONS_NOT_LEARNED */
    uint32_t distance_bias; /* added to the scores, by distance; VALUE_NONE: nothing */
    struct encoder_rope rope;
    struct encoder_rope local_rope; /* of the layers that see a window only */
    int64_t
        global_every; /* layers 0, n, 2n … see everything, the others half_window keys to each side; 0: all see everything */
    int64_t half_window;
    const char *gelu;  /* set by text_encoder_read: Gelu's `approximate` */
    struct sequence_head head; /* of a classifier */
};

/* Hugging Face's names in BERT and RoBERTa, by role; what stands on them differs. */
#define TEXT_ENCODER_BERT_NAMES \
    [TENSOR_TOKEN_EMBEDDING] = "embeddings.word_embeddings", [TENSOR_POSITION_EMBEDDING] = "embeddings.position_embeddings", \
    [TENSOR_TYPE_EMBEDDING] = "embeddings.token_type_embeddings", [TENSOR_EMBEDDING_NORM] = "embeddings.LayerNorm", \
    [TENSOR_Q] = "encoder.layer.#.attention.self.query", [TENSOR_K] = "encoder.layer.#.attention.self.key", \
    [TENSOR_V] = "encoder.layer.#.attention.self.value", [TENSOR_ATTENTION_OUTPUT] = "encoder.layer.#.attention.output.dense", \
    [TENSOR_ATTENTION_OUTPUT_NORM] = "encoder.layer.#.attention.output.LayerNorm", \
    [TENSOR_FF_UP] = "encoder.layer.#.intermediate.dense", [TENSOR_FF_DOWN] = "encoder.layer.#.output.dense", \
    [TENSOR_LAYER_OUTPUT_NORM] = "encoder.layer.#.output.LayerNorm"

/* Shape, feed-forward width, epsilon and activation; refuses decoders, and heads that are not width / heads wide. */
HOB_MUST_CHECK hob_status text_encoder_read(struct draft *draft, struct text_encoder *encoder, hob_error *error);
/* Token types as the file counts them; files that were converted from a model without them have no tensor. */
HOB_MUST_CHECK hob_status text_encoder_read_types(struct draft *draft, struct text_encoder *encoder, int64_t fallback,
                                                  hob_error *error);
/* Learned positions that begin behind the padding token's, as RoBERTa counts them: so many fewer tokens fit. */
HOB_MUST_CHECK hob_status text_encoder_skip_padding(struct draft *draft, struct text_encoder *encoder,
                                                    hob_error *error);
/* Fails: HOB_UNSUPPORTED naming key unless the file says `expected` or nothing. */
HOB_MUST_CHECK hob_status text_encoder_want(const struct draft *draft, enum model_key key, bool expected,
                                            hob_error *error);
/* draft_begin must have been called. */
void text_encoder_build(struct draft *draft, const struct text_encoder *encoder);

#endif

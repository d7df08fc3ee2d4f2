/* A model being drawn up: the hyperparameters that transformers share and the pieces they are made of, so
 * that an architecture's file reads like its paper. Tensors are checked against the shape they must have;
 * nodes and tensors that fail stick in the builder (the first failure counts) and every later call does
 * nothing.
 *
 * Lives on the stack of model_build; owns nothing. Not thread-safe.
 *
 *     TRY(draft_read_shape(draft, error));
 *     uint32_t x = draft_embed(draft, TENSOR_TOKEN_EMBEDDING, draft->n_vocab, draft_ids(draft));
 *     struct norm norm = {.role = TENSOR_ATTENTION_NORM, .layer = 3, .kind = NORM_RMS, .epsilon = 1e-5};
 *     x = draft_norm(draft, &norm, x);
 *     x = draft_linear(draft, &(struct linear){.role = TENSOR_Q, .layer = 3, .n = n, .k = k}, x);
 */
#ifndef MODELS_DRAFT_H
#define MODELS_DRAFT_H

#include "graph/builder.h"
#include "models/model.h"
#include "models/source.h"

struct draft {
    struct builder builder;
    const struct model_source *source;
    struct model_info *info;
    int64_t n_layers, width, n_heads, n_kv_heads, head_width, ff_width, n_vocab, n_context;
    enum dtype cache_dtype;                                    /* of keys and values */
    uint32_t ids, positions;                                   /* inputs */
    uint32_t segments;                                         /* encoders' and embedders' input; else VALUE_NONE */
    uint32_t query_shape, key_shape, merged_shape, first_axis; /* constants that every layer's views share */
};

/* Layers, width, heads, vocabulary and context, checked against each other, into draft and draft->info. */
HOB_MUST_CHECK hob_status draft_read_shape(struct draft *draft, hob_error *error);
/* fallback KEY_REQUIRED: the file must say. */
HOB_MUST_CHECK hob_status draft_read_ff_width(struct draft *draft, int64_t fallback, hob_error *error);
/* Gelu's `approximate` as the file's activation says; fails on another activation. */
bool draft_has(const struct draft *draft, enum tensor_role role, enum tensor_part part); /* in layer 0 */
HOB_MUST_CHECK hob_status draft_read_gelu(struct draft *draft, const char *fallback, const char **ret_approximate,
                                          hob_error *error);

/* int64 [dim_name] */
uint32_t draft_input(struct draft *draft, const char *name, const char *dim_name);
/* ids, positions and, where whole texts are embedded, segments; and the constants of the views. */
void draft_begin(struct draft *draft);

/* The tensor as a constant in the file's type (float64 becomes float32). layer: where the role has one. */
uint32_t draft_weight(struct draft *draft, enum tensor_role role, int64_t layer, int rank, const int64_t *dims);
/* A matrix that the file has as [k,n], seen as [n,k]. */
uint32_t draft_transposed(struct draft *draft, enum tensor_role role, int64_t layer, int64_t n, int64_t k);
/* [n_items] float32, converted if need be; offset is added. */
uint32_t draft_offset_vector(struct draft *draft, enum tensor_role role, int64_t layer, int64_t n_items, float offset);
/* [n_items] float32, converted if need be. */
uint32_t draft_vector(struct draft *draft, enum tensor_role role, enum tensor_part part, int64_t layer,
                      int64_t n_items);

/* Rows of a table [n_rows, width] as float32: ids [T] → [T, width]. */
uint32_t draft_gather(struct draft *draft, uint32_t table, uint32_t ids);
uint32_t draft_embed(struct draft *draft, enum tensor_role role, int64_t n_rows, uint32_t ids);

struct linear {
    enum tensor_role role;
    int64_t layer, n, k;
    bool has_bias;
    bool is_input_first; /* the file has [k,n] (GPT-2's Conv1D) */
};
/* x [..,k] → [..,n] */
uint32_t draft_linear(struct draft *draft, const struct linear *linear, uint32_t x);

enum norm_kind { NORM_RMS, NORM_LAYER };
struct norm {
    enum tensor_role role;
    int64_t layer;
    enum norm_kind kind;
    float epsilon;
    bool lacks_bias; /* NORM_LAYER without one */
    int64_t width;       /* of the last axis; 0: draft->width */
    bool is_zero_centred; /* the file holds the weights minus 1 (Gemma) */
};
/* Over the last axis. */
uint32_t draft_norm(struct draft *draft, const struct norm *norm, uint32_t x);

uint32_t draft_add(struct draft *draft, uint32_t a, uint32_t b);
uint32_t draft_gelu(struct draft *draft, const char *approximate, uint32_t x);
uint32_t draft_scale(struct draft *draft, uint32_t x, float factor);
/* cap * tanh(x / cap) */
uint32_t draft_softcap(struct draft *draft, uint32_t x, float cap);
/* x [..,sum of sizes] → n_parts views of the last axis. */
void draft_split(struct draft *draft, uint32_t x, const int64_t *sizes, uint32_t n_parts, uint32_t *ret_parts);

/* [T, heads*K] → [T, heads, K] */
uint32_t draft_split_heads(struct draft *draft, uint32_t x, bool is_query);
struct cached_attention {
    int64_t layer;
    float scale;         /* of the scores; 0: 1 / sqrt(K) */
    float softcap;       /* 0: none */
    int64_t left_window; /* keys a query sees, itself among them; 0: all */
};
/* Causal attention over the KV cache of the layer, which k and v are appended to; in an embedder over the
 * text's own keys.
 * q [T,H,K], k and v [T,Hkv,K] → [T, H*K] */
uint32_t draft_cached_attention(struct draft *draft, const struct cached_attention *attention, uint32_t q, uint32_t k,
                                uint32_t v);
struct packed_attention {
    uint32_t distance_bias; /* [1 or H, 2R-1] as hob.Attention takes it; VALUE_NONE: none */
    int64_t half_window;    /* how far to each side a query sees; 0: everything */
};
/* Attention within each sentence of a packed batch, to both sides. Shapes as above, H == Hkv. */
uint32_t draft_packed_attention(struct draft *draft, const struct packed_attention *attention, uint32_t q, uint32_t k,
                                uint32_t v);

/* Whether a decoder's graph is drawn up for its hidden states: the file says how to pool them, or what labels they have. */
bool draft_is_embedder(const struct draft *draft);
/* Ends an embedder: the last norm of all rows, and a classifier's head. */
void draft_finish_embedder(struct draft *draft, uint32_t x, const struct norm *norm);
/* The wanted rows of x [T,D], the last norm, and logits [R,V] from the head, or from token_embedding where the file has
 * none (tied). */
uint32_t draft_logits(struct draft *draft, uint32_t x, const struct norm *norm, uint32_t token_embedding, bool has_bias);
/* Ends a decoder with these logits, without a bias; an embedder as above. */
void draft_finish_decoder(struct draft *draft, uint32_t x, const struct norm *norm, uint32_t token_embedding);

#endif

/* What turns an encoder into a classifier: a row pooled from each text's hidden states, perhaps a layer, and a number a label.
 *
 *     info->kind = sequence_head_is_there(source) ? MODEL_CLASSIFIER : …
 *     sequence_head_build(draft, &(struct sequence_head){.activation = HEAD_TANH}, hidden);
 */
#ifndef MODELS_SEQUENCE_HEAD_H
#define MODELS_SEQUENCE_HEAD_H

#include "models/draft.h"

/* Of the layer between. */
enum head_activation { HEAD_TANH, HEAD_RELU, HEAD_GELU };

struct sequence_head {
    enum head_activation activation;
    hob_pooling pooling; /* HOB_POOLING_DEFAULT: the first token's row */
    bool is_bare;        /* no layer between */
    bool has_norm;       /* behind the activation, without a bias */
    float epsilon;       /* of it */
};

/* config.json names a class for sequence classification; a GGUF file has llama.cpp's "rank" pooling, or is older than that and has the
 * tensors. */
bool sequence_head_is_there(const struct model_source *source);
/* hidden [T,D] → the graph's output label_logits [n,L]. */
void sequence_head_build(struct draft *draft, const struct sequence_head *head, uint32_t hidden);
/* draft->info->labels, once there is a head. Fails as model_read_labels. */
HOB_MUST_CHECK hob_status sequence_head_read_labels(struct draft *draft, hob_error *error);

#endif

/* How a language model's graph ends: in logits, or where it embeds or classifies in hidden states and what stands on them. */
#include "models/draft.h"

#include "base/size.h"
#include "models/sequence_head.h"

#define INPUTS(...) (const uint32_t[]){__VA_ARGS__}, (uint32_t)ARRAY_LENGTH(((const uint32_t[]){__VA_ARGS__}))
#define NO_ATTRIBUTES NULL, 0

void draft_finish_embedder(struct draft *d, uint32_t x, const struct norm *norm)
{
    x = draft_norm(d, norm, x);
    if (d->info->kind == MODEL_CLASSIFIER) sequence_head_build(d, &(struct sequence_head){.pooling = HOB_POOLING_LAST, .is_bare = true}, x);
    else builder_output(&d->builder, "hidden", x);
}

uint32_t draft_logits(struct draft *d, uint32_t x, const struct norm *norm, uint32_t token_embedding, bool has_bias)
{
    uint32_t rows = draft_input(d, "rows", "R");
    x = builder_op(&d->builder, "Gather", INPUTS(x, rows), NO_ATTRIBUTES);
    x = draft_norm(d, norm, x);
    uint32_t head = token_embedding;
    if (draft_has(d, TENSOR_HEAD, PART_WEIGHT))
        head = draft_weight(d, TENSOR_HEAD, 0, 2, (const int64_t[]){d->n_vocab, d->width});
    if (!has_bias) return builder_op(&d->builder, "hob.Linear", INPUTS(x, head), NO_ATTRIBUTES);
    uint32_t bias = draft_vector(d, TENSOR_HEAD, PART_BIAS, 0, d->n_vocab);
    return builder_op(&d->builder, "hob.Linear", INPUTS(x, head, bias), NO_ATTRIBUTES);
}

void draft_finish_decoder(struct draft *d, uint32_t x, const struct norm *norm, uint32_t token_embedding)
{
    if (draft_is_embedder(d)) draft_finish_embedder(d, x, norm);
    else builder_output(&d->builder, "logits", draft_logits(d, x, norm, token_embedding, false));
}

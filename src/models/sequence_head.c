/* Hugging Face's classes for sequence classification, and llama.cpp's "rank" pooling, which knows one layer with tanh (gelu in
 * ModernBERT), perhaps a norm, and the labels' rows; either of the two matrices may be missing. */
#include "models/sequence_head.h"

#include "base/error.h"
#include "models/labels.h"

#include <string.h>

static const char class_suffix[] = "ForSequenceClassification";
enum { GGUF_POOLING_NONE, GGUF_POOLING_RANK = 4 };

static bool has_tensor(const struct model_source *source, enum tensor_role role)
{
    char name[SOURCE_NAME_BYTES];
    return model_source_tensor(source, role, PART_WEIGHT, 0, name) != NULL;
}

bool sequence_head_is_there(const struct model_source *source)
{
    const char *class;
    int64_t pooling;
    hob_error ignored;
    if (source->def->kind == MODEL_STATIC) return false;
    if (model_source_is_gguf(source)) {
        if (model_source_int(source, KEY_POOLING, GGUF_POOLING_NONE, &pooling, &ignored) != HOB_OK) return false; /* said by who reads it */
        return pooling == GGUF_POOLING_RANK || (pooling == GGUF_POOLING_NONE && has_tensor(source, TENSOR_LABELS));
    }
    if (model_source_item_text(source, KEY_ARCHITECTURES, 0, &class, &ignored) != HOB_OK) return false;
    size_t n_bytes = strlen(class), n_suffix = strlen(class_suffix);
    return n_bytes > n_suffix && !strcmp(class + n_bytes - n_suffix, class_suffix);
}

/* ---- nodes ---- */

static uint32_t pool(struct draft *d, hob_pooling pooling, uint32_t x)
{
    const char *kind = pooling == HOB_POOLING_MEAN ? "mean" : pooling == HOB_POOLING_LAST ? "last" : "first";
    struct attribute attribute = attribute_string("kind", kind);
    uint32_t inputs[] = {x, d->segments};
    return builder_op(&d->builder, "hob.SegmentReduce", inputs, 2, &attribute, 1);
}

static uint32_t activate(struct draft *d, enum head_activation activation, uint32_t x)
{
    if (activation == HEAD_GELU) return draft_gelu(d, "none", x);
    return builder_op(&d->builder, activation == HEAD_RELU ? "Relu" : "Tanh", &x, 1, NULL, 0);
}

/* 1 where there is no such matrix: its absence is said when it is read. */
static int64_t count_rows(const struct draft *d, enum tensor_role role)
{
    char name[SOURCE_NAME_BYTES];
    const struct tensor *weight = model_source_tensor(d->source, role, PART_WEIGHT, 0, name);
    return weight && weight->rank == 2 ? weight->dims[0] : 1;
}

static uint32_t linear(struct draft *d, enum tensor_role role, int64_t n, uint32_t x)
{
    struct linear linear = {.role = role, .n = n, .k = d->width, .has_bias = draft_has(d, role, PART_BIAS)};
    return draft_linear(d, &linear, x);
}

static uint32_t add_layer(struct draft *d, const struct sequence_head *head, uint32_t x)
{
    bool is_last = !draft_has(d, TENSOR_LABELS, PART_WEIGHT); /* Jina's first rerankers, in GGUF */
    x = linear(d, TENSOR_POOLER, is_last ? count_rows(d, TENSOR_POOLER) : d->width, x);
    x = activate(d, head->activation, x);
    if (!head->has_norm || (model_source_is_gguf(d->source) && !draft_has(d, TENSOR_POOLER_NORM, PART_WEIGHT))) return x;
    return draft_norm(d, &(struct norm){.role = TENSOR_POOLER_NORM, .kind = NORM_LAYER, .epsilon = head->epsilon, .lacks_bias = true}, x);
}

void sequence_head_build(struct draft *d, const struct sequence_head *head, uint32_t hidden)
{
    uint32_t x = pool(d, head->pooling, hidden);
    bool is_gguf = model_source_is_gguf(d->source), has_labels = draft_has(d, TENSOR_LABELS, PART_WEIGHT);
    bool has_layer = is_gguf ? draft_has(d, TENSOR_POOLER, PART_WEIGHT) : !head->is_bare;
    if (has_layer) x = add_layer(d, head, x);
    if (has_labels || !is_gguf || !has_layer) x = linear(d, TENSOR_LABELS, count_rows(d, TENSOR_LABELS), x);
    builder_output(&d->builder, "label_logits", x);
}

/* ---- labels ---- */

hob_status sequence_head_read_labels(struct draft *d, hob_error *error)
{
    bool has_labels = draft_has(d, TENSOR_LABELS, PART_WEIGHT);
    int64_t n_labels = count_rows(d, has_labels ? TENSOR_LABELS : TENSOR_POOLER);
    struct arena *arena = &d->builder.graph->arena;
    if (!model_source_is_gguf(d->source))
        return labels_of_config(d->source->config, d->source->where, n_labels, arena, &d->info->labels, error);
    return labels_of_gguf(d->source, n_labels, arena, &d->info->labels, error);
}

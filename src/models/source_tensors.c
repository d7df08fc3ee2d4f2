/* Tensors by role. GGUF has one list of names for all architectures (llama.cpp's); safetensors files have the
 * names of the Python modules, so each architecture brings its own list, and the prefix depends on the class
 * that was saved. */
#include "models/source.h"

#include <inttypes.h>
#include <string.h>

static const char *const gguf_names[TENSOR_ROLE_COUNT] = {
    [TENSOR_TOKEN_EMBEDDING] = "token_embd",
    [TENSOR_POSITION_EMBEDDING] = "position_embd",
    [TENSOR_TYPE_EMBEDDING] = "token_types",
    [TENSOR_EMBEDDING_NORM] = "token_embd_norm",
    [TENSOR_ATTENTION_NORM] = "blk.#.attn_norm",
    [TENSOR_Q] = "blk.#.attn_q",
    [TENSOR_K] = "blk.#.attn_k",
    [TENSOR_V] = "blk.#.attn_v",
    [TENSOR_QKV] = "blk.#.attn_qkv",
    [TENSOR_Q_FULL_NORM] = "blk.#.attn_q_norm",
    [TENSOR_Q_NORM] = "blk.#.attn_q_norm",
    [TENSOR_K_NORM] = "blk.#.attn_k_norm",
    [TENSOR_ATTENTION_OUTPUT] = "blk.#.attn_output",
    [TENSOR_ATTENTION_OUTPUT_NORM] = "blk.#.attn_output_norm",
    [TENSOR_ATTENTION_POST_NORM] = "blk.#.post_attention_norm",
    [TENSOR_FF_NORM] = "blk.#.ffn_norm",
    [TENSOR_FF_GATE] = "blk.#.ffn_gate",
    [TENSOR_FF_UP] = "blk.#.ffn_up",
    [TENSOR_FF_GATE_UP] = "blk.#.ffn_up",
    [TENSOR_FF_DOWN] = "blk.#.ffn_down",
    [TENSOR_FF_POST_NORM] = "blk.#.post_ffw_norm",
    [TENSOR_LAYER_OUTPUT_NORM] = "blk.#.layer_output_norm",
    [TENSOR_OUTPUT_NORM] = "output_norm",
    [TENSOR_HEAD] = "output",
    [TENSOR_ROPE_FACTORS] = "rope_freqs",
    [TENSOR_ROPE_SHORT_FACTORS] = "rope_factors_short",
    [TENSOR_ROPE_LONG_FACTORS] = "rope_factors_long",
    [TENSOR_POOLER] = "cls",
    [TENSOR_POOLER_NORM] = "cls.norm",
    [TENSOR_LABELS] = "cls.output",
};

/* What transformers' classes for sequences call it on every language model. */
static const char decoder_labels_name[] = "score";

/* Checkpoints converted from TensorFlow call a norm's weight gamma and its bias beta; bare tensors have no
 * suffix. */
static const char *const suffixes[][3] = {
    [PART_WEIGHT] = {".weight", ".gamma", ""},
    [PART_BIAS] = {".bias", ".beta", ".bias"},
};

/* pattern with the layer's number for '#'. */
static void spell(const char *prefix, const char *pattern, int64_t layer, const char *suffix,
                  char name[SOURCE_NAME_BYTES])
{
    const char *mark = strchr(pattern, '#');
    if (mark)
        snprintf(name, SOURCE_NAME_BYTES, "%s%.*s%" PRId64 "%s%s", prefix, (int)(mark - pattern), pattern, layer,
                 mark + 1, suffix);
    else snprintf(name, SOURCE_NAME_BYTES, "%s%s%s", prefix, pattern, suffix);
}

static const struct tensor *find_spelling(const struct model_source *source, const char *prefix, const char *pattern,
                                          enum tensor_part part, int64_t layer, char name[SOURCE_NAME_BYTES])
{
    for (size_t i = 0; i < sizeof suffixes[part] / sizeof *suffixes[part]; i++) {
        spell(prefix, pattern, layer, suffixes[part][i], name);
        const struct tensor *tensor = tensor_file_find(source->file, name);
        if (tensor) return tensor;
    }
    return NULL;
}

const struct tensor *model_source_tensor(const struct model_source *source, enum tensor_role role,
                                         enum tensor_part part, int64_t layer, char name[SOURCE_NAME_BYTES])
{
    static const char *const no_prefix[MODEL_MAX_PREFIXES] = {""};
    bool is_gguf = model_source_is_gguf(source);
    const char *pattern = is_gguf ? gguf_names[role] : source->def->hf_names[role];
    if (!pattern && role == TENSOR_LABELS && source->def->kind == MODEL_DECODER) pattern = decoder_labels_name;
    const char *const *prefixes = is_gguf ? no_prefix : source->def->hf_prefixes;
    name[0] = '\0';
    if (!pattern) return NULL;
    for (size_t i = 0; i < MODEL_MAX_PREFIXES && prefixes[i]; i++) {
        const struct tensor *tensor = find_spelling(source, prefixes[i], pattern, part, layer, name);
        if (tensor) return tensor;
    }
    spell(prefixes[0], pattern, layer, suffixes[part][0], name);
    return NULL;
}

/* What a file may say wrong, and what the message must say then. Each case spoils one thing of a good tiny
 * model. */
#include "models/model_run.h"
#include "models/scratch_folder.h"

#include <jansson.h>

#define DATA "tests/data/models/"

static void check_failure(hob_status found, const hob_error *error, hob_status expected, const char *message)
{
    if (found != expected || !strstr(error->message, message))
        fail_msg("found %s \"%s\", expected %s \"%s\"", hob_status_name(found), error->message,
                 hob_status_name(expected), message);
}

/* ---- config.json ---- */

struct config_case {
    const char *folder, *patch; /* keys that replace those of config.json; null removes one */
    hob_status status;
    const char *message;
};

static char *patched_config(const char *folder, const char *patch)
{
    char path[256];
    json_error_t error;
    snprintf(path, sizeof path, DATA "%s/config.json", folder);
    json_t *config = json_load_file(path, 0, &error), *changes = json_loads(patch, 0, &error);
    assert_non_null(config);
    assert_non_null(changes);
    json_object_update(config, changes);
    char *text = json_dumps(config, 0);
    json_decref(changes);
    json_decref(config);
    return text;
}

/* config_text beside the tensors of a tiny model. */
static hob_status build_with(const char *model, const char *config_text, struct model_info *ret_info, hob_error *error)
{
    char path[256];
    struct scratch_folder folder;
    struct format_content content;
    struct graph *graph = NULL;
    snprintf(path, sizeof path, DATA "%s", model);
    ASSERT_OK(format_open(path, &content, error), *error);
    scratch_folder_make(&folder);
    if (config_text) scratch_folder_write(&folder, "config.json", config_text);
    hob_status status = model_build(content.tensors, folder.path, &graph, ret_info, error);
    scratch_folder_remove(&folder);
    graph_free(graph);
    format_content_release(&content);
    return status;
}

static hob_status build_patched(const char *model, const char *patch, struct model_info *ret_info, hob_error *error)
{
    char *text = patched_config(model, patch);
    hob_status status = build_with(model, text, ret_info, error);
    free(text);
    return status;
}

static void test_bad_configs(void **state)
{
    (void)state;
    static const struct config_case cases[] = {
        {"llama3", "{\"model_type\": \"mamba\"}", HOB_UNSUPPORTED,
         "/config.json: model_type: found \"mamba\", expected one of bert, "},
        {"llama3", "{\"model_type\": null}", HOB_BAD_FILE, "model_type: missing"},
        {"llama3", "{\"num_hidden_layers\": 1000000000}", HOB_BAD_FILE,
         "num_hidden_layers: found 1000000000, expected 1 to 4096"},
        {"llama3", "{\"num_hidden_layers\": -3}", HOB_BAD_FILE, "num_hidden_layers: found -3, expected 1 to 4096"},
        {"llama3", "{\"num_hidden_layers\": \"2\"}", HOB_BAD_FILE, "found a text, expected a whole number"},
        {"llama3", "{\"num_hidden_layers\": 2.5}", HOB_BAD_FILE, "found a number, expected a whole number"},
        {"llama3", "{\"num_hidden_layers\": [2]}", HOB_BAD_FILE, "found a list or an object, expected a whole number"},
        {"llama3", "{\"num_hidden_layers\": null}", HOB_BAD_FILE, "num_hidden_layers: missing"},
        {"llama3", "{\"num_hidden_layers\": 3}", HOB_NOT_FOUND,
         "model.layers.2.input_layernorm.weight: missing, expected [32]"},
        {"llama3", "{\"num_attention_heads\": 0}", HOB_BAD_FILE, "num_attention_heads: found 0, expected 1 to 65536"},
        {"llama3", "{\"num_attention_heads\": 3}", HOB_BAD_FILE, "3 heads and 2 key/value heads"},
        {"llama3", "{\"num_attention_heads\": 5, \"head_dim\": null}", HOB_BAD_FILE, "width 32 and 5 heads"},
        {"llama3", "{\"num_attention_heads\": 8}", HOB_BAD_SHAPE,
         "model.layers.0.self_attn.q_proj.weight: found [64,32], expected [128,32]"},
        {"llama3", "{\"head_dim\": 15}", HOB_BAD_FILE, "15 rotary dimensions, expected an even number up to 15"},
        {"llama3", "{\"v_head_dim\": 8}", HOB_UNSUPPORTED, "v_head_dim: found 8, expected the width of the keys"},
        {"llama3", "{\"hidden_size\": 33}", HOB_BAD_SHAPE,
         "model.embed_tokens.weight: found [64,32], expected [64,33]"},
        {"llama3", "{\"vocab_size\": 65}", HOB_BAD_SHAPE, "model.embed_tokens.weight: found [64,32], expected [65,32]"},
        {"llama3", "{\"intermediate_size\": null}", HOB_BAD_FILE, "intermediate_size: missing"},
        {"llama3", "{\"rms_norm_eps\": true}", HOB_BAD_FILE, "rms_norm_eps: found true or false, expected a number"},
        {"llama3", "{\"rms_norm_eps\": null}", HOB_BAD_FILE, "rms_norm_eps: missing"},
        {"llama3", "{\"hidden_act\": \"relu\"}", HOB_UNSUPPORTED, "hidden_act: found \"relu\", expected silu"},
        {"llama3", "{\"hidden_act\": 1}", HOB_BAD_FILE, "hidden_act: found a whole number, expected a text"},
        {"llama3", "{\"mlp_bias\": true}", HOB_NOT_FOUND, "model.layers.0.mlp.gate_proj.bias: missing, expected [48]"},
        {"llama3", "{\"mlp_bias\": 0}", HOB_BAD_FILE, "mlp_bias: found a whole number, expected true or false"},
        {"llama3", "{\"num_local_experts\": 8}", HOB_UNSUPPORTED, "num_local_experts: found 8, expected no experts"},
        {"llama3", "{\"rope_scaling\": {\"rope_type\": \"mrope\", \"factor\": 4}}", HOB_UNSUPPORTED,
         "rope_scaling.rope_type: found \"mrope\", expected none, linear, ntk, dynamic, yarn, llama3 or longrope"},
        {"llama3", "{\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4, \"extrapolation_factor\": 0.5}}", HOB_UNSUPPORTED,
         "rope_scaling.extrapolation_factor: found 0.5, expected 1"},
        {"llama3", "{\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4}, \"rope_theta\": 1}", HOB_UNSUPPORTED,
         "rope_theta: found 1, expected more than 1"},
        {"llama3", "{\"rope_scaling\": {\"type\": \"dynamic\"}}", HOB_BAD_FILE, "rope_scaling.factor: missing"},
        {"llama3", "{\"rope_scaling\": {\"type\": \"ntk\", \"factor\": -1}}", HOB_BAD_FILE, "rope_scaling.factor: found -1"},
        {"llama3", "{\"rope_scaling\": {\"type\": \"longrope\", \"short_factor\": [1, 2]}}", HOB_BAD_FILE,
         "rope_scaling.short_factor: found 2 factors, expected 8"},
        {"phi3", "{\"rope_scaling\": {\"type\": \"su\", \"short_factor\": [1, 2, 3, 4], \"long_factor\": [1, 2, 0, 4]}}", HOB_BAD_FILE,
         "rope_scaling.long_factor: found 0, expected 1e-06 to 1000000"},
        {"phi3", "{\"rope_scaling\": {\"type\": \"su\", \"short_factor\": [1, 2, 3, \"4\"]}}", HOB_BAD_FILE,
         "rope_scaling.short_factor: found a text, expected a number"},
        {"phi3", "{\"rope_scaling\": {\"type\": \"su\", \"long_mscale\": 1.25}}", HOB_UNSUPPORTED,
         "rope_scaling.long_mscale: found 1.25, expected attention_factor or none"},
        {"gemma2", "{\"layer_types\": [\"full_attention\"]}", HOB_BAD_FILE,
         "layer_types: found 1 items, expected one for each of 2 layers"},
        {"gemma2", "{\"layer_types\": [\"full_attention\", \"chunked_attention\"]}", HOB_UNSUPPORTED,
         "layer_types: found \"chunked_attention\", expected sliding_attention or full_attention"},
        {"gemma2", "{\"layer_types\": [\"full_attention\", 1]}", HOB_BAD_FILE, "layer_types: found a whole number, expected a text"},
        {"gemma2", "{\"sliding_window\": -1}", HOB_BAD_FILE, "sliding_window: found -1, expected 0 to 268435456"},
        {"gemma2", "{\"hidden_activation\": \"relu\"}", HOB_UNSUPPORTED, "hidden_activation: found \"relu\", expected gelu_pytorch_tanh"},
        {"gemma2", "{\"query_pre_attn_scalar\": 0}", HOB_BAD_FILE, "query_pre_attn_scalar: found 0"},
        {"gemma2", "{\"attn_logit_softcapping\": -3}", HOB_BAD_FILE, "attn_logit_softcapping: found -3"},
        {"gemma3", "{\"attn_logit_softcapping\": 50.0}", HOB_UNSUPPORTED, "attn_logit_softcapping: found 50, expected none"},
        {"gemma3", "{\"use_bidirectional_attention\": true}", HOB_UNSUPPORTED, "use_bidirectional_attention: found true, expected false"},
        {"gemma3", "{\"rope_parameters\": {\"sliding_attention\": {\"rope_type\": \"yarn\"}}}", HOB_UNSUPPORTED,
         "rope_parameters.sliding_attention.rope_type: found \"yarn\", expected default"},
        {"stablelm", "{\"qk_layernorm\": true}", HOB_UNSUPPORTED, "qk_layernorm: found true, expected false"},
        {"starcoder2", "{\"norm_type\": \"rms_norm\"}", HOB_UNSUPPORTED, "norm_type: found \"rms_norm\", expected layer_norm"},
        {"starcoder2", "{\"mlp_type\": \"gated\"}", HOB_UNSUPPORTED, "mlp_type: found \"gated\", expected default"},
        {"gpt_neox", "{\"num_key_value_heads\": 1}", HOB_UNSUPPORTED, "num_key_value_heads: found 1, expected as many as heads"},
        {"smollm3", "{\"no_rope_layers\": [1, 1, 1, 3]}", HOB_BAD_FILE, "no_rope_layers: found 3, expected 0 to 1"},
        {"llama3", "{\"rope_scaling\": {\"type\": \"llama3\", \"factor\": 8}}", HOB_BAD_FILE,
         "rope_scaling.low_freq_factor: missing"},
        {"llama3",
         "{\"rope_scaling\": {\"type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 4, \"high_freq_factor\": 1, "
         "\"original_max_position_embeddings\": 32}}",
         HOB_BAD_FILE, "high frequency factor of 1, expected more than the low one, 4"},
        {"llama3", "{\"rope_theta\": 0}", HOB_BAD_FILE, "rope_theta: found 0, expected 1 to 1000000000000"},
        {"llama-linear", "{\"attention_bias\": true}", HOB_NOT_FOUND,
         "model.layers.0.self_attn.q_proj.bias: missing, expected [32]"},
        {"gpt2", "{\"activation_function\": \"relu\"}", HOB_UNSUPPORTED,
         "activation_function: found \"relu\", expected gelu, gelu_new"},
        {"gpt2", "{\"scale_attn_weights\": false}", HOB_UNSUPPORTED, "scale_attn_weights: found false, expected true"},
        {"gpt2", "{\"scale_attn_by_inverse_layer_idx\": true}", HOB_UNSUPPORTED, "found true, expected false"},
        {"gpt2", "{\"n_inner\": 64}", HOB_BAD_SHAPE,
         "transformer.h.0.mlp.c_fc.weight: found [32,128], expected [32,64]"},
        {"bert", "{\"position_embedding_type\": \"relative_key\"}", HOB_UNSUPPORTED, "expected absolute"},
        {"../encoders/nomic-bert", "{\"prenorm\": true}", HOB_UNSUPPORTED, "prenorm: found true, expected false"},
        {"../encoders/nomic-bert", "{\"rotary_emb_fraction\": 0.5}", HOB_UNSUPPORTED, "rotary_emb_fraction: found 0.5, expected 1"},
        {"../encoders/nomic-bert", "{\"moe_every_n_layers\": 2}", HOB_UNSUPPORTED, "moe_every_n_layers: found 2, expected no experts"},
        {"../encoders/nomic-bert", "{\"qkv_proj_bias\": true}", HOB_NOT_FOUND, "attn.Wqkv.bias: missing, expected [48]"},
        {"../encoders/jina-bert-v2", "{\"feed_forward_type\": \"reglu\"}", HOB_UNSUPPORTED, "feed_forward_type: found \"reglu\""},
        {"../encoders/jina-bert-v2", "{\"max_position_embeddings\": 100000000}", HOB_LIMIT, "too many for scores by distance"},
        {"../encoders/jina-bert-v2", "{\"position_embedding_type\": \"rope\"}", HOB_UNSUPPORTED, "expected absolute or alibi"},
        {"../encoders/gte", "{\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2}}", HOB_UNSUPPORTED, "found \"yarn\", expected ntk"},
        {"../encoders/gte", "{\"rope_scaling\": {\"type\": \"ntk\"}}", HOB_BAD_FILE, "rope_scaling.factor: missing"},
        {"../encoders/gte", "{\"rope_scaling\": {\"type\": \"ntk\", \"factor\": 2, \"mixed_b\": 1}}", HOB_UNSUPPORTED, "mixed_b"},
        {"../encoders/gte", "{\"logn_attention_scale\": true}", HOB_UNSUPPORTED, "logn_attention_scale: found true, expected false"},
        {"../encoders/gte", "{\"layer_norm_type\": \"rms_norm\"}", HOB_UNSUPPORTED, "layer_norm_type: found \"rms_norm\""},
        {"../encoders/mpnet", "{\"relative_attention_num_buckets\": 30}", HOB_UNSUPPORTED, "found 30 buckets"},
        {"../encoders/mpnet", "{\"relative_attention_num_buckets\": 64}", HOB_BAD_SHAPE, "relative_attention_bias"},
        {"../encoders/xlm-roberta", "{\"pad_token_id\": 60}", HOB_BAD_FILE, "positions, of which the first 61 are padding's"},
        {"../encoders/xlm-roberta", "{\"position_embedding_type\": \"rotary\"}", HOB_UNSUPPORTED, "expected absolute"},
        {"../encoders/modernbert", "{\"norm_bias\": true}", HOB_UNSUPPORTED, "norm_bias: found true, expected false"},
        {"../encoders/modernbert", "{\"local_attention\": 1}", HOB_UNSUPPORTED, "local_attention: found 1, expected 2 or more"},
        {"bert", "{\"is_decoder\": true}", HOB_UNSUPPORTED, "is_decoder: found true, expected false"},
        {"bert", "{\"hidden_act\": \"relu\"}", HOB_UNSUPPORTED, "hidden_act: found \"relu\""},
        {"bert", "{\"type_vocab_size\": 3}", HOB_BAD_SHAPE, "found [2,32], expected [3,32]"},
        {"model2vec", "{\"hidden_dim\": 9}", HOB_BAD_SHAPE, "embeddings: found [16,8], expected [16,9]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model_info info;
        hob_error error = {0};
        hob_status status = build_patched(cases[i].folder, cases[i].patch, &info, &error);
        check_failure(status, &error, cases[i].status, cases[i].message);
    }
}

static void test_broken_config_files(void **state)
{
    (void)state;
    struct model_info info;
    hob_error error;
    check_failure(build_with("llama3", NULL, &info, &error), &error, HOB_NOT_FOUND, "config.json: missing");
    check_failure(build_with("llama3", "", &info, &error), &error, HOB_BAD_FILE, "config.json: found an empty file");
    check_failure(build_with("llama3", "{", &info, &error), &error, HOB_BAD_FILE, "config.json:1:1");
    check_failure(build_with("llama3", "[]", &info, &error), &error, HOB_BAD_FILE, "found a list, expected an object");
    assert_int_equal(build_with("llama3", "{", &info, NULL), HOB_BAD_FILE);
}

static void test_config_variants(void **state)
{
    (void)state;
    struct model_info info;
    hob_error error;
    ASSERT_OK(build_patched("llama3", "{\"sliding_window\": 16, \"model_type\": \"mistral\"}", &info, &error), error);
    assert_int_equal(info.n_context, 64);
    ASSERT_OK(build_patched("qwen2", "{}", &info, &error), error);
    assert_int_equal(info.n_context, 64);
    ASSERT_OK(build_patched("qwen2", "{\"use_sliding_window\": true}", &info, &error), error);
    assert_int_equal(info.n_context, 64);
    ASSERT_OK(build_patched("gemma2", "{\"layer_types\": [\"full_attention\", \"sliding_attention\"]}", &info, &error), error);
    ASSERT_OK(build_patched("gemma3",
                            "{\"rope_theta\": null, \"rope_local_base_freq\": null, \"rope_scaling\": null, \"rope_parameters\": "
                            "{\"sliding_attention\": {\"rope_type\": \"default\", \"rope_theta\": 10000.0}, \"full_attention\": "
                            "{\"rope_type\": \"linear\", \"factor\": 8.0, \"rope_theta\": 1000000.0}}}",
                            &info, &error),
              error);
    ASSERT_OK(build_patched("llama3", "{\"eos_token_id\": [5, 6, -1], \"bos_token_id\": null}", &info, &error), error);
    assert_int_equal(info.bos_id, -1);
    assert_int_equal(info.n_eos_ids, 2);
    assert_int_equal(info.eos_ids[1], 6);
    ASSERT_OK(build_patched("llama3",
                            "{\"rope_theta\": null, \"rope_scaling\": null, \"rope_parameters\": "
                            "{\"rope_theta\": 500000.0, \"rope_type\": \"default\"}}",
                            &info, &error),
              error);
}

/* ---- GGUF metadata and tensors ---- */

#define INT(key_, value)                                    \
    {                                                       \
        .key = key_, .kind = METADATA_INT, .integer = value \
    }
#define FLOAT(key_, value)                                   \
    {                                                        \
        .key = key_, .kind = METADATA_FLOAT, .number = value \
    }
#define TEXT(key_, text)                                                          \
    {                                                                             \
        .key = key_, .kind = METADATA_STRING, .string = { text, sizeof text - 1 } \
    }

static void set_metadata(struct tensor_file *file, const struct metadata *metadata)
{
    uint64_t index;
    if (string_map_get(&file->metadata_by_key, metadata->key, strlen(metadata->key), &index)) {
        file->metadata[index] = *metadata;
        return;
    }
    struct metadata *grown = ARENA_NEW(&file->arena, struct metadata, file->n_metadata + 1);
    memcpy(grown, file->metadata, file->n_metadata * sizeof *grown);
    grown[file->n_metadata] = *metadata;
    file->metadata = grown;
    assert_true(string_map_put(&file->metadata_by_key, metadata->key, strlen(metadata->key), file->n_metadata++));
}

static struct tensor *tensor_named(struct tensor_file *file, const char *name)
{
    for (size_t i = 0; i < file->n_tensors; i++)
        if (!strcmp(file->tensors[i].name, name)) return &file->tensors[i].tensor;
    fail_msg("no tensor %s", name);
    return NULL;
}

struct gguf_case {
    const char *folder;
    struct metadata metadata;
    hob_status status;
    const char *message;
};

static void check_gguf(const struct gguf_case *c, struct model_info *ret_info)
{
    char path[256];
    struct format_content content;
    struct graph *graph = NULL;
    hob_error error = {0};
    snprintf(path, sizeof path, DATA "%s/model.gguf", c->folder);
    ASSERT_OK(format_open(path, &content, &error), error);
    set_metadata(content.tensors, &c->metadata);
    hob_status status = model_build(content.tensors, content.folder, &graph, ret_info, &error);
    check_failure(status, &error, c->status, c->message);
    graph_free(graph);
    format_content_release(&content);
}

static void test_bad_metadata(void **state)
{
    (void)state;
    static const struct gguf_case cases[] = {
        {"llama3", TEXT("general.architecture", "mamba"), HOB_UNSUPPORTED,
         "model.gguf: general.architecture: found \"mamba\", expected one of bert, "},
        {"llama3", INT("general.architecture", 3), HOB_BAD_FILE, "general.architecture: missing"},
        {"llama3", INT("llama.block_count", 1000000000), HOB_BAD_FILE,
         "model.gguf: llama.block_count: found 1000000000, expected 1 to 4096"},
        {"llama3", INT("llama.block_count", -1), HOB_BAD_FILE, "llama.block_count: found -1, expected 1 to 4096"},
        {"llama3", INT("llama.block_count", 3), HOB_NOT_FOUND,
         "model.gguf: blk.2.attn_norm.weight: missing, expected [32]"},
        {"llama3", FLOAT("llama.block_count", 2), HOB_BAD_FILE, "found a number, expected a whole number"},
        {"llama3", INT("llama.attention.head_count", 0), HOB_BAD_FILE, "llama.attention.head_count: found 0"},
        {"llama3", INT("llama.embedding_length", INT64_MAX), HOB_BAD_FILE, "llama.embedding_length: found 9.22"},
        {"llama3", FLOAT("llama.attention.layer_norm_rms_epsilon", NAN), HOB_BAD_FILE, "found nan, expected 0 to 1"},
        {"llama3", INT("llama.feed_forward_length", 47), HOB_BAD_SHAPE,
         "blk.0.ffn_gate.weight: found [48,32], expected [47,32]"},
        {"llama3", INT("llama.rope.dimension_count", 18), HOB_BAD_FILE, "18 rotary dimensions"},
        {"llama3", INT("llama.expert_count", 8), HOB_UNSUPPORTED, "llama.expert_count: found 8, expected no experts"},
        {"llama-linear", TEXT("llama.rope.scaling.type", "longrope"), HOB_NOT_FOUND, "rope_factors_short.weight: missing"},
        {"llama-linear", TEXT("llama.rope.scaling.type", "proportional"), HOB_UNSUPPORTED,
         "llama.rope.scaling.type: found \"proportional\", expected none, linear, ntk, dynamic, yarn, llama3 or longrope"},
        {"llama-yarn", FLOAT("llama.rope.scaling.yarn_log_multiplier", 0.1), HOB_UNSUPPORTED,
         "llama.rope.scaling.yarn_log_multiplier: found 0.1, expected none"},
        {"gemma3", INT("gemma3.attention.sliding_window_pattern", -1), HOB_BAD_FILE, "sliding_window_pattern: found -1"},
        {"phi3", INT("phi3.attention.head_count_kv", 2), HOB_BAD_SHAPE, "blk.0.attn_qkv.weight: found [32,16], expected [48,16]"},
        {"bert", INT("bert.pooling_type", 4), HOB_NOT_FOUND, "cls.output.weight: missing, expected [1,32]"},
        {"bert", INT("bert.pooling_type", 5), HOB_UNSUPPORTED, "bert.pooling_type: found 5, expected 0 to 4"},
        {"bert",
         {.key = "bert.attention.causal", .kind = METADATA_BOOL, .integer = 1},
         HOB_UNSUPPORTED,
         "bert.attention.causal: found true, expected false"},
        {"llama3",
         {.key = "llama.block_count", .kind = METADATA_UINT, .unsigned_integer = UINT64_MAX},
         HOB_BAD_FILE,
         "llama.block_count: found a number, expected a whole number"},
        {"llama3",
         {.key = "llama.attention.head_count_kv", .kind = METADATA_ARRAY},
         HOB_BAD_FILE,
         "llama.attention.head_count_kv: found a list or an object, expected a whole number"},
        {"bert", INT("bert.attention.head_count_kv", 2), HOB_UNSUPPORTED, "expected BERT's"},
        {"gpt2", INT("gpt2.attention.head_count_kv", 2), HOB_UNSUPPORTED, "expected GPT-2's"},
    };
    struct model_info info;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) check_gguf(&cases[i], &info);
}

static void test_metadata_variants(void **state)
{
    (void)state;
    struct model_info info;
    check_gguf(&(struct gguf_case){"bert", INT("bert.pooling_type", 1), HOB_OK, ""}, &info);
    assert_int_equal(info.pooling.mode, HOB_POOLING_MEAN);
    assert_true(info.pooling.is_normalized);
    check_gguf(&(struct gguf_case){"llama3", INT("llama.attention.sliding_window", 8), HOB_OK, ""}, &info);
    assert_int_equal(info.n_context, 64);
}

static hob_status build_spoiled(const char *path, const char *tensor, const struct tensor *change, hob_error *error)
{
    struct format_content content;
    struct graph *graph = NULL;
    struct model_info info;
    ASSERT_OK(format_open(path, &content, error), *error);
    *tensor_named(content.tensors, tensor) = *change;
    hob_status status = model_build(content.tensors, content.folder, &graph, &info, error);
    graph_free(graph);
    format_content_release(&content);
    return status;
}

static void test_bad_tensors(void **state)
{
    (void)state;
    static int32_t numbers[4096];
    hob_error error;
    struct tensor integers = {.data = numbers, .dtype = DTYPE_I32, .rank = 2, .dims = {32, 64}, .strides = {64, 1}};
    check_failure(build_spoiled(DATA "llama3/model.gguf", "blk.1.attn_output.weight", &integers, &error), &error,
                  HOB_BAD_TYPE,
                  "model.gguf: blk.1.attn_output.weight: found int32, expected floating point or quantised");
    struct tensor blocks = {.data = numbers, .dtype = DTYPE_Q8_0, .rank = 1, .dims = {32}, .strides = {1}};
    check_failure(build_spoiled(DATA "llama3/model.gguf", "blk.1.ffn_norm.weight", &blocks, &error), &error,
                  HOB_BAD_TYPE, "blk.1.ffn_norm.weight: found q8_0, expected floating point numbers");
    float factors[4] = {1, 0, 1, 1};
    struct tensor table = {.data = factors, .dtype = DTYPE_F32, .rank = 1, .dims = {4}, .strides = {1}};
    check_failure(build_spoiled(DATA "phi3/model.gguf", "rope_factors_long.weight", &table, &error), &error, HOB_BAD_FILE,
                  "rope_factors_long.weight: found 0, expected more than 0");
    table.dims[0] = 3;
    check_failure(build_spoiled(DATA "phi3/model.gguf", "rope_factors_long.weight", &table, &error), &error, HOB_BAD_SHAPE,
                  "rope_factors_long.weight: found rank 1 and 3 items, expected [4]");
    struct tensor mapping = {.data = numbers, .dtype = DTYPE_I32, .rank = 1, .dims = {40}, .strides = {1}};
    numbers[7] = 16;
    check_failure(build_spoiled(DATA "model2vec", "mapping", &mapping, &error), &error, HOB_BAD_FILE,
                  "mapping: token 7: found row 16, expected 0 to 15");
    mapping.dtype = DTYPE_F32;
    check_failure(build_spoiled(DATA "model2vec", "mapping", &mapping, &error), &error, HOB_BAD_SHAPE,
                  "expected integers");
    mapping.dtype = DTYPE_I32;
    check_failure(build_spoiled(DATA "model2vec", "embeddings", &mapping, &error), &error, HOB_BAD_SHAPE,
                  "embeddings: bad shape, expected [rows,width]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_configs),       cmocka_unit_test(test_broken_config_files),
        cmocka_unit_test(test_config_variants),   cmocka_unit_test(test_bad_metadata),
        cmocka_unit_test(test_metadata_variants), cmocka_unit_test(test_bad_tensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

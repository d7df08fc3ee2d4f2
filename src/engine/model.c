/* Opening a model: format, architecture, passes, program, roles, tokenizer. */
#include "engine/model.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"
#include "base/thread_pool.h"
#include "engine/chat_template.h"
#include "engine/default_model.h"
#include "engine/encode.h"
#include "engine/end_tokens.h"
#include "engine/model_memory.h"
#include "engine/neighbours.h"
#include "engine/pack_model.h"
#include "engine/roles.h"
#include "engine/tensor.h"
#include "grammar/token_trie.h"
#include "formats/formats.h"
#include "formats/tensor_file.h"
#include "kernels/kernels.h"
#include "ops/matrix/panel_product.h"
#include "quant/quant.h"

#include <string.h>

enum { QUANT_NAMES_BYTES = 256 };

static void release_tensor_file(void *file)
{
    tensor_file_free(file);
}

/* GGUF, safetensors: an architecture builds the graph, which then owns the file. */
static hob_status build_from_tensors(struct hob_model *model, struct format_content *content, hob_error *error)
{
    struct model_info info;
    TRY(model_build(content->tensors, content->folder, &model->graph, &info, error));
    TRY(graph_own(model->graph, content->tensors, release_tensor_file, error));
    const char *chat_template = tensor_file_get_string(content->tensors, "tokenizer.chat_template");
    if (chat_template && *chat_template) model->chat_template = chat_template;
    model->tool_template = tensor_file_get_string(content->tensors, "tokenizer.chat_template.tool_use");
    const struct tensor_file *tensors = content->tensors; /* the graph's now */
    content->tensors = NULL;
    for (size_t i = 0; i < tensors->n_maps; i++) TRY(graph_add_file(model->graph, tensors->map_paths[i], error));
    model->info.architecture = info.architecture;
    model->info.kind = info.kind == MODEL_DECODER      ? HOB_MODEL_DECODER
                       : info.kind == MODEL_CLASSIFIER ? HOB_MODEL_CLASSIFIER
                                                       : HOB_MODEL_ENCODER;
    model->info.is_causal = info.is_causal;
    model->info.n_vocab = info.n_vocab;
    model->info.n_context = info.n_context;
    model->info.n_layers = info.n_layers;
    model->info.width = info.width;
    model->pooling = info.pooling;
    model->labels = info.labels;
    model->bos_id = info.bos_id;
    model->n_eos_ids = info.n_eos_ids;
    memcpy(model->eos_ids, info.eos_ids, sizeof model->eos_ids);
    return HOB_OK;
}

static int64_t last_dim(const struct graph *graph, uint32_t output)
{
    if (output == ROLE_NONE) return 0;
    const struct value *value = &graph->values[graph->outputs[output]];
    return value->rank > 0 && value->dims[value->rank - 1] > 0 ? value->dims[value->rank - 1] : 0;
}

/* An ONNX graph says itself what it is for. */
static void classify_graph(struct hob_model *model)
{
    const struct graph_roles *roles = &model->roles;
    model->info.architecture = "onnx";
    model->info.kind = HOB_MODEL_GRAPH;
    if (!roles->is_complete) return;
    if (roles->logits != ROLE_NONE) {
        model->info.kind = HOB_MODEL_DECODER;
        model->info.n_vocab = last_dim(model->graph, roles->logits);
    } else if (roles->labels != ROLE_NONE) {
        model->info.kind = HOB_MODEL_CLASSIFIER;
    } else if (roles->sentence != ROLE_NONE || roles->hidden != ROLE_NONE) {
        model->info.kind = HOB_MODEL_ENCODER;
        model->info.width = last_dim(model->graph, roles->sentence != ROLE_NONE ? roles->sentence : roles->hidden);
    }
}

/* How many labels there are, the graph says or config.json; else nobody could make use of their numbers. */
static hob_status read_neighbour_labels(struct hob_model *model, hob_error *error)
{
    int64_t n_labels = last_dim(model->graph, model->roles.labels);
    TRY(model_read_labels(model->folder, n_labels, &model->graph->arena, &model->labels, error));
    if (!model->labels.n) model->info.kind = HOB_MODEL_GRAPH;
    return HOB_OK;
}

/* config.json beside an ONNX file, when there is one, knows the context length and the ids that end a text. */
static hob_status read_neighbours(struct hob_model *model, hob_error *error)
{
    struct neighbour_config config;
    TRY(neighbour_config_read(model->folder, &config, error));
    model->info.n_context = config.n_context;
    model->info.n_layers = config.n_layers;
    model->bos_id = config.bos_id;
    model->n_eos_ids = config.n_eos_ids;
    memcpy(model->eos_ids, config.eos_ids, sizeof model->eos_ids);
    if (model->info.kind == HOB_MODEL_CLASSIFIER) return read_neighbour_labels(model, error);
    if (model->info.kind != HOB_MODEL_ENCODER) return HOB_OK;
    return model_read_pooling(model->folder, &model->pooling, error);
}

static void find_tokenizer(struct hob_model *model, const char *path, const hob_model_options *options)
{
    hob_error error;
    const char *source = options->tokenizer_path ? options->tokenizer_path : path;
    int64_t n_before_bytes = memory_thread_bytes();
    if (hob_tokenizer_open(source, &model->tokenizer, &error) == HOB_OK) {
        model->memory.tokenizer_bytes = (uint64_t)(memory_thread_bytes() - n_before_bytes);
        return;
    }
    model->tokenizer = NULL;
    model->tokenizer_error = memory_copy_string(error.message);
}

static hob_status note_optional_outputs(struct hob_model *model, hob_error *error)
{
    const struct graph *graph = model->graph;
    bool *are_optional = ARENA_NEW(&model->graph->arena, bool, graph->n_outputs);
    if (!are_optional) FAIL(error, HOB_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < graph->n_outputs; i++) are_optional[i] = graph->values[graph->outputs[i]].is_optional;
    model->are_optional_outputs = are_optional;
    return HOB_OK;
}

static bool can_quantise(const struct quant_def *quant)
{
    return quant->encode && panel_product_takes(quant->dtype);
}

/* "f32, int8, f16, …": int8 is no block format, it has a scale a column. */
static const char *quant_names(char text[QUANT_NAMES_BYTES])
{
    size_t n_bytes = (size_t)snprintf(text, QUANT_NAMES_BYTES, "f32, int8");
    for (size_t i = 0; quant_at(i) && n_bytes < QUANT_NAMES_BYTES; i++)
        if (can_quantise(quant_at(i)))
            n_bytes += (size_t)snprintf(text + n_bytes, QUANT_NAMES_BYTES - n_bytes, ", %s", quant_at(i)->name);
    return text;
}

/* A weight format that can be made and multiplied. */
static hob_status find_quant(const char *name, enum dtype *ret_dtype, hob_error *error)
{
    char names[QUANT_NAMES_BYTES];
    *ret_dtype = !name ? DTYPE_NONE : !strcmp(name, "int8") ? DTYPE_I8 : !strcmp(name, "f32") ? DTYPE_F32 : DTYPE_NONE;
    for (size_t i = 0; name && quant_at(i); i++)
        if (!strcmp(quant_at(i)->name, name) && can_quantise(quant_at(i))) *ret_dtype = quant_at(i)->dtype;
    if (name && *ret_dtype == DTYPE_NONE)
        FAIL(error, HOB_BAD_ARGUMENT, "weights: found format %s, expected one of %s", name, quant_names(names));
    return HOB_OK;
}

static hob_status compile(struct hob_model *model, const hob_model_options *options, hob_error *error)
{
    struct pass_options passes = {.kernels = kernels_select(), .disabled = options->disabled_passes,
                                  .max_weight_bytes = options->max_memory_bytes,
                                  .is_for_generation = !options->is_graph_only, .progress = options->progress,
                                  .progress_context = options->progress_context, .weight_errors = model->weight_errors};
    TRY(find_quant(options->quant, &passes.quant, error));
    TRY(thread_pool_new(options->n_threads, &passes.pool, error));
    hob_status status = passes_run(model->graph, &passes, model->passes, error);
    thread_pool_free(passes.pool);
    if (status != HOB_OK) return status;
    return program_new(model->graph, &model->program, error);
}

static hob_status find_pack_tokenizer(struct hob_model *model, hob_error *error)
{
    struct tokenizer *tokenizer;
    int64_t n_before_bytes = memory_thread_bytes();
    TRY(pack_tokenizer_read(model->pack, &tokenizer, error));
    model->memory.tokenizer_bytes = (uint64_t)(memory_thread_bytes() - n_before_bytes);
    model->tokenizer = (hob_tokenizer *)tokenizer;
    if (!tokenizer) model->tokenizer_error = memory_copy_string("what the pack was made from had none");
    return HOB_OK;
}

/* What a source's graph can be told for, a pack only claims. */
static hob_status check_kind(const struct hob_model *model, hob_error *error)
{
    const struct graph_roles *roles = &model->roles;
    static const char *const names[] = {"a graph", "a language model", "an encoder", "a classifier"};
    const bool has_output[] = {[HOB_MODEL_DECODER] = roles->logits != ROLE_NONE,
                               [HOB_MODEL_ENCODER] = roles->sentence != ROLE_NONE || roles->hidden != ROLE_NONE,
                               [HOB_MODEL_CLASSIFIER] = roles->labels != ROLE_NONE};
    if (model->info.kind == HOB_MODEL_GRAPH || (roles->is_complete && has_output[model->info.kind])) return HOB_OK;
    FAIL(error, HOB_BAD_FILE, "section model: found %s, expected what its graph's inputs and outputs can be", names[model->info.kind]);
}

/* A pack's graph went through the passes when it was made. */
static hob_status set_up_pack(struct hob_model *model, struct format_content *content, const hob_model_options *options, hob_error *error)
{
    model->pack = content->pack;
    model->graph = content->graph;
    content->graph = NULL;
    if (options->quant)
        FAIL(error, HOB_BAD_ARGUMENT, "found a pack, whose weights are laid out already, expected a model to make them %s", options->quant);
    if (options->disabled_passes)
        FAIL(error, HOB_BAD_ARGUMENT, "found a pack, which went through the passes when it was made, expected a model to leave out %s",
             options->disabled_passes);
    TRY(pack_model_read(model->pack, model, error));
    TRY(program_new(model->graph, &model->program, error));
    TRY(roles_find(model->graph, &model->graph->arena, &model->roles, error));
    TRY(check_kind(model, error));
    if (options->is_graph_only) return HOB_OK;
    if (!options->tokenizer_path) return find_pack_tokenizer(model, error);
    find_tokenizer(model, options->tokenizer_path, options);
    if (!model->tokenizer) FAIL(error, HOB_BAD_FILE, "%s", model->tokenizer_error);
    return HOB_OK;
}

static hob_status set_up(struct hob_model *model, const char *path, struct format_content *content, const hob_model_options *options,
                         hob_error *error)
{
    if (content->pack) return set_up_pack(model, content, options, error);
    model->info.format = content->format->name;
    bool is_graph_file = content->graph;
    if (is_graph_file) {
        model->graph = content->graph;
        content->graph = NULL;
    } else {
        TRY(build_from_tensors(model, content, error));
    }
    model->folder = content->folder;
    content->folder = NULL;
    TRY(note_optional_outputs(model, error));
    TRY(compile(model, options, error));
    TRY(roles_find(model->graph, &model->graph->arena, &model->roles, error));
    if (is_graph_file) classify_graph(model);
    if (options->is_graph_only) return HOB_OK;
    if (is_graph_file) TRY(read_neighbours(model, error));
    if (model->folder && model->info.kind == HOB_MODEL_ENCODER)
        TRY(model_read_prompts(model->folder, &model->graph->arena, &model->prompts, error));
    TRY(chat_template_find(model, error));
    model->info.pooling = model->pooling.mode;
    model->info.is_normalized = model->pooling.is_normalized;
    model->info.n_labels = (int64_t)model->labels.n;
    model->info.n_text_tokens = encode_most_tokens(model);
    find_tokenizer(model, path, options);
    if (options->tokenizer_path && !model->tokenizer) FAIL(error, HOB_BAD_FILE, "%s", model->tokenizer_error);
    return HOB_OK;
}

static hob_status open_path(const char *path, const hob_model_options *options, struct weight_errors *errors, hob_model **ret_model,
                            hob_error *error)
{
    hob_status status = HOB_OK;
    struct format_content content = {0};
    struct hob_model *model = NULL;
    TRY(kernels_check_choice(error));
    if (options->progress) options->progress(options->progress_context, "reading", 0.0);
    TRY_CLEANUP(format_open(path, &content, error));
    model = memory_new(1, sizeof *model);
    if (!model) FAIL_CLEANUP(error, HOB_NO_MEMORY, "%s: out of memory", path);
    atomic_init(&model->n_refs, 1);
    model->weight_errors = errors;
    model->bos_id = -1;
    status = set_up(model, path, &content, options, error);
    if (status == HOB_OK) status = model_count_weights(model, error);
    if (status == HOB_OK && model->info.kind == HOB_MODEL_DECODER && !options->is_graph_only) status = end_tokens_find(model, error);
    if (status != HOB_OK) {
        if (!error || strncmp(error->message, path, strlen(path))) error_prefix(error, status, "%s", path);
        goto cleanup;
    }
    if (options->progress) options->progress(options->progress_context, "ready", 1.0);
    *ret_model = model;
    model = NULL;
cleanup:
    format_content_release(&content);
    hob_model_free(model);
    return status;
}

hob_status model_open_weighing(const char *path, const hob_model_options *options, struct weight_errors *errors, hob_model **ret_model,
                               hob_error *error)
{
    return open_path(path, options, errors, ret_model, error);
}

hob_status hob_model_open(const char *path, const hob_model_options *options, hob_model **ret_model, hob_error *error)
{
    hob_model_options defaults = {0};
    if (path) return open_path(path, options ? options : &defaults, NULL, ret_model, error);
    hob_model_kind kind = options ? options->default_kind : HOB_MODEL_DECODER;
    char *default_path = hob_model_default_path(kind);
    if (!default_path)
        FAIL(error, HOB_NOT_FOUND, "no model given, and no default model found: set %s or use -m MODEL",
             default_model_variable(kind));
    hob_status status = open_path(default_path, options ? options : &defaults, NULL, ret_model, error);
    memory_free(default_path);
    return status;
}

void hob_model_ref(hob_model *model)
{
    atomic_fetch_add_explicit(&model->n_refs, 1, memory_order_relaxed);
}

void hob_model_free(hob_model *model)
{
    if (!model || atomic_fetch_sub_explicit(&model->n_refs, 1, memory_order_acq_rel) != 1) return;
    token_trie_unref(atomic_load(&model->token_trie));
    hob_tokenizer_free(model->tokenizer);
    graph_free(model->graph);
    memory_free(model->tokenizer_error);
    memory_free(model->owned_template);
    memory_free(model->owned_tool_template);
    memory_free(model->folder);
    memory_free(model);
}

hob_model_info hob_model_get_info(const hob_model *model)
{
    return model->info;
}

const char *hob_model_chat_template(const hob_model *model)
{
    return model->chat_template;
}

const char *hob_model_prompt_name(const hob_model *model, size_t index)
{
    return index < model->prompts.n ? model->prompts.items[index].name : NULL;
}

const char *hob_model_prompt(const hob_model *model, const char *name)
{
    return model_find_prompt(&model->prompts, name);
}

const char *hob_model_label(const hob_model *model, size_t index)
{
    return index < model->labels.n ? model->labels.names[index] : NULL;
}

const hob_tokenizer *hob_model_tokenizer(const hob_model *model)
{
    return model->tokenizer;
}

size_t hob_model_n_inputs(const hob_model *model)
{
    return model->graph->n_inputs;
}

size_t hob_model_n_outputs(const hob_model *model)
{
    return model->graph->n_outputs;
}

const char *hob_model_input_name(const hob_model *model, size_t index)
{
    return index < model->graph->n_inputs ? model->graph->values[model->graph->inputs[index]].name : NULL;
}

const char *hob_model_output_name(const hob_model *model, size_t index)
{
    return index < model->graph->n_outputs ? model->graph->output_names[index] : NULL;
}

hob_status model_find_input(const struct hob_model *model, const char *name, uint32_t *ret_index, hob_error *error)
{
    const struct graph *graph = model->graph;
    for (uint32_t i = 0; i < graph->n_inputs; i++) {
        if (strcmp(graph->values[graph->inputs[i]].name, name)) continue;
        *ret_index = i;
        return HOB_OK;
    }
    FAIL(error, HOB_NOT_FOUND, "the model has no input called %s; its first is %s", name,
         graph->n_inputs ? graph->values[graph->inputs[0]].name : "missing: it takes none");
}

hob_status hob_model_read_input(const hob_model *model, const char *name, const char *path, hob_tensor **ret_tensor, hob_error *error)
{
    uint32_t index;
    TRY(model_find_input(model, name, &index, error));
    const struct value *declared = &model->graph->values[model->graph->inputs[index]];
    enum onnx_proto proto = declared->is_optional               ? ONNX_PROTO_OPTIONAL
                            : declared->dtype == DTYPE_SEQUENCE ? ONNX_PROTO_SEQUENCE
                            : declared->dtype == DTYPE_NONE     ? ONNX_PROTO_ANY
                                                                : ONNX_PROTO_TENSOR;
    hob_tensor *tensor;
    TRY(tensor_read_as(path, proto, &tensor, error));
    if (declared->dtype == DTYPE_BF16 && tensor->tensor.dtype == DTYPE_U16) tensor->tensor.dtype = DTYPE_BF16;
    tensor->is_optional = declared->is_optional;
    *ret_tensor = tensor;
    return HOB_OK;
}

/* What is inside a file. Everything is gathered into one JSON object; the text for a person is a rendering of it, so the two
 * never disagree. A part that cannot be had (an unknown architecture, an operator hob lacks) is said in "problem". */
#include "base/buffer.h"
#include "base/error.h"
#include "base/mapped_file.h"
#include "base/memory.h"
#include "engine/describe.h"
#include "ops/op.h"
#include "engine/roles.h"
#include "engine/tensor.h"
#include "formats/formats.h"
#include "formats/tensor_file.h"
#include "graph/graph.h"
#include "graph/pass.h"
#include "graph/program.h"
#include "hob/model.h"
#include "kernels/kernels.h"
#include "models/model.h"

#include <inttypes.h>
#include <string.h>

enum { SHOWN_TEXT_BYTES = 4096 };

/* ---- small pieces ---- */

static json_t *shape_json(int rank, const int64_t *dims, const char *const *dim_names)
{
    json_t *shape = json_array();
    for (int d = 0; d < rank; d++) {
        if (dims[d] >= 0) json_array_append_new(shape, json_integer(dims[d]));
        else json_array_append_new(shape, json_string(dim_names && dim_names[d] ? dim_names[d] : "?"));
    }
    return shape;
}

/* Text from a file may be no UTF-8; jansson wants UTF-8. */
static json_t *text_json(const char *bytes, size_t n_bytes)
{
    if (n_bytes > SHOWN_TEXT_BYTES) n_bytes = SHOWN_TEXT_BYTES;
    json_t *text = json_stringn(bytes, n_bytes);
    return text ? text : json_string("(not UTF-8)");
}

static json_t *value_json(const struct graph *graph, uint32_t index, const char *name)
{
    const struct value *value = &graph->values[index];
    json_t *json = json_object();
    json_object_set_new(json, "name", text_json(name, strlen(name)));
    json_object_set_new(json, "type", json_string(value->dtype == DTYPE_NONE ? "unknown" : dtype_name(value->dtype)));
    if (value->rank >= 0) json_object_set_new(json, "shape", shape_json(value->rank, value->dims, value->dim_names));
    return json;
}

static void describe_ends(const struct graph *graph, json_t *root)
{
    json_t *inputs = json_array(), *outputs = json_array();
    for (uint32_t i = 0; i < graph->n_inputs; i++)
        json_array_append_new(inputs, value_json(graph, graph->inputs[i], graph->values[graph->inputs[i]].name));
    for (uint32_t i = 0; i < graph->n_outputs; i++)
        json_array_append_new(outputs, value_json(graph, graph->outputs[i], graph->output_names[i]));
    json_object_set_new(root, "inputs", inputs);
    json_object_set_new(root, "outputs", outputs);
}

static void describe_tensor(const struct tensor *tensor, json_t *json)
{
    json_object_set_new(json, "type", json_string(dtype_name(tensor->dtype)));
    json_object_set_new(json, "shape", shape_json(tensor->rank, tensor->dims, NULL));
    json_object_set_new(json, "bytes", json_integer((json_int_t)tensor_n_bytes(tensor)));
}

static json_t *named_tensor_json(const char *name, const struct tensor *tensor)
{
    json_t *json = json_object();
    json_object_set_new(json, "name", text_json(name, strlen(name)));
    describe_tensor(tensor, json);
    return json;
}

/* ---- graphs ---- */

static void full_name(const struct node *node, char *name, size_t n_name_bytes)
{
    snprintf(name, n_name_bytes, "%s%s%s", node->domain, *node->domain ? "." : "", node->op_type);
}

static void count_op(json_t *counts, const struct node *node)
{
    char name[160];
    full_name(node, name, sizeof name);
    json_t *old = json_object_get(counts, name);
    json_object_set_new(counts, name, json_integer(old ? json_integer_value(old) + 1 : 1));
}

static void add_unsupported(const struct graph *graph, const struct node *node, json_t *unsupported)
{
    char name[160], text[224];
    int opset = node->opset >= 0 ? node->opset : graph_opset(graph, node->domain);
    if (op_find(node->domain, node->op_type, opset < 0 ? 1 : opset)) return;
    full_name(node, name, sizeof name);
    snprintf(text, sizeof text, "%s (opset %d)", name, opset);
    for (size_t i = 0; i < json_array_size(unsupported); i++)
        if (!strcmp(json_string_value(json_array_get(unsupported, i)), text)) return;
    json_array_append_new(unsupported, json_string(text));
}

static void count_ops(const struct graph *graph, json_t *counts, json_t *unsupported)
{
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        if (graph->nodes[i].is_removed) continue;
        count_op(counts, &graph->nodes[i]);
        add_unsupported(graph, &graph->nodes[i], unsupported);
    }
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) count_ops(graph->subgraphs[s], counts, unsupported);
}

static void describe_source(const struct graph *graph, json_t *root)
{
    json_t *opsets = json_object(), *metadata = json_object();
    for (uint32_t i = 0; i < graph->n_opsets; i++)
        json_object_set_new(opsets, *graph->opsets[i].domain ? graph->opsets[i].domain : "ai.onnx", json_integer(graph->opsets[i].version));
    for (uint32_t i = 0; i < graph->n_metadata; i++)
        json_object_set_new(metadata, graph->metadata[i].key, text_json(graph->metadata[i].text, strlen(graph->metadata[i].text)));
    json_object_set_new(root, "producer", text_json(graph->producer, strlen(graph->producer)));
    json_object_set_new(root, "ir_version", json_integer(graph->ir_version));
    json_object_set_new(root, "opsets", opsets);
    json_object_set_new(root, "metadata", metadata);
}

static void describe_constants(const struct graph *graph, json_t *root)
{
    json_t *tensors = json_array();
    for (uint32_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].constant && *graph->values[i].name)
            json_array_append_new(tensors, named_tensor_json(graph->values[i].name, graph->values[i].constant));
    json_object_set_new(root, "tensors", tensors);
}

/* Weights as the graph holds them, each once; and what a position of the caches takes. */
static json_t *memory_json(const struct graph *graph)
{
    size_t weight_bytes = 0, position_bytes = 0;
    for (uint32_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].constant && !graph->values[i].constant->is_view) weight_bytes += tensor_n_bytes(graph->values[i].constant);
    for (uint32_t i = 0; i < graph->n_states; i++) {
        const struct graph_state *state = &graph->states[i];
        size_t n_items = 1;
        for (int d = 0; d < state->rank; d++)
            if (d != state->axis && state->dims[d] > 0) n_items *= (size_t)state->dims[d];
        position_bytes += n_items * dtype_block_bytes(state->dtype);
    }
    return json_pack("{s:I, s:I}", "weights_bytes", (json_int_t)weight_bytes, "kv_cache_bytes_per_token", (json_int_t)position_bytes);
}

/* What the passes make of the graph, and whether it would run. */
static void describe_compiled(struct graph *graph, json_t *root)
{
    hob_error error;
    struct pass_report report[PASS_MAX] = {0};
    const struct program *program;
    struct pass_options options = {.kernels = kernels_select(), .is_for_generation = true};
    hob_status status = passes_run(graph, &options, report, &error);
    if (status == HOB_OK) status = program_new(graph, &program, &error);
    if (status != HOB_OK) {
        json_object_set_new(root, "problem", text_json(error.message, strlen(error.message)));
        return;
    }
    json_t *passes = json_object(), *counts = json_object(), *unsupported = json_array();
    for (size_t i = 0; i < passes_count(); i++) json_object_set_new(passes, report[i].pass->name, json_integer(report[i].n_changes));
    count_ops(graph, counts, unsupported);
    json_object_set_new(root, "passes", passes);
    json_object_set_new(root, "compiled_operators", counts);
    json_object_set_new(root, "memory", memory_json(graph));
    json_decref(unsupported);
}

static void describe_graph(struct graph *graph, json_t *root)
{
    json_t *counts = json_object(), *unsupported = json_array();
    count_ops(graph, counts, unsupported);
    describe_source(graph, root);
    describe_ends(graph, root);
    json_object_set_new(root, "operators", counts);
    json_object_set(root, "unsupported", unsupported);
    describe_constants(graph, root);
    if (!json_array_size(unsupported)) describe_compiled(graph, root);
    json_decref(unsupported);
}

/* ---- tensor files ---- */

static json_t *metadata_json(const struct metadata *metadata)
{
    char text[64];
    switch (metadata->kind) {
    case METADATA_INT: return json_integer(metadata->integer);
    case METADATA_UINT: return json_integer((json_int_t)metadata->unsigned_integer);
    case METADATA_FLOAT: return json_real(metadata->number);
    case METADATA_BOOL: return json_boolean(metadata->integer);
    case METADATA_STRING: return text_json(metadata->string.bytes, metadata->string.n_bytes);
    case METADATA_ARRAY: break;
    }
    snprintf(text, sizeof text, "(list of %zu)", metadata->n_items);
    return json_string(text);
}

static void describe_architecture(const struct tensor_file *file, const char *folder, json_t *root)
{
    struct graph *graph;
    struct model_info info;
    hob_error error;
    if (!file->n_tensors) return; /* a tokenizer alone */
    if (model_build(file, folder, &graph, &info, &error) != HOB_OK) {
        json_object_set_new(root, "problem", text_json(error.message, strlen(error.message)));
        return;
    }
    json_object_set_new(root, "architecture", json_string(info.architecture));
    json_object_set_new(root, "vocabulary", json_integer(info.n_vocab));
    json_object_set_new(root, "context", json_integer(info.n_context));
    json_object_set_new(root, "layers", json_integer(info.n_layers));
    json_object_set_new(root, "width", json_integer(info.width));
    describe_ends(graph, root);
    describe_compiled(graph, root);
    graph_free(graph);
}

static void describe_tensor_file(const struct tensor_file *file, const char *folder, json_t *root)
{
    json_t *metadata = json_object(), *tensors = json_array();
    if (file->version) json_object_set_new(root, "version", json_integer(file->version));
    for (size_t i = 0; i < file->n_metadata; i++)
        json_object_set_new(metadata, file->metadata[i].key, metadata_json(&file->metadata[i]));
    for (size_t i = 0; i < file->n_tensors; i++)
        json_array_append_new(tensors, named_tensor_json(file->tensors[i].name, &file->tensors[i].tensor));
    describe_architecture(file, folder, root);
    json_object_set_new(root, "metadata", metadata);
    json_object_set_new(root, "tensors", tensors);
}

/* ---- the whole ---- */

static bool is_tensor_name(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && (!strcmp(dot, ".npy") || !strcmp(dot, ".pb"));
}

static hob_status describe_tensor_path(const char *path, json_t *root, hob_error *error)
{
    hob_tensor *tensor;
    TRY(hob_tensor_read(path, &tensor, error));
    json_object_set_new(root, "format", json_string(strrchr(path, '.') + 1));
    describe_tensor(&tensor->tensor, root);
    hob_tensor_free(tensor);
    return HOB_OK;
}

static hob_status describe_path(const char *path, json_t *root, hob_error *error)
{
    json_object_set_new(root, "file", text_json(path, strlen(path)));
    if (is_tensor_name(path)) return describe_tensor_path(path, root, error);
    struct format_content content = {0};
    TRY(format_open(path, &content, error));
    json_object_set_new(root, "format", json_string(content.format->name));
    if (content.graph) describe_graph(content.graph, root);
    else describe_tensor_file(content.tensors, content.folder, root);
    format_content_release(&content);
    return HOB_OK;
}

hob_status hob_describe(const char *path, bool is_json, char **ret_text, hob_error *error)
{
    json_t *root = json_object();
    if (!root) FAIL(error, HOB_NO_MEMORY, "%s: out of memory", path);
    hob_status status = describe_path(path, root, error);
    if (status == HOB_OK) status = is_json ? describe_dump(root, ret_text, error) : describe_render(root, ret_text, error);
    json_decref(root);
    return status;
}

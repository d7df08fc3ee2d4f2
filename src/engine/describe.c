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
#include "hob/model.h"
#include "models/model.h"

#include <inttypes.h>
#include <string.h>

static json_t *value_json(const struct graph *graph, uint32_t index, const char *name)
{
    const struct value *value = &graph->values[index];
    json_t *json = json_object();
    json_object_set_new(json, "name", describe_text(name, strlen(name)));
    json_object_set_new(json, "type", json_string(value->dtype == DTYPE_NONE ? "unknown" : dtype_name(value->dtype)));
    if (value->rank >= 0) json_object_set_new(json, "shape", describe_shape(value->rank, value->dims, value->dim_names));
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
    json_object_set_new(json, "shape", describe_shape(tensor->rank, tensor->dims, NULL));
    json_object_set_new(json, "bytes", json_integer((json_int_t)tensor_n_bytes(tensor)));
}

static json_t *named_tensor_json(const char *name, const struct tensor *tensor)
{
    json_t *json = json_object();
    json_object_set_new(json, "name", describe_text(name, strlen(name)));
    describe_tensor(tensor, json);
    return json;
}

/* ---- graphs ---- */

static void add_unsupported(const struct graph *graph, const struct node *node, json_t *unsupported)
{
    char text[320];
    int opset = node->opset >= 0 ? node->opset : graph_opset(graph, node->domain);
    if (op_find(node->domain, node->op_type, opset < 0 ? 1 : opset)) return;
    snprintf(text, sizeof text, "operator %.120s of domain %.120s, opset %d", node->op_type, *node->domain ? node->domain : "ai.onnx", opset);
    for (size_t i = 0; i < json_array_size(unsupported); i++)
        if (!strcmp(json_string_value(json_array_get(unsupported, i)), text)) return;
    json_array_append_new(unsupported, describe_text(text, strlen(text)));
}

static void find_unsupported(const struct graph *graph, json_t *unsupported)
{
    for (uint32_t i = 0; i < graph->n_nodes; i++) add_unsupported(graph, &graph->nodes[i], unsupported);
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) find_unsupported(graph->subgraphs[s], unsupported);
}

static void describe_source(const struct graph *graph, json_t *root)
{
    json_t *opsets = json_object(), *metadata = json_object();
    for (uint32_t i = 0; i < graph->n_opsets; i++)
        json_object_set_new(opsets, *graph->opsets[i].domain ? graph->opsets[i].domain : "ai.onnx", json_integer(graph->opsets[i].version));
    if (graph_opset(graph, "") > OP_NEWEST_OPSET)
        json_object_set_new(root, "note", json_sprintf("opset %d of ai.onnx is newer than hob knows: operators run as in opset %d",
                                                       graph_opset(graph, ""), OP_NEWEST_OPSET));
    for (uint32_t i = 0; i < graph->n_metadata; i++)
        json_object_set_new(metadata, graph->metadata[i].key, describe_text(graph->metadata[i].text, strlen(graph->metadata[i].text)));
    json_object_set_new(root, "producer", describe_text(graph->producer, strlen(graph->producer)));
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

/* Of an ONNX classifier, whose labels config.json beside it names. */
static void describe_graph_labels(const struct graph *graph, const char *folder, json_t *root)
{
    struct graph_roles roles;
    struct model_labels labels;
    struct arena arena;
    hob_error error;
    arena_init(&arena, 4096);
    if (roles_find(graph, &arena, &roles, &error) == HOB_OK && roles.is_complete && roles.labels != ROLE_NONE) {
        const struct value *value = &graph->values[graph->outputs[roles.labels]];
        int64_t n_labels = value->dims[value->rank - 1] > 0 ? value->dims[value->rank - 1] : 0;
        hob_status status = model_read_labels(folder, n_labels, &arena, &labels, &error);
        if (status == HOB_OK) describe_labels(&labels, root);
        else json_object_set_new(root, "problem", describe_text(error.message, strlen(error.message)));
    }
    arena_release(&arena);
}

/* pack NULL: an ONNX file. */
static void describe_graph(struct graph *graph, const struct pack *pack, json_t *root)
{
    json_t *counts = json_object(), *unsupported = json_array();
    describe_count_ops(graph, counts);
    find_unsupported(graph, unsupported);
    describe_source(graph, root);
    describe_ends(graph, root);
    json_object_set_new(root, "operators", counts);
    json_object_set_new(root, "unsupported", unsupported);
    describe_constants(graph, root);
    if (pack) describe_packed(graph, root);
    else describe_compiled(graph, root);
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
    case METADATA_STRING: return describe_text(metadata->string.bytes, metadata->string.n_bytes);
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
        json_object_set_new(root, "problem", describe_text(error.message, strlen(error.message)));
        return;
    }
    json_object_set_new(root, "architecture", json_string(info.architecture));
    json_object_set_new(root, "vocabulary", json_integer(info.n_vocab));
    json_object_set_new(root, "context", json_integer(info.n_context));
    json_object_set_new(root, "layers", json_integer(info.n_layers));
    json_object_set_new(root, "width", json_integer(info.width));
    describe_labels(&info.labels, root);
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
    json_object_set_new(root, "file", describe_text(path, strlen(path)));
    if (is_tensor_name(path)) return describe_tensor_path(path, root, error);
    struct format_content content = {0};
    TRY(format_open(path, &content, error));
    json_object_set_new(root, "format", json_string(content.format->name));
    if (content.pack) describe_pack(content.pack, content.graph, root);
    if (content.graph && !content.pack && content.folder) describe_graph_labels(content.graph, content.folder, root);
    if (content.graph) describe_graph(content.graph, content.pack, root);
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

/* Equal small constants become one, then nodes that do the same to the same inputs become one. Exports repeat their shape
 * arithmetic in every layer; this leaves it once.
 *
 * Each node is written out as bytes (operator, inputs, attributes); equal bytes mean equal nodes. */
#include "base/buffer.h"
#include "base/error.h"
#include "graph/pass.h"
#include "ops/op.h"

#include <string.h>

enum { SMALL_CONSTANT_BYTES = 1024 };

struct merging {
    struct graph *graph;
    struct pass_context *context;
    uint32_t *replacements;
    struct string_map seen;
    struct buffer key;
};

static void add_bytes(struct buffer *key, const void *bytes, size_t n_bytes)
{
    buffer_append(key, &n_bytes, sizeof n_bytes);
    buffer_append(key, bytes, n_bytes);
}

static void add_string(struct buffer *key, const char *text)
{
    add_bytes(key, text, strlen(text));
}

/* false: has a graph or tensor inside, which are not compared. */
static bool add_attribute(struct buffer *key, const struct attribute *attribute)
{
    add_string(key, attribute->name);
    buffer_append(key, &attribute->kind, sizeof attribute->kind);
    switch (attribute->kind) {
    case ATTRIBUTE_FLOAT: add_bytes(key, &attribute->number, sizeof attribute->number); return true;
    case ATTRIBUTE_INT: add_bytes(key, &attribute->integer, sizeof attribute->integer); return true;
    case ATTRIBUTE_STRING: add_bytes(key, attribute->string.bytes, attribute->string.n_bytes); return true;
    case ATTRIBUTE_FLOATS: add_bytes(key, attribute->numbers, attribute->n_items * sizeof(float)); return true;
    case ATTRIBUTE_INTS: add_bytes(key, attribute->integers, attribute->n_items * sizeof(int64_t)); return true;
    default: return false;
    }
}

static bool write_node(const struct node *node, struct buffer *key)
{
    buffer_clear(key);
    add_string(key, node->domain);
    add_string(key, node->op_type);
    buffer_append(key, &node->opset, sizeof node->opset);
    add_bytes(key, node->inputs, node->n_inputs * sizeof *node->inputs);
    for (uint32_t i = 0; i < node->n_outputs; i++) buffer_append_byte(key, node->outputs[i] != VALUE_NONE);
    for (size_t i = 0; i < node->attributes.n_items; i++)
        if (!add_attribute(key, &node->attributes.items[i])) return false;
    return !key->is_failed;
}

/* Looks key up; puts index under it when it is new. */
static hob_status find_or_put(struct merging *merging, uint32_t index, uint64_t *ret_found)
{
    *ret_found = index;
    if (string_map_get(&merging->seen, merging->key.bytes, merging->key.n_bytes, ret_found)) return HOB_OK;
    char *copy = arena_copy_string(merging->context->scratch, merging->key.bytes, merging->key.n_bytes);
    if (!copy || !string_map_put(&merging->seen, copy, merging->key.n_bytes, index))
        FAIL(merging->context->error, HOB_NO_MEMORY, "merging common nodes: out of memory");
    return HOB_OK;
}

static hob_status merge_constants(struct merging *merging)
{
    struct graph *graph = merging->graph;
    for (uint32_t i = 0; i < graph->n_values; i++) {
        const struct tensor *constant = graph->values[i].constant;
        if (!constant || constant->layout != LAYOUT_STRIDED || constant->is_view || graph->values[i].is_output) continue;
        size_t n_bytes = tensor_n_bytes(constant);
        if (n_bytes > SMALL_CONSTANT_BYTES || constant->dtype == DTYPE_STRING || constant->dtype == DTYPE_SEQUENCE) continue;
        buffer_clear(&merging->key);
        buffer_append(&merging->key, &constant->dtype, sizeof constant->dtype);
        add_bytes(&merging->key, constant->dims, constant->rank * sizeof *constant->dims);
        add_bytes(&merging->key, constant->data, n_bytes);
        uint64_t found;
        if (merging->key.is_failed) FAIL(merging->context->error, HOB_NO_MEMORY, "merging constants: out of memory");
        TRY(find_or_put(merging, i, &found));
        if (found != i) merging->replacements[i] = (uint32_t)found;
    }
    graph_replace_values(graph, merging->replacements);
    return HOB_OK;
}

static void merge_into(struct merging *merging, uint32_t index, uint32_t kept)
{
    struct graph *graph = merging->graph;
    const struct node *node = &graph->nodes[index];
    for (uint32_t i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] != VALUE_NONE) merging->replacements[node->outputs[i]] = graph->nodes[kept].outputs[i];
    graph_remove_node(graph, index);
    merging->context->n_changes++;
}

static hob_status merge_nodes(struct merging *merging)
{
    uint32_t *order, n_nodes;
    TRY(graph_sort(merging->graph, merging->context->scratch, &order, &n_nodes, merging->context->error));
    for (uint32_t i = 0; i < n_nodes; i++) {
        const struct node *node = &merging->graph->nodes[order[i]];
        graph_replace_inputs(merging->graph, order[i], merging->replacements);
        if ((node->op->flags & (OP_NOT_FOLDABLE | OP_STATEFUL)) || !write_node(node, &merging->key)) continue;
        uint64_t kept;
        TRY(find_or_put(merging, order[i], &kept));
        if (kept != order[i]) merge_into(merging, order[i], (uint32_t)kept);
    }
    graph_replace_values(merging->graph, merging->replacements);
    return HOB_OK;
}

static hob_status apply(struct graph *graph, struct pass_context *context)
{
    struct merging merging = {.graph = graph, .context = context};
    TRY(graph_new_replacements(graph, context->scratch, &merging.replacements, context->error));
    hob_status status = merge_constants(&merging);
    string_map_release(&merging.seen);
    if (status == HOB_OK) status = merge_nodes(&merging);
    string_map_release(&merging.seen);
    buffer_release(&merging.key);
    for (uint32_t s = 0; s < graph->n_subgraphs && status == HOB_OK; s++) status = apply(graph->subgraphs[s], context);
    return status;
}

const struct pass_def pass_merge_common = {
    .name = "merge_common", .summary = "computes equal expressions once", .apply = apply};

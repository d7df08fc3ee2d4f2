/* Topological order. A depth-first walk from each node in file order over producers: nodes come out as late as their first
 * reader needs them and otherwise in file order, without recursion (a hostile file could be a chain of a million nodes).
 *
 * A node that holds subgraphs also depends on every outer value its subgraphs read. */
#include "graph/graph.h"
#include "base/error.h"
#include "ops/op.h"

#include <stdio.h>
#include <string.h>

enum mark { MARK_NEW, MARK_OPEN, MARK_DONE };

struct walk {
    const struct graph *graph;
    unsigned char *marks; /* enum mark, a node each */
    struct frame {
        uint32_t node, next; /* next dependency to look at */
    } *stack;
    uint32_t depth;
    uint32_t *order;
    uint32_t n_ordered;
    uint32_t **captures; /* per node: outer values its subgraphs read; NULL for most */
    uint32_t *n_captures;
    hob_error *error;
};

static hob_status no_memory(hob_error *error)
{
    FAIL(error, HOB_NO_MEMORY, "sorting the graph: out of memory");
}

static size_t count_outer(const struct graph *graph)
{
    size_t n_outer = 0;
    for (uint32_t i = 0; i < graph->n_values; i++) n_outer += graph->values[i].outer != VALUE_NONE;
    return n_outer;
}

static hob_status collect_captures(struct walk *walk, uint32_t index, struct arena *scratch)
{
    const struct node *node = &walk->graph->nodes[index];
    size_t n_outer = 0;
    for (size_t a = 0; a < node->attributes.n_items; a++) {
        const struct attribute *attribute = &node->attributes.items[a];
        if (attribute->kind != ATTRIBUTE_GRAPH && attribute->kind != ATTRIBUTE_GRAPHS) continue;
        for (size_t g = 0; g < attribute->n_items; g++) n_outer += count_outer(attribute->graphs[g]);
    }
    if (!n_outer) return HOB_OK;
    uint32_t *captures = ARENA_NEW(scratch, uint32_t, n_outer);
    if (!captures) return no_memory(walk->error);
    uint32_t n_captures = 0;
    for (size_t a = 0; a < node->attributes.n_items; a++) {
        const struct attribute *attribute = &node->attributes.items[a];
        if (attribute->kind != ATTRIBUTE_GRAPH && attribute->kind != ATTRIBUTE_GRAPHS) continue;
        for (size_t g = 0; g < attribute->n_items; g++) {
            const struct graph *subgraph = attribute->graphs[g];
            for (uint32_t i = 0; i < subgraph->n_values; i++)
                if (subgraph->values[i].outer != VALUE_NONE) captures[n_captures++] = subgraph->values[i].outer;
        }
    }
    walk->captures[index] = captures;
    walk->n_captures[index] = n_captures;
    return HOB_OK;
}

static uint32_t n_dependencies(const struct walk *walk, uint32_t node)
{
    return walk->graph->nodes[node].n_inputs + walk->n_captures[node];
}

static uint32_t dependency(const struct walk *walk, uint32_t node, uint32_t i)
{
    uint32_t n_inputs = walk->graph->nodes[node].n_inputs;
    return i < n_inputs ? walk->graph->nodes[node].inputs[i] : walk->captures[node][i - n_inputs];
}

static hob_status report_cycle(const struct walk *walk, uint32_t node)
{
    char path[240] = "";
    size_t length = 0;
    uint32_t first = walk->depth;
    while (first > 0 && walk->stack[first - 1].node != node) first--;
    for (uint32_t i = first ? first - 1 : 0; i < walk->depth && length + 48 < sizeof path; i++) {
        int n = snprintf(path + length, sizeof path - length, "%.40s <- ", walk->graph->nodes[walk->stack[i].node].name);
        length += n > 0 ? (size_t)n : 0;
    }
    FAIL(walk->error, HOB_BAD_GRAPH, "the graph has a cycle: %s%.40s", path, walk->graph->nodes[node].name);
}

static hob_status check_source(const struct walk *walk, uint32_t node, uint32_t value)
{
    const struct value *source = &walk->graph->values[value];
    if (source->is_input || source->constant || source->outer != VALUE_NONE) return HOB_OK;
    FAIL(walk->error, HOB_BAD_GRAPH, "%s: input %s is made by no node, and is neither an input nor a constant of the graph",
         walk->graph->nodes[node].name, source->name);
}

/* Pushes the next unfinished producer of the node on top, or finishes that node. */
static hob_status step(struct walk *walk)
{
    struct frame *top = &walk->stack[walk->depth - 1];
    while (top->next < n_dependencies(walk, top->node)) {
        uint32_t value = dependency(walk, top->node, top->next++);
        if (value == VALUE_NONE) continue;
        uint32_t producer = walk->graph->values[value].producer;
        if (producer == NODE_NONE) {
            TRY(check_source(walk, top->node, value));
            continue;
        }
        if (walk->marks[producer] == MARK_DONE) continue;
        if (walk->marks[producer] == MARK_OPEN) return report_cycle(walk, producer);
        walk->marks[producer] = MARK_OPEN;
        walk->stack[walk->depth++] = (struct frame){.node = producer};
        return HOB_OK;
    }
    walk->marks[top->node] = MARK_DONE;
    walk->order[walk->n_ordered++] = top->node;
    walk->depth--;
    return HOB_OK;
}

static hob_status check_outputs(const struct graph *graph, hob_error *error)
{
    for (uint32_t i = 0; i < graph->n_outputs; i++) {
        const struct value *value = &graph->values[graph->outputs[i]];
        if (value->producer == NODE_NONE && !value->is_input && !value->constant && value->outer == VALUE_NONE)
            FAIL(error, HOB_BAD_GRAPH, "output %s of the graph is made by no node", value->name);
    }
    return HOB_OK;
}

hob_status graph_sort(const struct graph *graph, struct arena *scratch, uint32_t **ret_order, uint32_t *ret_n_nodes, hob_error *error)
{
    TRY(check_outputs(graph, error));
    size_t n_nodes = graph->n_nodes;
    struct walk walk = {.graph = graph,
                        .marks = ARENA_NEW(scratch, unsigned char, n_nodes),
                        .stack = ARENA_NEW(scratch, struct frame, n_nodes),
                        .order = ARENA_NEW(scratch, uint32_t, n_nodes),
                        .captures = ARENA_NEW(scratch, uint32_t *, n_nodes),
                        .n_captures = ARENA_NEW(scratch, uint32_t, n_nodes),
                        .error = error};
    if (!walk.marks || !walk.stack || !walk.order || !walk.captures || !walk.n_captures) return no_memory(error);
    for (uint32_t i = 0; i < graph->n_nodes; i++)
        if (!graph->nodes[i].is_removed) TRY(collect_captures(&walk, i, scratch));
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        if (graph->nodes[i].is_removed || walk.marks[i] != MARK_NEW) continue;
        walk.marks[i] = MARK_OPEN;
        walk.stack[walk.depth++] = (struct frame){.node = i};
        while (walk.depth) TRY(step(&walk));
    }
    *ret_order = walk.order;
    *ret_n_nodes = walk.n_ordered;
    return HOB_OK;
}

static bool count_fits(uint32_t n, int least, int most)
{
    return n >= (uint32_t)least && (most < 0 || n <= (uint32_t)most);
}

/* "2", "1 or more", "2 to 5". */
static const char *count_text(int least, int most, char text[32])
{
    if (most < 0) snprintf(text, 32, "%d or more", least);
    else if (least == most) snprintf(text, 32, "%d", least);
    else snprintf(text, 32, "%d to %d", least, most);
    return text;
}

/* A graph has thousands of nodes of a few operators: the last node of each, found by a hash of the name, spares most walks
 * through the table. */
enum { CACHED_OPS = 64 };
struct op_cache {
    const struct node *nodes[CACHED_OPS];
};

static const struct op_def *find_op(struct op_cache *cache, const struct node *node)
{
    uint32_t hash = 0;
    for (const char *c = node->op_type; *c; c++) hash = hash * 31 + (unsigned char)*c;
    const struct node **known = &cache->nodes[hash % CACHED_OPS];
    if (*known && (*known)->opset == node->opset && !strcmp((*known)->op_type, node->op_type) && !strcmp((*known)->domain, node->domain))
        return (*known)->op;
    *known = node;
    return op_find(node->domain, node->op_type, node->opset);
}

static const char *why_unsupported(const struct node *node)
{
    if (op_find_any_opset(node->domain, node->op_type)) return "known in other opsets only";
    return !*node->domain && node->opset > OP_NEWEST_OPSET ? "unknown; the opset is newer than hob" : "unknown";
}

static hob_status resolve_node(const struct graph *graph, struct op_cache *cache, struct node *node, hob_error *error)
{
    const char *domain = *node->domain ? node->domain : "ai.onnx";
    char expected[32];
    if (node->opset < 0) {
        node->opset = graph_opset(graph, node->domain);
        /* Files in the wild use com.microsoft without importing it; its only opset is 1. */
        if (node->opset < 0) node->opset = 1;
    }
    node->op = find_op(cache, node);
    if (!node->op)
        FAIL(error, HOB_UNSUPPORTED, "%s: operator %s of domain %s, opset %d: %s", node->name, node->op_type, domain, node->opset,
             why_unsupported(node));
    if (!count_fits(node->n_inputs, node->op->min_inputs, node->op->max_inputs))
        FAIL(error, HOB_BAD_GRAPH, "%s (%s): found %u inputs, expected %s", node->name, node->op_type, node->n_inputs,
             count_text(node->op->min_inputs, node->op->max_inputs, expected));
    if (!count_fits(node->n_outputs, node->op->min_outputs, node->op->max_outputs))
        FAIL(error, HOB_BAD_GRAPH, "%s (%s): found %u outputs, expected %s", node->name, node->op_type, node->n_outputs,
             count_text(node->op->min_outputs, node->op->max_outputs, expected));
    for (int i = 0; i < node->op->min_inputs; i++)
        if (node->inputs[i] == VALUE_NONE)
            FAIL(error, HOB_BAD_GRAPH, "%s (%s): input %d is missing", node->name, node->op_type, i);
    return HOB_OK;
}

hob_status graph_resolve_ops(struct graph *graph, hob_error *error)
{
    struct op_cache cache = {0};
    for (uint32_t i = 0; i < graph->n_nodes; i++)
        if (!graph->nodes[i].is_removed && !graph->nodes[i].op) TRY(resolve_node(graph, &cache, &graph->nodes[i], error));
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) TRY(graph_resolve_ops(graph->subgraphs[s], error));
    return HOB_OK;
}

/* An encoder that takes [B,S] ids becomes one that takes texts laid end to end as [1,T], so that nothing is computed for padding:
 * attention is told by `segments` [n+1] where each text begins, what counts tokens is told their `positions` [T], what pools a
 * text's tokens gives a row a text, and bytes get a range for each text. Every other operator works on each token's row by itself
 * and stays as it is, with a batch of 1 and T tokens; most of the shape arithmetic around them is not needed any more.
 *
 * Only where graph/flow proves that row t of the outcome is what it is when the text runs alone, with a mask of ones; any node it
 * has no rule for on the way leaves the graph as it is. The output that embedding reads is kept (a classifier's numbers, a
 * sentence's vector, or else the hidden states); others, such as BERT's pooler, go. */
#include "base/error.h"
#include "graph/builder.h"
#include "graph/flow/exchange.h"
#include "graph/io_role.h"
#include "graph/pass.h"
#include "graph/pattern.h"

#include <string.h>

struct packing {
    struct graph *graph;
    struct flows flows;
    struct builder builder;
    uint32_t output;              /* value that is kept */
    uint32_t segments, positions; /* inputs; VALUE_NONE until somebody needs them */
    bool *is_live;                /* nodes that the output hangs on */
};

/* ---- whether ---- */

static uint32_t find_output(const struct graph *graph, enum output_role role)
{
    for (uint32_t i = 0; i < graph->n_outputs; i++)
        if (output_role_find(graph, i) == role) return i;
    return graph->n_outputs;
}

static uint32_t wanted_output(const struct graph *graph)
{
    uint32_t labels = find_output(graph, OUTPUT_LABELS), sentence = find_output(graph, OUTPUT_SENTENCE);
    if (labels < graph->n_outputs) return labels;
    return sentence < graph->n_outputs ? sentence : find_output(graph, OUTPUT_HIDDEN);
}

static bool has_input(const struct graph *graph, enum input_role role)
{
    for (uint32_t i = 0; i < graph->n_inputs; i++)
        if (input_role_find(&graph->values[graph->inputs[i]]) == role) return true;
    return false;
}

/* An encoder as exports have it. */
static bool is_candidate(const struct graph *graph)
{
    return !graph->parent && !graph->n_subgraphs && !graph->n_states && has_input(graph, INPUT_IDS) && !has_input(graph, INPUT_SEGMENTS) &&
           find_output(graph, OUTPUT_LOGITS) == graph->n_outputs && wanted_output(graph) < graph->n_outputs &&
           graph_find_value(graph, input_segments_name) == VALUE_NONE && graph_find_value(graph, input_positions_name) == VALUE_NONE;
}

static bool is_one(struct flow_size size)
{
    return !size.tokens && !size.texts && size.fixed == 1;
}

/* [1,T,D], or [n,D]. */
static bool is_packed(const struct flow *flow, enum output_role role)
{
    if (role == OUTPUT_SENTENCE || role == OUTPUT_LABELS) return flow->kind == FLOW_TEXTS && flow->rank == 2 && flow->axis == 0;
    return flow->kind == FLOW_TOKENS && flow->rank == 3 && flow->axis == 1 && is_one(flow->dims[0]);
}

/* A mask that becomes a number, or goes, is not needed for its readers' sake. */
static bool is_dropped(const struct packing *packing, uint32_t node, uint32_t i)
{
    enum { ATTENTION_MASK = 3, EMBEDDING_MASK = 7 };
    const struct node *n = &packing->graph->nodes[node];
    switch (packing->flows.changes[node]) {
    case CHANGE_NUMBERS: return packing->flows.values[n->inputs[i]].kind == FLOW_UNIFORM;
    case CHANGE_SHAPE: return i == 1;
    case CHANGE_ATTENTION: return i == ATTENTION_MASK;
    case CHANGE_EMBEDDINGS: return i == EMBEDDING_MASK;
    case CHANGE_COUNT:
    case CHANGE_LENGTHS: return true;
    default: return false;
    }
}

static hob_status find_live(struct packing *packing, struct pass_context *context)
{
    const struct graph *graph = packing->graph;
    bool *is_needed = ARENA_NEW(context->scratch, bool, graph->n_values);
    packing->is_live = ARENA_NEW(context->scratch, bool, graph->n_nodes);
    if (!is_needed || !packing->is_live) FAIL(context->error, HOB_NO_MEMORY, "packing batches: out of memory");
    is_needed[packing->output] = true;
    for (uint32_t at = packing->flows.n_order; at-- > 0;) {
        uint32_t index = packing->flows.order[at];
        const struct node *node = &graph->nodes[index];
        for (uint32_t i = 0; i < node->n_outputs; i++)
            packing->is_live[index] |= node->outputs[i] != VALUE_NONE && is_needed[node->outputs[i]];
        for (uint32_t i = 0; packing->is_live[index] && i < node->n_inputs; i++)
            if (node->inputs[i] != VALUE_NONE && !is_dropped(packing, index, i)) is_needed[node->inputs[i]] = true;
    }
    return HOB_OK;
}

/* ---- inputs and lists ---- */

static uint32_t add_input(struct packing *packing, uint32_t *input, const char *name, const char *dim_name)
{
    if (*input == VALUE_NONE) *input = builder_input(&packing->builder, name, DTYPE_I64, 1, (int64_t[]){DIM_UNKNOWN}, &dim_name);
    return *input;
}

static uint32_t segments_of(struct packing *packing)
{
    return add_input(packing, &packing->segments, input_segments_name, "n+1");
}

static uint32_t positions_of(struct packing *packing)
{
    return add_input(packing, &packing->positions, input_positions_name, "T");
}

static uint32_t op(struct packing *packing, const char *name, uint32_t a, uint32_t b)
{
    return builder_op(&packing->builder, name, (uint32_t[]){a, b}, b == VALUE_NONE ? 1 : 2, NULL, 0);
}

static uint32_t ints(struct packing *packing, int64_t number)
{
    return builder_ints(&packing->builder, &number, 1);
}

static uint32_t cast(struct packing *packing, uint32_t x, enum dtype to)
{
    struct attribute attribute = attribute_int("to", to);
    return builder_op(&packing->builder, "Cast", &x, 1, &attribute, 1);
}

static uint32_t slice(struct packing *packing, uint32_t x, int64_t begin, int64_t end)
{
    uint32_t inputs[] = {x, ints(packing, begin), ints(packing, end)};
    return builder_op(&packing->builder, "Slice", inputs, 3, NULL, 0);
}

/* Behind axis 0, where rows are; a list of dims is made of sizes, which only the values' own shapes know. */
static uint32_t put_axis(struct packing *packing, uint32_t x, int64_t axis)
{
    return op(packing, "Unsqueeze", x, ints(packing, axis));
}

/* ---- what takes a node's place ---- */

/* value becomes what `made` is. */
static void become(struct packing *packing, uint32_t node, uint32_t made)
{
    uint32_t output = packing->graph->nodes[node].outputs[0];
    const char *name = packing->graph->nodes[node].name;
    graph_remove_node(packing->graph, node);
    builder_op_into(&packing->builder, name, "Identity", &made, 1, NULL, 0, &output, 1);
}

/* The same operator on other inputs. */
static void feed(struct packing *packing, uint32_t index, const uint32_t *inputs, uint32_t n_inputs)
{
    struct attributes attributes = packing->graph->nodes[index].attributes;
    exchange_inputs(&packing->builder, index, inputs, n_inputs, attributes.items, attributes.n_items);
}

static uint32_t number_of(struct packing *packing, const struct flow *uniform)
{
    void *bytes = arena_alloc(&packing->graph->arena, FLOW_NUMBER_BYTES, 16);
    if (!bytes) {
        builder_fail(&packing->builder, HOB_NO_MEMORY, "packing batches: out of memory");
        return VALUE_NONE;
    }
    memcpy(bytes, uniform->number, FLOW_NUMBER_BYTES);
    struct tensor scalar = {.dtype = uniform->dtype, .data = bytes};
    return builder_constant(&packing->builder, "", &scalar);
}

static void take_numbers(struct packing *packing, uint32_t index)
{
    const struct node node = packing->graph->nodes[index];
    uint32_t *inputs = ARENA_NEW(packing->flows.arena, uint32_t, node.n_inputs);
    if (!inputs) {
        builder_fail(&packing->builder, HOB_NO_MEMORY, "packing batches: out of memory");
        return;
    }
    for (uint32_t i = 0; i < node.n_inputs; i++) {
        bool is_number = node.inputs[i] != VALUE_NONE && packing->flows.values[node.inputs[i]].kind == FLOW_UNIFORM;
        inputs[i] = is_number ? number_of(packing, &packing->flows.values[node.inputs[i]]) : node.inputs[i];
    }
    feed(packing, index, inputs, node.n_inputs);
}

static void take_segments(struct packing *packing, uint32_t index)
{
    const struct node *node = &packing->graph->nodes[index];
    uint32_t inputs[] = {node->inputs[0], node->inputs[1], node->inputs[2], VALUE_NONE, VALUE_NONE};
    inputs[4] = segments_of(packing);
    feed(packing, index, inputs, 5);
}

static void take_ranges(struct packing *packing, uint32_t index)
{
    uint32_t inputs[] = {packing->graph->nodes[index].inputs[0], segments_of(packing)};
    feed(packing, index, inputs, 2);
}

static void take_row_ranges(struct packing *packing, uint32_t index)
{
    struct node node = packing->graph->nodes[index];
    struct attribute per_row = attribute_int("per_row", 1);
    graph_remove_node(packing->graph, index);
    builder_op_into(&packing->builder, node.name, "hob.DynamicQuantize", node.inputs, 1, &per_row, 1, node.outputs, node.n_outputs);
}

static void take_positions(struct packing *packing, uint32_t index)
{
    enum { N_GIVEN = 7, N_INPUTS = 9 };
    const struct node *node = &packing->graph->nodes[index];
    uint32_t inputs[N_INPUTS], given = node->n_inputs == N_INPUTS ? node->inputs[N_INPUTS - 1] : VALUE_NONE;
    memcpy(inputs, node->inputs, N_GIVEN * sizeof *inputs);
    inputs[N_INPUTS - 2] = VALUE_NONE;
    inputs[N_INPUTS - 1] = given != VALUE_NONE ? given : put_axis(packing, positions_of(packing), 0);
    feed(packing, index, inputs, N_INPUTS);
}

static void look_up_table(struct packing *packing, uint32_t index)
{
    uint32_t table = packing->graph->nodes[index].inputs[0], output = packing->graph->nodes[index].outputs[0];
    struct attribute axis = attribute_int("axis", packing->flows.values[output].axis);
    uint32_t inputs[] = {table, positions_of(packing)};
    become(packing, index, builder_op(&packing->builder, "Gather", inputs, 2, &axis, 1));
}

/* The sum of the whole batch so far, less what there was before the text began. */
static void sum_in_texts(struct packing *packing, uint32_t index)
{
    const struct node *node = &packing->graph->nodes[index];
    struct builder *builder = &packing->builder;
    const struct flow *flow = &packing->flows.values[node->outputs[0]];
    uint32_t x = node->inputs[0], axis_input = node->inputs[1], positions = positions_of(packing);
    struct attribute axis = attribute_int("axis", flow->axis), flags[] = {attribute_int("exclusive", 1)};
    struct attribute is_exclusive = attribute_int("exclusive", attributes_int(&packing->graph->nodes[index].attributes, "exclusive", 0));
    uint32_t before = builder_op(builder, "CumSum", (uint32_t[]){x, axis_input}, 2, flags, 1);
    uint32_t until = builder_op(builder, "CumSum", (uint32_t[]){x, axis_input}, 2, &is_exclusive, 1);
    uint32_t n_tokens = op(packing, "Squeeze", op(packing, "Shape", positions, VALUE_NONE), VALUE_NONE);
    struct attribute to = attribute_int("to", DTYPE_I64);
    uint32_t zero = op(packing, "Squeeze", ints(packing, 0), VALUE_NONE), one = op(packing, "Squeeze", ints(packing, 1), VALUE_NONE);
    uint32_t count = builder_op(builder, "Range", (uint32_t[]){zero, builder_op(builder, "Cast", &n_tokens, 1, &to, 1), one}, 3, NULL, 0);
    uint32_t starts = op(packing, "Sub", count, positions);
    become(packing, index, op(packing, "Sub", until, builder_op(builder, "Gather", (uint32_t[]){before, starts}, 2, &axis, 1)));
}

/* [n,D] as the node's output had it: all items of a text's row are its length. */
static void count_tokens(struct packing *packing, uint32_t index)
{
    const struct flow *flow = &packing->flows.values[packing->graph->nodes[index].outputs[0]];
    int64_t dims[TENSOR_MAX_RANK] = {1};
    uint32_t segments = segments_of(packing);
    uint32_t lengths = cast(packing, op(packing, "Sub", slice(packing, segments, 1, INT64_MAX), slice(packing, segments, 0, -1)), flow->dtype);
    for (int d = 1; d < flow->rank; d++) {
        lengths = put_axis(packing, lengths, d);
        dims[d] = flow->dims[d].fixed;
    }
    become(packing, index, op(packing, "Expand", lengths, builder_ints(&packing->builder, dims, (size_t)flow->rank)));
}

static void pool(struct packing *packing, uint32_t index, const char *kind)
{
    const struct node *node = &packing->graph->nodes[index];
    int rank = packing->flows.values[node->outputs[0]].rank;
    struct attribute attribute = attribute_string("kind", kind);
    uint32_t inputs[] = {node->inputs[0], segments_of(packing)};
    uint32_t pooled = builder_op(&packing->builder, "hob.SegmentReduce", inputs, 2, &attribute, 1);
    become(packing, index, rank == 3 ? put_axis(packing, pooled, 1) : pooled);
}

static void change(struct packing *packing, uint32_t index)
{
    enum dtype dtype;
    switch (packing->flows.changes[index]) {
    case CHANGE_NONE:
    case CHANGE_CAUSAL: break; /* no encoder's */
    case CHANGE_SHAPE: exchange_shape(&packing->builder, &packing->flows, index); break;
    case CHANGE_NUMBERS: take_numbers(packing, index); break;
    case CHANGE_ATTENTION: take_segments(packing, index); break;
    case CHANGE_RANGES: take_ranges(packing, index); break;
    case CHANGE_ROW_RANGES: take_row_ranges(packing, index); break;
    case CHANGE_EMBEDDINGS: take_positions(packing, index); break;
    case CHANGE_TABLE: look_up_table(packing, index); break;
    case CHANGE_COUNT:
        dtype = packing->flows.values[packing->graph->nodes[index].outputs[0]].dtype;
        become(packing, index, cast(packing, positions_of(packing), dtype));
        break;
    case CHANGE_SUM_SO_FAR: sum_in_texts(packing, index); break;
    case CHANGE_LENGTHS: count_tokens(packing, index); break;
    case CHANGE_POOL_SUM: pool(packing, index, "sum"); break;
    case CHANGE_POOL_MEAN: pool(packing, index, "mean"); break;
    case CHANGE_POOL_MAX: pool(packing, index, "max"); break;
    case CHANGE_POOL_FIRST: pool(packing, index, "first"); break;
    case CHANGE_POOL_LAST: pool(packing, index, "last"); break;
    }
}

/* ---- the graph around them ---- */

static void keep_output(struct graph *graph, uint32_t kept)
{
    for (uint32_t i = 0; i < graph->n_outputs; i++) graph->values[graph->outputs[i]].is_output = false;
    graph->outputs[0] = graph->outputs[kept];
    graph->output_names[0] = graph->output_names[kept];
    graph->n_outputs = 1;
    graph->values[graph->outputs[0]].is_output = true;
}

/* The mask, mostly. */
static hob_status drop_unread_inputs(struct graph *graph, struct pass_context *context)
{
    uint32_t *n_readers, n_kept = 0;
    TRY(graph_count_readers(graph, context->scratch, &n_readers, context->error));
    for (uint32_t i = 0; i < graph->n_inputs; i++) {
        uint32_t input = graph->inputs[i];
        enum input_role role = input_role_find(&graph->values[input]);
        bool is_kept = n_readers[input] || role == INPUT_IDS || role == INPUT_SEGMENTS;
        graph->values[input].is_input = is_kept;
        if (is_kept) graph->inputs[n_kept++] = input;
    }
    graph->n_inputs = n_kept;
    return HOB_OK;
}

static hob_status pack(struct packing *packing, uint32_t output, struct pass_context *context)
{
    struct graph *graph = packing->graph;
    uint32_t n_removed;
    TRY(find_live(packing, context));
    builder_init(&packing->builder, graph);
    segments_of(packing);
    for (uint32_t i = 0; i < packing->flows.n_nodes && packing->builder.status == HOB_OK; i++)
        if (packing->is_live[i]) change(packing, i);
    TRY(builder_finish(&packing->builder, context->error));
    keep_output(graph, output);
    TRY(graph_remove_dead(graph, context->scratch, &n_removed, context->error));
    context->n_changes++;
    return drop_unread_inputs(graph, context);
}

static hob_status apply(struct graph *graph, struct pass_context *context)
{
    struct packing packing = {.graph = graph, .segments = VALUE_NONE, .positions = VALUE_NONE};
    if (!context->options->is_for_generation || !is_candidate(graph)) return HOB_OK;
    uint32_t output = wanted_output(graph);
    TRY(flows_find(graph, context->options->kernels, context->scratch, &packing.flows, context->error));
    packing.output = graph->outputs[output];
    if (!is_packed(&packing.flows.values[packing.output], output_role_find(graph, output))) return HOB_OK;
    return pack(&packing, output, context);
}

const struct pass_def pass_pack_batch = {
    .name = "pack_batch", .summary = "lets an encoder take texts laid end to end instead of padded",
    .makes = "hob.SegmentReduce",
    .apply = apply};

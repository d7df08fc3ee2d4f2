/* What a run of a graph would look like: passes, shapes, memory. Shapes are those of one made-up run (graph/sample_shapes.h), with
 * symbolic dims given small sizes, and the description says which. An operator that hob lacks is taken for a source of values of
 * unknown type, so that everything around it can be shown. */
#include "base/available_memory.h"
#include "base/error.h"
#include "engine/describe.h"
#include "graph/pass.h"
#include "graph/plan.h"
#include "graph/sample_shapes.h"
#include "kernels/kernels.h"
#include "ops/op.h"

#include <string.h>

/* ---- operators ---- */

static void full_name(const struct node *node, char *name, size_t n_name_bytes)
{
    snprintf(name, n_name_bytes, "%s%s%s", node->domain, *node->domain ? "." : "", node->op_type);
}

void describe_count_ops(const struct graph *graph, json_t *counts)
{
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        char name[160];
        if (graph->nodes[i].is_removed) continue;
        full_name(&graph->nodes[i], name, sizeof name);
        json_t *old = json_object_get(counts, name);
        json_object_set_new(counts, name, json_integer(old ? json_integer_value(old) + 1 : 1));
    }
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) describe_count_ops(graph->subgraphs[s], counts);
}

static bool is_known(const struct graph *graph, const struct node *node)
{
    int opset = node->opset >= 0 ? node->opset : graph_opset(graph, node->domain);
    return op_find(node->domain, node->op_type, opset < 0 ? 1 : opset);
}

/* Appends the outputs of a node that goes to the graph's inputs, declared or not. */
static hob_status feed_outputs(struct graph *graph, uint32_t index, hob_error *error)
{
    const struct node *node = &graph->nodes[index];
    uint32_t *inputs = ARENA_NEW(&graph->arena, uint32_t, (size_t)graph->n_inputs + node->n_outputs);
    if (!inputs) FAIL(error, HOB_NO_MEMORY, "out of memory");
    if (graph->n_inputs) memcpy(inputs, graph->inputs, graph->n_inputs * sizeof *inputs);
    graph->inputs = inputs;
    for (uint32_t i = 0; i < node->n_outputs; i++) {
        if (node->outputs[i] == VALUE_NONE) continue;
        graph->values[node->outputs[i]].is_input = true;
        inputs[graph->n_inputs++] = node->outputs[i];
    }
    graph_remove_node(graph, index);
    return HOB_OK;
}

static hob_status replace_unknown(struct graph *graph, hob_error *error)
{
    for (uint32_t i = 0; i < graph->n_nodes; i++)
        if (!graph->nodes[i].is_removed && !is_known(graph, &graph->nodes[i])) TRY(feed_outputs(graph, i, error));
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) TRY(replace_unknown(graph->subgraphs[s], error));
    return HOB_OK;
}

/* ---- shapes ---- */

static json_t *tensor_json(const struct graph *graph, uint32_t value, const struct tensor *shape)
{
    const char *name = graph->values[value].name;
    json_t *json = json_object();
    json_object_set_new(json, "name", describe_text(name, strlen(name)));
    json_object_set_new(json, "type", json_string(shape->dtype == DTYPE_NONE ? "unknown" : dtype_name(shape->dtype)));
    if (shape->dtype != DTYPE_NONE) json_object_set_new(json, "shape", describe_shape(shape->rank, shape->dims, NULL));
    return json;
}

static json_t *step_json(const struct graph *graph, const struct step *step, const struct tensor *shapes)
{
    json_t *outputs = json_array();
    for (uint32_t i = 0; i < step->n_outputs; i++)
        if (step->outputs[i] != VALUE_NONE)
            json_array_append_new(outputs, tensor_json(graph, step->outputs[i], &shapes[step->outputs[i]]));
    return json_pack("{s:o, s:s, s:s, s:o}", "name", describe_text(step->name, strlen(step->name)), "operator",
                     step->op->name, "domain", *step->op->domain ? step->op->domain : "ai.onnx", "outputs", outputs);
}

static void describe_shapes(const struct program *program, const struct tensor *inputs, const struct tensor *shapes,
                            json_t *root)
{
    const struct graph *graph = program->graph;
    json_t *nodes = json_array(), *sample = json_object();
    for (uint32_t s = 0; s < program->n_steps; s++)
        json_array_append_new(nodes, step_json(graph, &program->steps[s], shapes));
    for (uint32_t i = 0; i < graph->n_inputs; i++)
        if (inputs[i].dtype != DTYPE_NONE)
            json_object_set_new(sample, graph->values[graph->inputs[i]].name,
                                describe_shape(inputs[i].rank, inputs[i].dims, NULL));
    json_object_set_new(root, "sample", sample);
    json_object_set_new(root, "nodes", nodes);
}

/* ---- memory ---- */

/* Weights as the graph holds them, each once. */
static size_t weight_bytes(const struct graph *graph)
{
    size_t n_bytes = 0;
    for (uint32_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].constant && !graph->values[i].constant->is_view)
            n_bytes += tensor_n_bytes(graph->values[i].constant);
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) n_bytes += weight_bytes(graph->subgraphs[s]);
    return n_bytes;
}

/* What a position of the caches takes. */
static size_t position_bytes(const struct graph *graph)
{
    size_t n_bytes = 0;
    for (uint32_t i = 0; i < graph->n_states; i++) {
        const struct graph_state *state = &graph->states[i];
        size_t n_items = 1;
        for (int d = 0; d < state->rank; d++)
            if (d != state->axis && state->dims[d] > 0) n_items *= (size_t)state->dims[d];
        n_bytes += n_items * dtype_block_bytes(state->dtype);
    }
    return n_bytes;
}

static uint32_t count_planned(const struct graph *graph, const struct plan *plan)
{
    uint32_t n_planned = 0;
    for (uint32_t i = 0; i < graph->n_values; i++) n_planned += plan->slots[i].n_bytes > 0;
    return n_planned;
}

/* The longest context whose caches memory has room for beside the weights, as they are now. */
static void describe_room(const struct graph *graph, json_t *memory)
{
    uint64_t available_bytes = available_memory(""), taken_bytes = weight_bytes(graph), token_bytes = position_bytes(graph);
    if (available_bytes > INT64_MAX || !token_bytes) return;
    uint64_t n_tokens = available_bytes > taken_bytes ? (available_bytes - taken_bytes) / token_bytes : 0;
    json_object_set_new(memory, "available_bytes", json_integer((json_int_t)available_bytes));
    json_object_set_new(memory, "context_tokens_with_room", json_integer((json_int_t)n_tokens));
}

/* plan may be NULL: it could not be made. */
static json_t *memory_json(const struct graph *graph, const struct plan *plan)
{
    json_t *memory = json_object();
    json_object_set_new(memory, "weights_bytes", json_integer((json_int_t)weight_bytes(graph)));
    json_object_set_new(memory, "kv_cache_bytes_per_token", json_integer((json_int_t)position_bytes(graph)));
    describe_room(graph, memory);
    if (!plan) return memory;
    json_object_set_new(memory, "activations_bytes", json_integer((json_int_t)plan->n_bytes));
    json_object_set_new(memory, "planned_values", json_integer(count_planned(graph, plan)));
    json_object_set_new(memory, "unplanned_values", json_integer(plan->n_unplanned));
    return memory;
}

/* ---- the whole ---- */

static hob_status describe_program(const struct program *program, const struct kernels *kernels, struct arena *arena,
                                   json_t *root, hob_error *error)
{
    struct tensor *inputs;
    const struct tensor *shapes;
    struct plan *plan;
    int64_t n_used;
    TRY(sample_inputs(program->graph, arena, &inputs, &n_used, error));
    TRY(plan_infer_shapes(program, kernels, inputs, n_used, arena, &shapes, error));
    TRY(plan_new(program, kernels, inputs, n_used, NULL, &plan, error));
    describe_shapes(program, inputs, shapes, root);
    json_object_set_new(root, "memory", memory_json(program->graph, plan));
    plan_free(plan);
    return HOB_OK;
}

static hob_status compile(struct graph *graph, const char *disabled_passes, struct pass_report *report,
                          const struct program **ret_program, hob_error *error)
{
    struct pass_options options = {.kernels = kernels_select(), .is_for_generation = true, .disabled = disabled_passes};
    TRY(replace_unknown(graph, error));
    TRY(passes_run(graph, &options, report, error));
    return program_new(graph, ret_program, error);
}

static void describe_passes(const struct pass_report *report, json_t *root)
{
    json_t *passes = json_object();
    for (size_t i = 0; i < passes_count(); i++)
        json_object_set_new(passes, report[i].pass->name, json_integer(report[i].n_changes));
    json_object_set_new(root, "passes", passes);
}

/* disabled_passes "all": the graph is compiled. */
static void describe_with(struct graph *graph, const char *disabled_passes, json_t *root)
{
    hob_error error;
    struct pass_report report[PASS_MAX] = {0};
    const struct program *program;
    struct arena arena;
    arena_init(&arena, 64 * 1024);
    hob_status status = compile(graph, disabled_passes, report, &program, &error);
    if (status == HOB_OK) {
        json_t *counts = json_object();
        if (!disabled_passes) describe_passes(report, root);
        describe_count_ops(graph, counts);
        json_object_set_new(root, "compiled_operators", counts);
        status = describe_program(program, kernels_select(), &arena, root, &error);
    }
    if (status != HOB_OK) json_object_set_new(root, "problem", describe_text(error.message, strlen(error.message)));
    if (!json_object_get(root, "memory")) json_object_set_new(root, "memory", memory_json(graph, NULL));
    arena_release(&arena);
}

void describe_compiled(struct graph *graph, json_t *root)
{
    describe_with(graph, NULL, root);
}

void describe_packed(struct graph *graph, json_t *root)
{
    describe_with(graph, "all", root);
}

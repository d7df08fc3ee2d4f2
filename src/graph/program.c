#include "graph/program.h"
#include "base/error.h"

static hob_status no_memory(hob_error *error)
{
    FAIL(error, HOB_NO_MEMORY, "compiling the graph: out of memory");
}

static bool has_graphs(const struct attribute *attribute)
{
    return attribute->kind == ATTRIBUTE_GRAPH || attribute->kind == ATTRIBUTE_GRAPHS;
}

/* Compiles the node's graph attributes. */
static hob_status add_bodies(struct graph *graph, const struct node *node, struct step *step, hob_error *error)
{
    uint32_t n_bodies = 0;
    for (size_t i = 0; i < node->attributes.n_items; i++)
        if (has_graphs(&node->attributes.items[i])) n_bodies += (uint32_t)node->attributes.items[i].n_items;
    if (!n_bodies) return HOB_OK;
    const struct program **bodies = ARENA_NEW(&graph->arena, const struct program *, n_bodies);
    if (!bodies) return no_memory(error);
    uint32_t n_done = 0;
    for (size_t i = 0; i < node->attributes.n_items; i++) {
        const struct attribute *attribute = &node->attributes.items[i];
        for (size_t g = 0; has_graphs(attribute) && g < attribute->n_items; g++)
            TRY(program_new(attribute->graphs[g], &bodies[n_done++], error));
    }
    step->bodies = bodies;
    step->n_bodies = n_bodies;
    return HOB_OK;
}

hob_status step_make(struct graph *graph, const struct node *node, struct arena *arena, struct step *step, hob_error *error)
{
    *step = (struct step){.op = node->op, .name = node->name, .inputs = node->inputs, .outputs = node->outputs,
                          .n_inputs = node->n_inputs, .n_outputs = node->n_outputs, .state = node->state};
    TRY(add_bodies(graph, node, step, error));
    if (!node->op->prepare) return HOB_OK;
    struct attributes attributes = node->attributes;
    struct attribute_misread misread = {0};
    attributes.ret_misread = &misread;
    struct op_prepare prepare = {.attributes = &attributes, .opset = node->opset, .n_inputs = (int)node->n_inputs,
                                 .n_outputs = (int)node->n_outputs, .node_name = node->name, .arena = arena, .error = error};
    void *params = NULL;
    TRY(node->op->prepare(&prepare, &params));
    if (misread.attribute) /* its default would be another function than the one asked for */
        FAIL(error, HOB_BAD_GRAPH, "%s (%s): attribute %s: found a %s, expected a %s", node->name, node->op_type,
             misread.attribute->name, attribute_kind_name(misread.attribute->kind), attribute_kind_name(misread.expected));
    step->params = params;
    return HOB_OK;
}

/* Values that a body reads from outside must live until the step that runs it. */
static void mark_captures(const struct program *body, uint32_t step, uint32_t *last_use)
{
    for (uint32_t i = 0; i < body->graph->n_values; i++)
        if (body->graph->values[i].outer != VALUE_NONE) last_use[body->graph->values[i].outer] = step;
}

static void find_last_uses(const struct program *program, uint32_t *last_use)
{
    for (uint32_t s = 0; s < program->n_steps; s++) {
        const struct step *step = &program->steps[s];
        for (uint32_t i = 0; i < step->n_inputs; i++)
            if (step->inputs[i] != VALUE_NONE) last_use[step->inputs[i]] = s;
        for (uint32_t i = 0; i < step->n_bodies; i++) mark_captures(step->bodies[i], s, last_use);
    }
    for (uint32_t i = 0; i < program->graph->n_outputs; i++) last_use[program->graph->outputs[i]] = program->n_steps;
}

static hob_status build(struct graph *graph, struct arena *scratch, struct program *program, hob_error *error)
{
    uint32_t *order, n_steps;
    TRY(graph_sort(graph, scratch, &order, &n_steps, error));
    struct step *steps = ARENA_NEW(&graph->arena, struct step, n_steps);
    uint32_t *last_use = ARENA_NEW(&graph->arena, uint32_t, graph->n_values);
    if (!steps || !last_use) return no_memory(error);
    for (uint32_t i = 0; i < n_steps; i++) TRY(step_make(graph, &graph->nodes[order[i]], &graph->arena, &steps[i], error));
    *program = (struct program){.graph = graph, .steps = steps, .n_steps = n_steps, .last_use = last_use};
    find_last_uses(program, last_use);
    return HOB_OK;
}

hob_status program_new(struct graph *graph, const struct program **ret_program, hob_error *error)
{
    TRY(graph_resolve_ops(graph, error));
    struct program *program = ARENA_NEW(&graph->arena, struct program, 1);
    if (!program) return no_memory(error);
    struct arena scratch;
    arena_init(&scratch, 64 * 1024);
    hob_status status = build(graph, &scratch, program, error);
    arena_release(&scratch);
    if (status == HOB_OK) *ret_program = program;
    return status;
}

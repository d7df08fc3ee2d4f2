/* SequenceMap: the body runs once for each element of the first input; other sequences are walked along, tensors are passed as
 * they are. */
#include "ops/sequence/elements.h"

struct map_params {
    int body;
};

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct map_params *params = ARENA_NEW(node->arena, struct map_params, 1);
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->body = attributes_graph_index(node->attributes, "body");
    if (params->body < 0) FAIL(node->error, HOB_BAD_GRAPH, "%s: graph attribute body is missing", node->node_name);
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer(struct op_context *ctx)
{
    int64_t n_elements = ctx->inputs[0]->dims[0];
    for (int i = 0; i < ctx->n_inputs; i++) {
        const struct tensor *x = ctx->inputs[i];
        if (!x) OP_FAIL(ctx, HOB_BAD_GRAPH, "input %d is missing", i);
        if (x->dtype != DTYPE_SEQUENCE) continue;
        TRY(sequence_check(ctx, i));
        if (x->dims[0] != n_elements)
            OP_FAIL(ctx, HOB_BAD_SHAPE, "input %d: found %lld elements, expected %lld as the first sequence has", i,
                    (long long)x->dims[0], (long long)n_elements);
    }
    for (int i = 0; i < ctx->n_outputs; i++) TRY(op_set_output(ctx, i, DTYPE_SEQUENCE, 1, &n_elements));
    return HOB_OK;
}

struct map {
    const struct tensor **inputs;
    struct tensor *results, **outputs; /* of the body; outputs: a list of elements for each */
};

static hob_status make_room(struct op_context *ctx, int64_t n_elements, struct map *map)
{
    map->inputs = ARENA_NEW(ctx->scratch, const struct tensor *, (size_t)ctx->n_inputs);
    map->results = ARENA_NEW(ctx->scratch, struct tensor, (size_t)ctx->n_outputs);
    map->outputs = ARENA_NEW(ctx->scratch, struct tensor *, (size_t)ctx->n_outputs);
    if (!map->inputs || !map->results || !map->outputs) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    for (int i = 0; i < ctx->n_outputs; i++) TRY(sequence_allocate(ctx, i, n_elements, &map->outputs[i]));
    return HOB_OK;
}

static hob_status run(struct op_context *ctx)
{
    const struct map_params *params = ctx->params;
    int64_t n_elements = ctx->inputs[0]->dims[0];
    struct map map = {0};
    TRY(make_room(ctx, n_elements, &map));
    for (int64_t e = 0; e < n_elements; e++) {
        for (int i = 0; i < ctx->n_inputs; i++) {
            const struct tensor *x = ctx->inputs[i];
            map.inputs[i] = x->dtype == DTYPE_SEQUENCE ? &sequence_elements(x)[e] : x;
        }
        TRY(ctx->run_subgraph(ctx, params->body, ctx->n_inputs, map.inputs, ctx->n_outputs, map.results));
        for (int i = 0; i < ctx->n_outputs; i++) map.outputs[i][e] = map.results[i];
    }
    return HOB_OK;
}

const struct op_def op_sequence_map = {
    .name = "SequenceMap", .domain = "", .since = 17, .min_inputs = 1, .max_inputs = -1, .min_outputs = 1, .max_outputs = -1,
    .types = TYPE_SEQUENCE, .flags = OP_ALLOCATES | OP_STRIDED_INPUTS | OP_NOT_FOLDABLE, .prepare = prepare, .infer = infer,
    .run = run};

#include "engine/model_memory.h"

#include "base/error.h"
#include "base/memory.h"
#include "formats/pack_graph.h"
#include "grammar/token_trie.h"

static bool is_own(const struct graph *graph, const void *bytes)
{
    return arena_has(&graph->weights, bytes) || arena_has(&graph->arena, bytes);
}

static uint64_t constant_bytes(const struct tensor *tensor)
{
    size_t n_bytes;
    if (tensor->layout == LAYOUT_PANELS) return pack_panel_bytes(tensor, &n_bytes) ? n_bytes : 0;
    return tensor_n_bytes(tensor);
}

/* Constants that steps read where the file has them. */
static uint64_t count_mapped(const struct program *program, bool *is_seen)
{
    const struct graph *graph = program->graph;
    uint64_t n_bytes = 0;
    for (uint32_t s = 0; s < program->n_steps; s++) {
        for (uint32_t i = 0; i < program->steps[s].n_inputs; i++) {
            uint32_t value = program->steps[s].inputs[i];
            if (value == VALUE_NONE || is_seen[value] || !graph->values[value].constant) continue;
            is_seen[value] = true;
            if (!is_own(graph, graph->values[value].constant->data)) n_bytes += constant_bytes(graph->values[value].constant);
        }
    }
    return n_bytes;
}

hob_status model_count_weights(struct hob_model *model, hob_error *error)
{
    const struct graph *graph = model->graph;
    bool *is_seen = memory_new(graph->n_values, sizeof *is_seen);
    if (!is_seen) FAIL(error, HOB_NO_MEMORY, "a model's memory: out of it");
    model->memory.mapped_bytes = count_mapped(model->program, is_seen);
    model->memory.weights_bytes = graph->weights.total_bytes + graph->arena.total_bytes;
    memory_free(is_seen);
    return HOB_OK;
}

hob_model_memory hob_model_get_memory(const hob_model *model)
{
    hob_model_memory memory = model->memory;
    const struct token_trie *trie = atomic_load(&model->token_trie);
    if (trie) memory.tokenizer_bytes += token_trie_n_bytes(trie);
    return memory;
}

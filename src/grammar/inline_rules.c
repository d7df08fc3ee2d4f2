/* Small rules are copied, callees before callers, as long as the whole does not grow by more than GROWTH_STATES. Then a rule with
 * one caller is led into and out of by skips. */
#include "grammar/inline_rules.h"
#include "base/error.h"
#include "base/memory.h"
#include "grammar/call_graph.h"

enum { SMALL_STATES = 48, GROWTH_STATES = 20000 };

struct inlining {
    struct grammar_builder *builder;
    struct call_graph graph;
    uint32_t *order;
    uint32_t *n_states;             /* of each rule, with what was copied into it */
    uint32_t *first_state, *states; /* by rule */
    bool *is_small;
    size_t n_order, n_grown;
};

static void copy_into(struct inlining *inlining, uint32_t caller, uint32_t m)
{
    struct grammar_builder *builder = inlining->builder;
    struct builder_move call = builder->moves[m];
    const struct builder_rule *callee = &builder->rules[call.rule];
    size_t n_before = builder->n_states;
    struct fragment copy = grammar_builder_copy(builder, (struct fragment){callee->start, callee->end});
    if (builder->status != HOB_OK) return;
    builder->moves[m].kind = MOVE_SKIP;
    builder->moves[m].target = copy.from;
    grammar_builder_skip(builder, copy.to, call.target);
    inlining->n_states[caller] += (uint32_t)(builder->n_states - n_before);
    inlining->n_grown += builder->n_states - n_before;
}

static void copy_callees(struct inlining *inlining, uint32_t rule)
{
    struct grammar_builder *builder = inlining->builder;
    for (uint32_t i = inlining->first_state[rule]; i < inlining->first_state[rule + 1]; i++)
        for (uint32_t m = builder->first_moves[inlining->states[i]]; m != BUILDER_NONE; m = builder->moves[m].next) {
            bool is_copied = builder->moves[m].kind == MOVE_CALL && inlining->is_small[builder->moves[m].rule] &&
                             inlining->n_grown < GROWTH_STATES;
            if (is_copied) copy_into(inlining, rule, m);
            if (builder->status != HOB_OK) return;
        }
}

/* Lists each rule's states. */
static void list_states(struct inlining *inlining)
{
    const uint32_t *rules = inlining->graph.state_rules;
    size_t n_rules = inlining->builder->n_rules, n_states = inlining->builder->n_states;
    uint32_t *first = inlining->first_state;
    for (size_t s = 0; s < n_states; s++)
        if (rules[s] != BUILDER_NONE) first[rules[s] + 2]++, inlining->n_states[rules[s]]++;
    for (size_t r = 2; r < n_rules + 2; r++) first[r] += first[r - 1];
    for (size_t s = 0; s < n_states; s++)
        if (rules[s] != BUILDER_NONE) inlining->states[first[rules[s] + 1]++] = (uint32_t)s;
}

static hob_status copy_small(struct grammar_builder *builder, hob_error *error)
{
    struct inlining inlining = {.builder = builder};
    hob_status status = HOB_OK;
    bool *is_ordered = memory_new(builder->n_rules, sizeof *is_ordered);
    TRY_CLEANUP(call_graph_init(&inlining.graph, builder, error));
    inlining.order = memory_new(builder->n_rules, sizeof(uint32_t));
    inlining.n_states = memory_new(builder->n_rules, sizeof(uint32_t));
    inlining.first_state = memory_new(builder->n_rules + 2, sizeof(uint32_t));
    inlining.states = memory_new(builder->n_states, sizeof(uint32_t));
    inlining.is_small = memory_new(builder->n_rules, sizeof(bool));
    if (!inlining.order || !inlining.n_states || !inlining.first_state || !inlining.states || !inlining.is_small ||
        !is_ordered)
        FAIL_CLEANUP(error, HOB_NO_MEMORY, "grammar: no memory for its rules");
    list_states(&inlining);
    TRY_CLEANUP(call_graph_order(&inlining.graph, inlining.order, &inlining.n_order, error));
    for (size_t i = 0; i < inlining.n_order; i++) {
        uint32_t rule = inlining.order[i];
        is_ordered[rule] = true;
        copy_callees(&inlining, rule);
        inlining.is_small[rule] = inlining.n_states[rule] <= SMALL_STATES;
    }
    for (uint32_t r = 0; r < builder->n_rules; r++) /* recursive ones call small ones too */
        if (!is_ordered[r]) copy_callees(&inlining, r);
    status = builder->status;
cleanup:
    call_graph_release(&inlining.graph);
    memory_free(inlining.order);
    memory_free(inlining.n_states);
    memory_free(inlining.first_state);
    memory_free(inlining.states);
    memory_free(inlining.is_small);
    memory_free(is_ordered);
    return status;
}

/* Calls from states that nothing reaches do not count. */
static uint32_t only_caller(const struct call_graph *graph, uint32_t rule)
{
    uint32_t only = BUILDER_NONE;
    for (uint32_t k = graph->first_caller[rule]; k < graph->first_caller[rule + 1]; k++) {
        if (graph->state_rules[graph->from[graph->callers[k]]] == BUILDER_NONE) continue;
        if (only != BUILDER_NONE) return BUILDER_NONE;
        only = graph->callers[k];
    }
    return only;
}

static hob_status link_single(struct grammar_builder *builder, uint32_t root, hob_error *error)
{
    struct call_graph graph = {0};
    hob_status status = HOB_OK;
    bool *is_plain = memory_new(builder->n_rules, sizeof *is_plain);
    TRY_CLEANUP(call_graph_init(&graph, builder, error));
    if (!is_plain) FAIL_CLEANUP(error, HOB_NO_MEMORY, "grammar: no memory for its rules");
    TRY_CLEANUP(call_graph_plain(&graph, is_plain, error));
    for (uint32_t r = 0; r < builder->n_rules; r++) {
        uint32_t m = is_plain[r] && r != root ? only_caller(&graph, r) : BUILDER_NONE;
        if (m == BUILDER_NONE) continue;
        uint32_t back = builder->moves[m].target;
        builder->moves[m].kind = MOVE_SKIP;
        builder->moves[m].target = builder->rules[r].start;
        grammar_builder_skip(builder, builder->rules[r].end, back);
        builder->rules[r].is_linked = true;
    }
    status = builder->status;
cleanup:
    call_graph_release(&graph);
    memory_free(is_plain);
    return status;
}

hob_status inline_rules(struct grammar_builder *builder, uint32_t root, hob_error *error)
{
    TRY(copy_small(builder, error));
    return link_single(builder, root, error);
}

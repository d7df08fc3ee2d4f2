/* Fixed points by work lists over the moves. */
#include "grammar/call_graph.h"
#include "base/error.h"
#include "base/memory.h"

#include <string.h>

static hob_status out_of_memory(hob_error *error)
{
    FAIL(error, HOB_NO_MEMORY, "grammar: no memory for its rules");
}

void call_graph_release(struct call_graph *graph)
{
    void *const blocks[] = {graph->from,          graph->first_in, graph->in,
                            graph->first_caller,  graph->callers,  graph->state_rules,
                            graph->is_productive, graph->is_empty};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) memory_free(blocks[i]);
}

static bool allocate(struct call_graph *graph)
{
    const struct grammar_builder *builder = graph->builder;
    graph->from = memory_new(builder->n_moves, sizeof(uint32_t));
    graph->first_in = memory_new(builder->n_states + 2, sizeof(uint32_t));
    graph->in = memory_new(builder->n_moves, sizeof(uint32_t));
    graph->first_caller = memory_new(builder->n_rules + 2, sizeof(uint32_t));
    graph->callers = memory_new(builder->n_moves, sizeof(uint32_t));
    graph->state_rules = memory_new(builder->n_states, sizeof(uint32_t));
    graph->is_productive = memory_new(builder->n_states, sizeof(bool));
    graph->is_empty = memory_new(builder->n_rules, sizeof(bool));
    return graph->from && graph->first_in && graph->in && graph->first_caller && graph->callers && graph->state_rules &&
           graph->is_productive && graph->is_empty;
}

/* Counting sort of the moves by a key below n_keys; BUILDER_NONE keys are left out. */
static void sort_moves(size_t n_moves, const uint32_t *keys, size_t n_keys, uint32_t *first, uint32_t *sorted)
{
    memset(first, 0, (n_keys + 2) * sizeof *first);
    for (size_t m = 0; m < n_moves; m++)
        if (keys[m] != BUILDER_NONE) first[keys[m] + 2]++;
    for (size_t k = 2; k < n_keys + 2; k++) first[k] += first[k - 1];
    for (size_t m = 0; m < n_moves; m++)
        if (keys[m] != BUILDER_NONE) sorted[first[keys[m] + 1]++] = (uint32_t)m;
}

/* Bodies are disjoint: whatever is reached from a start without calls belongs to the rule. */
static void find_state_rules(struct call_graph *graph, uint32_t *queue)
{
    const struct grammar_builder *builder = graph->builder;
    size_t n = 0;
    memset(graph->state_rules, 0xFF, builder->n_states * sizeof *graph->state_rules);
    for (size_t r = 0; r < builder->n_rules; r++) {
        if (graph->state_rules[builder->rules[r].start] != BUILDER_NONE) continue;
        graph->state_rules[builder->rules[r].start] = (uint32_t)r;
        queue[n++] = builder->rules[r].start;
    }
    for (size_t i = 0; i < n; i++)
        for (uint32_t m = builder->first_moves[queue[i]]; m != BUILDER_NONE; m = builder->moves[m].next) {
            uint32_t target = builder->moves[m].target;
            if (graph->state_rules[target] != BUILDER_NONE) continue;
            graph->state_rules[target] = graph->state_rules[queue[i]];
            queue[n++] = target;
        }
}

hob_status call_graph_init(struct call_graph *graph, const struct grammar_builder *builder, hob_error *error)
{
    *graph = (struct call_graph){.builder = builder};
    TRY(builder->status);
    uint32_t *keys = memory_new(builder->n_moves + builder->n_states, sizeof *keys);
    if (!keys || !allocate(graph)) {
        memory_free(keys);
        call_graph_release(graph);
        return out_of_memory(error);
    }
    for (size_t s = 0; s < builder->n_states; s++)
        for (uint32_t m = builder->first_moves[s]; m != BUILDER_NONE; m = builder->moves[m].next)
            graph->from[m] = (uint32_t)s;
    for (size_t m = 0; m < builder->n_moves; m++) keys[m] = builder->moves[m].target;
    sort_moves(builder->n_moves, keys, builder->n_states, graph->first_in, graph->in);
    for (size_t m = 0; m < builder->n_moves; m++)
        keys[m] = builder->moves[m].kind == MOVE_CALL ? builder->moves[m].rule : BUILDER_NONE;
    sort_moves(builder->n_moves, keys, builder->n_rules, graph->first_caller, graph->callers);
    find_state_rules(graph, keys);
    memory_free(keys);
    return HOB_OK;
}

/* ---- which states lead to their rule's end ---- */

struct flow {
    struct call_graph *graph;
    bool *reaches;   /* of a state */
    bool *is_done;   /* of a rule: its start reaches its end */
    uint32_t *queue; /* states */
    size_t n;
    bool is_silent; /* by no bytes at all */
};

static void reach(struct flow *flow, uint32_t state)
{
    if (flow->reaches[state]) return;
    flow->reaches[state] = true;
    flow->queue[flow->n++] = state;
}

/* A move carries what is behind it to what is before it. */
static void carry_back(struct flow *flow, uint32_t m)
{
    const struct builder_move *move = &flow->graph->builder->moves[m];
    bool passes = move->kind == MOVE_SKIP || (move->kind == MOVE_BYTES && !flow->is_silent) ||
                  (move->kind == MOVE_CALL && flow->is_done[move->rule]);
    if (passes && flow->reaches[move->target]) reach(flow, flow->graph->from[m]);
}

static void finish_rule(struct flow *flow, uint32_t rule)
{
    struct call_graph *graph = flow->graph;
    flow->is_done[rule] = true;
    for (uint32_t i = graph->first_caller[rule]; i < graph->first_caller[rule + 1]; i++)
        carry_back(flow, graph->callers[i]);
}

static void run_flow(struct flow *flow)
{
    struct call_graph *graph = flow->graph;
    const struct grammar_builder *builder = graph->builder;
    for (size_t r = 0; r < builder->n_rules; r++)
        if (!builder->rules[r].is_linked) reach(flow, builder->rules[r].end);
    for (size_t i = 0; i < flow->n; i++) {
        uint32_t state = flow->queue[i], rule = graph->state_rules[state];
        for (uint32_t k = graph->first_in[state]; k < graph->first_in[state + 1]; k++) carry_back(flow, graph->in[k]);
        if (rule != BUILDER_NONE && builder->rules[rule].start == state) finish_rule(flow, rule);
    }
}

static hob_status find_ends(struct call_graph *graph, hob_error *error)
{
    const struct grammar_builder *builder = graph->builder;
    uint32_t *queue = memory_new(builder->n_states, sizeof *queue);
    bool *silent = memory_new(builder->n_states, sizeof *silent), *done = memory_new(builder->n_rules, sizeof *done);
    bool has_memory = queue && silent && done;
    if (has_memory) {
        run_flow(&(struct flow){
            .graph = graph, .reaches = silent, .is_done = graph->is_empty, .queue = queue, .is_silent = true});
        run_flow(&(struct flow){.graph = graph, .reaches = graph->is_productive, .is_done = done, .queue = queue});
    }
    memory_free(queue);
    memory_free(silent);
    memory_free(done);
    return has_memory ? HOB_OK : out_of_memory(error);
}

/* ---- orders of rules ---- */

/* Kahn's: rules leave when nothing that they wait for is left. counts [n_rules] falls to 0; a rule's followers are told by next. */
struct peeling {
    const struct call_graph *graph;
    uint32_t *n_waiting, *queue;
    size_t n;
    const bool *is_counted; /* of a move; NULL: all calls */
};

static bool is_counted(const struct peeling *peeling, uint32_t m)
{
    const struct call_graph *graph = peeling->graph;
    return graph->builder->moves[m].kind == MOVE_CALL && graph->state_rules[graph->from[m]] != BUILDER_NONE &&
           (!peeling->is_counted || peeling->is_counted[m]);
}

static void settle(struct peeling *peeling, uint32_t rule)
{
    if (--peeling->n_waiting[rule] == 0) peeling->queue[peeling->n++] = rule;
}

/* Those first that call nothing. */
static void peel_callees(struct peeling *peeling)
{
    const struct call_graph *graph = peeling->graph;
    size_t n_rules = graph->builder->n_rules;
    for (size_t r = 0; r < n_rules; r++) peeling->n_waiting[r] = 1;
    for (uint32_t m = 0; m < graph->builder->n_moves; m++)
        if (is_counted(peeling, m)) peeling->n_waiting[graph->state_rules[graph->from[m]]]++;
    for (uint32_t r = 0; r < n_rules; r++) settle(peeling, r);
    for (size_t i = 0; i < peeling->n; i++) {
        uint32_t rule = peeling->queue[i];
        for (uint32_t k = graph->first_caller[rule]; k < graph->first_caller[rule + 1]; k++)
            if (is_counted(peeling, graph->callers[k]))
                settle(peeling, graph->state_rules[graph->from[graph->callers[k]]]);
    }
}

static bool start_peeling(struct peeling *peeling, const struct call_graph *graph)
{
    *peeling = (struct peeling){.graph = graph};
    peeling->n_waiting = memory_new(graph->builder->n_rules, sizeof(uint32_t));
    peeling->queue = memory_new(graph->builder->n_rules, sizeof(uint32_t));
    return peeling->n_waiting && peeling->queue;
}

static void end_peeling(struct peeling *peeling)
{
    memory_free(peeling->n_waiting);
    memory_free(peeling->queue);
}

hob_status call_graph_order(const struct call_graph *graph, uint32_t *ret_order, size_t *ret_n, hob_error *error)
{
    struct peeling peeling;
    bool has_memory = start_peeling(&peeling, graph);
    if (has_memory) {
        peel_callees(&peeling);
        memcpy(ret_order, peeling.queue, peeling.n * sizeof *ret_order);
        *ret_n = peeling.n;
    }
    end_peeling(&peeling);
    return has_memory ? HOB_OK : out_of_memory(error);
}

/* What the calls of each rule wait for, rule by rule: callers leave first. */
static void peel_callers(struct peeling *peeling, const uint32_t *first_call, const uint32_t *calls)
{
    const struct call_graph *graph = peeling->graph;
    size_t n_rules = graph->builder->n_rules;
    for (size_t r = 0; r < n_rules; r++) peeling->n_waiting[r] = 1;
    for (uint32_t m = 0; m < graph->builder->n_moves; m++)
        if (is_counted(peeling, m)) peeling->n_waiting[graph->builder->moves[m].rule]++;
    for (uint32_t r = 0; r < n_rules; r++) settle(peeling, r);
    for (size_t i = 0; i < peeling->n; i++)
        for (uint32_t k = first_call[peeling->queue[i]]; k < first_call[peeling->queue[i] + 1]; k++)
            settle(peeling, graph->builder->moves[calls[k]].rule);
}

hob_status call_graph_plain(const struct call_graph *graph, bool *ret_are_plain, hob_error *error)
{
    const struct grammar_builder *builder = graph->builder;
    struct peeling peeling;
    uint32_t *keys = memory_new(builder->n_moves, sizeof *keys), *calls = memory_new(builder->n_moves, sizeof *calls);
    uint32_t *first_call = memory_new(builder->n_rules + 2, sizeof *first_call);
    bool has_memory = start_peeling(&peeling, graph) && keys && calls && first_call;
    if (has_memory) {
        for (uint32_t m = 0; m < builder->n_moves; m++)
            keys[m] = is_counted(&peeling, m) ? graph->state_rules[graph->from[m]] : BUILDER_NONE;
        sort_moves(builder->n_moves, keys, builder->n_rules, first_call, calls);
        peel_callees(&peeling);
        for (size_t i = 0; i < peeling.n; i++) ret_are_plain[peeling.queue[i]] = true;
        peeling.n = 0;
        peel_callers(&peeling, first_call, calls);
        for (size_t i = 0; i < peeling.n; i++) ret_are_plain[peeling.queue[i]] = true;
    }
    end_peeling(&peeling);
    memory_free(keys);
    memory_free(calls);
    memory_free(first_call);
    return has_memory ? HOB_OK : out_of_memory(error);
}

/* ---- left recursion ---- */

/* Marks the calls that a rule can make before any byte. */
static hob_status find_first_calls(const struct call_graph *graph, bool *ret_is_first, hob_error *error)
{
    const struct grammar_builder *builder = graph->builder;
    uint32_t *queue = memory_new(builder->n_states, sizeof *queue);
    bool *is_seen = memory_new(builder->n_states, sizeof *is_seen);
    bool has_memory = queue && is_seen;
    size_t n = 0;
    for (size_t r = 0; has_memory && r < builder->n_rules; r++) {
        uint32_t start = builder->rules[r].start;
        if (!is_seen[start]) queue[n++] = start;
        is_seen[start] = true;
    }
    for (size_t i = 0; i < n; i++)
        for (uint32_t m = builder->first_moves[queue[i]]; m != BUILDER_NONE; m = builder->moves[m].next) {
            const struct builder_move *move = &builder->moves[m];
            if (move->kind == MOVE_BYTES) continue;
            ret_is_first[m] = move->kind == MOVE_CALL;
            bool passes = move->kind == MOVE_SKIP || graph->is_empty[move->rule];
            if (!passes || is_seen[move->target]) continue;
            is_seen[move->target] = true;
            queue[n++] = move->target;
        }
    memory_free(queue);
    memory_free(is_seen);
    return has_memory ? HOB_OK : out_of_memory(error);
}

static hob_status check_left_recursion(const struct call_graph *graph, hob_error *error)
{
    const struct grammar_builder *builder = graph->builder;
    struct peeling peeling;
    hob_status status = HOB_OK;
    bool *is_first = memory_new(builder->n_moves, sizeof *is_first);
    bool has_memory = start_peeling(&peeling, graph) && is_first;
    if (!has_memory) TRY_CLEANUP(out_of_memory(error));
    TRY_CLEANUP(find_first_calls(graph, is_first, error));
    peeling.is_counted = is_first;
    peel_callees(&peeling);
    if (peeling.n == builder->n_rules) goto cleanup;
    for (uint32_t m = 0; m < builder->n_moves; m++) {
        uint32_t caller = graph->state_rules[graph->from[m]];
        if (!is_counted(&peeling, m) || !peeling.n_waiting[caller] || !peeling.n_waiting[builder->moves[m].rule])
            continue;
        FAIL_CLEANUP(error, HOB_BAD_FILE,
                     "grammar: rule \"%.80s\": found a beginning with \"%.80s\", which comes round to itself before "
                     "any text, expected "
                     "no left recursion (write a ::= b c* for a ::= a c | b)",
                     builder->rules[caller].name, builder->rules[builder->moves[m].rule].name);
    }
cleanup:
    end_peeling(&peeling);
    memory_free(is_first);
    return status;
}

hob_status call_graph_check(struct call_graph *graph, uint32_t root, hob_error *error)
{
    const struct builder_rule *rule = &graph->builder->rules[root];
    TRY(find_ends(graph, error));
    TRY(check_left_recursion(graph, error));
    if (!graph->is_productive[rule->start])
        FAIL(error, HOB_BAD_FILE, "grammar: rule \"%.80s\": found no text that it can end with, expected at least one",
             rule->name);
    return HOB_OK;
}

/* What follows from who calls whom among a builder's rules: which are empty, endless, recursive or begin with themselves.
 *
 * Owns its arrays. All passes are loops over lists, not recursions: a hostile grammar may be a chain of 65,536 rules.
 *
 *     struct call_graph graph;
 *     TRY(call_graph_init(&graph, &builder, error));
 *     TRY_CLEANUP(call_graph_check(&graph, root, error));
 *     call_graph_release(&graph);
 */
#ifndef GRAMMAR_CALL_GRAPH_H
#define GRAMMAR_CALL_GRAPH_H

#include "grammar/builder.h"

struct call_graph {
    const struct grammar_builder *builder;
    uint32_t *from;     /* the state of each move */
    uint32_t *first_in; /* moves by target, [n_states + 1], into in */
    uint32_t *in;
    uint32_t *first_caller; /* calls by rule, [n_rules + 1], into callers: moves */
    uint32_t *callers;
    uint32_t *state_rules; /* the rule that a state belongs to; BUILDER_NONE: none */
    bool *is_productive;   /* of a state: its rule's end can be reached by some text */
    bool *is_empty;        /* of a rule: it may be no text at all */
};

HOB_MUST_CHECK hob_status call_graph_init(struct call_graph *graph, const struct grammar_builder *builder,
                                          hob_error *error);
void call_graph_release(struct call_graph *graph);
/* Fails: HOB_BAD_FILE naming the rule. */
HOB_MUST_CHECK hob_status call_graph_check(struct call_graph *graph, uint32_t root, hob_error *error);

/* Rules so that each stands behind those it calls; those that are recursive or call such rules are left out.
 * ret_order [n_rules]. */
HOB_MUST_CHECK hob_status call_graph_order(const struct call_graph *graph, uint32_t *ret_order, size_t *ret_n,
                                           hob_error *error);
/* Which rules cannot come round to themselves (a few that cannot, between such that can, are not told). ret_are_plain [n_rules]. */
HOB_MUST_CHECK hob_status call_graph_plain(const struct call_graph *graph, bool *ret_are_plain, hob_error *error);

#endif

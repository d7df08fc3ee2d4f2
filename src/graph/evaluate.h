/* Computing one node by itself, outside an executor: for folding constants and for following shape arithmetic while planning. */
#ifndef GRAPH_EVALUATE_H
#define GRAPH_EVALUATE_H

#include "graph/program.h"

struct kernels;

/* Where an evaluation gets memory. */
struct evaluation {
    const struct kernels *kernels;
    struct arena *results; /* outputs */
    struct arena *scratch; /* cleared by the caller */
    hob_error *error;
    /* What op_context.infer_subgraph becomes; NULL: control flow is not looked into. */
    hob_status (*infer_subgraph)(struct op_context *ctx, int index, int n_inputs, const struct tensor *const *inputs,
                                 int n_outputs, struct tensor *ret_outputs);
    void *planner; /* the caller's, for infer_subgraph */
};

/* Infers the step's outputs from inputs (NULL entries: not given) into ret_outputs (n_outputs structs; data NULL unless a view of
 * known data). state may be NULL. */
HOB_MUST_CHECK hob_status evaluate_infer(const struct evaluation *evaluation, const struct step *step,
                                         const struct tensor *const *inputs, struct op_state *state, struct tensor *outputs);
/* In infer_subgraph: the evaluation's planner and the step that is being inferred. */
void *evaluation_planner(const struct op_context *ctx, const struct step **ret_step);
/* evaluate_infer, then runs the op into memory of evaluation->results. All inputs must have data. */
HOB_MUST_CHECK hob_status evaluate_step(const struct evaluation *evaluation, const struct step *step,
                                        const struct tensor *const *inputs, struct tensor *outputs);

#endif

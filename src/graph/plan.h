/* The plan: where each value of a program lies in one block of memory, for inputs up to given shapes.
 *
 * Made by a dry run that infers every shape (computing small integer tensors on the way, so that shape arithmetic is followed)
 * and then lays values whose lives do not overlap on the same bytes. A plan holds for every run whose inputs are no larger
 * than those it was made for and have their ones in the same places (a dim of 1 can turn a copy into a view). Values whose
 * shape could not be told ahead have n_bytes 0: the executor gives those memory as they come.
 *
 * Owned by an executor's session; holds no tensors' data.
 */
#ifndef GRAPH_PLAN_H
#define GRAPH_PLAN_H

#include "graph/paging.h"
#include "graph/program.h"

struct kernels;

struct plan_slot {
    size_t offset_bytes, n_bytes; /* n_bytes 0: not planned */
    uint32_t root;                /* the value whose memory this one views; itself when it has its own */
};

struct plan {
    struct arena arena;
    struct plan_slot *slots;  /* one a value */
    size_t n_bytes;           /* of the block */
    struct tensor *bounds;    /* shapes of the program's inputs that it was made for */
    int64_t n_used_bound;     /* positions in the states it was made for */
    uint32_t n_unplanned;     /* values left to the executor */
};

/* inputs: the program's inputs in order, data ignored. n_used: positions that states hold before the run. layout: where they
 * lie in blocks; else NULL. A dry run that fails
 * (say, because shapes do not fit) gives a plan with unplanned values: the real run reports what is wrong.
 * Fails: HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status plan_new(const struct program *program, const struct kernels *kernels, const struct tensor *inputs,
                                   int64_t n_used, const struct paged_layout *layout, struct plan **ret_plan, hob_error *error);
/* Shapes alone, for passes: ret_shapes gets a tensor a value (dtype DTYPE_NONE: unknown; data only where small integers were
 * followed), in arena. Inputs as for plan_new. Fails: HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status plan_infer_shapes(const struct program *program, const struct kernels *kernels, const struct tensor *inputs,
                                            int64_t n_used, struct arena *arena, const struct tensor **ret_shapes, hob_error *error);
void plan_free(struct plan *plan); /* takes NULL */
bool plan_covers(const struct plan *plan, const struct tensor *inputs, uint32_t n_inputs, int64_t n_used);

#endif

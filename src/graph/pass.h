/* Passes rewrite a graph into one that computes the same function, faster or smaller. One job a file in graph/passes/, one row
 * PASS(name) in passes.def, run in the table's order.
 *
 *     struct pass_report report[PASS_MAX];
 *     TRY(passes_run(graph, &(struct pass_options){.kernels = kernels_select()}, report, error));
 */
#ifndef GRAPH_PASS_H
#define GRAPH_PASS_H

#include "graph/graph.h"

struct kernels;
struct thread_pool;
struct weight_errors;

struct pass_options {
    uint64_t max_weight_bytes; /* that panels may take; 0: what the machine has left */
    const struct kernels *kernels;
    const char *disabled;      /* comma-separated names, "all", or NULL */
    bool is_for_generation;    /* past/present pairs become session state */
    enum dtype quant;          /* what packing makes of float weights; DTYPE_NONE: they keep their type */
    struct thread_pool *pool;  /* for packing weights; NULL: the caller alone */
    struct weight_errors *weight_errors; /* NULL: nobody asks what quantising costs */
    /* Called between passes and inside slow ones; fraction 0..1. May be NULL. */
    void (*progress)(void *context, const char *what, double fraction);
    void *progress_context;
};

struct pass_context {
    const struct pass_options *options;
    struct arena *scratch; /* cleared after each pass */
    uint32_t n_changes;    /* the pass counts what it rewrote */
    hob_error *error;
};

struct pass_def {
    const char *name;
    const char *summary; /* a line for inspect and documentation */
    const char *makes;   /* the operators it puts in place of several nodes, "hob.Linear com.microsoft.QuickGelu"; NULL: none */
    hob_status (*apply)(struct graph *graph, struct pass_context *context);
};

enum { PASS_MAX = 32 };
struct pass_report {
    const struct pass_def *pass;
    uint32_t n_changes;
};

size_t passes_count(void);
const struct pass_def *passes_at(size_t index);
/* Runs all that are not disabled. report may be NULL, else has room for passes_count(). Fails: HOB_BAD_ARGUMENT (an unknown name in
 * disabled), HOB_UNSUPPORTED (an unknown operator), HOB_BAD_GRAPH, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status passes_run(struct graph *graph, const struct pass_options *options, struct pass_report *report, hob_error *error);

#endif

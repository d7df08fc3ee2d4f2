/* Running a program: binds inputs, keeps states (KV caches), plans memory and walks the steps.
 *
 * An executor belongs to one session and one thread at a time. It keeps at most a few plans and one block of memory; in steady
 * state (shapes within a plan's bounds) a run allocates nothing.
 *
 *     struct executor *executor;
 *     TRY(executor_new(program, &provider, 1024, &executor, error));
 *     executor_bind(executor, 0, &x);                               in the order of graph->inputs
 *     TRY(executor_run(executor, NULL, error));
 *     const struct tensor *y = executor_output(executor, 0);        valid until the next run
 */
#ifndef GRAPH_EXECUTOR_H
#define GRAPH_EXECUTOR_H

#include "graph/plan.h"
#include "graph/program.h"
#include "graph/provider.h"

/* How large inputs will become, so that a plan made now serves later runs: the shapes (data ignored) of all inputs and the
 * positions in the states that a plan shall hold for. They must fit each other as a real run's do. */
struct executor_bounds {
    const struct tensor *inputs;
    int64_t n_used;
};

/* For callers that do not trust a model, or may lose interest in it. */
struct executor_guard {
    bool (*is_stopped)(void *context); /* asked before each run and step, those of subgraphs too; NULL: nobody stops it */
    void *context;
    size_t max_bytes; /* of an executor's activations; 0: what the machine gives */
};

/* state_capacity: positions each state has room for; its buffers are reserved now (pages are touched as they fill).
 * program and provider must outlive the executor. Fails: HOB_NO_MEMORY, HOB_BAD_SHAPE. */
HOB_MUST_CHECK hob_status executor_new(const struct program *program, struct provider *provider, int64_t state_capacity,
                                       struct executor **ret_executor, hob_error *error);
/* For a graph whose states lie in blocks (paging_fits): it has none of its own, executor_bind_texts says where they are. layout and
 * what it points to must outlive the executor. */
HOB_MUST_CHECK hob_status executor_new_paged(const struct program *program, struct provider *provider, const struct paged_layout *layout,
                                             struct executor **ret_executor, hob_error *error);
void executor_free(struct executor *executor); /* takes NULL */

/* Holds for all later runs; the struct is copied. A run that is stopped fails with HOB_CANCELLED, one that needs more with
 * HOB_LIMIT. */
void executor_set_guard(struct executor *executor, const struct executor_guard *guard);

/* Input i (order of graph->inputs) of the next runs. The tensor struct is copied, its elements are not. */
void executor_bind(struct executor *executor, uint32_t i, const struct tensor *tensor);
/* bounds NULL: the inputs' own shapes. Fails: HOB_BAD_TYPE or HOB_BAD_SHAPE when an input does not fit its declaration,
 * HOB_LIMIT when a state is full, whatever an op reports (with the node named). States are unchanged: the caller advances. */
HOB_MUST_CHECK hob_status executor_run(struct executor *executor, const struct executor_bounds *bounds, hob_error *error);
/* The texts of the next runs of a paged executor. run is copied, what it points to is not. n_texts 0: none, as at the beginning. */
void executor_bind_texts(struct executor *executor, const struct paged_run *run);
/* Output i of the last run; any strides; valid until the next. */
const struct tensor *executor_output(const struct executor *executor, uint32_t i);

/* Positions all states hold. Setting it lower rewinds; setting it higher keeps what the last run appended. */
int64_t executor_n_used(const struct executor *executor);
void executor_set_n_used(struct executor *executor, int64_t n_used);

/* Makes to's states hold the first n_used positions that from's do; both are of one program and of the same capacity. */
void executor_copy_states(const struct executor *from, int64_t n_used, struct executor *to);

/* Bytes that it has taken by now, those of subgraphs' executors among them. */
struct executor_usage {
    size_t activation_bytes; /* the planned block, what was not planned, scratch */
    size_t state_bytes;
    size_t other_bytes;      /* plans and tables */
};
struct executor_usage executor_usage(const struct executor *executor);
size_t executor_n_bytes(const struct executor *executor); /* all of them */
/* Gives activations and plans back; the next run makes them anew. States stay, outputs of the last run are gone. */
void executor_trim(struct executor *executor);

/* For providers: runs every step in order. */
HOB_MUST_CHECK hob_status executor_run_steps(struct executor *executor, hob_error *error);

#endif

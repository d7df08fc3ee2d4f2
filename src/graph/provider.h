/* An execution provider: what runs the steps of a program. One file in providers/ and one row PROVIDER(name) in providers.def.
 *
 *     const struct provider_def *def = …;
 *     TRY(def->open(&(struct provider_options){.n_threads = 2}, &provider, error));
 */
#ifndef GRAPH_PROVIDER_H
#define GRAPH_PROVIDER_H

#include "hob/status.h"

#include <stdbool.h>
#include <stddef.h>

struct executor;
struct kernels;
struct thread_pool;
struct op_def;

struct provider_options {
    size_t n_threads; /* 0: as many as the process may run on */
};

struct provider {
    const struct provider_def *def;
    const struct kernels *kernels;
    struct thread_pool *pool;
};

struct provider_def {
    const char *name, *summary;
    hob_status (*open)(const struct provider_options *options, struct provider *ret_provider, hob_error *error);
    void (*release)(struct provider *provider);
    bool (*has_op)(const struct provider *provider, const struct op_def *op);
    /* Runs all steps of the executor's program; its inputs are bound. */
    hob_status (*run)(struct provider *provider, struct executor *executor, hob_error *error);
};

#endif

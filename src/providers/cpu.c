/* The CPU: hob's own operators on the kernel table that select.c found best, with a pool of threads. */
#include "base/error.h"
#include "base/thread_pool.h"
#include "graph/executor.h"
#include "graph/provider.h"
#include "kernels/kernels.h"

static hob_status cpu_open(const struct provider_options *options, struct provider *ret_provider, hob_error *error)
{
    struct thread_pool *pool;
    TRY(thread_pool_new(options->n_threads, &pool, error));
    ret_provider->kernels = kernels_select();
    ret_provider->pool = pool;
    return HOB_OK;
}

static void cpu_release(struct provider *provider)
{
    thread_pool_free(provider->pool);
    provider->pool = NULL;
}

static bool cpu_has_op(const struct provider *provider, const struct op_def *op)
{
    (void)provider;
    return op;
}

static hob_status cpu_run(struct provider *provider, struct executor *executor, hob_error *error)
{
    (void)provider;
    return executor_run_steps(executor, error);
}

const struct provider_def provider_cpu = {
    .name = "cpu",
    .summary = "this machine's processor, with hob's own kernels",
    .open = cpu_open,
    .release = cpu_release,
    .has_op = cpu_has_op,
    .run = cpu_run,
};

#include "server/routes/default_model.h"

bool default_model_acquire(struct exchange *exchange, enum model_use use, struct loaded_model **ret_loaded,
                           struct problem *ret_problem)
{
    struct model_registry *registry = exchange_server(exchange)->registry;
    enum model_state state = model_registry_acquire(registry, "", use, false, ret_loaded, ret_problem);
    if (state == MODEL_READY) return true;
    if (state == MODEL_FAILED) return false;
    problem_set(ret_problem, PROBLEM_LOADING, "Loading model");
    ret_problem->retry_after_s = 1;
    return false;
}

/* The model of requests that name none, for routes that tell of it at once, without a job. */
#ifndef SERVER_ROUTES_DEFAULT_MODEL_H
#define SERVER_ROUTES_DEFAULT_MODEL_H

#include "server/http/exchange.h"
#include "server/models/model_registry.h"

/* To be given back with model_registry_release. false: it cannot be opened, or is being opened: a 503 that says when to ask again. */
bool default_model_acquire(struct exchange *exchange, enum model_use use, struct loaded_model **ret_loaded,
                           struct problem *ret_problem);

#endif

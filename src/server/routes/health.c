/* GET /health, /v1/health: whether the pinned models are ready, as llama-server and text-embeddings-inference tell it. */
#include "server/routes/route.h"

/* Takes message. */
static void reply_unavailable(struct exchange *exchange, json_t *message)
{
    exchange_reply_json(exchange, 503,
                        json_pack("{s:{s:i, s:o, s:s}}", "error", "code", 503, "message", message, "type", "unavailable_error"));
}

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    double progress = 0;
    switch (model_registry_health(exchange_server(exchange)->registry, ret_problem, &progress)) {
    case MODEL_READY: exchange_reply_json(exchange, 200, json_pack("{s:s}", "status", "ok")); break;
    case MODEL_FAILED: reply_unavailable(exchange, api_message(ret_problem)); break;
    default: reply_unavailable(exchange, json_string("Loading model")); break;
    }
    return true;
}

const struct route_def route_health = {
    .method = "GET",
    .path = "/health",
    .api = &api_hob,
    .flags = ROUTE_IS_OPEN,
    .summary = "Whether the pinned models are ready",
    .reply = "{\"status\": \"ok\"}; 503 while they are loaded, or when one cannot be",
    .handle = handle,
};

const struct route_def route_v1_health = {
    .method = "GET",
    .path = "/v1/health",
    .api = &api_hob,
    .flags = ROUTE_IS_OPEN | ROUTE_IS_HIDDEN,
    .summary = "As /health",
    .reply = "As /health",
    .handle = handle,
};

/* GET /api/version. */
#include "server/routes/api_ollama.h"

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    (void)ret_problem;
    exchange_reply_json(exchange, 200, json_pack("{s:s}", "version", hob_version()));
    return true;
}

const struct route_def route_ollama_version = {
    .method = "GET",
    .path = "/api/version",
    .api = &api_ollama,
    .summary = "The version of hob",
    .reply = "version",
    .handle = handle,
};

/* GET /lora-adapters: none can be loaded yet, so the list is empty, as llama.cpp's is without --lora. */
#include "server/routes/api_llama.h"

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    (void)ret_problem;
    exchange_reply_json(exchange, 200, json_array());
    return true;
}

const struct route_def route_llama_lora_adapters = {
    .method = "GET",
    .path = "/lora-adapters",
    .api = &api_llama,
    .summary = "The adapters of the model: none",
    .reply = "An empty list",
    .handle = handle,
};

/* GET /: what clients of Ollama's look for to see whether it runs. */
#include "server/routes/route.h"

#include <string.h>

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    static const char text[] = "Ollama is running";
    (void)ret_problem;
    exchange_reply_text(exchange, 200, "text/plain; charset=utf-8", text, strlen(text));
    return true;
}

const struct route_def route_root = {
    .method = "GET",
    .path = "/",
    .api = &api_hob,
    .flags = ROUTE_IS_OPEN,
    .summary = "A sentence that clients of Ollama's look for",
    .reply = "Text",
    .handle = handle,
};

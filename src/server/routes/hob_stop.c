/* POST /hob/stop: what `hob stop` asks for. By the UNIX socket alone, whose clients are this user. */
#include "server/routes/route.h"

#include <unistd.h>

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct server *server = exchange_server(exchange);
    if (!exchange_is_local(exchange))
        return problem_set(ret_problem, PROBLEM_FORBIDDEN, "the daemon is stopped by its UNIX socket, by a signal, or with hob stop");
    server->ask_to_stop(server);
    exchange_reply_json(exchange, 200, json_pack("{s:s, s:i}", "status", "stopping", "pid", (int)getpid()));
    return true;
}

const struct route_def route_hob_stop = {
    .method = "POST",
    .path = "/hob/stop",
    .api = &api_hob,
    .summary = "Stops the daemon once running requests are done; by the UNIX socket alone",
    .reply = "{\"status\": \"stopping\", \"pid\": …}",
    .handle = handle,
};

/* Failures of hob's own routes: {"error": {"message", "type", "code"}}. */
#include "server/routes/api.h"

static json_t *problem_body(const struct problem *problem, int *ret_status)
{
    *ret_status = 0;
    return json_pack("{s:{s:s, s:s, s:i}}", "error", "message", problem->message, "type", problem_name(problem->kind), "code",
                     problem_http_status(problem->kind));
}

const struct api_def api_hob = {.name = "hob", .problem = problem_body};

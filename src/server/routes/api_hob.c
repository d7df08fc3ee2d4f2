/* Failures of hob's own routes: {"error": {"message", "type", "code"}}. */
#include "server/routes/api.h"

#include "base/json.h"

#include <string.h>

json_t *api_message(const struct problem *problem)
{
    return json_text(problem->message, strlen(problem->message));
}

static json_t *problem_body(const struct problem *problem, int *ret_status)
{
    *ret_status = 0;
    return json_pack("{s:{s:o, s:s, s:i}}", "error", "message", api_message(problem), "type", problem_name(problem->kind), "code",
                     problem_http_status(problem->kind));
}

const struct api_def api_hob = {.name = "hob", .problem = problem_body};

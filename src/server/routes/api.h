/* The families of routes: what the routes of one API share, its error bodies above all. A file api_NAME.c and a row in apis.def. */
#ifndef SERVER_ROUTES_API_H
#define SERVER_ROUTES_API_H

#include "server/problem.h"

#include <jansson.h>

struct api_def {
    const char *name;  /* "OpenAI": a tag in /openapi.json */
    /* The body of a failed request, and its status where the API has one of its own (0: problem_http_status). */
    json_t *(*problem)(const struct problem *problem, int *ret_status);
};

/* api_hob: routes of hob itself, and paths that nobody knows: {"error": {"message", "type", "code"}}. */
#define API(name) extern const struct api_def api_##name;
#include "server/routes/apis.def"
#undef API
/* The sentence as a JSON text: a name that it quotes may be cut in the middle of a character. NULL: memory is out. */
json_t *api_message(const struct problem *problem);
/* The API that a path without a route most likely belongs to, for its 404. */
const struct api_def *api_of_path(const char *path);

#endif

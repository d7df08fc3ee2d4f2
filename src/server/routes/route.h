/* A route: a file below routes/ and a row in routes.def; it exports `const struct route_def route_NAME`.
 *
 * The row gives it its place in the HTTP server, in /openapi.json, in the limits and in the metrics. */
#ifndef SERVER_ROUTES_ROUTE_H
#define SERVER_ROUTES_ROUTE_H

#include "server/http/exchange.h"
#include "server/routes/api.h"
#include "server/routes/fields.h"

enum {
    ROUTE_IS_OPEN = 1,        /* no API key is asked for */
    ROUTE_BODY_OPTIONAL = 2,  /* a POST without a body is {} */
    ROUTE_IS_HIDDEN = 4,      /* not in /openapi.json: another spelling of a route that is */
};

struct route_def {
    const char *method;  /* "GET" (HEAD too), "POST", … */
    const char *path;    /* "/v1/models/{model}": one name in braces at the end may hold slashes */
    const struct api_def *api;
    unsigned flags;
    const char *summary; /* one sentence, for /openapi.json */
    const struct field_def *fields; /* of the body; n_fields 0: takes none */
    size_t n_fields;
    const char *reply;   /* one sentence: what comes back */
    /* Replies or runs jobs, or returns false: the problem is replied then. */
    bool (*handle)(struct exchange *exchange, struct problem *ret_problem);
};

#define ROUTE(name) extern const struct route_def route_##name;
#include "server/routes/routes.def"
#undef ROUTE
extern const struct route_def *const routes[];
extern const size_t n_routes;
/* ret_problem: PROBLEM_NO_ROUTE or PROBLEM_BAD_METHOD where NULL is returned; ret_parameter: where {name} stands in path, else NULL. */
const struct route_def *route_find(const char *method, const char *path, const char **ret_parameter, struct problem *ret_problem);
/* The methods that a path knows, as an Allow header lists them. */
enum { ROUTE_METHODS_BYTES = 64 };
void route_methods(const char *path, char text[static ROUTE_METHODS_BYTES]);

#endif

/* The table of routes, and which of them a path means. */
#include "server/routes/route.h"

#include <string.h>

const struct route_def *const routes[] = {
#define ROUTE(name) &route_##name,
#include "server/routes/routes.def"
#undef ROUTE
};
const size_t n_routes = sizeof routes / sizeof routes[0];

/* The bytes of a row's path before its {name}; all where it has none. */
static size_t fixed_bytes(const char *path)
{
    return strcspn(path, "{");
}

/* A longer path that goes on where the row's {name} stands must name something. */
static bool is_match(const struct route_def *route, const char *path, const char **ret_parameter)
{
    size_t n_fixed = fixed_bytes(route->path);
    *ret_parameter = NULL;
    if (!route->path[n_fixed]) return strcmp(route->path, path) == 0;
    if (strncmp(route->path, path, n_fixed) != 0 || !path[n_fixed]) return false;
    *ret_parameter = path + n_fixed;
    return true;
}

static bool is_method(const struct route_def *route, const char *method)
{
    if (strcmp(route->method, method) == 0) return true;
    return strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0;
}

/* Paths that are written out go before those with a {name}. */
static const struct route_def *find(const char *method, const char *path, bool has_name, const char **ret_parameter, bool *ret_has_path)
{
    for (size_t i = 0; i < n_routes; i++) {
        if ((routes[i]->path[fixed_bytes(routes[i]->path)] != 0) != has_name || !is_match(routes[i], path, ret_parameter)) continue;
        *ret_has_path = true;
        if (is_method(routes[i], method)) return routes[i];
    }
    return NULL;
}

const struct route_def *route_find(const char *method, const char *path, const char **ret_parameter, struct problem *ret_problem)
{
    bool has_path = false;
    const struct route_def *route = find(method, path, false, ret_parameter, &has_path);
    if (!route) route = find(method, path, true, ret_parameter, &has_path);
    if (route) return route;
    *ret_parameter = NULL;
    if (has_path) problem_set(ret_problem, PROBLEM_BAD_METHOD, "%.100s does not take %.20s", path, method);
    else problem_set(ret_problem, PROBLEM_NO_ROUTE, "there is no %.100s", path);
    return NULL;
}

void route_methods(const char *path, char text[static ROUTE_METHODS_BYTES])
{
    size_t n_bytes = 0;
    const char *parameter;
    text[0] = 0;
    for (size_t i = 0; i < n_routes; i++) {
        if (!is_match(routes[i], path, &parameter) || strstr(text, routes[i]->method)) continue;
        int n_more = snprintf(text + n_bytes, ROUTE_METHODS_BYTES - n_bytes, "%s%s%s", n_bytes ? ", " : "", routes[i]->method,
                              strcmp(routes[i]->method, "GET") == 0 ? ", HEAD" : "");
        if (n_more < 0 || (size_t)n_more >= ROUTE_METHODS_BYTES - n_bytes) break;
        n_bytes += (size_t)n_more;
    }
}

/* How many whole parts two paths begin with alike: "/v1/models" and "/v1/engines" one. */
static size_t common_parts(const char *one, const char *other)
{
    size_t n_parts = 0;
    for (size_t i = 0; one[i] && one[i] == other[i]; i++) {
        bool is_part = i > 0 && (one[i + 1] == '/' || !one[i + 1]) && (other[i + 1] == '/' || !other[i + 1]);
        n_parts += is_part;
    }
    return n_parts;
}

const struct api_def *api_of_path(const char *path)
{
    const struct api_def *api = &api_hob;
    size_t most = 0;
    for (size_t i = 0; i < n_routes; i++) {
        size_t n_parts = common_parts(routes[i]->path, path);
        if (n_parts > most) most = n_parts, api = routes[i]->api;
    }
    return api;
}

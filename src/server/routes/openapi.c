/* GET /openapi.json: the routes as they stand in the table, in OpenAPI 3.1. */
#include "server/routes/route.h"

#include "hob/hob.h"

#include <ctype.h>
#include <string.h>

/* "getV1Models": a name for programs that are made from the document. */
static json_t *operation_id(const struct route_def *route)
{
    char id[128];
    size_t n_bytes = 0;
    for (const char *c = route->method; *c && n_bytes < sizeof id - 1; c++) id[n_bytes++] = (char)tolower((unsigned char)*c);
    bool is_first = true;
    for (const char *c = route->path; *c && n_bytes < sizeof id - 1; c++) {
        bool is_letter = isalnum((unsigned char)*c);
        if (is_letter) id[n_bytes++] = is_first ? (char)toupper((unsigned char)*c) : *c;
        is_first = !is_letter;
    }
    return json_stringn(id, n_bytes);
}

static json_t *parameters(const struct route_def *route)
{
    const char *name = strchr(route->path, '{');
    if (!name) return json_array();
    return json_pack("[{s:s%, s:s, s:b, s:{s:s}}]", "name", name + 1, strcspn(name + 1, "}"), "in", "path", "required", 1, "schema", "type",
                     "string");
}

static json_t *responses(const struct route_def *route)
{
    return json_pack("{s:{s:s}, s:{s:s}}", "200", "description", route->reply ? route->reply : route->summary, "default", "description",
                     "A problem, in the shape of the API");
}

static json_t *operation(const struct route_def *route)
{
    json_t *body = json_pack("{s:s, s:o, s:[s], s:o, s:o}", "summary", route->summary, "operationId", operation_id(route), "tags",
                             route->api->name, "parameters", parameters(route), "responses", responses(route));
    if (route->n_fields)
        json_object_set_new(body, "requestBody",
                            json_pack("{s:b, s:{s:{s:o}}}", "required", !(route->flags & ROUTE_BODY_OPTIONAL), "content", "application/json",
                                      "schema", fields_schema(route->fields, route->n_fields)));
    if (route->flags & ROUTE_IS_OPEN) json_object_set_new(body, "security", json_array());
    return body;
}

static bool add(json_t *paths, const struct route_def *route)
{
    char method[16] = "";
    for (size_t i = 0; i < sizeof method - 1 && route->method[i]; i++) method[i] = (char)tolower((unsigned char)route->method[i]);
    json_t *item = json_object_get(paths, route->path);
    if (!item) {
        item = json_object();
        if (json_object_set_new(paths, route->path, item) != 0) return false;
    }
    return json_object_set_new(item, method, operation(route)) == 0;
}

static json_t *document(void)
{
    json_t *paths = json_object();
    bool is_whole = true;
    for (size_t i = 0; i < n_routes; i++)
        if (!(routes[i]->flags & ROUTE_IS_HIDDEN)) is_whole &= add(paths, routes[i]);
    json_t *body = json_pack("{s:s, s:{s:s, s:s, s:s, s:{s:s, s:s}}, s:o, s:{s:{s:{s:s, s:s}, s:{s:s, s:s, s:s}}}, s:[{s:[]}, {s:[]}]}", "openapi",
                             "3.1.0", "info", "title", "hob", "version", HOB_VERSION_STRING, "summary", "Private AI on one machine", "license",
                             "name", "Apache License 2.0", "identifier", "Apache-2.0", "paths", paths, "components", "securitySchemes", "bearer", "type", "http",
                             "scheme", "bearer", "key", "type", "apiKey", "in", "header", "name", "x-api-key", "security", "bearer", "key");
    if (is_whole) return body;
    json_decref(body);
    return NULL;
}

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    (void)ret_problem;
    exchange_reply_json(exchange, 200, document());
    return true;
}

const struct route_def route_openapi = {
    .method = "GET",
    .path = "/openapi.json",
    .api = &api_hob,
    .flags = ROUTE_IS_OPEN,
    .summary = "This document",
    .reply = "OpenAPI 3.1",
    .handle = handle,
};

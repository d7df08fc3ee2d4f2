/* Which route a method and a path mean, over the table as it is. */
#include "unit.h"

#include "server/routes/route.h"

#include <string.h>

static const struct route_def *find(const char *method, const char *path, const char **ret_parameter, enum problem_kind *ret_kind)
{
    struct problem problem = {0};
    const struct route_def *route = route_find(method, path, ret_parameter, &problem);
    *ret_kind = problem.kind;
    return route;
}

static void test_every_row_is_found_by_its_own_path(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_routes; i++) {
        const char *parameter;
        enum problem_kind kind;
        char path[128];
        size_t n_fixed = strcspn(routes[i]->path, "{");
        snprintf(path, sizeof path, "%.*s%s", (int)n_fixed, routes[i]->path, routes[i]->path[n_fixed] ? "a/b" : "");
        const struct route_def *route = find(routes[i]->method, path, &parameter, &kind);
        if (route != routes[i]) fail_msg("%s %s: found %s", routes[i]->method, path, route ? route->path : "none");
        if (routes[i]->path[n_fixed]) assert_string_equal(parameter, "a/b");
        else assert_null(parameter);
    }
}

static void test_every_row_says_what_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_routes; i++) {
        assert_non_null(routes[i]->api);
        assert_non_null(routes[i]->handle);
        assert_non_null(routes[i]->summary);
        assert_int_equal(routes[i]->path[0], '/');
    }
}

static void test_what_is_no_route(void **state)
{
    (void)state;
    const char *parameter;
    enum problem_kind kind;
    assert_null(find("GET", "/nope", &parameter, &kind));
    assert_int_equal(kind, PROBLEM_NO_ROUTE);
    assert_null(find("GET", "/health/", &parameter, &kind));
    assert_int_equal(kind, PROBLEM_NO_ROUTE);
    assert_null(find("GET", "", &parameter, &kind));
    assert_null(find("DELETE", "/health", &parameter, &kind));
    assert_int_equal(kind, PROBLEM_BAD_METHOD);
    assert_non_null(find("HEAD", "/health", &parameter, &kind));
}

static void test_methods_of_a_path(void **state)
{
    (void)state;
    char text[ROUTE_METHODS_BYTES];
    route_methods("/health", text);
    assert_string_equal(text, "GET, HEAD");
    route_methods("/hob/stop", text);
    assert_string_equal(text, "POST");
    route_methods("/nope", text);
    assert_string_equal(text, "");
}

static void test_a_path_that_nobody_knows_fails_as_its_neighbours_do(void **state)
{
    (void)state;
    assert_ptr_equal(api_of_path("/nope"), &api_hob);
    assert_ptr_equal(api_of_path("/api/nope"), &api_ollama);
    assert_ptr_equal(api_of_path(""), &api_hob);
}

/* A name that a message quotes may be cut within a character: no API may have nothing to say then. */
static void test_every_api_tells_what_is_no_text(void **state)
{
    static const struct api_def *const apis[] = {
#define API(name) &api_##name,
#include "server/routes/apis.def"
#undef API
    };
    struct problem problem;
    (void)state;
    problem_set_field(&problem, "model", "model: found \"caf\xC3");
    for (size_t i = 0; i < sizeof apis / sizeof apis[0]; i++) {
        int status = 0;
        json_t *body = apis[i]->problem(&problem, &status);
        if (!body) fail_msg("%s", apis[i]->name);
        json_decref(body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_found_by_its_own_path), cmocka_unit_test(test_every_row_says_what_it_is),
        cmocka_unit_test(test_what_is_no_route),                   cmocka_unit_test(test_methods_of_a_path),
        cmocka_unit_test(test_a_path_that_nobody_knows_fails_as_its_neighbours_do),
        cmocka_unit_test(test_every_api_tells_what_is_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

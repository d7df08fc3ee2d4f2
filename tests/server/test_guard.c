/* Who may ask. */
#include "unit.h"

#include "server/http/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct guard *guard_of(const char *const *hosts, size_t n_hosts, const char *const *origins, size_t n_origins, const char *keys)
{
    static char path[64];
    struct config config = {.allowed_hosts = {hosts, n_hosts}, .allowed_origins = {origins, n_origins}};
    if (keys) {
        snprintf(path, sizeof path, "/tmp/hob-test-guard-%d", (int)getpid());
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(keys, file);
        fclose(file);
        config.api_key_file = path;
    }
    struct guard *guard = NULL;
    hob_error error = {0};
    hob_status status = guard_new(&config, &guard, &error);
    if (keys) unlink(path);
    if (status != HOB_OK) {
        assert_int_equal(status, HOB_BAD_FILE);
        return NULL;
    }
    return guard;
}

static bool admits(const struct guard *guard, struct guard_question question, enum problem_kind kind)
{
    struct problem problem;
    if (guard_admit(guard, &question, &problem)) return true;
    assert_int_equal(problem.kind, kind);
    return false;
}

static bool admits_host(const struct guard *guard, const char *host)
{
    return admits(guard, (struct guard_question){.host = host}, PROBLEM_FORBIDDEN);
}

static void test_hosts(void **state)
{
    (void)state;
    static const char *const hosts[] = {"hob.example", "10.0.0.1:8080"};
    static const char *const good[] = {"localhost", "localhost:8080", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:8080",
                                       "hob.example", "hob.example:443", "Hob.Example", "10.0.0.1:8080"};
    static const char *const bad[] = {"", "evil.com", "localhost.evil.com", "evil.com:localhost", "127.0.0.1.evil.com", "[::1]evil", "localhost:80@evil.com",
                                      "xlocalhost", "10.0.0.1", "10.0.0.1:8081", "[::2]", "0.0.0.0"};
    struct guard *guard = guard_of(hosts, 2, NULL, 0, NULL);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!admits_host(guard, good[i])) fail_msg("'%s' was refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (admits_host(guard, bad[i])) fail_msg("'%s' was admitted", bad[i]);
    assert_true(admits(guard, (struct guard_question){.host = "evil.com", .is_local = true}, 0)); /* a UNIX socket has no name in DNS */
    assert_true(admits(guard, (struct guard_question){.is_http_1_0 = true}, 0));
    assert_false(admits(guard, (struct guard_question){0}, PROBLEM_BAD_REQUEST));
    guard_free(guard);
}

static bool admits_origin(const struct guard *guard, const char *origin)
{
    return admits(guard, (struct guard_question){.host = "localhost:8080", .origin = origin}, PROBLEM_FORBIDDEN);
}

static void test_origins(void **state)
{
    (void)state;
    static const char *const origins[] = {"https://good.example"};
    struct guard *guard = guard_of(NULL, 0, origins, 1, NULL);
    assert_true(admits_origin(guard, NULL));
    assert_true(admits_origin(guard, "https://good.example"));
    assert_true(admits_origin(guard, "http://localhost:8080")); /* its own */
    assert_false(admits_origin(guard, "http://localhost:8081"));
    assert_false(admits_origin(guard, "https://good.example.evil.com"));
    assert_false(admits_origin(guard, "null"));
    assert_true(guard_shares_with(guard, "https://good.example"));
    assert_false(guard_shares_with(guard, "http://localhost:8080"));
    assert_false(guard_shares_with(guard, NULL));
    assert_false(admits(guard, (struct guard_question){.is_local = true, .origin = "https://evil.com"}, PROBLEM_FORBIDDEN));
    guard_free(guard);
    static const char *const any[] = {"*"};
    guard = guard_of(NULL, 0, any, 1, NULL);
    assert_true(admits_origin(guard, "https://anywhere.example"));
    guard_free(guard);
}

static bool admits_key(const struct guard *guard, const char *authorization, const char *x_api_key)
{
    return admits(guard, (struct guard_question){.host = "localhost", .authorization = authorization, .x_api_key = x_api_key}, PROBLEM_UNAUTHORIZED);
}

static void test_keys(void **state)
{
    (void)state;
    struct guard *guard = guard_of(NULL, 0, NULL, 0, "# ours\n  first-key \r\n\nsecond");
    assert_true(admits_key(guard, "Bearer first-key", NULL));
    assert_true(admits_key(guard, "bearer second", NULL));
    assert_true(admits_key(guard, NULL, "second"));
    assert_true(admits_key(guard, "Bearer wrong", "second"));
    assert_false(admits_key(guard, NULL, NULL));
    assert_false(admits_key(guard, "first-key", NULL));
    assert_false(admits_key(guard, "Basic first-key", NULL));
    assert_false(admits_key(guard, "Bearer first-ke", NULL));
    assert_false(admits_key(guard, "Bearer first-keyx", NULL));
    assert_false(admits_key(guard, "Bearer ", NULL));
    assert_false(admits_key(guard, "Bearer # ours", ""));
    assert_true(admits(guard, (struct guard_question){.host = "localhost", .is_open = true}, 0));
    assert_true(admits(guard, (struct guard_question){.is_local = true}, 0));
    guard_free(guard);
    assert_null(guard_of(NULL, 0, NULL, 0, "# no key\n\n"));
    char many[1024] = "";
    for (int i = 0; i < 257; i++) strcat(many, "k\n");
    assert_null(guard_of(NULL, 0, NULL, 0, many));
}

static void test_a_key_file_that_is_absent_is_a_failure(void **state)
{
    (void)state;
    struct guard *guard = NULL;
    hob_error error;
    assert_int_equal(guard_new(&(struct config){.api_key_file = "/nowhere/at/all"}, &guard, &error), HOB_NOT_FOUND);
    assert_null(guard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_a_key_file_that_is_absent_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

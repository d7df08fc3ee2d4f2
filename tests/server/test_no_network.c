/* The filter in a child: what it refuses, what still works, that it is inherited. */
#include "server/no_network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SKIPPED = 77 };

/* What a child says by its exit status. */
static int in_child(int (*work)(void))
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) _exit(work());
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool all_refused(void)
{
    struct no_network_probe probes[NO_NETWORK_MOST_PROBES];
    size_t n = no_network_probe(probes);
    for (size_t i = 0; i < n; i++)
        if (!probes[i].is_refused) return false;
    return n > 0;
}

static int try_all(void)
{
    hob_error error;
    if (no_network_enforce(&error) != HOB_OK) return error.code == HOB_UNSUPPORTED ? SKIPPED : 1;
    if (!all_refused()) return 2;
    int pair[2], local = socket(AF_UNIX, SOCK_STREAM, 0);
    if (local < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 3;
    pid_t child = fork();
    if (!child) _exit(all_refused() ? 0 : 4);
    int status = 0;
    if (waitpid(child, &status, 0) != child) return 5;
    return WEXITSTATUS(status);
}

static void only_unix_sockets_are_left(void **state)
{
    (void)state;
    int result = in_child(try_all);
    if (result == SKIPPED) skip();
    assert_int_equal(result, 0);
}

static int try_open(void)
{
    return all_refused() ? 1 : 0;
}

static void without_it_the_probes_get_through(void **state)
{
    (void)state;
    assert_int_equal(in_child(try_open), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_unix_sockets_are_left),
        cmocka_unit_test(without_it_the_probes_get_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

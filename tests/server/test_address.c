/* Addresses as people write them. */
#include "unit.h"

#include "server/address.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void check(const char *text, enum address_kind kind, const char *written, bool is_this_machine)
{
    struct address address;
    hob_error error = {0};
    char found[ADDRESS_TEXT_BYTES];
    if (address_parse(text, &address, &error) != HOB_OK) fail_msg("%s: %s", text, error.message);
    address_write(&address, found);
    assert_int_equal(address.kind, kind);
    assert_string_equal(found, written);
    if (kind == ADDRESS_TCP) assert_int_equal(address.is_this_machine, is_this_machine);
}

static void test_unix_sockets(void **state)
{
    (void)state;
    check("/run/x/hob.sock", ADDRESS_UNIX, "unix:///run/x/hob.sock", true);
    check("unix:///run/x", ADDRESS_UNIX, "unix:///run/x", true);
    check("unix:/run/x", ADDRESS_UNIX, "unix:///run/x", true);
    check("here.sock", ADDRESS_UNIX, "unix://here.sock", true);
    check("@hob", ADDRESS_ABSTRACT, "@hob", true);
}

static void test_tcp(void **state)
{
    (void)state;
    check("tcp://127.0.0.1:8080", ADDRESS_TCP, "http://127.0.0.1:8080", true);
    check("http://127.0.0.1:8080", ADDRESS_TCP, "http://127.0.0.1:8080", true);
    check("127.1.2.3:1", ADDRESS_TCP, "http://127.1.2.3:1", true);
    check("localhost:0", ADDRESS_TCP, "http://127.0.0.1:0", true);
    check(":8080", ADDRESS_TCP, "http://127.0.0.1:8080", true);
    check("8080", ADDRESS_TCP, "http://127.0.0.1:8080", true);
    check("[::1]:8080", ADDRESS_TCP, "http://[::1]:8080", true);
    check("0.0.0.0:8080", ADDRESS_TCP, "http://0.0.0.0:8080", false);
    check("tcp://10.1.2.3:80", ADDRESS_TCP, "http://10.1.2.3:80", false);
    check("[::]:80", ADDRESS_TCP, "http://[::]:80", false);
}

static void test_descriptors(void **state)
{
    (void)state;
    check("fd:3", ADDRESS_FD, "fd:3", false);
}

static void test_what_makes_no_sense(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "@", "unix://", "fd:", "fd:x", "fd:-1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:8080x",
                                        "::1:80", "ftp://127.0.0.1:21", "127.0.0.1:-1", "999.1.1.1:80"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct address address;
        hob_error error = {0};
        if (address_parse(texts[i], &address, &error) != HOB_BAD_ARGUMENT) fail_msg("'%s' was taken", texts[i]);
        assert_true(error.message[0]);
    }
    char path[200];
    memset(path, 'a', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = 0;
    struct address address;
    assert_int_equal(address_parse(path, &address, NULL), HOB_BAD_ARGUMENT);
}

static void test_sockets_that_were_given(void **state)
{
    (void)state;
    struct address address;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0), datagrams = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_int_equal(address_of_socket(fd, &address, NULL), HOB_BAD_ARGUMENT); /* it does not listen */
    assert_int_equal(address_of_socket(datagrams, &address, NULL), HOB_BAD_ARGUMENT);
    assert_int_equal(address_of_socket(-1, &address, NULL), HOB_BAD_ARGUMENT);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(address_of_socket(fd, &address, NULL), HOB_OK);
    assert_int_equal(address.kind, ADDRESS_TCP);
    assert_true(address.is_this_machine);
    close(fd);
    close(datagrams);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unix_sockets),       cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_descriptors),        cmocka_unit_test(test_what_makes_no_sense),
        cmocka_unit_test(test_sockets_that_were_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

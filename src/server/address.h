/* Where to listen, as people write it, and sockets for it.
 *
 * "unix:///path", "/path", "name.sock", "@abstract", "tcp://host:port", "host:port", ":port", "port", "[::1]:port", "fd:N". */
#ifndef SERVER_ADDRESS_H
#define SERVER_ADDRESS_H

#include "hob/status.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

enum address_kind { ADDRESS_UNIX, ADDRESS_ABSTRACT, ADDRESS_TCP, ADDRESS_FD };

struct address {
    enum address_kind kind;
    union {
        struct sockaddr any;
        struct sockaddr_un un; /* sun_path: the path, or a NUL and the abstract name */
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } socket;
    socklen_t n_socket_bytes;
    int fd;              /* of ADDRESS_FD */
    bool is_this_machine; /* nobody on another machine can reach it */
};

enum { ADDRESS_TEXT_BYTES = 160 };

/* Names of machines are looked up; "localhost" is 127.0.0.1. Fails: HOB_BAD_ARGUMENT, with the text. */
HOB_MUST_CHECK hob_status address_parse(const char *text, struct address *ret_address, hob_error *error);
/* Of a socket that is listening: what it is bound to. Fails: HOB_BAD_ARGUMENT (not a listening stream socket of a kind we know). */
HOB_MUST_CHECK hob_status address_of_socket(int fd, struct address *ret_address, hob_error *error);
/* As a client writes it: "unix:///run/user/1000/hob/hob.sock", "http://127.0.0.1:8080". */
void address_write(const struct address *address, char text[static ADDRESS_TEXT_BYTES]);

#endif

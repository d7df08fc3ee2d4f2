/* Addresses from text and from sockets. */
#include "server/address.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stddef.h>
#include <string.h>

static bool begins_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n_text = strlen(text), n_end = strlen(end);
    return n_text >= n_end && strcmp(text + n_text - n_end, end) == 0;
}

static bool read_number(const char *text, long most, int *ret_number)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno || number > most) return false;
    *ret_number = (int)number;
    return true;
}

static hob_status set_unix(const char *path, struct address *ret_address, hob_error *error)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t n_bytes = strlen(path);
    bool is_abstract = path[0] == '@';
    if (n_bytes == 0 || (is_abstract && n_bytes == 1)) FAIL(error, HOB_BAD_ARGUMENT, "address: expected a name for the UNIX socket");
    if (n_bytes >= sizeof un.sun_path)
        FAIL(error, HOB_BAD_ARGUMENT, "%s: found %zu bytes, expected a socket path of at most %zu", path, n_bytes, sizeof un.sun_path - 1);
    memcpy(un.sun_path, path, n_bytes);
    if (is_abstract) un.sun_path[0] = 0;
    *ret_address = (struct address){.kind = is_abstract ? ADDRESS_ABSTRACT : ADDRESS_UNIX, .is_this_machine = true};
    ret_address->socket.un = un;
    ret_address->n_socket_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n_bytes + (is_abstract ? 0 : 1));
    return HOB_OK;
}

static bool is_loopback(const struct address *address)
{
    if (address->socket.any.sa_family == AF_INET) return ntohl(address->socket.in.sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&address->socket.in6.sin6_addr);
}

static hob_status look_up(const char *text, const char *host, const char *port, struct address *ret_address, hob_error *error)
{
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    int code = getaddrinfo(host, port, &wanted, &found);
    if (code != 0) FAIL(error, HOB_BAD_ARGUMENT, "%s: host '%s': %s", text, host, gai_strerror(code));
    *ret_address = (struct address){.kind = ADDRESS_TCP, .n_socket_bytes = found->ai_addrlen};
    memcpy(&ret_address->socket, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    ret_address->is_this_machine = is_loopback(ret_address);
    return HOB_OK;
}

/* rest: "host:port", "[host]:port", ":port" or "port"; without a host this machine alone is meant. */
static hob_status set_tcp(const char *text, const char *rest, struct address *ret_address, hob_error *error)
{
    const char *colon = strrchr(rest, ':');
    const char *port = colon ? colon + 1 : rest;
    const char *host = rest;
    size_t n_host = colon ? (size_t)(colon - rest) : 0;
    if (n_host >= 2 && host[0] == '[' && host[n_host - 1] == ']') host++, n_host -= 2;
    else if (memchr(host, ':', n_host))
        FAIL(error, HOB_BAD_ARGUMENT, "%s: expected brackets around an address of IPv6, as in [::1]:8080", text);
    char name[256];
    int number;
    if (!read_number(port, 65535, &number)) FAIL(error, HOB_BAD_ARGUMENT, "%s: found port '%s', expected 0 to 65535", text, port);
    if (n_host >= sizeof name) FAIL(error, HOB_BAD_ARGUMENT, "%s: the host's name is too long", text);
    snprintf(name, sizeof name, "%.*s", (int)n_host, host);
    return look_up(text, n_host == 0 || strcmp(name, "localhost") == 0 ? "127.0.0.1" : name, port, ret_address, error);
}

static hob_status set_fd(const char *text, const char *number, struct address *ret_address, hob_error *error)
{
    int fd;
    if (!read_number(number, 1 << 20, &fd)) FAIL(error, HOB_BAD_ARGUMENT, "%s: expected the number of a descriptor behind fd:", text);
    *ret_address = (struct address){.kind = ADDRESS_FD, .fd = fd};
    return HOB_OK;
}

hob_status address_parse(const char *text, struct address *ret_address, hob_error *error)
{
    if (begins_with(text, "fd:")) return set_fd(text, text + 3, ret_address, error);
    if (begins_with(text, "unix://")) return set_unix(text + 7, ret_address, error);
    if (begins_with(text, "unix:")) return set_unix(text + 5, ret_address, error);
    if (text[0] == '@' || strchr(text, '/') == text || ends_with(text, ".sock")) return set_unix(text, ret_address, error);
    if (begins_with(text, "tcp://")) return set_tcp(text, text + 6, ret_address, error);
    if (begins_with(text, "http://")) return set_tcp(text, text + 7, ret_address, error);
    if (strstr(text, "://"))
        FAIL(error, HOB_BAD_ARGUMENT, "%s: expected unix:///path, @name, tcp://host:port or fd:N", text);
    return set_tcp(text, text, ret_address, error);
}

hob_status address_of_socket(int fd, struct address *ret_address, hob_error *error)
{
    struct address address = {.fd = fd};
    address.n_socket_bytes = sizeof address.socket;
    int is_listening = 0;
    socklen_t n_bytes = sizeof is_listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &n_bytes) != 0)
        FAIL(error, HOB_BAD_ARGUMENT, "fd:%d: %s", fd, strerror(errno));
    if (!is_listening) FAIL(error, HOB_BAD_ARGUMENT, "fd:%d: found a socket that does not listen", fd);
    if (getsockname(fd, &address.socket.any, &address.n_socket_bytes) != 0) FAIL(error, HOB_IO, "fd:%d: %s", fd, strerror(errno));
    switch (address.socket.any.sa_family) {
    case AF_UNIX:
        address.kind = address.socket.un.sun_path[0] ? ADDRESS_UNIX : ADDRESS_ABSTRACT;
        address.is_this_machine = true;
        break;
    case AF_INET:
    case AF_INET6:
        address.kind = ADDRESS_TCP;
        address.is_this_machine = is_loopback(&address);
        break;
    default: FAIL(error, HOB_BAD_ARGUMENT, "fd:%d: expected a UNIX or TCP socket", fd);
    }
    *ret_address = address;
    return HOB_OK;
}

void address_write(const struct address *address, char text[static ADDRESS_TEXT_BYTES])
{
    char host[INET6_ADDRSTRLEN] = "";
    switch (address->kind) {
    case ADDRESS_UNIX: snprintf(text, ADDRESS_TEXT_BYTES, "unix://%.107s", address->socket.un.sun_path); break;
    case ADDRESS_ABSTRACT: {
        size_t n_name = address->n_socket_bytes - offsetof(struct sockaddr_un, sun_path);
        snprintf(text, ADDRESS_TEXT_BYTES, "@%.*s", n_name > 1 ? (int)n_name - 1 : 0, address->socket.un.sun_path + 1);
        break;
    }
    case ADDRESS_FD: snprintf(text, ADDRESS_TEXT_BYTES, "fd:%d", address->fd); break;
    case ADDRESS_TCP:
        if (address->socket.any.sa_family == AF_INET) {
            inet_ntop(AF_INET, &address->socket.in.sin_addr, host, sizeof host);
            snprintf(text, ADDRESS_TEXT_BYTES, "http://%s:%u", host, ntohs(address->socket.in.sin_port));
        } else {
            inet_ntop(AF_INET6, &address->socket.in6.sin6_addr, host, sizeof host);
            snprintf(text, ADDRESS_TEXT_BYTES, "http://[%s]:%u", host, ntohs(address->socket.in6.sin6_port));
        }
    }
}

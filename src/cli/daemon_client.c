/* HTTP/1.0, so that the reply ends with the connection and no framing needs to be read. */
#include "cli/daemon_client.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "server/address.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { MOST_REPLY_BYTES = 16 << 20 };

static hob_status connect_to(const char *socket_path, int *ret_fd, hob_error *error)
{
    struct address address;
    TRY(address_parse(socket_path, &address, error));
    if (address.kind != ADDRESS_UNIX && address.kind != ADDRESS_ABSTRACT)
        FAIL(error, HOB_BAD_ARGUMENT, "%s: expected a UNIX socket", socket_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) FAIL(error, HOB_IO, "%s: %s", socket_path, strerror(errno));
    if (connect(fd, &address.socket.any, address.n_socket_bytes) != 0) {
        int code = errno;
        close(fd);
        if (code == ENOENT || code == ECONNREFUSED) FAIL(error, HOB_NOT_FOUND, "no daemon runs at %s", socket_path);
        FAIL(error, HOB_IO, "%s: %s", socket_path, strerror(code));
    }
    *ret_fd = fd;
    return HOB_OK;
}

static bool exchange_bytes(int fd, const struct buffer *request, struct buffer *reply)
{
    char bytes[8192];
    ssize_t n_bytes = send(fd, request->bytes, request->n_bytes, MSG_NOSIGNAL); /* a few bytes: they go out at once */
    if (n_bytes != (ssize_t)request->n_bytes) return false;
    while ((n_bytes = recv(fd, bytes, sizeof bytes, 0)) != 0) {
        if (n_bytes < 0 && errno == EINTR) continue;
        if (n_bytes < 0 || !buffer_append(reply, bytes, (size_t)n_bytes)) return false;
    }
    return true;
}

static const char *message_in(const json_t *body)
{
    const char *message = json_string_value(json_object_get(json_object_get(body, "error"), "message"));
    return message ? message : "it gives no reason";
}

static hob_status read_reply(const char *socket_path, const char *text, json_t **ret_reply, hob_error *error)
{
    const char *body = strstr(text, "\r\n\r\n");
    const char *code = strchr(text, ' ');
    long status = strncmp(text, "HTTP/1.", 7) == 0 && code ? strtol(code + 1, NULL, 10) : 0;
    json_t *reply = body ? json_loads(body + 4, 0, NULL) : NULL;
    if (status == 200 && reply) {
        *ret_reply = reply;
        return HOB_OK;
    }
    if (status && reply) error_set(error, HOB_IO, ERROR_HERE, "%s: the daemon refuses: %s", socket_path, message_in(reply));
    else error_set(error, HOB_IO, ERROR_HERE, "%s: what answers there is no daemon of hob's", socket_path);
    json_decref(reply);
    return HOB_IO;
}

hob_status daemon_ask(const char *socket_path, const char *method, const char *path, json_t **ret_reply, hob_error *error)
{
    int fd;
    TRY(connect_to(socket_path, &fd, error));
    struct buffer request = {0}, reply = {.cap_bytes = MOST_REPLY_BYTES};
    hob_status status = HOB_OK;
    buffer_printf(&request, "%s %s HTTP/1.0\r\nHost: localhost\r\n\r\n", method, path);
    if (request.is_failed) FAIL_CLEANUP(error, HOB_NO_MEMORY, "no memory for the request");
    if (!exchange_bytes(fd, &request, &reply)) FAIL_CLEANUP(error, HOB_IO, "%s: the daemon does not answer: %s", socket_path, strerror(errno));
    TRY_CLEANUP(read_reply(socket_path, buffer_text(&reply), ret_reply, error));

cleanup:
    close(fd);
    buffer_release(&request);
    buffer_release(&reply);
    return status;
}

hob_status daemon_find(const struct daemon_choice *choice, char **ret_path, hob_error *error)
{
    const struct config_flag flag = {.key = "socket_path", .text = choice->socket_path, .shown = "--socket"};
    const struct config_sources sources = {.file = choice->config_path, .flags = &flag, .n_flags = choice->socket_path ? 1 : 0};
    struct config *config;
    TRY(config_load(&sources, &config, error));
    char *path = memory_copy_string(config->socket_path);
    bool has_path = config->socket_path != NULL;
    config_free(config);
    if (!has_path) FAIL(error, HOB_BAD_ARGUMENT, "no socket is configured: expected socket_path or --socket");
    if (!path) FAIL(error, HOB_NO_MEMORY, "no memory for the socket's path");
    *ret_path = path;
    return HOB_OK;
}

hob_status daemon_ask_chosen(const struct daemon_choice *choice, const char *method, const char *path, json_t **ret_reply, hob_error *error)
{
    char *socket_path = NULL;
    TRY(daemon_find(choice, &socket_path, error));
    hob_status status = daemon_ask(socket_path, method, path, ret_reply, error);
    memory_free(socket_path);
    return status;
}

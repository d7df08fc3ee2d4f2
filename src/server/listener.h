/* Where clients come in: listening sockets from addresses or from systemd, connections accepted, checked for who is at the other end, and
 * given on once their first bytes tell what they speak. A connection that says nothing costs one small record. */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include "server/http/http_server.h"
#include "server/line/line_server.h"
#include "server/server.h"

struct listener;

/* Listens on socket_path, on what config->listen names and on the n_passed sockets of systemd's (listen_fds.h), which then stand for
 * socket_path. Addresses: "unix:///path", "/path", "*.sock", "@abstract", "tcp://host:port", "host:port", "fd:N". A UNIX socket is 0600 in
 * a folder that nobody else may write to (one that is made is 0700); a socket file left by a daemon that died is replaced, one that
 * somebody answers on is not.
 * Fails: HOB_BAD_ARGUMENT (an address that makes no sense, one beyond this machine without api_key_file), HOB_IO (with the address). */
HOB_MUST_CHECK hob_status listener_new(struct server *server, struct http_server *http, struct line_server *line, size_t n_passed,
                                       struct listener **ret_listener, hob_error *error);
/* Stops listening and removes the socket files it made; connections stay. Takes NULL. */
void listener_free(struct listener *listener);
bool listener_is_activated(const struct listener *listener); /* by systemd */
size_t listener_n_idle(const struct listener *listener);     /* connections that have not said anything */
bool listener_is_reachable(const struct listener *listener); /* from other machines: keys must be asked for */
uint64_t listener_n_accepted(const struct listener *listener); /* since the start */
/* The address of listening socket `index` as a client writes it ("unix:///run/…", "http://127.0.0.1:41234"); NULL behind the last. */
const char *listener_address(const struct listener *listener, size_t index);

#endif

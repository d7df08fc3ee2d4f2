/* HTTP by libmicrohttpd, run by the loop: takes connections that were accepted and known to speak HTTP, checks who may ask (guard.h),
 * finds the route, reads the body within its limits, and hands an exchange to the route. */
#ifndef SERVER_HTTP_SERVER_H
#define SERVER_HTTP_SERVER_H

#include "server/server.h"

#include <stdbool.h>

struct http_server;

HOB_MUST_CHECK hob_status http_server_new(struct server *server, struct http_server **ret_http, hob_error *error);
/* The server's config changed: who may ask is read again. On failure all stays as it was. */
HOB_MUST_CHECK hob_status http_server_reload(struct http_server *http, hob_error *error);
void http_server_free(struct http_server *http); /* closes all connections; takes NULL */
/* Takes the socket; its first bytes are still in it. is_local: a UNIX socket whose peer is this user. */
void http_server_take(struct http_server *http, int fd, bool is_local);
size_t http_server_n_connections(const struct http_server *http);
size_t http_server_n_exchanges(const struct http_server *http); /* requests not answered to the end */
/* New connections and keep-alive end; exchanges go on. */
void http_server_drain(struct http_server *http);

#endif

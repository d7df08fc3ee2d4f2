/* One request from its first line to its log line: who asks, which route, the body, the reply. Called by libmicrohttpd through
 * http_server.c. The loop's thread only. */
#ifndef SERVER_HTTP_REQUEST_H
#define SERVER_HTTP_REQUEST_H

#include "server/http/connection.h"
#include "server/http/guard.h"

/* libmicrohttpd calls it three times or more: when the headers are there, for pieces of the body, when all is there, and each time the
 * connection goes on behind that. state: its own between the calls. */
enum MHD_Result request_go_on(struct http_connection *connection, const struct guard *guard, const char *url, const char *method,
                              const char *version, const char *bytes, size_t *n_bytes, void **state);
/* The last call. is_sent: the whole reply went out. */
void request_end(struct http_connection *connection, struct exchange *exchange, bool is_sent);

#endif

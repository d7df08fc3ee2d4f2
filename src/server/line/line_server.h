/* The line protocols of editors and shells: text alone, a Lua table, one JSON object a line; each answer is one line of JSON,
 * {"suggestions": ["…", …]}, best first, or {"error": "…"}. The loop's thread only. */
#ifndef SERVER_LINE_SERVER_H
#define SERVER_LINE_SERVER_H

#include "server/server.h"

struct line_server;

HOB_MUST_CHECK hob_status line_server_new(struct server *server, struct line_server **ret_line, hob_error *error);
void line_server_free(struct line_server *line); /* takes NULL */
/* Takes the socket; its first bytes are still in it. */
void line_server_take(struct line_server *line, int fd);
size_t line_server_n_connections(const struct line_server *line);
size_t line_server_n_requests(const struct line_server *line); /* under way */
/* Connections end; requests under way are answered first. */
void line_server_drain(struct line_server *line);

#endif

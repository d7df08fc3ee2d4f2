/* Connections of the line protocols. */
#include "server/line/line_server.h"

#include "base/error.h"
#include "base/memory.h"

#include <unistd.h>

struct line_server {
    struct server *server;
};

hob_status line_server_new(struct server *server, struct line_server **ret_line, hob_error *error)
{
    struct line_server *line = memory_new(1, sizeof *line);
    if (!line) FAIL(error, HOB_NO_MEMORY, "no memory for the line protocols");
    line->server = server;
    *ret_line = line;
    return HOB_OK;
}

void line_server_free(struct line_server *line)
{
    memory_free(line);
}

void line_server_take(struct line_server *line, int fd)
{
    (void)line;
    close(fd);
}

size_t line_server_n_connections(const struct line_server *line)
{
    (void)line;
    return 0;
}

size_t line_server_n_requests(const struct line_server *line)
{
    (void)line;
    return 0;
}

void line_server_drain(struct line_server *line)
{
    (void)line;
}

/* sd_listen_fds(3), without its library. */
#include "server/listen_fds.h"

#include <stdlib.h>
#include <unistd.h>

enum { FIRST_FD = 3, MOST_FDS = 64 };

static long number_in(const char *name)
{
    const char *text = getenv(name);
    if (!text || !*text) return -1;
    char *end;
    long number = strtol(text, &end, 10);
    return *end ? -1 : number;
}

size_t listen_fds_count(void)
{
    long n_fds = number_in("LISTEN_FDS");
    if (number_in("LISTEN_PID") != (long)getpid() || n_fds < 0 || n_fds > MOST_FDS) return 0;
    return (size_t)n_fds;
}

int listen_fds_at(size_t index)
{
    return FIRST_FD + (int)index;
}

void listen_fds_forget(void)
{
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

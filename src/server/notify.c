#include "server/notify.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int open_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n_bytes = path ? strlen(path) : 0;
    if (n_bytes < 2 || n_bytes >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@')) return -1;
    memcpy(address.sun_path, path, n_bytes);
    if (path[0] == '@') address.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t n_address = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n_bytes);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, n_address) == 0) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

static uint64_t number_in(const char *name)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : 0;
}

/* Half of what is asked for, as sd_watchdog_enabled(3) recommends. */
static uint64_t watchdog_ms(void)
{
    uint64_t pid = number_in("WATCHDOG_PID");
    if (pid && pid != (uint64_t)getpid()) return 0;
    uint64_t period_us = number_in("WATCHDOG_USEC");
    return period_us && period_us < 2000 ? 1 : period_us / 2000;
}

void notifier_open(struct notifier *ret_notifier)
{
    ret_notifier->fd = open_socket(getenv("NOTIFY_SOCKET"));
    ret_notifier->watchdog_ms = ret_notifier->fd >= 0 ? watchdog_ms() : 0;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
}

void notifier_close(struct notifier *notifier)
{
    if (notifier->fd >= 0) close(notifier->fd);
    notifier->fd = -1;
}

void notifier_tell(const struct notifier *notifier, const char *format, ...)
{
    if (notifier->fd < 0) return;
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    int n_bytes = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (n_bytes < 0) return;
    if ((size_t)n_bytes >= sizeof message) n_bytes = sizeof message - 1;
    (void)!send(notifier->fd, message, (size_t)n_bytes, MSG_DONTWAIT | MSG_NOSIGNAL); /* a manager that does not listen loses nothing */
}

void notifier_tell_reloading(const struct notifier *notifier)
{
    notifier_tell(notifier, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)(clock_now_ns() / 1000));
}

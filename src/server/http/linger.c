/* A fixed number of places: a flood of such clients is reset as it would be without this. */
#include "server/http/linger.h"

#include "base/error.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 64, LONGEST_MS = 5000, READ_BYTES = 64 << 10, READS_AT_ONCE = 16 };

struct place {
    struct lingering *lingering;
    struct watch *watch; /* NULL: free */
    struct timer *timer;
    int fd;
};

struct lingering {
    struct loop *loop;
    struct place places[MOST];
    char bytes[READ_BYTES];
};

hob_status lingering_new(struct loop *loop, struct lingering **ret_lingering, hob_error *error)
{
    struct lingering *lingering = memory_new(1, sizeof *lingering);
    if (!lingering) FAIL(error, HOB_NO_MEMORY, "no memory for connections");
    lingering->loop = loop;
    *ret_lingering = lingering;
    return HOB_OK;
}

static void leave(struct place *place)
{
    if (!place->watch) return;
    loop_unwatch(place->watch);
    loop_timer_free(place->timer);
    close(place->fd);
    *place = (struct place){0};
}

void lingering_free(struct lingering *lingering)
{
    if (!lingering) return;
    for (size_t i = 0; i < MOST; i++) leave(&lingering->places[i]);
    memory_free(lingering);
}

static void on_time(void *context)
{
    leave(context);
}

static void on_bytes(void *context, uint32_t events)
{
    struct place *place = context;
    (void)events;
    for (int i = 0; i < READS_AT_ONCE; i++) {
        ssize_t n_bytes = recv(place->fd, place->lingering->bytes, READ_BYTES, MSG_DONTWAIT);
        if (n_bytes > 0) continue;
        if (n_bytes < 0 && (errno == EAGAIN || errno == EINTR)) return;
        leave(place);
        return;
    }
}

void lingering_add(struct lingering *lingering, int fd)
{
    struct place *place = lingering->places;
    while (place < lingering->places + MOST && place->watch) place++;
    if (place == lingering->places + MOST) return;
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0) return;
    *place = (struct place){.lingering = lingering, .fd = own};
    if (loop_timer_new(lingering->loop, on_time, place, &place->timer, NULL) == HOB_OK &&
        loop_watch(lingering->loop, own, EPOLLIN, on_bytes, place, &place->watch, NULL) == HOB_OK) {
        loop_timer_set(place->timer, LONGEST_MS);
        return;
    }
    loop_timer_free(place->timer);
    close(own);
    *place = (struct place){0};
}

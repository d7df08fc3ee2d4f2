/* epoll for descriptors, a heap for timers, one eventfd for calls that other threads post.
 *
 * What a callback frees may still have an event in the batch that is being handed out, so watches die at once and their memory goes
 * behind the batch. Calls are run behind descriptors and timers: a call posted on the loop's own thread costs no system call and sees
 * everything that came in with it. */
#include "server/loop.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { EVENTS_AT_ONCE = 128, LONGEST_WAIT_MS = 3600 * 1000, NOT_SET = -1 };

struct watch {
    struct loop *loop;
    loop_on_ready *on_ready;
    void *context;
    struct watch *next_dead;
    int fd;
    bool is_dead;
};

struct timer {
    struct loop *loop;
    loop_on_time *on_time;
    void *context;
    uint64_t due_ns;
    ptrdiff_t place; /* in the heap; NOT_SET */
};

struct loop_call {
    struct loop *loop;
    loop_on_time *on_call;
    void *context;
    atomic_bool is_posted;
};

struct loop {
    int epoll_fd, event_fd;
    bool is_stopped;
    struct watch *dead;
    struct timer **heap; /* the earliest first */
    size_t n_heap, n_heap_reserved, n_timers;
    struct loop_call **calls; /* NULL: a free place */
    size_t n_calls;
    atomic_bool has_posts;
    /* Set while the thread below is about to look at has_posts before it waits: whoever posts there needs not wake it. */
    atomic_bool is_awake;
    pthread_t thread;
};

/* ---- timers ---- */

static void heap_put(struct loop *loop, size_t place, struct timer *timer)
{
    loop->heap[place] = timer;
    timer->place = (ptrdiff_t)place;
}

static void heap_rise(struct loop *loop, size_t place)
{
    struct timer *timer = loop->heap[place];
    for (; place > 0 && timer->due_ns < loop->heap[(place - 1) / 2]->due_ns; place = (place - 1) / 2)
        heap_put(loop, place, loop->heap[(place - 1) / 2]);
    heap_put(loop, place, timer);
}

static void heap_sink(struct loop *loop, size_t place)
{
    struct timer *timer = loop->heap[place];
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= loop->n_heap) break;
        if (child + 1 < loop->n_heap && loop->heap[child + 1]->due_ns < loop->heap[child]->due_ns) child++;
        if (loop->heap[child]->due_ns >= timer->due_ns) break;
        heap_put(loop, place, loop->heap[child]);
        place = child;
    }
    heap_put(loop, place, timer);
}

static void heap_remove(struct timer *timer)
{
    struct loop *loop = timer->loop;
    if (timer->place == NOT_SET) return;
    size_t place = (size_t)timer->place;
    struct timer *last = loop->heap[--loop->n_heap];
    timer->place = NOT_SET;
    if (last == timer) return;
    heap_put(loop, place, last);
    heap_rise(loop, place);
    heap_sink(loop, (size_t)last->place);
}

/* Room for every timer is made with the timer, so that setting one cannot fail. */
hob_status loop_timer_new(struct loop *loop, loop_on_time *on_time, void *context, struct timer **ret_timer, hob_error *error)
{
    if (loop->n_timers == loop->n_heap_reserved) {
        size_t n_reserved = loop->n_heap_reserved ? 2 * loop->n_heap_reserved : 16;
        struct timer **heap = memory_resize(loop->heap, n_reserved, sizeof(struct timer *));
        if (!heap) FAIL(error, HOB_NO_MEMORY, "no memory for a timer");
        loop->heap = heap;
        loop->n_heap_reserved = n_reserved;
    }
    struct timer *timer = memory_new(1, sizeof *timer);
    if (!timer) FAIL(error, HOB_NO_MEMORY, "no memory for a timer");
    *timer = (struct timer){.loop = loop, .on_time = on_time, .context = context, .place = NOT_SET};
    loop->n_timers++;
    *ret_timer = timer;
    return HOB_OK;
}

void loop_timer_set(struct timer *timer, uint64_t after_ms)
{
    heap_remove(timer);
    if (after_ms == UINT64_MAX) return;
    uint64_t now_ns = clock_now_ns();
    timer->due_ns = after_ms < (UINT64_MAX - now_ns) / 1000000 ? now_ns + after_ms * 1000000 : UINT64_MAX;
    heap_put(timer->loop, timer->loop->n_heap++, timer);
    heap_rise(timer->loop, (size_t)timer->place);
}

void loop_timer_free(struct timer *timer)
{
    if (!timer) return;
    heap_remove(timer);
    timer->loop->n_timers--;
    memory_free(timer);
}

static void run_timers(struct loop *loop)
{
    uint64_t now_ns = clock_now_ns();
    while (loop->n_heap && loop->heap[0]->due_ns <= now_ns) {
        struct timer *timer = loop->heap[0];
        heap_remove(timer);
        timer->on_time(timer->context);
    }
}

/* Rounded up: a timer that is due in half a millisecond is not asked for in a circle. */
static int wait_ms(const struct loop *loop)
{
    if (!loop->n_heap) return -1;
    uint64_t now_ns = clock_now_ns(), due_ns = loop->heap[0]->due_ns;
    uint64_t left_ms = due_ns > now_ns ? (due_ns - now_ns + 999999) / 1000000 : 0;
    return left_ms < LONGEST_WAIT_MS ? (int)left_ms : LONGEST_WAIT_MS;
}

/* ---- descriptors ---- */

hob_status loop_watch(struct loop *loop, int fd, uint32_t events, loop_on_ready *on_ready, void *context, struct watch **ret_watch,
                      hob_error *error)
{
    struct watch *watch = memory_new(1, sizeof *watch);
    if (!watch) FAIL(error, HOB_NO_MEMORY, "no memory to watch a descriptor");
    *watch = (struct watch){.loop = loop, .on_ready = on_ready, .context = context, .fd = fd};
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        memory_free(watch);
        FAIL(error, HOB_IO, "descriptor %d cannot be watched: %s", fd, strerror(errno));
    }
    *ret_watch = watch;
    return HOB_OK;
}

void loop_unwatch(struct watch *watch)
{
    if (!watch) return;
    struct loop *loop = watch->loop;
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->is_dead = true;
    watch->next_dead = loop->dead;
    loop->dead = watch;
}

static void bury(struct loop *loop)
{
    while (loop->dead) {
        struct watch *watch = loop->dead;
        loop->dead = watch->next_dead;
        memory_free(watch);
    }
}

static void empty_event_fd(struct loop *loop)
{
    uint64_t n_posts;
    while (read(loop->event_fd, &n_posts, sizeof n_posts) < 0 && errno == EINTR) continue;
}

static void run_watches(struct loop *loop, const struct epoll_event *events, int n_events)
{
    for (int i = 0; i < n_events; i++) {
        struct watch *watch = events[i].data.ptr;
        if (!watch) empty_event_fd(loop);
        else if (!watch->is_dead) watch->on_ready(watch->context, events[i].events);
    }
    bury(loop);
}

/* ---- calls ---- */

hob_status loop_call_new(struct loop *loop, loop_on_time *on_call, void *context, struct loop_call **ret_call, hob_error *error)
{
    size_t place = 0;
    while (place < loop->n_calls && loop->calls[place]) place++;
    if (place == loop->n_calls) {
        struct loop_call **calls = memory_resize(loop->calls, loop->n_calls + 1, sizeof(struct loop_call *));
        if (!calls) FAIL(error, HOB_NO_MEMORY, "no memory for a call");
        loop->calls = calls;
        loop->calls[loop->n_calls++] = NULL;
    }
    struct loop_call *call = memory_new(1, sizeof *call);
    if (!call) FAIL(error, HOB_NO_MEMORY, "no memory for a call");
    call->loop = loop;
    call->on_call = on_call;
    call->context = context;
    loop->calls[place] = call;
    *ret_call = call;
    return HOB_OK;
}

void loop_call_post(struct loop_call *call)
{
    struct loop *loop = call->loop;
    if (atomic_exchange(&call->is_posted, true)) return;
    atomic_store(&loop->has_posts, true);
    if (atomic_load(&loop->is_awake) && pthread_equal(pthread_self(), loop->thread)) return;
    int saved = errno; /* of whatever a signal handler interrupts */
    uint64_t one = 1;
    if (write(loop->event_fd, &one, sizeof one) < 0) errno = saved; /* full: it is awake already */
    errno = saved;
}

void loop_call_free(struct loop_call *call)
{
    if (!call) return;
    for (size_t i = 0; i < call->loop->n_calls; i++)
        if (call->loop->calls[i] == call) call->loop->calls[i] = NULL;
    memory_free(call);
}

/* One round: what calls post anew comes in the next turn, behind descriptors. */
static void run_calls(struct loop *loop)
{
    if (!atomic_exchange(&loop->has_posts, false)) return;
    for (size_t i = 0; i < loop->n_calls; i++) {
        struct loop_call *call = loop->calls[i];
        if (call && atomic_exchange(&call->is_posted, false)) call->on_call(call->context);
    }
}

/* ---- the loop ---- */

static hob_status open_descriptors(struct loop *loop, hob_error *error)
{
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN}; /* data.ptr NULL: ours */
    if (loop->epoll_fd < 0 || loop->event_fd < 0 || epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->event_fd, &event) != 0)
        FAIL(error, HOB_IO, "no descriptors for the loop: %s", strerror(errno));
    return HOB_OK;
}

hob_status loop_new(struct loop **ret_loop, hob_error *error)
{
    struct loop *loop = memory_new(1, sizeof *loop);
    if (!loop) FAIL(error, HOB_NO_MEMORY, "no memory for the loop");
    loop->thread = pthread_self();
    hob_status status = open_descriptors(loop, error);
    if (status == HOB_OK) *ret_loop = loop;
    else loop_free(loop);
    return status;
}

void loop_free(struct loop *loop)
{
    if (!loop) return;
    bury(loop);
    for (size_t i = 0; i < loop->n_calls; i++) memory_free(loop->calls[i]);
    memory_free(loop->calls);
    memory_free(loop->heap);
    if (loop->epoll_fd >= 0) close(loop->epoll_fd);
    if (loop->event_fd >= 0) close(loop->event_fd);
    memory_free(loop);
}

static int wait_for_events(struct loop *loop, struct epoll_event *ret_events)
{
    atomic_store(&loop->is_awake, false);
    int timeout_ms = atomic_load(&loop->has_posts) ? 0 : wait_ms(loop);
    int n_events = epoll_wait(loop->epoll_fd, ret_events, EVENTS_AT_ONCE, timeout_ms);
    atomic_store(&loop->is_awake, true);
    return n_events;
}

hob_status loop_run(struct loop *loop, hob_error *error)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    loop->thread = pthread_self();
    while (!loop->is_stopped) {
        int n_events = wait_for_events(loop, events);
        if (n_events < 0 && errno != EINTR) FAIL(error, HOB_IO, "waiting for events: %s", strerror(errno));
        run_watches(loop, events, n_events);
        run_timers(loop);
        run_calls(loop);
    }
    loop->is_stopped = false;
    return HOB_OK;
}

void loop_stop(struct loop *loop)
{
    loop->is_stopped = true;
}

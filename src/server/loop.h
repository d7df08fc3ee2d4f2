/* The loop: waits for descriptors, timers and tasks of other threads, and calls who asked for them. One thread runs it; loop_post may
 * be called from any, everything else from the loop's own.
 *
 *     struct loop *loop;
 *     TRY(loop_new(&loop, error));
 *     TRY(loop_watch(loop, fd, EPOLLIN, on_ready, context, &watch, error));
 *     TRY(loop_run(loop, error));             until loop_stop
 *     loop_unwatch(watch);
 *     loop_free(loop);
 */
#ifndef SERVER_LOOP_H
#define SERVER_LOOP_H

#include "hob/status.h"

#include <stdint.h>
#include <sys/epoll.h>

struct loop;
struct watch;
struct timer;

HOB_MUST_CHECK hob_status loop_new(struct loop **ret_loop, hob_error *error);
void loop_free(struct loop *loop); /* takes NULL */
HOB_MUST_CHECK hob_status loop_run(struct loop *loop, hob_error *error);
void loop_stop(struct loop *loop);

/* events: EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLET … The descriptor stays the caller's. A callback may unwatch anything. */
typedef void loop_on_ready(void *context, uint32_t events);
HOB_MUST_CHECK hob_status loop_watch(struct loop *loop, int fd, uint32_t events, loop_on_ready *on_ready, void *context,
                                     struct watch **ret_watch, hob_error *error);
void loop_unwatch(struct watch *watch); /* before the descriptor is closed; takes NULL */

/* Once, after_ms from now; again by loop_timer_set. after_ms UINT64_MAX: not. */
typedef void loop_on_time(void *context);
HOB_MUST_CHECK hob_status loop_timer_new(struct loop *loop, loop_on_time *on_time, void *context, struct timer **ret_timer, hob_error *error);
void loop_timer_set(struct timer *timer, uint64_t after_ms);
void loop_timer_free(struct timer *timer); /* takes NULL */

/* Calls it once, soon, on the loop's thread, however often it was posted before that. Any thread; signal handlers too. Made once for each
 * purpose. */
struct loop_call;
HOB_MUST_CHECK hob_status loop_call_new(struct loop *loop, loop_on_time *on_call, void *context, struct loop_call **ret_call, hob_error *error);
void loop_call_post(struct loop_call *call);
void loop_call_free(struct loop_call *call); /* takes NULL */

#endif

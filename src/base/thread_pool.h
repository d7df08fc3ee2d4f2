/* A fixed team of threads for data-parallel loops.
 *
 * thread_pool_run calls body(context, begin, end) over disjoint ranges that together cover 0..n_items, on the caller's
 * thread and the workers, and returns when all are done. Ranges are taken from a shared counter and shrink towards the
 * loop's end, so a core that is taken away delays one range, not the loop; where that happens again and again the caller
 * works alone for a while. Idle workers spin for a bounded time, then sleep on a futex. Work is split over outputs only:
 * bodies never reduce across ranges, so results do not depend on n_threads.
 *
 * One caller at a time per pool (the session's owner). n_threads 1 starts no thread and runs inline.
 *
 *     struct thread_pool *pool;
 *     TRY(thread_pool_new(2, &pool, error));
 *     thread_pool_run(pool, n_rows, 16, body, &job);      at least 16 rows a range
 *     thread_pool_free(pool);
 */
#ifndef BASE_THREAD_POOL_H
#define BASE_THREAD_POOL_H

#include "hob/status.h"

#include <stddef.h>

struct thread_pool;
typedef void thread_pool_body(void *context, size_t begin, size_t end);

/* n_threads counts the caller; 0: as many as the process may run on (affinity, cgroup quota). At most 256. */
HOB_MUST_CHECK hob_status thread_pool_new(size_t n_threads, struct thread_pool **ret_pool, hob_error *error);
void thread_pool_free(struct thread_pool *pool);                 /* takes NULL */
size_t thread_pool_n_threads(const struct thread_pool *pool);    /* 1 for NULL */
/* pool NULL runs inline. least_items: the smallest range worth a hand-over, at least 1; every begin is a multiple of it, and
 * only the last range may be shorter. Allocates nothing. The body must not call thread_pool_run on the same pool. */
void thread_pool_run(struct thread_pool *pool, size_t n_items, size_t least_items, thread_pool_body *body,
                     void *context);

#endif

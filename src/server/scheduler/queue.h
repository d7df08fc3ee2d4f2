/* Jobs that have not begun, in the order in which they are to: by priority; within one, clients take turns; a client's own in the order
 * they came. Not thread-safe: the scheduler's lock.
 *
 *     queue_add(&queue, job);
 *     for (struct job *job = queue_next(&queue, NULL, STAGE_READY); job; job = queue_next(&queue, job, STAGE_READY)) …
 *     queue_remove(&queue, job);              it begins, or is over
 */
#ifndef SERVER_QUEUE_H
#define SERVER_QUEUE_H

#include "server/job.h"

struct job_queue {
    struct job *first;
    size_t counts[N_PRIORITIES];
    uint64_t turns[N_PRIORITIES]; /* of the last that left */
    uint64_t n_added;
};

void queue_add(struct job_queue *queue, struct job *job);
void queue_remove(struct job_queue *queue, struct job *job);
/* The first behind `after` (NULL: of all) in that stage; NULL: none. */
struct job *queue_next(const struct job_queue *queue, const struct job *after, enum job_stage stage);
size_t queue_count(const struct job_queue *queue);

#endif

/* Turns: a job's turn is one more than its client's last one that waits, and no less than that of the last job that left. So a client with
 * a hundred jobs waits with the hundredth for a hundred turns, and one with its first job for one. */
#include "server/scheduler/queue.h"

static bool is_before(const struct job *a, const struct job *b)
{
    if (a->priority != b->priority) return a->priority < b->priority;
    if (a->place.turn != b->place.turn) return a->place.turn < b->place.turn;
    return a->place.sequence < b->place.sequence;
}

static uint64_t next_turn(const struct job_queue *queue, const struct job *job)
{
    uint64_t turn = queue->turns[job->priority];
    for (const struct job *other = queue->first; other && job->fairness; other = other->next)
        if (other->fairness == job->fairness && other->priority == job->priority && other->place.turn >= turn) turn = other->place.turn + 1;
    return turn;
}

void queue_add(struct job_queue *queue, struct job *job)
{
    struct job **at = &queue->first;
    job->place.turn = next_turn(queue, job);
    job->place.sequence = ++queue->n_added;
    while (*at && is_before(*at, job)) at = &(*at)->next;
    job->next = *at;
    *at = job;
    queue->counts[job->priority]++;
}

void queue_remove(struct job_queue *queue, struct job *job)
{
    struct job **at = &queue->first;
    while (*at != job) at = &(*at)->next;
    *at = job->next;
    job->next = NULL;
    queue->counts[job->priority]--;
    if (job->place.turn > queue->turns[job->priority]) queue->turns[job->priority] = job->place.turn;
}

struct job *queue_next(const struct job_queue *queue, const struct job *after, enum job_stage stage)
{
    struct job *job = after ? after->next : queue->first;
    while (job && job->place.stage != stage) job = job->next;
    return job;
}

size_t queue_count(const struct job_queue *queue)
{
    size_t n_jobs = 0;
    for (int i = 0; i < N_PRIORITIES; i++) n_jobs += queue->counts[i];
    return n_jobs;
}

#include "server/scheduler/outbox.h"

void outbox_init(struct outbox *outbox, void (*wake)(void *context), void *context)
{
    *outbox = (struct outbox){.wake = wake, .context = context};
    pthread_mutex_init(&outbox->lock, NULL);
}

/* Whoever takes a job out may post it again: its mark goes with it. */
static struct job *take_all(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    struct job *first = outbox->first;
    outbox->first = outbox->last = NULL;
    pthread_mutex_unlock(&outbox->lock);
    return first;
}

static struct job *take_one(struct outbox *outbox, struct job **first)
{
    struct job *job = *first;
    pthread_mutex_lock(&outbox->lock);
    *first = job->next_changed;
    job->next_changed = NULL;
    job->is_changed = false;
    pthread_mutex_unlock(&outbox->lock);
    return job;
}

void outbox_release(struct outbox *outbox)
{
    struct job *first = take_all(outbox);
    while (first) job_unref(take_one(outbox, &first));
    pthread_mutex_destroy(&outbox->lock);
}

void outbox_post(struct outbox *outbox, struct job *job)
{
    pthread_mutex_lock(&outbox->lock);
    bool is_new = !job->is_changed, is_first = !outbox->first;
    if (is_new) {
        job->is_changed = true;
        job_ref(job);
        if (outbox->last) outbox->last->next_changed = job;
        else outbox->first = job;
        outbox->last = job;
    }
    pthread_mutex_unlock(&outbox->lock);
    if (is_new && is_first && outbox->wake) outbox->wake(outbox->context);
}

void outbox_deliver(struct outbox *outbox)
{
    struct job *first = take_all(outbox);
    while (first) {
        struct job *job = take_one(outbox, &first);
        if (job->on_change) job->on_change(job->context, job);
        job_unref(job);
    }
}

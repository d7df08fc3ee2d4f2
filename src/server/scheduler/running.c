/* The jobs that the engine works on. */
#include "server/scheduler/parts.h"

#include "base/clock.h"

bool running_is_generation(const struct job *job)
{
    return job->generation != NULL;
}

static bool is_before(const struct job *a, const struct job *b)
{
    return a->priority != b->priority ? a->priority < b->priority : a->place.sequence < b->place.sequence;
}

void running_add(struct scheduler *scheduler, struct job *job)
{
    pthread_mutex_lock(&scheduler->lock);
    struct job **at = &scheduler->running;
    while (*at && is_before(*at, job)) at = &(*at)->next;
    job->next = *at;
    *at = job;
    job->place.stage = STAGE_RUNNING;
    scheduler->n_running++;
    pthread_mutex_unlock(&scheduler->lock);
}

void running_remove(struct scheduler *scheduler, struct job *job)
{
    pthread_mutex_lock(&scheduler->lock);
    struct job **at = &scheduler->running;
    while (*at != job) at = &(*at)->next;
    *at = job->next;
    job->next = NULL;
    scheduler->n_running--;
    pthread_mutex_unlock(&scheduler->lock);
}

static double seconds(uint64_t from_ns, uint64_t to_ns)
{
    return (double)(to_ns - from_ns) / 1e9;
}

void running_publish(struct scheduler *scheduler, struct job *job)
{
    size_t n_events = transcript_n_events(job->transcript);
    if (job->generation) {
        hob_generate_result result = hob_generation_result(job->generation);
        pthread_mutex_lock(&scheduler->lock);
        job->place.n_prompt_tokens = result.n_prompt_tokens;
        job->place.n_prompt_done = result.n_prompt_done;
        job->place.n_tokens = result.n_tokens;
        pthread_mutex_unlock(&scheduler->lock);
        if (result.n_tokens && !job->place.first_token_ns) {
            job->place.first_token_ns = clock_now_ns();
            metrics_observe(scheduler->metrics, METRIC_time_to_first_token, (struct labels){.model = job->model->name},
                            seconds(job->submitted_ns, job->place.first_token_ns));
        }
    }
    if (n_events == job->place.n_events) return;
    job->place.n_events = n_events;
    outbox_post(&scheduler->outbox, job);
}

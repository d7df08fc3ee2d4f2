/* The scheduler from outside: starting and stopping its threads, taking jobs in, telling what goes on. */
#include "server/scheduler/scheduler.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "server/jobs/generate.h"
#include "server/scheduler/parts.h"

enum { MOST_RETRY_S = 60 };

/* ---- life ---- */

static uint64_t to_ns(double seconds)
{
    return seconds > 0 ? (uint64_t)(seconds * 1e9) : 0;
}

static struct scheduler_settings read_settings(const struct config *config)
{
    return (struct scheduler_settings){
        .max_running = config->max_running,
        .max_queue = config->max_queue,
        .deadline_ns = to_ns(config->deadline_s),
        .jobs = {.max_tokens = config->max_tokens, .chunk_tokens = config->chunk_tokens, .draft_tokens = config->draft_tokens}};
}

static struct result_limits read_limits(const struct config *config)
{
    return (struct result_limits){.max_entries = config->results_max_entries,
                                  .max_bytes = config->results_max_bytes,
                                  .ttl_ns = to_ns(config->results_ttl_s),
                                  .idle_ns = to_ns(config->results_idle_s)};
}

static void init_locks(struct scheduler *scheduler)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* clock_now_ns's */
    pthread_mutex_init(&scheduler->lock, NULL);
    pthread_cond_init(&scheduler->clerk_wake, &attributes);
    pthread_cond_init(&scheduler->engine_wake, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void stop(struct scheduler *scheduler)
{
    pthread_mutex_lock(&scheduler->lock);
    scheduler->is_stopping = scheduler->is_draining = true;
    pthread_cond_broadcast(&scheduler->clerk_wake);
    pthread_cond_broadcast(&scheduler->engine_wake);
    pthread_mutex_unlock(&scheduler->lock);
}

static bool start_threads(struct scheduler *scheduler)
{
    if (pthread_create(&scheduler->clerk, NULL, clerk_run, scheduler) != 0) return false;
    if (pthread_create(&scheduler->engine, NULL, engine_run, scheduler) == 0) return true;
    stop(scheduler);
    pthread_join(scheduler->clerk, NULL);
    return false;
}

static void release(struct scheduler *scheduler)
{
    result_cache_free(scheduler->results);
    outbox_release(&scheduler->outbox);
    pthread_cond_destroy(&scheduler->clerk_wake);
    pthread_cond_destroy(&scheduler->engine_wake);
    pthread_mutex_destroy(&scheduler->lock);
    memory_free(scheduler);
}

hob_status scheduler_new(const struct config *config, struct model_registry *registry, struct metrics *metrics, void (*wake)(void *context),
                         void *context, struct scheduler **ret_scheduler, hob_error *error)
{
    struct result_limits limits = read_limits(config);
    struct scheduler *scheduler = memory_new(1, sizeof *scheduler);
    if (!scheduler) FAIL(error, HOB_NO_MEMORY, "scheduler: out of memory");
    scheduler->registry = registry;
    scheduler->metrics = metrics;
    scheduler->settings = read_settings(config);
    scheduler->results = result_cache_new(&limits);
    init_locks(scheduler);
    outbox_init(&scheduler->outbox, wake, context);
    if (scheduler->results && start_threads(scheduler)) {
        *ret_scheduler = scheduler;
        return HOB_OK;
    }
    release(scheduler);
    FAIL(error, HOB_NO_MEMORY, "scheduler: no memory, or no threads");
}

/* The threads are gone: everything is ours. */
static void fail_all(struct scheduler *scheduler)
{
    struct problem problem;
    problem_set(&problem, PROBLEM_CANCELLED, "the daemon stops");
    for (struct job *job; (job = scheduler->running);) {
        running_remove(scheduler, job);
        ending_fail(scheduler, job, &problem);
    }
    for (struct job *job; (job = scheduler->queue.first);) {
        queue_remove(&scheduler->queue, job);
        ending_fail(scheduler, job, &problem);
    }
}

void scheduler_free(struct scheduler *scheduler)
{
    if (!scheduler) return;
    stop(scheduler);
    pthread_join(scheduler->clerk, NULL);
    pthread_join(scheduler->engine, NULL);
    fail_all(scheduler);
    release(scheduler);
}

void scheduler_reload(struct scheduler *scheduler, const struct config *config)
{
    struct result_limits limits = read_limits(config);
    result_cache_set_limits(scheduler->results, &limits, clock_now_ns());
    pthread_mutex_lock(&scheduler->lock);
    scheduler->settings = read_settings(config);
    pthread_cond_broadcast(&scheduler->engine_wake);
    pthread_mutex_unlock(&scheduler->lock);
}

void scheduler_set_fallback(struct scheduler *scheduler, scheduler_fallback *fallback, void *context)
{
    scheduler->fallback = fallback;
    scheduler->fallback_context = context;
}

void scheduler_announce(struct scheduler *scheduler, struct job *job)
{
    outbox_post(&scheduler->outbox, job);
}

/* ---- jobs in ---- */

/* As long as the queue takes at the pace of late. */
static unsigned retry_after(const struct scheduler *scheduler)
{
    double seconds = (double)scheduler->mean_ns / 1e9 * (double)queue_count(&scheduler->queue);
    return seconds >= MOST_RETRY_S ? MOST_RETRY_S : (unsigned)seconds + 1;
}

/* What runs is not waiting, so a queue of none still lets as many in as may run. */
static bool is_refused(const struct scheduler *scheduler, struct problem *ret_problem)
{
    size_t n_jobs = queue_count(&scheduler->queue) + scheduler->n_running;
    if (scheduler->is_draining) {
        problem_set(ret_problem, PROBLEM_LOADING, "the daemon is about to stop");
        ret_problem->retry_after_s = 1;
        return true;
    }
    if (n_jobs < scheduler->settings.max_queue + scheduler->settings.max_running) return false;
    problem_set(ret_problem, PROBLEM_BUSY, "%zu requests wait already, as many as may", queue_count(&scheduler->queue));
    ret_problem->retry_after_s = retry_after(scheduler);
    return true;
}

static void take_in(struct scheduler *scheduler, struct job *job)
{
    job->settings = scheduler->settings.jobs;
    job->submitted_ns = clock_now_ns();
    if (!job->deadline_ns && scheduler->settings.deadline_ns) job->deadline_ns = job->submitted_ns + scheduler->settings.deadline_ns;
}

void scheduler_submit(struct scheduler *scheduler, struct job *job)
{
    struct problem problem;
    job_ref(job);
    pthread_mutex_lock(&scheduler->lock);
    take_in(scheduler, job);
    scheduler->n_submitted++;
    bool must_go = is_refused(scheduler, &problem);
    if (!must_go) {
        job->place.stage = STAGE_NEW;
        queue_add(&scheduler->queue, job);
        pthread_cond_signal(&scheduler->clerk_wake);
    }
    pthread_mutex_unlock(&scheduler->lock);
    if (must_go) ending_fail(scheduler, job, &problem);
}

void scheduler_deliver(struct scheduler *scheduler)
{
    outbox_deliver(&scheduler->outbox);
}

void scheduler_models_changed(struct scheduler *scheduler)
{
    pthread_mutex_lock(&scheduler->lock);
    scheduler->n_changes++;
    for (struct job *job = queue_next(&scheduler->queue, NULL, STAGE_LOADING); job; job = queue_next(&scheduler->queue, job, STAGE_LOADING))
        job->place.stage = STAGE_NEW;
    pthread_cond_signal(&scheduler->clerk_wake);
    pthread_mutex_unlock(&scheduler->lock);
}

bool scheduler_drain(struct scheduler *scheduler)
{
    pthread_mutex_lock(&scheduler->lock);
    scheduler->is_draining = true;
    bool is_empty = !scheduler->n_running && !queue_count(&scheduler->queue);
    pthread_mutex_unlock(&scheduler->lock);
    return is_empty;
}

/* ---- questions ---- */

static size_t count_parked(const struct scheduler *scheduler)
{
    size_t n_jobs = 0;
    for (const struct job *job = scheduler->running; job; job = job->next) n_jobs += job->place.is_parked;
    return n_jobs;
}

void scheduler_get_status(struct scheduler *scheduler, struct scheduler_status *ret_status)
{
    struct result_counts results = result_cache_counts(scheduler->results);
    pthread_mutex_lock(&scheduler->lock);
    *ret_status = (struct scheduler_status){.n_running = scheduler->n_running,
                                            .most_running = scheduler->settings.max_running,
                                            .n_parked = count_parked(scheduler),
                                            .n_submitted = scheduler->n_submitted,
                                            .n_done = scheduler->n_done,
                                            .n_failed = scheduler->n_failed,
                                            .n_cancelled = scheduler->n_cancelled,
                                            .n_refused = scheduler->n_refused,
                                            .n_late = scheduler->n_late,
                                            .n_parks = scheduler->n_parks,
                                            .n_steps = scheduler->n_steps,
                                            .n_prompt_tokens = scheduler->n_prompt_tokens,
                                            .n_cached_tokens = scheduler->n_cached_tokens,
                                            .n_generated_tokens = scheduler->n_generated_tokens,
                                            .n_embedded_tokens = scheduler->n_embedded_tokens,
                                            .n_cache_hits = results.n_hits,
                                            .n_cache_misses = results.n_misses,
                                            .n_cache_entries = results.n_entries,
                                            .n_cache_bytes = results.n_bytes,
                                            .is_draining = scheduler->is_draining};
    memcpy(ret_status->n_queued, scheduler->queue.counts, sizeof ret_status->n_queued);
    pthread_mutex_unlock(&scheduler->lock);
}

static void show_slot(const struct job *job, uint64_t now_ns, struct slot_status *slot)
{
    *slot = (struct slot_status){.n_prompt_tokens = job->place.n_prompt_tokens,
                                 .n_tokens = job->place.n_tokens,
                                 .n_context = job->model->n_context_tokens,
                                 .is_prefilling = job->place.n_prompt_done < job->place.n_prompt_tokens,
                                 .age_s = (double)(now_ns - job->submitted_ns) / 1e9};
    snprintf(slot->request_id, sizeof slot->request_id, "%s", job->request_id ? job->request_id : "");
    snprintf(slot->model, sizeof slot->model, "%s", job->model->name);
}

size_t scheduler_get_slots(struct scheduler *scheduler, struct slot_status *ret_slots, size_t most)
{
    size_t n_slots = 0;
    uint64_t now_ns = clock_now_ns();
    pthread_mutex_lock(&scheduler->lock);
    for (const struct job *job = scheduler->running; job && n_slots < most; job = job->next)
        if (job->def == &job_generate) show_slot(job, now_ns, &ret_slots[n_slots++]);
    pthread_mutex_unlock(&scheduler->lock);
    return n_slots;
}

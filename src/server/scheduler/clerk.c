/* The clerk's thread: finds a job's model, has the job prepared, answers what is answered by that or was answered before, and leaves the
 * rest to the engine. A job whose model is being opened waits without being in anybody's way. */
#include "server/scheduler/parts.h"

#include "base/clock.h"

/* ---- results that are known, or will be ---- */

static void make_key(struct job *job)
{
    struct buffer bytes = {0};
    if (!job->def->key) return;
    buffer_append(&bytes, job->model->digest, sizeof job->model->digest);
    buffer_append_string(&bytes, job->def->name);
    job->has_key = job->def->key(job, &bytes) && !bytes.is_failed;
    if (job->has_key) sha256_of(bytes.bytes, bytes.n_bytes, job->key);
    buffer_release(&bytes);
}

/* Waiting for a job of lower priority could be long. */
static bool is_leader_of(const struct job *other, const struct job *job)
{
    return other != job && other->has_key && other->priority <= job->priority && !memcmp(other->key, job->key, sizeof job->key);
}

/* The lock is held. */
static bool has_leader(const struct scheduler *scheduler, const struct job *job)
{
    if (!job->has_key) return false;
    for (const struct job *other = queue_next(&scheduler->queue, NULL, STAGE_READY); other; other = queue_next(&scheduler->queue, other, STAGE_READY))
        if (is_leader_of(other, job)) return true;
    for (const struct job *other = scheduler->running; other; other = other->next)
        if (is_leader_of(other, job)) return true;
    return false;
}

static void take_out(struct scheduler *scheduler, struct job *job)
{
    pthread_mutex_lock(&scheduler->lock);
    queue_remove(&scheduler->queue, job);
    pthread_mutex_unlock(&scheduler->lock);
}

/* Looked up and put in line without a gap, so that no leader ends unseen in between. */
static struct transcript *line_up(struct scheduler *scheduler, struct job *job)
{
    struct transcript *known = NULL;
    pthread_mutex_lock(&scheduler->lock);
    bool is_following = has_leader(scheduler, job);
    if (job->has_key && !is_following) known = result_cache_get(scheduler->results, job->key, clock_now_ns());
    job->prepared_ns = clock_now_ns();
    if (known) {
        queue_remove(&scheduler->queue, job);
    } else {
        job->place.stage = is_following ? STAGE_FOLLOWING : STAGE_READY;
        pthread_cond_signal(&scheduler->engine_wake);
    }
    pthread_mutex_unlock(&scheduler->lock);
    return known;
}

static void pass_on(struct scheduler *scheduler, struct job *job)
{
    make_key(job);
    struct transcript *known = line_up(scheduler, job);
    if (known) ending_replay(scheduler, job, known);
    transcript_unref(known);
}

/* ---- preparing ---- */

static void fail(struct scheduler *scheduler, struct job *job, const struct problem *problem)
{
    take_out(scheduler, job);
    ending_fail(scheduler, job, problem);
}

/* Puts a job aside until models change; if they did since it was asked for, it is asked for again. */
static void wait_for_model(struct scheduler *scheduler, struct job *job, uint64_t n_changes)
{
    pthread_mutex_lock(&scheduler->lock);
    job->place.stage = scheduler->n_changes == n_changes ? STAGE_LOADING : STAGE_NEW;
    if (!job->place.waits_since_ns) job->place.waits_since_ns = clock_now_ns();
    pthread_cond_signal(&scheduler->engine_wake); /* it looks after those who wait */
    pthread_mutex_unlock(&scheduler->lock);
}

static uint64_t count_changes(struct scheduler *scheduler)
{
    pthread_mutex_lock(&scheduler->lock);
    uint64_t n_changes = scheduler->n_changes;
    pthread_mutex_unlock(&scheduler->lock);
    return n_changes;
}

/* Whether the model is there; else the job waits, or has failed. */
static bool find_model(struct scheduler *scheduler, struct job *job)
{
    struct problem problem;
    struct loaded_model *model = NULL;
    uint64_t n_changes = count_changes(scheduler);
    enum model_state state = model_registry_acquire(scheduler->registry, job->model_name, job->use, job->must_not_load, &model, &problem);
    if (state == MODEL_LOADING) wait_for_model(scheduler, job, n_changes);
    if (state == MODEL_FAILED) fail(scheduler, job, &problem);
    if (state != MODEL_READY) return false;
    job->model = model;
    job->registry = scheduler->registry;
    if (job->place.waits_since_ns) job->load_ms = (double)(clock_now_ns() - job->place.waits_since_ns) / 1e6;
    return true;
}

static void prepare(struct scheduler *scheduler, struct job *job)
{
    struct problem problem;
    if (ending_is_due(job, clock_now_ns(), &problem)) {
        fail(scheduler, job, &problem);
        return;
    }
    if (!find_model(scheduler, job)) return;
    if (!job->def->prepare(job, job->model, &problem)) {
        fail(scheduler, job, &problem);
    } else if (job->is_answered) {
        take_out(scheduler, job);
        ending_finish(scheduler, job);
    } else {
        pass_on(scheduler, job);
    }
}

void *clerk_run(void *context)
{
    struct scheduler *scheduler = context;
    pthread_mutex_lock(&scheduler->lock);
    while (!scheduler->is_stopping) {
        struct job *job = queue_next(&scheduler->queue, NULL, STAGE_NEW);
        if (!job) {
            pthread_cond_wait(&scheduler->clerk_wake, &scheduler->lock);
            continue;
        }
        job->place.stage = STAGE_PREPARING;
        pthread_mutex_unlock(&scheduler->lock);
        prepare(scheduler, job);
        pthread_mutex_lock(&scheduler->lock);
    }
    pthread_mutex_unlock(&scheduler->lock);
    return NULL;
}

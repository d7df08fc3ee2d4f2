/* The generations of one model, stepped together: first what fits into the cache is chosen, then one forward pass of bounded length.
 *
 * Who is put off: the last in the order of running jobs, which is the youngest of the lowest priority. Parked ones come back in the same
 * order from the front. So the first always goes on, and each in its turn comes to be the first. */
#include "server/scheduler/parts.h"

#include "base/clock.h"

enum { MOST_TOGETHER = 1024, BLOCK_TOKENS = 64 };
static const uint64_t NOTE_NS = UINT64_C(250000000);

static bool is_of(const struct job *job, const struct loaded_model *model)
{
    return running_is_generation(job) && job->model == model;
}

static bool is_active(const struct job *job)
{
    return running_is_generation(job) && !job->place.is_parked;
}

/* ---- putting off ---- */

static void park(struct scheduler *scheduler, struct job *job)
{
    hob_generation_park(job->generation);
    pthread_mutex_lock(&scheduler->lock);
    job->place.is_parked = true;
    scheduler->n_parks++;
    pthread_mutex_unlock(&scheduler->lock);
    metrics_add(scheduler->metrics, METRIC_parks, (struct labels){.model = job->model->name}, 1);
}

static void unpark(struct scheduler *scheduler, struct job *job)
{
    pthread_mutex_lock(&scheduler->lock);
    job->place.is_parked = false;
    pthread_mutex_unlock(&scheduler->lock);
}

static size_t count_texts(const struct scheduler *scheduler)
{
    size_t n_texts = 0;
    for (const struct job *job = scheduler->running; job; job = job->next)
        if (job->n_texts && !job->place.is_parked) n_texts += job->n_texts;
    return n_texts;
}

/* The last active one of lower priority. */
static struct job *last_below(const struct scheduler *scheduler, enum job_priority priority)
{
    struct job *last = NULL;
    for (struct job *job = scheduler->running; job; job = job->next)
        if (is_active(job) && job->priority > priority) last = job;
    return last;
}

static size_t count_below(const struct scheduler *scheduler, enum job_priority priority)
{
    size_t n_texts = 0;
    for (const struct job *job = scheduler->running; job; job = job->next)
        if (is_active(job) && job->priority > priority) n_texts += job->n_texts;
    return n_texts;
}

static size_t most_running(struct scheduler *scheduler)
{
    pthread_mutex_lock(&scheduler->lock);
    size_t most = scheduler->settings.max_running;
    pthread_mutex_unlock(&scheduler->lock);
    return most;
}

bool batch_make_room(struct scheduler *scheduler, enum job_priority priority, size_t n_texts)
{
    size_t most = most_running(scheduler), n_running = count_texts(scheduler), n_below = count_below(scheduler, priority);
    /* One with more texts than may run has the engine to itself. */
    bool is_possible = n_running == n_below || n_running - n_below + n_texts <= most;
    if (!is_possible) return false;
    while (n_running && n_running + n_texts > most) {
        struct job *job = last_below(scheduler, priority);
        if (!job) break;
        n_running -= job->n_texts;
        park(scheduler, job);
    }
    return true;
}

/* ---- room in the cache ---- */

static size_t sum_needs(const struct scheduler *scheduler, const struct loaded_model *model, size_t *ret_n_active)
{
    size_t n_tokens = 0;
    *ret_n_active = 0;
    for (const struct job *job = scheduler->running; job; job = job->next) {
        if (!is_of(job, model) || job->place.is_parked) continue;
        n_tokens += hob_generation_needs_tokens(job->generation);
        ++*ret_n_active;
    }
    return n_tokens;
}

/* A block more for each text that runs: one that comes back should not have to go with the next step. */
static bool fits(const struct scheduler *scheduler, const struct job *job)
{
    size_t n_active, room = hob_session_room_tokens(job->model->session), needs = sum_needs(scheduler, job->model, &n_active);
    bool is_alone = !n_active && !job->model->session_user; /* then waiting would not help it */
    if (is_alone || room == SIZE_MAX) return true;
    size_t taken = needs + n_active * BLOCK_TOKENS;
    return taken < room && hob_generation_wants_tokens(job->generation) <= room - taken;
}

void batch_admit(struct scheduler *scheduler, struct job *job)
{
    pthread_mutex_lock(&scheduler->lock);
    job->place.is_parked = true; /* not counted among those that it has to fit beside */
    pthread_mutex_unlock(&scheduler->lock);
    if (fits(scheduler, job)) unpark(scheduler, job);
}

static bool is_room_wanted(const struct scheduler *scheduler, const struct loaded_model *model)
{
    for (const struct job *job = scheduler->running; job; job = job->next)
        if (job->lacks_room && job->model == model) return true;
    return false;
}

void batch_resume(struct scheduler *scheduler, struct loaded_model *model)
{
    if (is_room_wanted(scheduler, model)) return;
    size_t most = most_running(scheduler);
    for (struct job *job = scheduler->running; job; job = job->next) {
        if (!is_of(job, model) || !job->place.is_parked) continue;
        size_t n_running = count_texts(scheduler);
        bool has_place = !n_running || n_running + job->n_texts <= most;
        if (!has_place || !fits(scheduler, job)) return; /* those behind wait for it */
        unpark(scheduler, job);
    }
}

static struct job *last_active(const struct scheduler *scheduler, const struct loaded_model *model)
{
    struct job *last = NULL;
    for (struct job *job = scheduler->running; job; job = job->next)
        if (is_of(job, model) && !job->place.is_parked) last = job;
    return last;
}

bool batch_put_off(struct scheduler *scheduler, const struct loaded_model *model)
{
    struct job *last = last_active(scheduler, model);
    if (last) park(scheduler, last);
    return last != NULL;
}

/* The first goes on, unless a text in the session's own cache is in its way: that one will be done. */
static void make_cache_room(struct scheduler *scheduler, const struct loaded_model *model)
{
    size_t n_active, n_least = model->session_user ? 0 : 1;
    while (sum_needs(scheduler, model, &n_active) > hob_session_room_tokens(model->session) && n_active > n_least)
        batch_put_off(scheduler, model);
}

/* ---- the step ---- */

struct batch {
    struct job *jobs[MOST_TOGETHER];
    hob_generation *generations[MOST_TOGETHER];
    size_t n, n_texts;
};

static void gather(const struct scheduler *scheduler, const struct loaded_model *model, struct batch *batch)
{
    batch->n = batch->n_texts = 0;
    for (struct job *job = scheduler->running; job && batch->n < MOST_TOGETHER; job = job->next) {
        if (!is_of(job, model) || job->place.is_parked) continue;
        batch->jobs[batch->n] = job;
        batch->generations[batch->n++] = job->generation;
        batch->n_texts += job->n_texts;
    }
}

static void note_step(struct scheduler *scheduler, struct loaded_model *model, const struct batch *batch, uint64_t started_ns)
{
    uint64_t now_ns = clock_now_ns();
    struct labels labels = {.model = model->name};
    pthread_mutex_lock(&scheduler->lock);
    scheduler->n_steps++;
    pthread_mutex_unlock(&scheduler->lock);
    metrics_observe(scheduler->metrics, METRIC_batch_size, labels, (double)batch->n);
    metrics_observe(scheduler->metrics, METRIC_step_duration, labels, (double)(now_ns - started_ns) / 1e9);
    if (now_ns - model->noted_ns < NOTE_NS) return;
    model->noted_ns = now_ns;
    model_registry_note_memory(scheduler->registry, model);
}

static void end(struct scheduler *scheduler, struct job *job, const struct problem *problem)
{
    running_remove(scheduler, job);
    if (problem) ending_fail(scheduler, job, problem);
    else ending_finish(scheduler, job);
}

/* A step that failed: those it hit are over. If it hit none, the last is what there was no room for: it waits, or fails where it is the
 * only one, so that trying again comes to an end. */
static void take_failure(struct scheduler *scheduler, const struct batch *batch, const hob_error *error)
{
    struct problem problem;
    bool is_any_hit = false;
    problem_from(&problem, error);
    if (problem.kind == PROBLEM_BAD_REQUEST) problem.kind = error->code == HOB_LIMIT ? PROBLEM_NO_MEMORY : PROBLEM_INTERNAL;
    for (size_t i = 0; i < batch->n; i++) {
        if (!hob_generation_is_done(batch->generations[i])) continue;
        is_any_hit = true;
        end(scheduler, batch->jobs[i], job_is_cancelled(batch->jobs[i]) ? NULL : &problem);
    }
    if (is_any_hit) return;
    struct job *last = batch->jobs[batch->n - 1];
    if (error->code == HOB_LIMIT && batch->n > 1) park(scheduler, last);
    else end(scheduler, last, &problem);
}

static void take_results(struct scheduler *scheduler, const struct batch *batch)
{
    for (size_t i = 0; i < batch->n; i++) {
        running_publish(scheduler, batch->jobs[i]);
        if (hob_generation_is_done(batch->generations[i])) end(scheduler, batch->jobs[i], NULL);
    }
}

void batch_step(struct scheduler *scheduler, struct loaded_model *model)
{
    hob_error error;
    struct batch batch;
    make_cache_room(scheduler, model);
    gather(scheduler, model, &batch);
    if (!batch.n) return;
    uint64_t started_ns = clock_now_ns();
    size_t most_rows = batch.n_texts + batch.jobs[0]->settings.chunk_tokens;
    hob_status status = hob_generations_step_bounded(model->session, batch.generations, batch.n, most_rows, &error);
    note_step(scheduler, model, &batch, started_ns);
    if (status == HOB_OK) take_results(scheduler, &batch);
    else take_failure(scheduler, &batch, &error);
}

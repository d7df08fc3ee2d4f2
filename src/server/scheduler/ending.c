/* How jobs end: the last event, numbers, the result cache, and those who wait for the same result. */
#include "server/scheduler/parts.h"

#include "base/clock.h"

/* ---- numbers ---- */

static double ms_between(uint64_t from_ns, uint64_t to_ns)
{
    return to_ns > from_ns && from_ns ? (double)(to_ns - from_ns) / 1e6 : 0;
}

static void set_times(const struct job *job, struct usage *usage)
{
    uint64_t now_ns = clock_now_ns(), begun_ns = job->begun_ns ? job->begun_ns : now_ns;
    usage->load_ms = job->load_ms;
    usage->queue_ms = ms_between(job->submitted_ns, begun_ns) - job->load_ms;
    if (usage->queue_ms < 0) usage->queue_ms = 0;
    usage->total_ms = ms_between(job->submitted_ns, now_ns);
}

/* How fast jobs come to their ends, of late: what those who are refused are told to wait by. The scheduler's lock is held. */
static void note_end(struct scheduler *scheduler)
{
    uint64_t now_ns = clock_now_ns();
    if (scheduler->ended_ns && scheduler->n_running + queue_count(&scheduler->queue)) {
        uint64_t passed_ns = now_ns - scheduler->ended_ns;
        scheduler->mean_ns = scheduler->mean_ns ? (scheduler->mean_ns * 7 + passed_ns) / 8 : passed_ns;
    }
    scheduler->ended_ns = now_ns;
}

static void count_tokens(struct scheduler *scheduler, const struct job *job, const struct usage *usage)
{
    const char *model = job->model ? job->model->name : "";
    bool is_generation = job->def->use == USE_GENERATE;
    if (is_generation) {
        scheduler->n_prompt_tokens += usage->n_prompt_tokens;
        scheduler->n_cached_tokens += usage->n_cached_tokens;
        scheduler->n_generated_tokens += usage->n_generated_tokens;
        metrics_add(scheduler->metrics, METRIC_tokens, (struct labels){.model = model, .kind = "prompt"}, (double)usage->n_prompt_tokens);
        metrics_add(scheduler->metrics, METRIC_tokens, (struct labels){.model = model, .kind = "cached"}, (double)usage->n_cached_tokens);
        metrics_add(scheduler->metrics, METRIC_tokens, (struct labels){.model = model, .kind = "generated"}, (double)usage->n_generated_tokens);
        metrics_add(scheduler->metrics, METRIC_tokens, (struct labels){.model = model, .kind = "drafted"}, (double)usage->n_drafted);
        metrics_add(scheduler->metrics, METRIC_tokens, (struct labels){.model = model, .kind = "draft_accepted"}, (double)usage->n_draft_accepted);
        if (usage->n_cached_tokens) metrics_add(scheduler->metrics, METRIC_prompt_cache_hits, (struct labels){.model = model}, 1);
    } else if (usage->n_prompt_tokens) {
        scheduler->n_embedded_tokens += usage->n_prompt_tokens;
        metrics_add(scheduler->metrics, METRIC_tokens, (struct labels){.model = model, .kind = "embedded"}, (double)usage->n_prompt_tokens);
    }
}

/* A job's texts grow beside each other. */
static void observe_pace(struct scheduler *scheduler, const struct job *job, const struct usage *usage)
{
    double n_tokens = (double)usage->n_generated_tokens / (double)(job->n_texts ? job->n_texts : 1);
    if (!job->place.first_token_ns || n_tokens < 2) return;
    double seconds = (double)(clock_now_ns() - job->place.first_token_ns) / 1e9;
    metrics_observe(scheduler->metrics, METRIC_time_per_output_token, (struct labels){.model = job->model->name}, seconds / (n_tokens - 1));
}

static void count_job(struct scheduler *scheduler, const struct job *job, const char *outcome, uint64_t *count)
{
    const char *model = job->model ? job->model->name : "";
    ++*count;
    note_end(scheduler);
    metrics_add(scheduler->metrics, METRIC_jobs, (struct labels){.model = model, .kind = outcome}, 1);
}

/* ---- ends ---- */

/* The client hears of it; what the job made in a session goes, on the thread that has it. */
static void leave(struct scheduler *scheduler, struct job *job)
{
    job->place.stage = STAGE_OVER;
    if (job->has_begun && job->def->release) job->def->release(job);
    outbox_post(&scheduler->outbox, job);
    job_unref(job);
}

static void append_done(struct scheduler *scheduler, struct job *job, const struct usage *usage)
{
    struct event *event = transcript_last_event(job->transcript, EVENT_DONE);
    event->usage = *usage;
    transcript_append(job->transcript, event);
    pthread_mutex_lock(&scheduler->lock);
    if (job_is_cancelled(job)) count_job(scheduler, job, "cancelled", &scheduler->n_cancelled); /* with what there was until then */
    else count_job(scheduler, job, "done", &scheduler->n_done);
    if (!usage->is_from_cache) count_tokens(scheduler, job, usage);
    pthread_mutex_unlock(&scheduler->lock);
    observe_pace(scheduler, job, usage);
}

static void append_failed(struct scheduler *scheduler, struct job *job, const struct problem *problem)
{
    struct event *event = transcript_last_event(job->transcript, EVENT_FAILED);
    event->problem = *problem;
    transcript_append(job->transcript, event);
    pthread_mutex_lock(&scheduler->lock);
    switch (problem->kind) {
    case PROBLEM_CANCELLED: count_job(scheduler, job, "cancelled", &scheduler->n_cancelled); break;
    case PROBLEM_DEADLINE: count_job(scheduler, job, "late", &scheduler->n_late); break;
    case PROBLEM_BUSY: count_job(scheduler, job, "refused", &scheduler->n_refused); break;
    default: count_job(scheduler, job, "failed", &scheduler->n_failed); break;
    }
    pthread_mutex_unlock(&scheduler->lock);
}

static bool replay(struct scheduler *scheduler, struct job *job, struct transcript *source)
{
    if (!transcript_replay(job->transcript, source)) return false;
    const struct event *event = transcript_next(source, NULL);
    while (event->kind != EVENT_DONE) event = transcript_next(source, event);
    struct usage usage = {.n_prompt_tokens = event->usage.n_prompt_tokens,
                          .n_cached_tokens = event->usage.n_prompt_tokens,
                          .n_generated_tokens = event->usage.n_generated_tokens,
                          .is_from_cache = true};
    set_times(job, &usage);
    append_done(scheduler, job, &usage);
    return true;
}

void ending_replay(struct scheduler *scheduler, struct job *job, struct transcript *source)
{
    struct problem problem;
    if (!replay(scheduler, job, source)) {
        problem_set(&problem, PROBLEM_NO_MEMORY, "a result that was known: out of memory");
        append_failed(scheduler, job, &problem);
    }
    leave(scheduler, job);
}

/* ---- those who wait for the same ---- */

static struct job *next_follower(const struct scheduler *scheduler, const unsigned char *key)
{
    struct job *job = queue_next(&scheduler->queue, NULL, STAGE_FOLLOWING);
    while (job && memcmp(job->key, key, sizeof job->key) != 0) job = queue_next(&scheduler->queue, job, STAGE_FOLLOWING);
    return job;
}

static struct job *take_follower(struct scheduler *scheduler, const unsigned char *key)
{
    pthread_mutex_lock(&scheduler->lock);
    struct job *job = next_follower(scheduler, key);
    if (job) queue_remove(&scheduler->queue, job);
    pthread_mutex_unlock(&scheduler->lock);
    return job;
}

/* The first computes what the one before it did not; the others wait for that. */
static void promote_follower(struct scheduler *scheduler, const unsigned char *key)
{
    pthread_mutex_lock(&scheduler->lock);
    struct job *job = next_follower(scheduler, key);
    if (job) job->place.stage = STAGE_READY;
    if (job) pthread_cond_signal(&scheduler->engine_wake);
    pthread_mutex_unlock(&scheduler->lock);
}

/* ---- from outside ---- */

/* Whether somebody else goes on with it: it has told nothing yet. */
static bool hand_over(struct scheduler *scheduler, struct job *job, const struct problem *problem)
{
    if (!scheduler->fallback || transcript_next(job->transcript, NULL)) return false;
    return scheduler->fallback(scheduler->fallback_context, job, problem);
}

void ending_fail(struct scheduler *scheduler, struct job *job, const struct problem *problem)
{
    unsigned char key[sizeof job->key];
    bool had_key = job->has_key;
    memcpy(key, job->key, sizeof key);
    if (!hand_over(scheduler, job, problem)) append_failed(scheduler, job, problem);
    leave(scheduler, job);
    if (had_key) promote_follower(scheduler, key);
}

void ending_finish(struct scheduler *scheduler, struct job *job)
{
    struct usage usage = {0};
    struct problem problem;
    bool had_key = job->has_key;
    if (job->def->finish && !job->def->finish(job, &usage, &problem)) {
        job->has_key = had_key; /* others may wait for it, whether it would have been kept or not */
        ending_fail(scheduler, job, &problem);
        return;
    }
    struct transcript *transcript = transcript_ref(job->transcript);
    unsigned char key[sizeof job->key];
    memcpy(key, job->key, sizeof key);
    bool is_kept = job->has_key;
    set_times(job, &usage);
    append_done(scheduler, job, &usage);
    if (is_kept) result_cache_put(scheduler->results, key, transcript, clock_now_ns());
    leave(scheduler, job);
    if (is_kept)
        for (struct job *follower; (follower = take_follower(scheduler, key));) ending_replay(scheduler, follower, transcript);
    else if (had_key) promote_follower(scheduler, key);
    transcript_unref(transcript);
}

bool ending_is_due(const struct job *job, uint64_t now_ns, struct problem *ret_problem)
{
    if (job_is_cancelled(job)) {
        problem_set(ret_problem, PROBLEM_CANCELLED, "the request was cancelled");
        return true;
    }
    if (!job->deadline_ns || now_ns < job->deadline_ns) return false;
    problem_set(ret_problem, PROBLEM_DEADLINE, "the request %s within %.3g s, its deadline", job->has_begun ? "did not end" : "did not begin",
                (double)(job->deadline_ns - job->submitted_ns) / 1e9);
    return true;
}

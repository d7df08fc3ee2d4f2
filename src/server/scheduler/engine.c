/* The engine's thread: in each round those who left or are late end, jobs begin as there is room, and one model makes one bounded step.
 *
 * What is stepped is a group: the generations of a model, or its other work (pieces of batches, echoes). The group with the job of the
 * highest priority goes; between equals the one that went longest ago. A group that was passed over a few times in a row goes once all
 * the same, so that nothing waits for ever. */
#include "server/scheduler/parts.h"

#include "base/clock.h"

enum { PATIENCE = 8, MOST_PIECES = 256 };
enum group_kind { GROUP_GENERATIONS, GROUP_PIECES };
static const uint64_t LOOK_NS = UINT64_C(20000000); /* how soon a job that waits for its model is seen to be cancelled */
static const uint64_t IDLE_NS = UINT64_C(10000000000); /* without work: then sessions give back what they do not use */

/* ---- those who leave ---- */

/* Of jobs that wait, one that is due; taken out of the queue. */
static struct job *take_due(struct scheduler *scheduler, uint64_t now_ns, struct problem *ret_problem)
{
    struct job *job;
    pthread_mutex_lock(&scheduler->lock);
    for (job = scheduler->queue.first; job; job = job->next)
        if (job->place.stage != STAGE_PREPARING && ending_is_due(job, now_ns, ret_problem)) break;
    if (job) queue_remove(&scheduler->queue, job);
    pthread_mutex_unlock(&scheduler->lock);
    return job;
}

/* A generation gives what there is of it: a step of its own, which computes nothing. */
static bool cut_short(struct job *job)
{
    hob_error error;
    if (!job->generation) return false;
    hob_generation_cancel(job->generation);
    return hob_generations_step(job->model->session, &job->generation, 1, &error) == HOB_OK && hob_generation_is_done(job->generation);
}

static void end_due(struct scheduler *scheduler, struct job *job, const struct problem *problem)
{
    running_remove(scheduler, job);
    if (problem->kind == PROBLEM_CANCELLED && cut_short(job)) ending_finish(scheduler, job);
    else ending_fail(scheduler, job, problem);
}

static void sweep(struct scheduler *scheduler)
{
    struct problem problem;
    uint64_t now_ns = clock_now_ns();
    for (struct job *job; (job = take_due(scheduler, now_ns, &problem));) ending_fail(scheduler, job, &problem);
    for (struct job *job = scheduler->running, *next; job; job = next) {
        next = job->next;
        if (ending_is_due(job, now_ns, &problem)) end_due(scheduler, job, &problem);
    }
}

/* ---- those who begin ---- */

static size_t count_pieces(const struct scheduler *scheduler)
{
    size_t n_jobs = 0;
    for (const struct job *job = scheduler->running; job; job = job->next) n_jobs += !job->n_texts;
    return n_jobs;
}

/* Those that were put off come first. */
static bool is_behind_parked(const struct scheduler *scheduler, const struct job *job)
{
    for (const struct job *other = scheduler->running; other; other = other->next)
        if (other->place.is_parked && other->priority <= job->priority) return true;
    return false;
}

static bool may_begin(struct scheduler *scheduler, const struct job *job)
{
    if (!job->n_texts) return count_pieces(scheduler) < MOST_PIECES;
    return !is_behind_parked(scheduler, job) && batch_make_room(scheduler, job->priority, job->n_texts);
}

static struct job *first_ready(struct scheduler *scheduler, bool makes_texts)
{
    pthread_mutex_lock(&scheduler->lock);
    struct job *job = queue_next(&scheduler->queue, NULL, STAGE_READY);
    while (job && (job->n_texts > 0) != makes_texts) job = queue_next(&scheduler->queue, job, STAGE_READY);
    pthread_mutex_unlock(&scheduler->lock);
    return job;
}

static void take_from_queue(struct scheduler *scheduler, struct job *job)
{
    pthread_mutex_lock(&scheduler->lock);
    queue_remove(&scheduler->queue, job);
    pthread_mutex_unlock(&scheduler->lock);
}

static void begin(struct scheduler *scheduler, struct job *job)
{
    struct problem problem;
    take_from_queue(scheduler, job);
    job->begun_ns = clock_now_ns();
    job->has_begun = true;
    metrics_observe(scheduler->metrics, METRIC_queue_time, (struct labels){.model = job->model->name},
                    (double)(job->begun_ns - job->submitted_ns) / 1e9);
    if (!job->def->begin(job, job->model, &problem)) {
        ending_fail(scheduler, job, &problem);
    } else if (job->is_complete) {
        ending_finish(scheduler, job);
    } else {
        running_add(scheduler, job);
        running_publish(scheduler, job);
        if (job->generation) batch_admit(scheduler, job);
    }
}

static void admit(struct scheduler *scheduler, bool makes_texts)
{
    for (struct job *job; (job = first_ready(scheduler, makes_texts)) && may_begin(scheduler, job);) begin(scheduler, job);
}

/* ---- what goes next ---- */

static enum group_kind group_of(const struct job *job)
{
    return running_is_generation(job) ? GROUP_GENERATIONS : GROUP_PIECES;
}

static void resume(struct scheduler *scheduler)
{
    for (struct job *job = scheduler->running; job; job = job->next)
        if (job->place.is_parked) batch_resume(scheduler, job->model);
}

static bool is_starved(const struct job *job)
{
    return job->model->steps_passed[group_of(job)] >= PATIENCE;
}

static bool goes_before(const struct job *a, const struct job *b)
{
    if (is_starved(a) != is_starved(b)) return is_starved(a);
    if (a->priority != b->priority) return a->priority < b->priority;
    return a->model->last_step[group_of(a)] < b->model->last_step[group_of(b)];
}

/* Jobs are in order of priority, so a group's first one speaks for it. */
static struct job *choose(const struct scheduler *scheduler)
{
    struct job *best = NULL;
    for (struct job *job = scheduler->running; job; job = job->next)
        if (!job->place.is_parked && (!best || goes_before(job, best))) best = job;
    return best;
}

/* Each other group is passed over once, however many jobs it has. */
static void note_turn(struct scheduler *scheduler, const struct job *chosen)
{
    uint64_t round = ++scheduler->n_rounds;
    chosen->model->last_step[group_of(chosen)] = round;
    chosen->model->steps_passed[group_of(chosen)] = 0;
    for (struct job *job = scheduler->running; job; job = job->next) {
        enum group_kind group = group_of(job);
        if (job->place.is_parked || job->model->seen_step[group] == round || job->model->last_step[group] == round) continue;
        job->model->seen_step[group] = round;
        job->model->steps_passed[group]++;
    }
}

/* ---- other work ---- */

static size_t gather_pieces(const struct scheduler *scheduler, struct job *first, struct job **jobs)
{
    size_t n_jobs = 1;
    jobs[0] = first;
    for (struct job *job = scheduler->running; job && n_jobs < MOST_PIECES; job = job->next)
        if (job != first && job->def == first->def && job->model == first->model && !running_is_generation(job)) jobs[n_jobs++] = job;
    return n_jobs;
}

static void step_pieces(struct scheduler *scheduler, struct job *first)
{
    struct problem problem;
    struct job *jobs[MOST_PIECES];
    struct loaded_model *model = first->model;
    size_t n_jobs = gather_pieces(scheduler, first, jobs);
    bool is_done = first->def->step(jobs, n_jobs, model, &problem);
    if (!is_done && first->lacks_room && batch_put_off(scheduler, model)) return;
    for (size_t i = 0; i < n_jobs; i++) {
        bool has_failed = !is_done && i == 0;
        running_publish(scheduler, jobs[i]);
        if (!has_failed && !jobs[i]->is_complete) continue;
        running_remove(scheduler, jobs[i]);
        if (has_failed) ending_fail(scheduler, jobs[i], &problem);
        else ending_finish(scheduler, jobs[i]);
    }
}

/* ---- rounds ---- */

static bool run_round(struct scheduler *scheduler)
{
    sweep(scheduler);
    resume(scheduler);
    admit(scheduler, true);
    admit(scheduler, false);
    struct job *chosen = choose(scheduler);
    if (!chosen) return scheduler->running != NULL;
    note_turn(scheduler, chosen);
    if (running_is_generation(chosen)) batch_step(scheduler, chosen->model);
    else step_pieces(scheduler, chosen);
    return true;
}

/* false: nothing woke it for so long. The lock is held. */
static bool wait_for(struct scheduler *scheduler, uint64_t time_ns)
{
    uint64_t until_ns = clock_now_ns() + time_ns;
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000u), .tv_nsec = (long)(until_ns % 1000000000u)};
    return pthread_cond_timedwait(&scheduler->engine_wake, &scheduler->lock, &until) == 0;
}

/* Until there is something to begin; while others wait for a model, they are looked after. Whether it was idle for long. */
static bool wait(struct scheduler *scheduler)
{
    if (scheduler->is_stopping || queue_next(&scheduler->queue, NULL, STAGE_READY)) return false;
    if (queue_count(&scheduler->queue)) return wait_for(scheduler, LOOK_NS), false;
    if (scheduler->has_worked) return !wait_for(scheduler, IDLE_NS);
    pthread_cond_wait(&scheduler->engine_wake, &scheduler->lock);
    return false;
}

void *engine_run(void *context)
{
    struct scheduler *scheduler = context;
    for (;;) {
        bool has_work = run_round(scheduler);
        scheduler->has_worked |= has_work;
        pthread_mutex_lock(&scheduler->lock);
        bool was_idle = !has_work && wait(scheduler);
        bool is_stopping = scheduler->is_stopping;
        pthread_mutex_unlock(&scheduler->lock);
        if (is_stopping) return NULL;
        if (!was_idle) continue;
        model_registry_trim(scheduler->registry);
        scheduler->has_worked = false;
    }
}

/* The scheduler: jobs in, events out. Owns the clerk's and the engine's thread, the queue and the result cache.
 *
 * Completions go before chats, chats before batches; within a priority clients take turns, and one client's jobs stay in order. The
 * generations of a model are stepped together: a token of each that decodes and a bounded piece of prompts. When a cache is full the
 * youngest generation of the lowest priority is parked and computed again later, which changes no byte of it. Deadlines and
 * cancellations are seen before each step. Thread-safe.
 *
 *     struct scheduler *scheduler;
 *     TRY(scheduler_new(config, registry, metrics, wake_loop, loop, &scheduler, error));
 *     scheduler_submit(scheduler, &job->job);
 *     …  the loop thread, woken:  scheduler_deliver(scheduler);      calls on_change of every job that has new events
 *     scheduler_drain(scheduler);                                    no new jobs; true once all are done
 *     scheduler_free(scheduler);
 */
#ifndef SERVER_SCHEDULER_H
#define SERVER_SCHEDULER_H

#include "server/job.h"
#include "server/metrics.h"
#include "server/models/model_registry.h"

struct scheduler;

/* Numbers for /metrics, /slots and hob ps; all counted since the start unless they are of now. */
struct scheduler_status {
    size_t n_queued[N_PRIORITIES], n_running, most_running; /* of now */
    size_t n_parked;
    uint64_t n_submitted, n_done, n_failed, n_cancelled, n_refused, n_late, n_parks, n_steps;
    uint64_t n_prompt_tokens, n_cached_tokens, n_generated_tokens, n_embedded_tokens;
    uint64_t n_cache_hits, n_cache_misses, n_cache_entries, n_cache_bytes; /* the result cache */
    bool is_draining;
};

/* One running generation, as /slots shows it. */
struct slot_status {
    char request_id[64], model[128];
    size_t n_prompt_tokens, n_tokens, n_context;
    bool is_prefilling;
    double age_s;
};

/* wake is called from any thread when scheduler_deliver has something to do. config must outlive the next scheduler_reload. */
HOB_MUST_CHECK hob_status scheduler_new(const struct config *config, struct model_registry *registry, struct metrics *metrics, void (*wake)(void *context),
                                        void *context, struct scheduler **ret_scheduler, hob_error *error);
/* Cancels what is left, joins the threads. Takes NULL. */
void scheduler_free(struct scheduler *scheduler);
void scheduler_reload(struct scheduler *scheduler, const struct config *config);

/* Takes a reference of its own. Never blocks, never fails: what is wrong is in the transcript before or after it returns, and
 * on_change is called by scheduler_deliver in any case. */
void scheduler_submit(struct scheduler *scheduler, struct job *job);
/* On the loop's thread: calls on_change of all jobs that have new events. */
void scheduler_deliver(struct scheduler *scheduler);
/* Who is asked when a job fails that has told nothing yet: whether it goes on with the job, whose transcript is its own from then on; it
 * calls scheduler_announce when that grew. From the clerk's and the engine's thread. Set before jobs come. */
typedef bool scheduler_fallback(void *context, struct job *job, const struct problem *problem);
void scheduler_set_fallback(struct scheduler *scheduler, scheduler_fallback *fallback, void *context);
void scheduler_announce(struct scheduler *scheduler, struct job *job);
/* The models changed (registry's on_change): jobs that wait for one are looked at again. Any thread. */
void scheduler_models_changed(struct scheduler *scheduler);
/* From now on jobs are refused with PROBLEM_LOADING; whether all others are done. */
bool scheduler_drain(struct scheduler *scheduler);
void scheduler_get_status(struct scheduler *scheduler, struct scheduler_status *ret_status);
/* At most `most`; returns how many. */
size_t scheduler_get_slots(struct scheduler *scheduler, struct slot_status *ret_slots, size_t most);

#endif

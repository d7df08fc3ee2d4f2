/* What the scheduler's files share: its state, who may touch what, and how a job comes to its end.
 *
 * A job belongs to one thread at a time: to whoever submits it, to the clerk while it is STAGE_PREPARING, to the engine once it is
 * STAGE_RUNNING. While it waits in the queue it is the lock's, and whoever takes it out of the queue has it. */
#ifndef SERVER_SCHEDULER_PARTS_H
#define SERVER_SCHEDULER_PARTS_H

#include "server/scheduler/outbox.h"
#include "server/scheduler/queue.h"
#include "server/scheduler/result_cache.h"
#include "server/scheduler/scheduler.h"

struct scheduler_settings {
    size_t max_running, max_queue;
    uint64_t deadline_ns; /* 0: none */
    struct job_settings jobs;
};

struct scheduler {
    pthread_mutex_t lock;
    pthread_cond_t clerk_wake, engine_wake;
    pthread_t clerk, engine;
    struct model_registry *registry;
    struct metrics *metrics;
    struct result_cache *results;
    struct outbox outbox;
    scheduler_fallback *fallback; /* NULL: none */
    void *fallback_context;
    /* ---- the lock's ---- */
    struct scheduler_settings settings;
    struct job_queue queue;
    struct job *running; /* by priority and age; changed by the engine's thread alone, which may read it without the lock */
    size_t n_running;
    uint64_t n_submitted, n_done, n_failed, n_cancelled, n_refused, n_late, n_parks, n_steps;
    uint64_t n_prompt_tokens, n_cached_tokens, n_generated_tokens, n_embedded_tokens;
    uint64_t ended_ns, mean_ns; /* when a job was over last; time between such moments, of late */
    uint64_t n_changes;         /* of models */
    bool is_stopping, is_draining;
    /* ---- the engine's ---- */
    uint64_t n_rounds;
    bool has_worked; /* since sessions gave back what they do not use */
};

/* ---- ends (ending.c): of a job that is in no list; without the lock. The scheduler's reference goes with it. ---- */
void ending_fail(struct scheduler *scheduler, struct job *job, const struct problem *problem);
/* The kind's finish, then EVENT_DONE; where that fails EVENT_FAILED. */
void ending_finish(struct scheduler *scheduler, struct job *job);
/* With the events of another job of the same key. */
void ending_replay(struct scheduler *scheduler, struct job *job, struct transcript *source);
/* What a job that was cancelled or is late fails with; false: it is neither. */
bool ending_is_due(const struct job *job, uint64_t now_ns, struct problem *ret_problem);

/* ---- threads ---- */
void *clerk_run(void *scheduler);
void *engine_run(void *scheduler);

/* ---- generations of one model (batch.c), on the engine's thread ---- */
/* Puts those that were parked back where there is room. */
void batch_resume(struct scheduler *scheduler, struct loaded_model *model);
/* Makes room among the texts for a job of that priority and so many; false: there is none. */
bool batch_make_room(struct scheduler *scheduler, enum job_priority priority, size_t n_texts);
/* Whether one that has just been made must wait for room in the cache. */
void batch_admit(struct scheduler *scheduler, struct job *job);
/* Puts off the last, for a job beside them that lacks room; none of them goes on until it is done with that. false: none is left. */
bool batch_put_off(struct scheduler *scheduler, const struct loaded_model *model);
/* One step of all of them. Ends jobs. */
void batch_step(struct scheduler *scheduler, struct loaded_model *model);

/* ---- running jobs (running.c), on the engine's thread ---- */
void running_add(struct scheduler *scheduler, struct job *job);
void running_remove(struct scheduler *scheduler, struct job *job);
bool running_is_generation(const struct job *job); /* it is stepped together with others */
/* Tells clients of new events; notes numbers for those who ask. */
void running_publish(struct scheduler *scheduler, struct job *job);

#endif

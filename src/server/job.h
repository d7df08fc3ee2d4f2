/* A job: one piece of work for a model, from a client's request to its last event.
 *
 * A route makes one (jobs/<kind>.h), fills in its inputs and submits it; the clerk thread prepares it, the engine thread runs it, and
 * both write its transcript, which the loop thread turns into a reply. A job is counted: the submitter and the scheduler each hold a
 * reference, and whoever drops the last one frees it. Inputs live in the job's arena and do not change after scheduler_submit.
 *
 *     struct generate_job *generate = generate_job_new(model_name, n);
 *     generate->inputs.text = job_copy(&generate->job, text, n_bytes);
 *     generate->job.on_change = wake_exchange, generate->job.context = exchange;
 *     scheduler_submit(scheduler, &generate->job);        a full queue shows in the transcript as EVENT_FAILED, PROBLEM_BUSY
 *     …
 *     job_cancel(&generate->job);                         the client went away
 *     job_unref(&generate->job);
 */
#ifndef SERVER_JOB_H
#define SERVER_JOB_H

#include "base/arena.h"
#include "base/buffer.h"
#include "hob/hob.h"
#include "server/transcript.h"

#include <stdatomic.h>

/* Lower ones go first. */
enum job_priority {
    PRIORITY_COMPLETION, /* a person is typing */
    PRIORITY_CHAT,
    PRIORITY_BATCH, /* embeddings, rerank */
    N_PRIORITIES
};

struct job;
struct loaded_model; /* models/model_registry.h */

/* What a kind of job is: a file below jobs/ and a row in jobs.def. */
struct job_def {
    const char *name; /* "generate": in logs and metrics */
    /* On the clerk's thread, the model open: tokenise, render, compile. Needs no session. false: problem says why.
     * A job that is done with that appends its results and sets job->is_answered. */
    bool (*prepare)(struct job *job, struct loaded_model *model, struct problem *ret_problem);
    /* What a deterministic job's results depend on beside the model, as bytes for a digest; false: not to be kept. May be NULL. After prepare. */
    bool (*key)(const struct job *job, struct buffer *ret_key);
    /* On the engine's thread. begin: makes what lives in the session (a generation). */
    bool (*begin)(struct job *job, struct loaded_model *model, struct problem *ret_problem);
    /* NULL for jobs whose generation the scheduler steps together with others (job->generation). Else one bounded piece of work;
     * ret_is_done. */
    bool (*step)(struct job *job, struct loaded_model *model, bool *ret_is_done, struct problem *ret_problem);
    /* What EVENT_DONE says; appends what must come before it. On the engine's thread. */
    bool (*finish)(struct job *job, struct usage *usage, struct problem *ret_problem);
    /* Frees what prepare and begin made; also of a job that never got so far. Sessions are the engine's: called on its thread if begin was. */
    void (*release)(struct job *job);
};

#define JOB(name) extern const struct job_def job_##name;
#include "server/jobs/jobs.def"
#undef JOB

struct job {
    const struct job_def *def;
    atomic_uint n_refs;
    atomic_bool is_cancelled;
    struct arena arena;     /* inputs; of the submitter until it is submitted, then the clerk's, then the engine's */
    const char *model_name; /* "": the default one for the job's kind */
    enum job_priority priority;
    const void *fairness;   /* whose it is: jobs of one client do not starve another's; NULL: nobody's */
    uint64_t deadline_ns;   /* of clock_now_ns; 0: the configured one from submission on */
    bool must_not_load;     /* fails with PROBLEM_LOADING where the model is not open */
    int64_t keep_alive_s;   /* the model is kept so long after this job; INT64_MIN: as configured; negative: for ever */
    const char *request_id; /* for logs; may be NULL */

    struct transcript *transcript;
    /* Called when events were appended, on the loop's thread, after any number of them; the job holds on to itself while it runs.
     * NULL: nobody listens. Set to NULL (loop's thread) before what context points to goes. */
    void (*on_change)(void *context, struct job *job);
    void *context;

    /* ---- the scheduler's and the job's kind ---- */
    hob_generation *generation; /* of a job that is stepped together with others */
    bool is_answered;           /* prepare was all there was to do */
    bool has_begun;
    uint64_t submitted_ns, prepared_ns, begun_ns;
    double load_ms;
    struct loaded_model *model; /* from prepare on; a reference, given back when the job is freed, so that replies can spell its tokens */
    unsigned char key[32];      /* of the results, where has_key */
    bool has_key;
    struct job *next;           /* in whichever list it is */
    struct job *next_changed;   /* in the list of those to wake */
    bool is_changed;
    void *place;                /* the scheduler's own */
};

/* Zeroed memory of n_bytes that begins with a struct job, one reference, an empty transcript; NULL: memory is out. model_name is copied. */
void *job_new(const struct job_def *def, size_t n_bytes, const char *model_name);
struct job *job_ref(struct job *job);
void job_unref(struct job *job); /* takes NULL */
/* From any thread; the job ends within one step with EVENT_FAILED, PROBLEM_CANCELLED (a generation: with what there is and finish "cancelled"). */
void job_cancel(struct job *job);
bool job_is_cancelled(const struct job *job);

/* Inputs: copies into the arena, NUL-terminated; NULL: memory is out. */
char *job_copy(struct job *job, const void *bytes, size_t n_bytes);

#endif

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
#include "server/models/model_registry.h"
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

/* What a kind of job is: a file below jobs/ and a row in jobs.def. */
struct job_def {
    const char *name; /* "generate": in logs and metrics */
    enum model_use use;
    /* On the clerk's thread, the model open: tokenise, render, compile. Needs no session. false: problem says why.
     * A job that is done with that appends its results and sets job->is_answered. */
    bool (*prepare)(struct job *job, struct loaded_model *model, struct problem *ret_problem);
    /* What a deterministic job's results depend on beside the model, as bytes for a digest; false: not to be kept. May be NULL. After prepare. */
    bool (*key)(const struct job *job, struct buffer *ret_key);
    /* On the engine's thread. begin: makes what lives in the session (a generation). */
    bool (*begin)(struct job *job, struct loaded_model *model, struct problem *ret_problem);
    /* NULL for jobs whose generation the scheduler steps together with others (job->generation). Else one bounded piece of work for
     * jobs[0], which waited longest; others of the same kind and model, which are there too, may share its run. Sets is_complete of those
     * that need no more of it. Called until then, or until there is a generation. false: ret_problem ends jobs[0], the others go on. */
    bool (*step)(struct job *const *jobs, size_t n_jobs, struct loaded_model *model, struct problem *ret_problem);
    /* What EVENT_DONE says; appends what must come before it. On the engine's thread. */
    bool (*finish)(struct job *job, struct usage *usage, struct problem *ret_problem);
    /* Frees what prepare and begin made; also of a job that never got so far. Sessions are the engine's: called on its thread if begin was. */
    void (*release)(struct job *job);
};

#define JOB(name) extern const struct job_def job_##name;
#include "server/jobs/jobs.def"
#undef JOB

/* What the configuration says of jobs, as it is when one is submitted. */
struct job_settings {
    size_t max_tokens, chunk_tokens, draft_tokens;
};

/* Where a job is on its way through the scheduler, and what is shown of it meanwhile. */
enum job_stage {
    STAGE_NEW,       /* the clerk is to prepare it … */
    STAGE_PREPARING, /* … which is what it does … */
    STAGE_LOADING,   /* … or its model is not open yet */
    STAGE_FOLLOWING, /* another job is about to have its result */
    STAGE_READY,     /* the engine is to begin it */
    STAGE_RUNNING,
    STAGE_OVER
};

struct job_place {
    enum job_stage stage;
    uint64_t turn, sequence;  /* its client's turn, then its arrival */
    uint64_t waits_since_ns;  /* for its model to be opened; 0: it does not */
    uint64_t first_token_ns;
    size_t n_events;          /* of the transcript that the client was woken for */
    size_t n_prompt_tokens, n_prompt_done, n_tokens;
    bool is_parked;
};

struct job {
    const struct job_def *def;
    atomic_uint n_refs;
    atomic_bool is_cancelled;
    struct arena arena;     /* inputs; of the submitter until it is submitted, then the clerk's, then the engine's */
    const char *model_name; /* "": the default one for the job's use */
    enum model_use use;     /* what the model is wanted for; as the job's kind says, unless its maker changes it */
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
    struct job_settings settings;
    hob_generation *generation; /* of a job that is stepped together with others */
    size_t n_texts;             /* that run together in the session, set by prepare; 0: it makes none */
    bool is_answered;           /* prepare was all there was to do */
    bool is_complete;           /* step was */
    bool lacks_room;            /* step failed because others fill the session's cache: it is tried again once they are put off */
    bool has_begun;
    uint64_t submitted_ns, prepared_ns, begun_ns;
    double load_ms;
    struct loaded_model *model; /* from prepare on; a reference, given back when the job is freed, so that replies can spell its tokens */
    struct model_registry *registry; /* the model's */
    unsigned char key[32];      /* of the results, where has_key */
    bool has_key;
    struct job *next;           /* in whichever list it is */
    struct job *next_changed;   /* in the list of those to wake */
    bool is_changed;
    struct job_place place;
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

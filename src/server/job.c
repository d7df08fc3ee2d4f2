/* Making, counting, cancelling and freeing jobs. */
#include "server/job.h"

#include "base/memory.h"

enum { CHUNK_BYTES = 1024 };

static void free_job(struct job *job)
{
    if (job->def->release) job->def->release(job);
    if (job->model) model_registry_release(job->registry, job->model, job->keep_alive_s);
    transcript_unref(job->transcript);
    arena_release(&job->arena);
    memory_free(job);
}

void *job_new(const struct job_def *def, size_t n_bytes, const char *model_name)
{
    struct job *job = memory_new(1, n_bytes);
    if (!job) return NULL;
    job->def = def;
    job->use = def->use;
    job->keep_alive_s = INT64_MIN;
    atomic_init(&job->n_refs, 1);
    arena_init(&job->arena, CHUNK_BYTES);
    job->transcript = transcript_new();
    job->model_name = job_copy(job, model_name, strlen(model_name));
    if (job->transcript && job->model_name) return job;
    free_job(job);
    return NULL;
}

struct job *job_ref(struct job *job)
{
    atomic_fetch_add_explicit(&job->n_refs, 1, memory_order_relaxed);
    return job;
}

void job_unref(struct job *job)
{
    if (job && atomic_fetch_sub_explicit(&job->n_refs, 1, memory_order_acq_rel) == 1) free_job(job);
}

void job_cancel(struct job *job)
{
    atomic_store_explicit(&job->is_cancelled, true, memory_order_relaxed);
}

bool job_is_cancelled(const struct job *job)
{
    return atomic_load_explicit(&job->is_cancelled, memory_order_relaxed);
}

char *job_copy(struct job *job, const void *bytes, size_t n_bytes)
{
    return arena_copy_string(&job->arena, n_bytes ? bytes : "", n_bytes);
}

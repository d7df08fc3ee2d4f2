/* One model used from several threads at once: each gets what a single thread gets. `make SANITIZE=thread` finds the races. */
#include "engine/use.h"

#include <pthread.h>
#include <string.h>

enum { N_THREADS = 2, N_TOKENS = 60, MAX_WIDTH = 512 };

struct job {
    pthread_t thread;
    hob_model *model;
    const char *path;
    hob_status status;
    hob_error error;
    int32_t ids[N_TOKENS];
    size_t n_ids;
    float vector[MAX_WIDTH];
};

static bool collect(void *context, const hob_generated *generated)
{
    struct job *job = context;
    if (generated->id != HOB_NO_TOKEN) job->ids[job->n_ids++] = generated->id;
    return job->n_ids < N_TOKENS;
}

static hob_status generate(struct job *job, hob_session *session)
{
    hob_generate_options options = {.max_tokens = N_TOKENS, .ignores_end = true};
    return hob_generate(session, (int32_t[]){1, 403, 407, 261, 378}, 5, &options, collect, job, NULL, &job->error);
}

static hob_status embed(struct job *job, hob_session *session)
{
    const char *text = "A sentence for two threads.";
    return hob_embed(session, &text, NULL, 1, NULL, job->vector, &job->error);
}

/* A session of the job's own on the shared model. cmocka's asserts belong to the main thread. */
static void *use_model(void *context)
{
    struct job *job = context;
    hob_session *session;
    hob_session_options options = {.n_threads = 2};
    job->status = hob_session_new(job->model, &options, &session, &job->error);
    if (job->status != HOB_OK) return NULL;
    job->status =
        hob_model_get_info(job->model).kind == HOB_MODEL_DECODER ? generate(job, session) : embed(job, session);
    hob_session_free(session);
    return NULL;
}

static void *open_model(void *context)
{
    struct job *job = context;
    job->status = hob_model_open(job->path, NULL, &job->model, &job->error);
    return NULL;
}

static void run_jobs(struct job *jobs, void *(*work)(void *))
{
    for (int i = 0; i < N_THREADS; i++) assert_int_equal(pthread_create(&jobs[i].thread, NULL, work, &jobs[i]), 0);
    for (int i = 0; i < N_THREADS; i++) assert_int_equal(pthread_join(jobs[i].thread, NULL), 0);
    for (int i = 0; i < N_THREADS; i++)
        if (jobs[i].status != HOB_OK) fail_msg("%s", jobs[i].error.message);
}

static void check_sharing(const char *path)
{
    struct use use = use_open(path, NULL, 1);
    struct job alone = {.model = use.model}, jobs[N_THREADS] = {{.model = use.model}, {.model = use.model}};
    use_model(&alone);
    if (alone.status != HOB_OK) fail_msg("%s", alone.error.message);
    run_jobs(jobs, use_model);
    for (int i = 0; i < N_THREADS; i++) {
        assert_int_equal(jobs[i].n_ids, alone.n_ids);
        assert_memory_equal(jobs[i].ids, alone.ids, sizeof alone.ids);
        assert_memory_equal(jobs[i].vector, alone.vector, sizeof alone.vector);
    }
    use_close(&use);
}

/* First of all tests: the kernel table is chosen and pools are started while two threads ask. */
static void test_opening_at_once(void **state)
{
    (void)state;
    struct job jobs[N_THREADS] = {{.path = "models/default.gguf"}, {.path = "models/embed"}};
    run_jobs(jobs, open_model);
    run_jobs(jobs, use_model);
    for (int i = 0; i < N_THREADS; i++) hob_model_free(jobs[i].model);
}

static void test_generating_at_once(void **state)
{
    (void)state;
    check_sharing("models/default.gguf");
}

static void test_generating_at_once_from_onnx(void **state)
{
    (void)state;
    check_sharing("../shared/models/stories260k/model.onnx");
}

static void test_embedding_at_once(void **state)
{
    (void)state;
    check_sharing("../shared/models/bert-tiny-random/");
}

/* A session keeps its model: the last one to go frees it, whichever that is. */
static void test_sessions_outlive_the_model_handle(void **state)
{
    (void)state;
    struct use use = use_open("models/default.gguf", NULL, 1);
    hob_model_free(use.model);
    assert_int_equal(hob_session_append(use.session, (int32_t[]){1, 403}, 2, NULL), HOB_OK);
    hob_session_free(use.session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opening_at_once),
        cmocka_unit_test(test_generating_at_once),
        cmocka_unit_test(test_generating_at_once_from_onnx),
        cmocka_unit_test(test_embedding_at_once),
        cmocka_unit_test(test_sessions_outlive_the_model_handle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

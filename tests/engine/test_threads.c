/* One model used from several threads at once: each gets what a single thread gets. `make SANITIZE=thread` finds the races. */
#include "engine/use.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
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

/* ---- one of a kind, for several threads ---- */

/* A grammar whose masks are made while both ask for them; the model's memory is asked for meanwhile, as a daemon does. */
struct shared {
    pthread_t thread;
    hob_model *model;
    const hob_grammar *grammar;
    const char *folder;
    hob_generation *generation;
    hob_status status;
    hob_error error;
    char text[2048];
    size_t n_ids;
};

static bool listen(void *context, const hob_generated *generated)
{
    struct shared *shared = context;
    strncat(shared->text, generated->text, sizeof shared->text - strlen(shared->text) - 1);
    return true;
}

static hob_status say(struct shared *shared, hob_session *session)
{
    hob_generate_options options = {.max_tokens = 40, .temperature = 1, .seed = 9, .grammar = shared->grammar};
    int32_t ids[200] = {1};
    for (int32_t i = 1; i < 200; i++) ids[i] = 300 + i % 50;
    for (int i = 0; i < 2; i++) {
        shared->text[0] = '\0';
        hob_status status = hob_generate(session, ids, 200, &options, listen, shared, NULL, &shared->error);
        if (status != HOB_OK || !hob_model_get_memory(shared->model).tokenizer_bytes) return status;
    }
    return HOB_OK;
}

static void *say_in_session(void *context)
{
    struct shared *shared = context;
    hob_session *session;
    hob_session_options options = {.n_threads = 2, .cache_folder = shared->folder};
    shared->status = hob_session_new(shared->model, &options, &session, &shared->error);
    if (shared->status != HOB_OK) return NULL;
    shared->status = say(shared, session);
    hob_session_free(session);
    return NULL;
}

static void run_shared(struct shared *all, void *(*work)(void *))
{
    for (int i = 0; i < N_THREADS; i++) assert_int_equal(pthread_create(&all[i].thread, NULL, work, &all[i]), 0);
    for (int i = 0; i < N_THREADS; i++) assert_int_equal(pthread_join(all[i].thread, NULL), 0);
    for (int i = 0; i < N_THREADS; i++)
        if (all[i].status != HOB_OK) fail_msg("%s", all[i].error.message);
}

static void test_one_grammar_and_one_folder(void **state)
{
    (void)state;
    hob_error error = {0};
    char folder[] = "/tmp/hob-test-threads-XXXXXX", command[64];
    hob_grammar *grammar;
    struct use use = use_open("../shared/models/stories260k/model-q8_0.gguf", NULL, 1);
    assert_non_null(mkdtemp(folder));
    ASSERT_HOB(hob_grammar_new_json_schema("", 0, &grammar, &error), error);
    struct shared all[N_THREADS] = {{.model = use.model, .grammar = grammar, .folder = folder},
                                    {.model = use.model, .grammar = grammar, .folder = folder}};
    run_shared(all, say_in_session);
    assert_string_equal(all[0].text, all[1].text);
    assert_true(strlen(all[0].text) > 0);
    hob_grammar_free(grammar);
    use_close(&use);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

static void *encode(void *context)
{
    struct shared *shared = context;
    static const char text[] = "Once upon a time, there was a little girl named Lily. Zwölf Boxkämpfer 12 + 30 = 42.\n";
    const hob_tokenizer *tokenizer = hob_model_tokenizer(shared->model);
    for (int i = 0; i < 20 && shared->status == HOB_OK; i++) {
        int32_t *ids;
        char *back;
        shared->status = hob_tokenizer_encode(tokenizer, text, strlen(text), HOB_ADD_SPECIAL, &ids, &shared->n_ids, &shared->error);
        if (shared->status != HOB_OK) return NULL;
        size_t n_bytes;
        shared->status = hob_tokenizer_decode(tokenizer, ids, shared->n_ids, HOB_SKIP_SPECIAL, &back, &n_bytes, &shared->error);
        if (shared->status == HOB_OK) snprintf(shared->text, sizeof shared->text, "%s", back), hob_free(back);
        hob_free(ids);
    }
    return NULL;
}

static void test_one_tokenizer(void **state)
{
    (void)state;
    static const char *const paths[] = {"models/default.gguf", "models/embed", "../shared/models/stories260k/model-q8_0.gguf"};
    for (size_t i = 0; i < 3; i++) {
        if (access(paths[i], R_OK) != 0) continue;
        struct use use = use_open(paths[i], NULL, 1);
        struct shared all[N_THREADS] = {{.model = use.model}, {.model = use.model}};
        run_shared(all, encode);
        assert_int_equal(all[0].n_ids, all[1].n_ids);
        assert_string_equal(all[0].text, all[1].text);
        use_close(&use);
    }
}

static void *cancel(void *context)
{
    struct shared *shared = context;
    usleep(2000);
    hob_generation_cancel(shared->generation);
    return NULL;
}

static void test_cancelled_from_another_thread(void **state)
{
    (void)state;
    hob_error error = {0};
    struct use use = use_open("models/default.gguf", NULL, 2);
    struct shared shared = {0};
    hob_generate_options options = {.max_tokens = 1 << 20, .ignores_end = true, .shifts_context = true, .temperature = 1};
    ASSERT_HOB(hob_generation_new(use.session, (int32_t[]){1, 403}, 2, &options, NULL, NULL, &shared.generation, &error), error);
    assert_int_equal(pthread_create(&shared.thread, NULL, cancel, &shared), 0);
    while (!hob_generation_is_done(shared.generation))
        ASSERT_HOB(hob_generations_step(use.session, &shared.generation, 1, &error), error);
    assert_int_equal(hob_generation_result(shared.generation).finish, HOB_FINISH_CANCELLED);
    assert_int_equal(pthread_join(shared.thread, NULL), 0);
    hob_generation_free(shared.generation);
    use_close(&use);
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
        cmocka_unit_test(test_one_grammar_and_one_folder),
        cmocka_unit_test(test_one_tokenizer),
        cmocka_unit_test(test_cancelled_from_another_thread),
        cmocka_unit_test(test_sessions_outlive_the_model_handle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Models by name: from the configuration and from a folder, opened in the background, given up, gone, broken, within bounds. */
#include "server/serving.h"

#include <stdio.h>
#include <sys/stat.h>

struct watch {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned n_changes;
};

static void note_change(void *context)
{
    struct watch *watch = context;
    pthread_mutex_lock(&watch->lock);
    watch->n_changes++;
    pthread_cond_signal(&watch->changed);
    pthread_mutex_unlock(&watch->lock);
}

static void wait_for_change(struct watch *watch, unsigned n_seen)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1; /* some changes tell themselves by time alone: look again */
    pthread_mutex_lock(&watch->lock);
    if (watch->n_changes == n_seen) pthread_cond_timedwait(&watch->changed, &watch->lock, &until);
    pthread_mutex_unlock(&watch->lock);
}

struct models {
    struct watch watch;
    struct model_registry *registry;
    struct problem problem;
};

static void open_models(struct models *models, const struct config *config)
{
    hob_error error;
    *models = (struct models){0};
    pthread_mutex_init(&models->watch.lock, NULL);
    pthread_cond_init(&models->watch.changed, NULL);
    assert_int_equal(model_registry_new(config, note_change, &models->watch, &models->registry, &error), HOB_OK);
}

static void close_models(struct models *models)
{
    model_registry_free(models->registry);
    pthread_cond_destroy(&models->watch.changed);
    pthread_mutex_destroy(&models->watch.lock);
}

/* Asks until it is there or has failed. */
static struct loaded_model *get_for(struct models *models, const char *name, enum model_use use)
{
    struct loaded_model *model = NULL;
    for (;;) {
        pthread_mutex_lock(&models->watch.lock);
        unsigned n_seen = models->watch.n_changes;
        pthread_mutex_unlock(&models->watch.lock);
        enum model_state state = model_registry_acquire(models->registry, name, use, false, &model, &models->problem);
        if (state == MODEL_READY) return model;
        if (state == MODEL_FAILED) return NULL;
        wait_for_change(&models->watch, n_seen);
    }
}

static struct loaded_model *get(struct models *models, const char *name)
{
    return get_for(models, name, USE_ANY);
}

static void give(struct models *models, struct loaded_model *model)
{
    model_registry_release(models->registry, model, INT64_MIN);
}

static struct model_status status_of(struct models *models, const char *name)
{
    struct model_status found = {.state = (enum model_state) - 1};
    struct model_list *list = model_registry_list(models->registry);
    for (size_t i = 0; i < list->n_models; i++)
        if (!strcmp(list->models[i].name, name)) found = list->models[i];
    model_list_free(list); /* numbers are all that is looked at afterwards */
    return found;
}

static void wait_for_state(struct models *models, const char *name, enum model_state state)
{
    for (int i = 0; status_of(models, name).state != state; i++) {
        assert_true(i < 6000);
        usleep(10000);
    }
}

static struct config bare_config(void)
{
    struct config config = serving_config();
    memset(serving_models, 0, sizeof serving_models);
    config.embed_model_path = BERT;
    return config;
}

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/hob-models-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

/* A copy: links would lead to where the file is. */
static void put_model(const char *name)
{
    char command[512];
    snprintf(command, sizeof command, "mkdir -p \"$(dirname %s/%s)\" && cp %s %s/%s", folder, name, STORIES, folder, name);
    assert_int_equal(system(command), 0);
}

static void remove_model(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(unlink(path), 0);
}

/* ---- names ---- */

static void test_names(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    static const char *const aliases[] = {"gpt-4", "tiny:1b"};
    struct models models;
    struct config config = bare_config();
    serving_models[0] = (struct config_model){.name = "stories", .path = STORIES, .aliases = {aliases, 2}};
    config.n_models = 1;
    open_models(&models, &config);
    assert_string_equal(model_registry_find(models.registry, "stories"), "stories");
    assert_string_equal(model_registry_find(models.registry, "stories:latest"), "stories");
    assert_string_equal(model_registry_find(models.registry, "gpt-4"), "stories");
    assert_string_equal(model_registry_find(models.registry, "tiny:1b"), "stories");
    assert_string_equal(model_registry_find(models.registry, "bert-tiny-random"), "bert-tiny-random");
    assert_null(model_registry_find(models.registry, "none"));
    assert_null(model_registry_find(models.registry, STORIES)); /* no request names a path */
    struct loaded_model *model = get(&models, "");
    assert_string_equal(model->name, "stories"); /* the default one's path has a name of its own */
    give(&models, model);
    close_models(&models);
}

static void test_a_folder_of_models(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct models models;
    struct config config = bare_config();
    config.models_folder = folder;
    put_model("one.gguf");
    put_model("family/two.gguf");
    put_model("three/model.gguf");
    open_models(&models, &config);
    assert_string_equal(model_registry_find(models.registry, "one"), "one");
    assert_string_equal(model_registry_find(models.registry, "family/two"), "family/two");
    assert_string_equal(model_registry_find(models.registry, "three"), "three");
    struct loaded_model *model = get(&models, "family/two:latest");
    assert_non_null(model);
    give(&models, model);
    put_model("later.gguf");
    for (int i = 0; i < 300 && !model_registry_find(models.registry, "later"); i++) usleep(10000); /* looked at once a second */
    assert_non_null(model_registry_find(models.registry, "later"));
    close_models(&models);
}

static void test_uses(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct models models;
    struct config config = bare_config();
    open_models(&models, &config);
    struct loaded_model *embedder = get_for(&models, "", USE_EMBED);
    assert_int_equal(embedder->info.kind, HOB_MODEL_ENCODER);
    assert_null(get_for(&models, "bert-tiny-random", USE_GENERATE));
    assert_int_equal(models.problem.kind, PROBLEM_UNSUPPORTED);
    give(&models, embedder);
    close_models(&models);
}

/* ---- what fails ---- */

static void test_a_file_that_is_not_there(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct models models;
    double progress;
    struct config config = bare_config();
    config.model_path = "/nowhere/absent.gguf";
    open_models(&models, &config);
    assert_null(get(&models, "absent"));
    assert_non_null(strstr(models.problem.message, "absent"));
    assert_in_range(models.problem.retry_after_s, 1, 60);
    assert_int_equal(model_registry_health(models.registry, &models.problem, &progress), MODEL_FAILED);
    struct loaded_model *other = get_for(&models, "", USE_EMBED); /* the rest is not held up */
    assert_non_null(other);
    give(&models, other);
    close_models(&models);
}

static void test_a_broken_file_is_tried_again(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct models models;
    char path[128];
    struct config config = bare_config();
    config.models_folder = folder;
    snprintf(path, sizeof path, "%s/broken.gguf", folder);
    FILE *file = fopen(path, "w");
    fputs("GGUF and nothing else", file);
    fclose(file);
    open_models(&models, &config);
    assert_null(get(&models, "broken"));
    put_model("broken.gguf");
    struct loaded_model *model = NULL;
    for (int i = 0; i < 500 && !(model = get(&models, "broken")); i++) usleep(10000); /* after the back-off */
    assert_non_null(model);
    give(&models, model);
    close_models(&models);
}

static void test_a_file_that_vanishes(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct models models;
    struct config config = bare_config();
    config.models_folder = folder;
    put_model("vanishing.gguf");
    open_models(&models, &config);
    struct loaded_model *model = get(&models, "vanishing");
    remove_model("vanishing.gguf");
    give(&models, model);
    model = get(&models, "vanishing"); /* open, so it goes on */
    assert_non_null(model);
    model_registry_release(models.registry, model, 0);
    wait_for_state(&models, "vanishing", MODEL_COLD);
    assert_null(get(&models, "vanishing"));
    assert_int_equal(models.problem.kind, PROBLEM_NO_MODEL);
    close_models(&models);
}

/* ---- coming and going ---- */

static void test_health_waits_for_what_is_pinned(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct models models;
    double progress;
    struct config config = bare_config();
    open_models(&models, &config);
    struct loaded_model *model = get(&models, "");
    assert_int_equal(model_registry_health(models.registry, &models.problem, &progress), MODEL_READY);
    struct model_status status = status_of(&models, "model-f16");
    assert_true(status.is_pinned);
    assert_true(status.memory_bytes > 0);
    assert_int_equal(status.n_users, 1);
    model_registry_release(models.registry, model, 0); /* pinned ones stay all the same */
    assert_int_equal(status_of(&models, "model-f16").state, MODEL_READY);
    assert_int_equal(status_of(&models, "model-f16").expires_s, 0);
    close_models(&models);
}

static void test_must_not_load(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct models models;
    struct loaded_model *model;
    struct config config = bare_config();
    open_models(&models, &config);
    assert_int_equal(model_registry_acquire(models.registry, "bert-tiny-random", USE_EMBED, true, &model, &models.problem), MODEL_FAILED);
    assert_int_equal(models.problem.kind, PROBLEM_LOADING);
    assert_int_equal(status_of(&models, "bert-tiny-random").state, MODEL_COLD);
    close_models(&models);
}

static void test_keep_alive(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct models models;
    struct config config = bare_config();
    open_models(&models, &config);
    struct loaded_model *first = get(&models, "bert-tiny-random"), *second = get(&models, "bert-tiny-random");
    assert_ptr_equal(first, second);
    model_registry_release(models.registry, first, 0);
    assert_int_equal(status_of(&models, "bert-tiny-random").state, MODEL_READY); /* somebody has it */
    model_registry_release(models.registry, second, -1);
    assert_int_equal(status_of(&models, "bert-tiny-random").expires_s, 0);
    give(&models, get(&models, "bert-tiny-random"));
    assert_true(status_of(&models, "bert-tiny-random").expires_s > 0);
    model_registry_release(models.registry, get(&models, "bert-tiny-random"), 0);
    wait_for_state(&models, "bert-tiny-random", MODEL_COLD);
    close_models(&models);
}

static void test_the_oldest_goes_for_another(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct models models;
    struct config config = bare_config();
    config.models_folder = folder;
    config.max_models = 3; /* the pinned one and two more */
    put_model("a.gguf");
    put_model("b.gguf");
    put_model("c.gguf");
    open_models(&models, &config);
    give(&models, get(&models, ""));
    struct loaded_model *a = get(&models, "a");
    give(&models, get(&models, "b"));
    give(&models, get(&models, "c"));
    assert_int_equal(status_of(&models, "b").state, MODEL_COLD); /* a is older, but in use */
    assert_int_equal(status_of(&models, "a").state, MODEL_READY);
    assert_int_equal(status_of(&models, "model-f16").state, MODEL_READY);
    give(&models, a);
    close_models(&models);
}

struct giver {
    struct models *models;
    struct loaded_model *model;
};

static void *give_later(void *context)
{
    struct giver *giver = context;
    wait_for_state(giver->models, "a", MODEL_COLD); /* it was told to go */
    give(giver->models, giver->model);
    return NULL;
}

static void test_a_busy_model_makes_room_in_the_end(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct models models;
    pthread_t thread;
    struct config config = bare_config();
    config.models_folder = folder;
    config.max_models = 2;
    put_model("a.gguf");
    put_model("b.gguf");
    open_models(&models, &config);
    give(&models, get(&models, ""));
    struct giver giver = {&models, get(&models, "a")};
    assert_int_equal(pthread_create(&thread, NULL, give_later, &giver), 0);
    struct loaded_model *b = get(&models, "b");
    assert_non_null(b);
    pthread_join(thread, NULL);
    assert_int_equal(status_of(&models, "a").n_evictions, 1);
    give(&models, b);
    config.max_models = 1; /* only pinned ones are left: nothing can go */
    close_models(&models);
    open_models(&models, &config);
    give(&models, get(&models, ""));
    assert_null(get(&models, "a"));
    assert_int_equal(models.problem.kind, PROBLEM_NO_MEMORY);
    close_models(&models);
}

static void test_a_bound_in_bytes(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct models models;
    struct config config = bare_config();
    config.models_folder = folder;
    config.context_window = 256;
    config.cache_tokens = 256;
    config.prefix_cache_bytes = 0;
    config.memory_max_bytes = 64 << 20;
    open_models(&models, &config);
    give(&models, get(&models, ""));
    struct model_list *list = model_registry_list(models.registry);
    assert_true(list->memory_bytes <= config.memory_max_bytes);
    assert_int_equal(list->max_memory_bytes, config.memory_max_bytes);
    model_list_free(list);
    close_models(&models);
    config.memory_max_bytes = 100000; /* not even the weights */
    open_models(&models, &config);
    assert_null(get(&models, ""));
    assert_int_equal(models.problem.kind, PROBLEM_NO_MEMORY);
    close_models(&models);
}

static void test_bytes_make_others_go(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct models models;
    struct config config = bare_config();
    config.models_folder = folder;
    config.prefix_cache_bytes = 0;
    put_model("a.gguf");
    put_model("b.gguf");
    open_models(&models, &config);
    give(&models, get(&models, ""));
    give(&models, get(&models, "a"));
    close_models(&models);
    /* Room for the pinned one and about one more: whichever comes later takes the other's place. */
    config.memory_max_bytes = 14 << 20;
    config.context_window = 512;
    open_models(&models, &config);
    give(&models, get(&models, ""));
    for (int i = 0; i < 6; i++) {
        struct loaded_model *model = get(&models, i % 2 ? "a" : "b");
        if (!model) print_message("%s\n", models.problem.message);
        assert_non_null(model);
        give(&models, model);
    }
    close_models(&models);
}

static void test_a_new_configuration(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct models models;
    hob_error error;
    struct config config = bare_config();
    serving_models[0] = (struct config_model){.name = "old", .path = "../shared/models/stories260k/model-f32.gguf"};
    config.n_models = 1;
    open_models(&models, &config);
    struct loaded_model *old = get(&models, "old");
    serving_models[0].name = "new";
    assert_int_equal(model_registry_reload(models.registry, &config, &error), HOB_OK);
    assert_null(model_registry_find(models.registry, "old"));
    assert_non_null(hob_model_tokenizer(old->model)); /* what is open stays, for those who have it */
    give(&models, old);
    struct loaded_model *new = get(&models, "new");
    assert_non_null(new);
    give(&models, new);
    close_models(&models);
}

static void test_quantised_when_it_is_opened(void **state)
{
    (void)state;
    SKIP_WITHOUT_MODELS();
    struct models models;
    struct config config = bare_config();
    config.model_path = "../shared/models/stories260k/model.onnx";
    config.quantization = "true";
    open_models(&models, &config);
    struct loaded_model *decoder = get(&models, ""), *encoder = get_for(&models, "", USE_EMBED);
    assert_non_null(decoder);
    assert_non_null(encoder);
    give(&models, decoder);
    give(&models, encoder);
    close_models(&models);
}

/* A text leaves blocks and activations behind; given back, they are taken again for the next, which is the same. */
static void test_idle_sessions_give_memory_back(void **state)
{
    (void)state;
    struct models models;
    struct config config = bare_config();
    const int32_t prompt[] = {1, 403, 407, 261};
    const hob_generate_options options = {.max_tokens = 100, .ignores_end = true};
    hob_generate_result first, second;
    open_models(&models, &config);
    struct loaded_model *model = get_for(&models, "", USE_GENERATE);
    assert_non_null(model);
    assert_int_equal(hob_generate(model->session, prompt, 4, &options, NULL, NULL, &first, NULL), HOB_OK);
    assert_int_equal(hob_session_rewind(model->session, 0, NULL), HOB_OK);
    model_registry_note_memory(models.registry, model);
    uint64_t before = status_of(&models, model->name).memory_bytes;
    model_registry_trim(models.registry);
    assert_true(status_of(&models, model->name).memory_bytes < before);
    assert_int_equal(hob_generate(model->session, prompt, 4, &options, NULL, NULL, &second, NULL), HOB_OK);
    assert_int_equal(second.n_tokens, first.n_tokens);
    give(&models, model);
    close_models(&models);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names),
                                       cmocka_unit_test_setup_teardown(test_a_folder_of_models, make_folder, remove_folder),
                                       cmocka_unit_test(test_uses),
                                       cmocka_unit_test(test_a_file_that_is_not_there),
                                       cmocka_unit_test_setup_teardown(test_a_broken_file_is_tried_again, make_folder, remove_folder),
                                       cmocka_unit_test_setup_teardown(test_a_file_that_vanishes, make_folder, remove_folder),
                                       cmocka_unit_test(test_health_waits_for_what_is_pinned),
                                       cmocka_unit_test(test_must_not_load),
                                       cmocka_unit_test(test_keep_alive),
                                       cmocka_unit_test_setup_teardown(test_the_oldest_goes_for_another, make_folder, remove_folder),
                                       cmocka_unit_test_setup_teardown(test_a_busy_model_makes_room_in_the_end, make_folder, remove_folder),
                                       cmocka_unit_test_setup_teardown(test_a_bound_in_bytes, make_folder, remove_folder),
                                       cmocka_unit_test_setup_teardown(test_bytes_make_others_go, make_folder, remove_folder),
                                       cmocka_unit_test(test_a_new_configuration),
                                       cmocka_unit_test(test_quantised_when_it_is_opened),
                                       cmocka_unit_test(test_idle_sessions_give_memory_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

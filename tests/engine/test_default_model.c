/* Where the model that nobody named is found. */
#include "engine/use.h"
#include "models/scratch_folder.h"

static struct scratch_folder home;

/* Nothing of the machine's own environment counts; the person's folder is an empty one. */
static int start(void **state)
{
    (void)state;
    scratch_folder_make(&home);
    unsetenv("HOB_MODEL");
    unsetenv("HOB_EMBED_MODEL");
    unsetenv("XDG_DATA_HOME");
    return setenv("HOME", home.path, 1);
}

static int finish(void **state)
{
    (void)state;
    scratch_folder_remove(&home);
    return 0;
}

static void make_folders(const char *const *below)
{
    char path[256];
    for (; *below; below++) {
        snprintf(path, sizeof path, "%s/%s", home.path, *below);
        assert_int_equal(mkdir(path, 0700), 0);
    }
}

static void touch(const char *below)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", home.path, below);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
}

/* below NULL: none. */
static void assert_default(hob_model_kind kind, const char *below)
{
    char expected[256];
    char *found = hob_model_default_path(kind);
    if (!below) {
        assert_null(found);
        return;
    }
    snprintf(expected, sizeof expected, "%s/%s", home.path, below);
    assert_non_null(found);
    assert_string_equal(found, expected);
    hob_free(found);
}

static void skip_where_installed(void)
{
    static const char *const folders[] = {"/usr/local/share/hob", "/usr/share/hob"};
    for (size_t i = 0; i < 2; i++)
        if (access(folders[i], F_OK) == 0) skip();
}

static void test_variables_name_a_path(void **state)
{
    (void)state;
    setenv("HOB_MODEL", "/some/where/model.gguf", 1);
    setenv("HOB_EMBED_MODEL", "relative", 1);
    char *decoder = hob_model_default_path(HOB_MODEL_DECODER), *encoder = hob_model_default_path(HOB_MODEL_ENCODER);
    assert_string_equal(decoder, "/some/where/model.gguf");
    assert_string_equal(encoder, "relative");
    hob_free(decoder);
    hob_free(encoder);
}

static void test_persons_folder(void **state)
{
    (void)state;
    make_folders((const char *const[]){".local", ".local/share", ".local/share/hob", ".local/share/hob/models", NULL});
    touch(".local/share/hob/models/default.gguf");
    setenv("HOB_MODEL", "", 1); /* empty is as good as unset */
    assert_default(HOB_MODEL_DECODER, ".local/share/hob/models/default.gguf");
    touch(".local/share/hob/models/default.hob"); /* a pack comes first */
    assert_default(HOB_MODEL_DECODER, ".local/share/hob/models/default.hob");
    make_folders((const char *const[]){".local/share/hob/models/embed", NULL});
    assert_default(HOB_MODEL_ENCODER, ".local/share/hob/models/embed");
}

static void test_xdg_data_home(void **state)
{
    (void)state;
    make_folders((const char *const[]){"data", "data/hob", "data/hob/models", "data/hob/models/default", NULL});
    char data[256];
    snprintf(data, sizeof data, "%s/data", home.path);
    setenv("XDG_DATA_HOME", data, 1);
    assert_default(HOB_MODEL_DECODER, "data/hob/models/default");
}

static void test_none(void **state)
{
    (void)state;
    skip_where_installed();
    assert_default(HOB_MODEL_DECODER, NULL);
    assert_default(HOB_MODEL_ENCODER, NULL);
    hob_model *model;
    hob_error error = {0};
    assert_int_equal(hob_model_open(NULL, NULL, &model, &error), HOB_NOT_FOUND);
    assert_string_equal(error.message, "no model given, and no default model found: set HOB_MODEL or use -m MODEL");
    hob_model_options options = {.default_kind = HOB_MODEL_ENCODER};
    assert_int_equal(hob_model_open(NULL, &options, &model, &error), HOB_NOT_FOUND);
    assert_non_null(strstr(error.message, "HOB_EMBED_MODEL"));
}

static void test_opening_no_path(void **state)
{
    (void)state;
    setenv("HOB_MODEL", "models/default.gguf", 1);
    setenv("HOB_EMBED_MODEL", "models/embed", 1);
    hob_model_options encoder = {.default_kind = HOB_MODEL_ENCODER};
    struct use use = use_open(NULL, NULL, 1);
    assert_int_equal(hob_model_get_info(use.model).kind, HOB_MODEL_DECODER);
    use_close(&use);
    use = use_open_options(NULL, &encoder, 1);
    assert_int_equal(hob_model_get_info(use.model).kind, HOB_MODEL_ENCODER);
    use_close(&use);
}

static void test_variable_that_names_nothing(void **state)
{
    (void)state;
    hob_model *model;
    hob_error error = {0};
    setenv("HOB_MODEL", "/no/such/model.gguf", 1);
    assert_int_equal(hob_model_open(NULL, NULL, &model, &error), HOB_NOT_FOUND);
    assert_string_equal(error.message, "/no/such/model.gguf: No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_variables_name_a_path, start, finish),
        cmocka_unit_test_setup_teardown(test_persons_folder, start, finish),
        cmocka_unit_test_setup_teardown(test_xdg_data_home, start, finish),
        cmocka_unit_test_setup_teardown(test_none, start, finish),
        cmocka_unit_test_setup_teardown(test_opening_no_path, start, finish),
        cmocka_unit_test_setup_teardown(test_variable_that_names_nothing, start, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

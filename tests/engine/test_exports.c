/* Attention as torch.onnx writes that of well-known libraries (tests/data/exports, by tools/make_export_models.py): each is found,
 * and the model computes what PyTorch does, with all passes, with each of them off, and with none. */
#include "engine/use.h"

#include "graph/pass.h"
#include "hob/hob.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define EXPORTS "tests/data/exports/"

static hob_tensor *tensor_of(json_t *json)
{
    static int64_t memory[4096]; /* of either type */
    int64_t dims[8];
    hob_tensor *tensor;
    hob_error error = {0};
    json_t *items = json_object_get(json, "items"), *item;
    size_t i;
    bool is_float = !strcmp(json_string_value(json_object_get(json, "type")), "float32");
    assert_true(json_array_size(items) <= 4096);
    json_array_foreach(items, i, item) {
        if (is_float) ((float *)(void *)memory)[i] = (float)json_number_value(item);
        else memory[i] = json_integer_value(item);
    }
    json_array_foreach(json_object_get(json, "dims"), i, item) dims[i] = json_integer_value(item);
    int rank = (int)json_array_size(json_object_get(json, "dims"));
    ASSERT_HOB(hob_tensor_new(is_float ? HOB_FLOAT32 : HOB_INT64, rank, dims, memory, &tensor, &error), error);
    return tensor;
}

static void compare(const char *path, const char *disabled, const hob_tensor *found, json_t *expected)
{
    const float *items = hob_tensor_data(found);
    json_t *wanted = json_object_get(expected, "items"), *item;
    size_t i;
    assert_int_equal(hob_tensor_n_items(found), json_array_size(wanted));
    json_array_foreach(wanted, i, item) {
        double number = json_number_value(item);
        if (!(fabs((double)items[i] - number) <= 2e-5 + 1e-5 * fabs(number)))
            fail_msg("%s without %s: item %zu: found %.9g, expected %.9g", path, disabled, i, (double)items[i], number);
    }
}

static void check_run(const char *path, json_t *golden, const char *disabled)
{
    struct use use = use_open_options(path, &(hob_model_options){.is_graph_only = true, .disabled_passes = disabled}, 1);
    hob_named_tensor inputs[4];
    hob_tensor *own[4], *y;
    size_t n_inputs = 0;
    hob_error error = {0};
    const char *name;
    json_t *input;
    json_object_foreach(json_object_get(golden, "inputs"), name, input) {
        own[n_inputs] = tensor_of(input);
        inputs[n_inputs] = (hob_named_tensor){name, own[n_inputs]};
        n_inputs++;
    }
    ASSERT_HOB(hob_session_run(use.session, inputs, n_inputs, &y, 1, &error), error);
    compare(path, disabled ? disabled : "nothing", y, json_object_get(golden, "output"));
    hob_tensor_free(y);
    for (size_t i = 0; i < n_inputs; i++) hob_tensor_free(own[i]);
    use_close(&use);
}

static void check_attentions(const char *path, json_t *golden)
{
    char *text;
    hob_error error = {0};
    ASSERT_HOB(hob_describe(path, true, &text, &error), error);
    json_t *description = json_loads(text, 0, NULL);
    json_t *fired = json_object_get(json_object_get(description, "passes"), "fuse_attention");
    assert_int_equal(json_integer_value(fired), json_integer_value(json_object_get(golden, "n_attentions")));
    json_decref(description);
    hob_free(text);
}

static void test_export(void **state)
{
    char path[128], golden_path[128];
    snprintf(path, sizeof path, EXPORTS "%s.onnx", (const char *)*state);
    snprintf(golden_path, sizeof golden_path, EXPORTS "%s.json", (const char *)*state);
    json_t *golden = json_load_file(golden_path, 0, NULL);
    assert_non_null(golden);
    check_attentions(path, golden);
    check_run(path, golden, NULL);
    check_run(path, golden, "all");
    for (size_t i = 0; i < passes_count(); i++) check_run(path, golden, passes_at(i)->name);
    json_decref(golden);
}

#define EXPORT(name) {#name, test_export, NULL, NULL, (void *)(uintptr_t)#name}
int main(void)
{
    const struct CMUnitTest tests[] = {EXPORT(distilbert), EXPORT(bart), EXPORT(neox), EXPORT(t5), EXPORT(whisper), EXPORT(gqa)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

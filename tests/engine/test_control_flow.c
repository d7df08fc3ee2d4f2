/* If, Loop and Scan in whole models (tools/make-control-models.py): bodies in bodies that read the outermost graph's values, zero
 * iterations, early ends, branches of different shapes; with all passes and with none, and again on the same session. */
#include "unit.h"

#include "hob/hob.h"

#include <stdio.h>
#include <string.h>

static hob_tensor *read_array(const char *name, const char *kind, const char *part)
{
    char path[256];
    hob_tensor *tensor;
    hob_error error;
    snprintf(path, sizeof path, "tests/data/control/%s.%s.%s.npy", name, kind, part);
    if (hob_tensor_read(path, &tensor, &error) != HOB_OK) fail_msg("%s", error.message);
    return tensor;
}

static void check_output(const char *name, const char *part, const hob_tensor *found)
{
    hob_tensor *expected = read_array(name, "out", part);
    const float *f = hob_tensor_data(found), *e = hob_tensor_data(expected);
    assert_int_equal(hob_tensor_rank(found), hob_tensor_rank(expected));
    for (int d = 0; d < hob_tensor_rank(expected); d++) assert_int_equal(hob_tensor_dims(found)[d], hob_tensor_dims(expected)[d]);
    for (size_t i = 0; i < hob_tensor_n_items(expected); i++) assert_float_equal(f[i], e[i], 1e-5);
    hob_tensor_free(expected);
}

static void check_session(hob_session *session, const hob_model *model, const char *name)
{
    hob_error error;
    hob_named_tensor inputs[4];
    hob_tensor *tensors[4], *outputs[4];
    size_t n_inputs = hob_model_n_inputs(model), n_outputs = hob_model_n_outputs(model);
    assert_true(n_inputs <= 4 && n_outputs <= 4);
    for (size_t i = 0; i < n_inputs; i++) {
        tensors[i] = read_array(name, "in", hob_model_input_name(model, i));
        inputs[i] = (hob_named_tensor){hob_model_input_name(model, i), tensors[i]};
    }
    for (int turn = 0; turn < 2; turn++) {
        if (hob_session_run(session, inputs, n_inputs, outputs, n_outputs, &error) != HOB_OK) fail_msg("%s: %s", name, error.message);
        for (size_t i = 0; i < n_outputs; i++) {
            check_output(name, hob_model_output_name(model, i), outputs[i]);
            hob_tensor_free(outputs[i]);
        }
    }
    for (size_t i = 0; i < n_inputs; i++) hob_tensor_free(tensors[i]);
}

static void check(const char *name, const char *disabled)
{
    char path[256];
    hob_error error;
    hob_model *model;
    hob_session *session;
    hob_model_options options = {.disabled_passes = disabled};
    snprintf(path, sizeof path, "tests/data/control/%s.onnx", name);
    if (hob_model_open(path, &options, &model, &error) != HOB_OK || hob_session_new(model, NULL, &session, &error) != HOB_OK)
        fail_msg("%s: %s", name, error.message);
    check_session(session, model, name);
    hob_session_free(session);
    hob_model_free(model);
}

static void test_cases(void **state)
{
    (void)state;
    const char *const names[] = {"if_else", "if_then", "loop_many", "loop_none", "loop_stops", "nested_loops", "scan", "scan_8", "scan_none"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        check(names[i], NULL);
        check(names[i], "all");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

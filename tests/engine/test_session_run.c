/* Running a graph as it is: PyTorch's outputs from given inputs, and what is said when an input is missing or wrong. */
#include "engine/use.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define BERT "../shared/models/bert-tiny-random/"
#define STORIES "../shared/models/stories260k/"

enum { N_LAYERS = 5, N_OUTPUTS = 1 + 2 * N_LAYERS, N_INPUTS = 3 + 2 * N_LAYERS, N_VOCAB = 512 };

static struct use open_graph(const char *path, size_t n_threads)
{
    return use_open_options(path, &(hob_model_options){.is_graph_only = true}, n_threads);
}

static hob_tensor *read_tensor(const char *path)
{
    hob_error error = {0};
    hob_tensor *tensor;
    ASSERT_HOB(hob_tensor_read(path, &tensor, &error), error);
    return tensor;
}

static hob_tensor *new_tensor(hob_type type, int rank, const int64_t *dims, const void *data)
{
    hob_error error = {0};
    hob_tensor *tensor;
    ASSERT_HOB(hob_tensor_new(type, rank, dims, data, &tensor, &error), error);
    return tensor;
}

/* As numpy.allclose with both tolerances 1e-5. */
static void assert_all_close(const float *found, const float *expected, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(found[i] - expected[i]) <= 1e-5f + 1e-5f * fabsf(expected[i])))
            fail_msg("%s: [%zu]: found %g, expected %g", what, i, (double)found[i], (double)expected[i]);
}

/* ---- a language model with its past given and returned ---- */

struct step {
    char names[2 * N_LAYERS][40];
    hob_named_tensor inputs[N_INPUTS];
    hob_tensor *own[N_INPUTS];
    size_t n_inputs, n_own;
};

static void add_input(struct step *step, const char *name, hob_tensor *tensor)
{
    step->inputs[step->n_inputs++] = (hob_named_tensor){name, tensor};
    step->own[step->n_own++] = tensor;
}

static hob_tensor *counting_tensor(int64_t n, int64_t start, int64_t difference)
{
    int64_t items[64];
    for (int64_t i = 0; i < n; i++) items[i] = start + i * difference;
    return new_tensor(HOB_INT64, 2, (int64_t[]){1, n}, items);
}

/* outputs of the step before become the past; NULL: an empty past. */
static void add_past(struct step *step, hob_tensor *const *outputs)
{
    for (int i = 0; i < 2 * N_LAYERS; i++) {
        snprintf(step->names[i], sizeof step->names[i], "past_key_values.%d.%s", i / 2, i % 2 ? "value" : "key");
        if (outputs) step->inputs[step->n_inputs++] = (hob_named_tensor){step->names[i], outputs[1 + i]};
        else add_input(step, step->names[i], new_tensor(HOB_FLOAT32, 4, (int64_t[]){1, 4, 0, 8}, NULL));
    }
}

static void run_step(hob_session *session, const int64_t *ids, int64_t n_past, int64_t n_new, hob_tensor *const *before,
                     hob_tensor *outputs[N_OUTPUTS])
{
    hob_error error = {0};
    struct step step = {0};
    add_past(&step, before);
    add_input(&step, "input_ids", new_tensor(HOB_INT64, 2, (int64_t[]){1, n_new}, ids + n_past));
    add_input(&step, "attention_mask", counting_tensor(n_past + n_new, 1, 0));
    add_input(&step, "position_ids", counting_tensor(n_new, n_past, 1));
    ASSERT_HOB(hob_session_run(session, step.inputs, step.n_inputs, outputs, N_OUTPUTS, &error), error);
    for (size_t i = 0; i < step.n_own; i++) hob_tensor_free(step.own[i]);
    assert_int_equal(hob_tensor_rank(outputs[0]), 3);
    assert_int_equal(hob_tensor_dims(outputs[0])[1], n_new);
    assert_int_equal(hob_tensor_dims(outputs[1])[2], n_past + n_new);
}

static void free_outputs(hob_tensor **outputs)
{
    for (int i = 0; i < N_OUTPUTS; i++) hob_tensor_free(outputs[i]);
}

/* The prompt in one run, then in two where the second is given what the first returned. */
static void check_prompt(hob_session *session, const int64_t *ids, int64_t n_ids, const hob_tensor *expected)
{
    const float *logits = hob_tensor_data(expected);
    hob_tensor *whole[N_OUTPUTS], *first[N_OUTPUTS], *second[N_OUTPUTS];
    run_step(session, ids, 0, n_ids, NULL, whole);
    assert_all_close(hob_tensor_data(whole[0]), logits, (size_t)n_ids * N_VOCAB, "one run");
    free_outputs(whole);
    for (int64_t n_first = 1; n_first < n_ids; n_first += 3) {
        run_step(session, ids, 0, n_first, NULL, first);
        run_step(session, ids, n_first, n_ids - n_first, first, second);
        assert_all_close(hob_tensor_data(first[0]), logits, (size_t)n_first * N_VOCAB, "first run of two");
        assert_all_close(hob_tensor_data(second[0]), logits + n_first * N_VOCAB, (size_t)(n_ids - n_first) * N_VOCAB,
                         "second run of two");
        free_outputs(first);
        free_outputs(second);
    }
}

static void test_stories_with_past(void **state)
{
    (void)state;
    struct use use = open_graph(STORIES "model.onnx", 2);
    assert_int_equal(hob_model_n_inputs(use.model), N_INPUTS);
    assert_int_equal(hob_model_n_outputs(use.model), N_OUTPUTS);
    json_t *json = json_load_file(STORIES "reference.json", 0, NULL), *prompt;
    size_t index;
    json_array_foreach (json, index, prompt) {
        char path[128];
        int64_t ids[64];
        const json_t *list = json_object_get(prompt, "prompt_ids");
        size_t n_ids = json_array_size(list);
        for (size_t i = 0; i < n_ids; i++) ids[i] = json_integer_value(json_array_get(list, i));
        snprintf(path, sizeof path, STORIES "logits_%zu.npy", index + 1);
        hob_tensor *expected = read_tensor(path);
        assert_int_equal(hob_tensor_dims(expected)[0], n_ids);
        check_prompt(use.session, ids, (int64_t)n_ids, expected);
        hob_tensor_free(expected);
    }
    assert_int_equal(index, 3);
    json_decref(json);
    use_close(&use);
}

/* ---- an encoder over a padded batch ---- */

struct batch {
    hob_tensor *ids, *mask, *types;
    hob_named_tensor inputs[4];
};

static struct batch read_batch(void)
{
    struct batch batch = {.ids = read_tensor(BERT "input_ids.npy"),
                          .mask = read_tensor(BERT "attention_mask.npy"),
                          .types = new_tensor(HOB_INT64, 2, (int64_t[]){4, 64}, NULL)};
    batch.inputs[0] = (hob_named_tensor){"input_ids", batch.ids};
    batch.inputs[1] = (hob_named_tensor){"attention_mask", batch.mask};
    batch.inputs[2] = (hob_named_tensor){"token_type_ids", batch.types};
    return batch;
}

static void free_batch(struct batch *batch)
{
    hob_tensor_free(batch->ids);
    hob_tensor_free(batch->mask);
    hob_tensor_free(batch->types);
}

static void test_bert(void **state)
{
    (void)state;
    hob_error error = {0};
    hob_tensor *hidden;
    struct use use = open_graph(BERT "model.onnx", 2);
    struct batch batch = read_batch();
    hob_tensor *expected = read_tensor(BERT "last_hidden_state.npy");
    ASSERT_HOB(hob_session_run(use.session, batch.inputs, 3, &hidden, 1, &error), error);
    assert_int_equal(hob_tensor_rank(hidden), 3);
    assert_int_equal(hob_tensor_n_items(hidden), hob_tensor_n_items(expected));
    assert_all_close(hob_tensor_data(hidden), hob_tensor_data(expected), hob_tensor_n_items(expected),
                     "last_hidden_state");
    hob_tensor_free(hidden);
    hob_tensor_free(expected);
    free_batch(&batch);
    use_close(&use);
}

static void test_names(void **state)
{
    (void)state;
    struct use use = open_graph(BERT "model.onnx", 1);
    assert_string_equal(hob_model_input_name(use.model, 0), "input_ids");
    assert_string_equal(hob_model_input_name(use.model, 2), "token_type_ids");
    assert_null(hob_model_input_name(use.model, 3));
    assert_string_equal(hob_model_output_name(use.model, 0), "last_hidden_state");
    assert_null(hob_model_output_name(use.model, 1));
    assert_string_equal(hob_model_get_info(use.model).format, "onnx");
    use_close(&use);
}

/* ---- wrong inputs ---- */

/* words: parts that the message must have, up to NULL. The session must work afterwards as before. */
static void check_refused(struct batch *batch, size_t n_inputs, size_t n_outputs, hob_status expected,
                          const char *const *words)
{
    hob_error error = {0};
    hob_tensor *mark = (hob_tensor *)batch, *outputs[2] = {mark, mark};
    struct use use = open_graph(BERT "model.onnx", 1);
    hob_status status = hob_session_run(use.session, batch->inputs, n_inputs, outputs, n_outputs, &error);
    if (status != expected)
        fail_msg("found %s \"%s\", expected %s", hob_status_name(status), error.message, hob_status_name(expected));
    for (; *words; words++)
        if (!strstr(error.message, *words)) fail_msg("found \"%s\", expected \"%s\" in it", error.message, *words);
    assert_ptr_equal(outputs[0], mark);
    assert_int_equal(hob_session_run(use.session, batch->inputs, n_inputs, outputs, n_outputs, NULL), expected);
    struct batch good = read_batch();
    ASSERT_HOB(hob_session_run(use.session, good.inputs, 3, outputs, 1, &error), error);
    hob_tensor_free(outputs[0]);
    free_batch(&good);
    use_close(&use);
}

static struct batch read_batch_or_skip(void)
{
    if (access(BERT "model.onnx", R_OK) != 0) skip();
    return read_batch();
}

static void test_missing_input(void **state)
{
    (void)state;
    struct batch batch = read_batch_or_skip();
    check_refused(&batch, 2, 1, HOB_NOT_FOUND, (const char *const[]){"token_type_ids", "missing", "int64", NULL});
    check_refused(&batch, 0, 1, HOB_NOT_FOUND, (const char *const[]){"input_ids", "missing", NULL});
    free_batch(&batch);
}

static void test_unknown_input(void **state)
{
    (void)state;
    struct batch batch = read_batch_or_skip();
    batch.inputs[3] = (hob_named_tensor){"no_such_input", batch.ids};
    check_refused(&batch, 4, 1, HOB_NOT_FOUND, (const char *const[]){"no_such_input", "input_ids", NULL});
    free_batch(&batch);
}

static void test_wrong_type(void **state)
{
    (void)state;
    struct batch batch = read_batch_or_skip();
    hob_tensor *floats = new_tensor(HOB_FLOAT32, 2, (int64_t[]){4, 64}, NULL);
    batch.inputs[1].tensor = floats;
    check_refused(&batch, 3, 1, HOB_BAD_TYPE,
                  (const char *const[]){"attention_mask", "found float32", "expected int64", NULL});
    hob_tensor_free(floats);
    free_batch(&batch);
}

static void test_wrong_rank(void **state)
{
    (void)state;
    struct batch batch = read_batch_or_skip();
    hob_tensor *flat = new_tensor(HOB_INT64, 1, (int64_t[]){256}, NULL);
    batch.inputs[0].tensor = flat;
    check_refused(&batch, 3, 1, HOB_BAD_SHAPE,
                  (const char *const[]){"input_ids", "found [256]", "expected [?,?]", NULL});
    hob_tensor_free(flat);
    free_batch(&batch);
}

/* Shapes that fit their declarations and not each other, and an id outside the table: found by an operator, which is named. */
static void test_inputs_that_do_not_fit(void **state)
{
    (void)state;
    struct batch batch = read_batch_or_skip();
    hob_tensor *shorter = new_tensor(HOB_INT64, 2, (int64_t[]){4, 63}, NULL);
    batch.inputs[2].tensor = shorter;
    check_refused(&batch, 3, 1, HOB_BAD_SHAPE, (const char *const[]){"[4,64]", "[4,63]", NULL});
    int64_t outside[256] = {[17] = 30522};
    hob_tensor *ids = new_tensor(HOB_INT64, 2, (int64_t[]){4, 64}, outside);
    batch.inputs[0].tensor = ids;
    batch.inputs[2].tensor = batch.types;
    check_refused(&batch, 3, 1, HOB_BAD_ARGUMENT, (const char *const[]){"30522", NULL});
    hob_tensor_free(shorter);
    hob_tensor_free(ids);
    free_batch(&batch);
}

static void test_wrong_number_of_outputs(void **state)
{
    (void)state;
    struct batch batch = read_batch_or_skip();
    check_refused(&batch, 3, 2, HOB_BAD_ARGUMENT,
                  (const char *const[]){"found room for 2 outputs", "expected 1", NULL});
    check_refused(&batch, 3, 0, HOB_BAD_ARGUMENT,
                  (const char *const[]){"found room for 0 outputs", "expected 1", NULL});
    free_batch(&batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stories_with_past),
        cmocka_unit_test(test_bert),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_missing_input),
        cmocka_unit_test(test_unknown_input),
        cmocka_unit_test(test_wrong_type),
        cmocka_unit_test(test_wrong_rank),
        cmocka_unit_test(test_inputs_that_do_not_fit),
        cmocka_unit_test(test_wrong_number_of_outputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

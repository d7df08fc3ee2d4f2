/* The models in ../shared against what PyTorch made of them. */
#include "models/model_run.h"

#include <jansson.h>

#define SHARED "../shared/models/"
static const double tolerance = 1e-5;

static json_t *load_json(const char *path)
{
    json_error_t error;
    json_t *json = json_load_file(path, 0, &error);
    assert_non_null(json);
    return json;
}

static int64_t read_ids(const json_t *list, int64_t *ret_ids)
{
    size_t i;
    json_t *id;
    assert_true(json_array_size(list) <= MODEL_RUN_CAPACITY);
    json_array_foreach (list, i, id) ret_ids[i] = json_integer_value(id);
    return (int64_t)json_array_size(list);
}

/* ---- stories260k: logits_N.npy are those of prompt N ---- */

struct stories {
    const char *file;
    double tolerance; /* of what the file's type rounds away */
};

static void check_prompt(struct model_run *run, const json_t *prompt, int number, double rounding)
{
    char name[32];
    int64_t ids[MODEL_RUN_CAPACITY], n_ids = read_ids(json_object_get(prompt, "prompt_ids"), ids);
    snprintf(name, sizeof name, "logits_%d", number);
    struct tensor expected = model_run_load(run, SHARED "stories260k", name);
    executor_set_n_used(run->executor, 0);
    const struct tensor *logits = model_run_append(run, ids, n_ids);
    assert_int_equal(tensor_n_items(&expected), tensor_n_items(logits));
    assert_close(logits->data, expected.data, (size_t)tensor_n_items(&expected), rounding);
}

static void test_stories(void **state)
{
    const struct stories *stories = *state;
    char path[256];
    snprintf(path, sizeof path, SHARED "stories260k/%s", stories->file);
    skip_without(path);
    struct model_run run;
    model_run_open(&run, path, NULL);
    json_t *prompts = load_json(SHARED "stories260k/reference.json"), *prompt;
    size_t i;
    assert_int_equal(json_array_size(prompts), 3);
    json_array_foreach (prompts, i, prompt) check_prompt(&run, prompt, (int)i + 1, stories->tolerance);
    json_decref(prompts);
    model_run_close(&run);
}

static void test_gpt2(void **state)
{
    (void)state;
    const char *folder = SHARED "gpt2-tiny-random";
    skip_without(folder);
    struct model_run run;
    model_run_open(&run, folder, NULL);
    json_t *reference = load_json(SHARED "gpt2-tiny-random/reference.json");
    int64_t ids[MODEL_RUN_CAPACITY], n_ids = read_ids(json_object_get(reference, "prompt_ids"), ids);
    struct tensor expected = model_run_load(&run, folder, "logits");
    const struct tensor *logits = model_run_append(&run, ids, n_ids);
    size_t n_vocab = (size_t)run.info.n_vocab;
    assert_int_equal(tensor_n_items(&expected), n_vocab);
    assert_close((const float *)logits->data + (size_t)(n_ids - 1) * n_vocab, expected.data, n_vocab, tolerance);
    json_decref(reference);
    model_run_close(&run);
}

/* ---- bert-tiny-random: a padded batch in the file, packed here ---- */

struct packed {
    int64_t ids[256], positions[256], types[256], segments[16], n_tokens, n_sentences;
};

static void pack(struct packed *packed, const struct tensor *ids, const struct tensor *mask)
{
    for (int64_t b = 0; b < ids->dims[0]; b++) {
        for (int64_t t = 0; t < ids->dims[1]; t++) {
            int64_t item = b * ids->dims[1] + t;
            if (!tensor_get_int(mask, item)) continue;
            packed->ids[packed->n_tokens] = tensor_get_int(ids, item);
            packed->positions[packed->n_tokens++] = t;
        }
        packed->segments[++packed->n_sentences] = packed->n_tokens;
    }
}

static void test_bert(void **state)
{
    (void)state;
    const char *folder = SHARED "bert-tiny-random";
    skip_without(folder);
    struct model_run run;
    struct packed packed = {0};
    model_run_open(&run, folder, NULL);
    assert_int_equal(run.info.pooling.mode, HOB_POOLING_MEAN);
    assert_true(run.info.pooling.is_normalized);
    struct tensor ids = model_run_load(&run, folder, "input_ids"),
                  mask = model_run_load(&run, folder, "attention_mask");
    struct tensor expected = model_run_load(&run, folder, "last_hidden_state");
    pack(&packed, &ids, &mask);
    model_run_feed(&run, "ids", packed.ids, packed.n_tokens);
    model_run_feed(&run, "positions", packed.positions, packed.n_tokens);
    model_run_feed(&run, "token_types", packed.types, packed.n_tokens);
    model_run_feed(&run, "segments", packed.segments, packed.n_sentences + 1);
    const struct tensor *hidden = model_run_step(&run, 0);
    int64_t width = run.info.width;
    for (int64_t b = 0; b < packed.n_sentences; b++) {
        int64_t start = packed.segments[b], n_tokens = packed.segments[b + 1] - start;
        const float *row = (const float *)expected.data + b * expected.dims[1] * width;
        assert_close((const float *)hidden->data + start * width, row, (size_t)(n_tokens * width), tolerance);
    }
    model_run_close(&run);
}

/* The reference embeds the word "hello" many times over: the mean is the one token's vector. */
static void test_model2vec(void **state)
{
    static const int64_t hello = 6594; /* "\u2581hello" in its tokenizer.json */
    (void)state;
    const char *folder = SHARED "model2vec";
    skip_without(folder);
    struct model_run run;
    model_run_open(&run, folder, NULL);
    assert_true(run.info.pooling.is_normalized);
    assert_int_equal(run.info.n_vocab, 29524);
    model_run_feed(&run, "ids", &hello, 1);
    const float *vector = model_run_step(&run, 0)->data;
    double length = 0;
    for (int64_t i = 0; i < run.info.width; i++) length += (double)vector[i] * (double)vector[i];
    json_t *reference = load_json(SHARED "model2vec/reference.json");
    const json_t *expected = json_array_get(reference, 0);
    assert_int_equal(json_array_size(expected), run.info.width);
    for (int64_t i = 0; i < run.info.width; i++)
        assert_true(fabs(vector[i] / sqrt(length) - json_real_value(json_array_get(expected, (size_t)i))) < 1e-6);
    json_decref(reference);
    model_run_close(&run);
}

#define STORIES(file, rounding)                                           \
    {                                                                     \
        "test_stories " file, test_stories, NULL, NULL, &(struct stories) \
        {                                                                 \
            file, rounding                                                \
        }                                                                 \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORIES("", tolerance),           STORIES("model-f32.gguf", tolerance), STORIES("model-f16.gguf", 2e-3),
        STORIES("model-q8_0.gguf", 3e-2), cmocka_unit_test(test_gpt2),          cmocka_unit_test(test_bert),
        cmocka_unit_test(test_model2vec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Comparing a quantised model with its source: figures that follow from the definition, and packs that carry them. */
#include "use.h"

#include "engine/model.h"
#include "engine/quality.h"
#include "hob/import.h"

#include <math.h>
#include <string.h>

#define STORIES "../shared/models/stories260k"
#define BERT "../shared/models/bert-tiny-random"

static const char text[] = "Once upon a time, there was a little girl named Lily.\nShe loved to play outside in the park.\n\n"
                           "One day, she saw a big, red ball.\n";

static hob_model *open_quantised(const char *path, const char *quant)
{
    hob_error error;
    hob_model *model;
    hob_model_options options = {.quant = quant, .n_threads = 1};
    if (access(path, R_OK) != 0) skip();
    ASSERT_HOB(hob_model_open(path, &options, &model, &error), error);
    return model;
}

static struct quality measure(const char *path, const char *quant)
{
    hob_error error;
    struct quality quality;
    hob_model *source = open_quantised(path, NULL), *made = open_quantised(path, quant);
    struct quality_options options = {.text = text, .n_text_bytes = strlen(text), .n_threads = 1};
    ASSERT_HOB(quality_measure(source, made, &options, &quality, &error), error);
    hob_model_free(source);
    hob_model_free(made);
    return quality;
}

/* Perplexity by its definition: one id at a time, in double. */
static double perplexity_of(const char *path)
{
    struct use use = use_open(path, NULL, 1);
    hob_error error;
    int32_t *ids;
    size_t n_ids;
    double nll = 0;
    int64_t n_vocab = hob_model_get_info(use.model).n_vocab;
    ASSERT_HOB(hob_tokenizer_encode(hob_model_tokenizer(use.model), text, strlen(text), HOB_ADD_SPECIAL, &ids, &n_ids, &error), error);
    for (size_t t = 0; t + 1 < n_ids; t++) {
        double sum = 0;
        ASSERT_HOB(hob_session_append(use.session, &ids[t], 1, &error), error);
        const float *logits = hob_session_logits(use.session);
        for (int64_t i = 0; i < n_vocab; i++) sum += exp((double)logits[i]);
        nll += log(sum) - (double)logits[ids[t + 1]];
    }
    hob_free(ids);
    use_close(&use);
    return exp(nll / (double)(n_ids - 1));
}

static void test_a_model_agrees_with_itself(void **state)
{
    (void)state;
    struct quality quality = measure(STORIES, NULL);
    double expected = perplexity_of(STORIES);
    assert_true(quality.n_items > 30);
    assert_true(fabs(quality.perplexity - expected) < 1e-4 * expected);
    assert_true(quality.perplexity == quality.source_perplexity);
    assert_true(quality.kl_divergence == 0 && quality.top1_agreement == 1);
}

static void test_fewer_bits_cost_more(void **state)
{
    (void)state;
    struct quality eight = measure(STORIES, "q8_0"), four = measure(STORIES, "q4_0");
    assert_true(eight.kl_divergence > 0 && eight.kl_divergence < 0.01);
    assert_true(four.kl_divergence > 4 * eight.kl_divergence);
    assert_true(eight.top1_agreement >= four.top1_agreement && eight.top1_agreement > 0.9);
    assert_true(fabs(eight.perplexity / eight.source_perplexity - 1) < 0.05);
}

static void test_embeddings(void **state)
{
    (void)state;
    struct quality same = measure(BERT, NULL), bytes = measure(BERT, "int8");
    assert_int_equal(same.n_items, 3); /* the empty line is none */
    assert_true(same.cosine_min > 1 - 1e-9);
    assert_true(bytes.cosine_min <= bytes.cosine_mean && bytes.cosine_min > 0.999 && bytes.cosine_mean < 1 - 1e-9);
}

static void test_what_cannot_be_compared(void **state)
{
    (void)state;
    hob_error error;
    struct quality quality;
    hob_model *stories = open_quantised(STORIES, NULL), *bert = open_quantised(BERT, NULL);
    struct quality_options options = {.text = "a", .n_text_bytes = 0, .n_threads = 1};
    assert_int_equal(quality_measure(stories, bert, &options, &quality, &error), HOB_UNSUPPORTED);
    assert_int_equal(quality_measure(bert, bert, &options, &quality, &error), HOB_BAD_ARGUMENT);
    assert_non_null(strstr(error.message, "a text without a line"));
    assert_int_equal(quality_measure(stories, stories, &options, &quality, &error), HOB_BAD_ARGUMENT);
    assert_non_null(strstr(error.message, "expected two or more"));
    hob_model_free(stories);
    hob_model_free(bert);
}

static void test_weights_are_weighed(void **state)
{
    (void)state;
    hob_error error;
    hob_model *model;
    struct weight_errors errors = {0};
    hob_model_options options = {.quant = "q8_0", .n_threads = 1};
    if (access(STORIES, R_OK) != 0) skip();
    ASSERT_HOB(model_open_weighing(STORIES, &options, &errors, &model, &error), error);
    hob_model_free(model);
    assert_int_equal(errors.n_items, 5 * 6 + 1); /* q, k, v, o, gate, up and the tokens; down has 172 steps, no whole blocks */
    for (size_t i = 0; i < errors.n_items; i++) {
        assert_string_not_equal(errors.items[i].name, "");
        assert_true(errors.items[i].relative > 1e-4 && errors.items[i].relative < 0.01);
        assert_true(errors.items[i].largest > 0);
    }
    weight_errors_release(&errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_model_agrees_with_itself), cmocka_unit_test(test_fewer_bits_cost_more),
        cmocka_unit_test(test_embeddings),                 cmocka_unit_test(test_what_cannot_be_compared),
        cmocka_unit_test(test_weights_are_weighed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

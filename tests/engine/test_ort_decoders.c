/* Language models made of com.microsoft operators, whose caches the engine carries whole, against ONNX Runtime: the prompt's
 * logits and those of ten greedy steps (tests/data/ops/ort_*_greedy.npy, made by tools/make-ort-goldens.mjs). */
#include "engine/use.h"

#include "ops/numbers.h"
#include "ops/run_op.h"

#define GPT2 "../shared/models/tiny-random-gpt2/model.onnx"
#define GQA_FOLDER "tests/data/models/gqa/"
#define GQA GQA_FOLDER "model.onnx"

struct reference {
    struct op_bench bench;
    struct tensor logits, ids; /* [steps + 1, V]; the prompt, then a token a step */
    int64_t n_steps, n_prompt;
};

static void open_reference(struct reference *reference, const char *name)
{
    char text[64];
    op_bench_init(&reference->bench, 1);
    snprintf(text, sizeof text, "%s_greedy", name);
    reference->logits = golden(&reference->bench, text);
    snprintf(text, sizeof text, "%s_ids", name);
    reference->ids = golden(&reference->bench, text);
    reference->n_steps = reference->logits.dims[0] - 1;
    reference->n_prompt = reference->ids.dims[0] - reference->n_steps;
}

static void check_logits(struct reference *reference, const struct use *use, int64_t step)
{
    struct tensor expected = tensor_slice(&reference->logits, 0, step, 1, 1), found = expected;
    found.data = (void *)(uintptr_t)hob_session_logits(use->session);
    assert_non_null(found.data);
    assert_close(&reference->bench, &found, &expected, 1e-4f, 1e-5f);
    if (step == reference->n_steps) return;
    int64_t best = reference->bench.kernels->argmax_f32(found.dims[1], found.data);
    assert_int_equal(best, ((const int32_t *)reference->ids.data)[reference->n_prompt + step]);
}

/* The prompt in pieces of at most `chunk`, then a token at a time; all over again after a rewind into the prompt. */
static void check_decoder(const char *path, const char *name, const char *disabled_passes, int64_t chunk,
                          size_t n_threads)
{
    struct use use = use_open(path, disabled_passes, n_threads);
    struct reference reference = {0};
    hob_error error = {0};
    open_reference(&reference, name);
    const int32_t *ids = reference.ids.data;
    for (int64_t at = 0; at < reference.n_prompt; at += chunk) {
        int64_t n = reference.n_prompt - at < chunk ? reference.n_prompt - at : chunk;
        ASSERT_HOB(hob_session_append(use.session, ids + at, (size_t)n, &error), error);
    }
    for (int64_t step = 0; step <= reference.n_steps; step++) {
        check_logits(&reference, &use, step);
        if (step < reference.n_steps)
            ASSERT_HOB(hob_session_append(use.session, ids + reference.n_prompt + step, 1, &error), error);
    }
    ASSERT_HOB(hob_session_rewind(use.session, 2, &error), error);
    ASSERT_HOB(hob_session_append(use.session, ids + 2, (size_t)reference.n_prompt - 2, &error), error);
    check_logits(&reference, &use, 0);
    op_bench_release(&reference.bench);
    use_close(&use);
}

static void test_gpt2(void **state)
{
    (void)state;
    check_decoder(GPT2, "ort_gpt2", NULL, 512, 2);
    check_decoder(GPT2, "ort_gpt2", NULL, 1, 1);
    check_decoder(GPT2, "ort_gpt2", "all", 4, 2);
}

static void test_group_query_attention(void **state)
{
    (void)state;
    check_decoder(GQA, "ort_gqa", NULL, 512, 2);
    check_decoder(GQA, "ort_gqa", NULL, 1, 1);
    check_decoder(GQA, "ort_gqa", "all", 3, 2);
}

static float halved(enum dtype half, float number)
{
    return half == DTYPE_F16 ? number_from_f16(number_to_f16(number)) : number_from_bf16(number_to_bf16(number));
}

/* Logits in half precision come out as f32: those of the same model, rounded. At the prompt, each step and after a rewind. */
static void check_half_logits(const char *path, enum dtype half)
{
    enum { N_VOCAB = 48, N_STEPS = 3 };
    static const int32_t ids[] = {7, 31, 2, 40, 11};
    struct use wide = use_open(GQA, NULL, 1), narrow = use_open(path, NULL, 2);
    struct use *uses[] = {&wide, &narrow};
    hob_error error = {0};
    for (size_t step = 0; step <= N_STEPS; step++) {
        for (size_t i = 0; i < 2; i++) {
            hob_session *session = uses[i]->session;
            if (step == N_STEPS) ASSERT_HOB(hob_session_rewind(session, 1, &error), error);
            ASSERT_HOB(hob_session_append(session, step ? &ids[step] : ids, step ? 1 : 3, &error), error);
        }
        const float *expected = hob_session_logits(wide.session), *found = hob_session_logits(narrow.session);
        bool is_rounded = false;
        for (int i = 0; i < N_VOCAB; i++) {
            if (found[i] != halved(half, expected[i]))
                fail_msg("%s, step %zu, item %d: found %.9g, expected %.9g rounded", path, step, i, (double)found[i], (double)expected[i]);
            is_rounded |= found[i] != expected[i];
        }
        assert_true(is_rounded);
    }
    use_close(&wide);
    use_close(&narrow);
}

static void test_half_logits(void **state)
{
    (void)state;
    check_half_logits(GQA_FOLDER "model_f16.onnx", DTYPE_F16);
    check_half_logits(GQA_FOLDER "model_bf16.onnx", DTYPE_BF16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gpt2), cmocka_unit_test(test_group_query_attention),
                                       cmocka_unit_test(test_half_logits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

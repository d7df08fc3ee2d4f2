/* Fourier transforms against the sum that defines them, for lengths of every kind; STFT frame by frame; windows and mel weights
 * at the edges that ONNX's cases leave out. */
#include "unit.h"

#include "ops/run_op.h"
#include "ops/signal/fourier.h"

#include <math.h>

static struct tensor tensor_of(enum dtype dtype, int rank, const int64_t *dims, void *data)
{
    struct tensor tensor;
    assert_int_equal(tensor_init(&tensor, dtype, rank, dims, data, NULL), HOB_OK);
    return tensor;
}

static struct tensor scalar(int64_t *value)
{
    return tensor_of(DTYPE_I64, 0, NULL, value);
}

/* Bin k of n items by definition; sign -1: forward. */
static struct complex bin_of(const struct complex *x, int64_t n, int64_t k, int sign)
{
    long double re = 0, im = 0;
    for (int64_t j = 0; j < n; j++) {
        long double angle = (long double)sign * 6.283185307179586476925286766559L * (long double)(j * k % n) / (long double)n;
        re += (long double)x[j].re * cosl(angle) - (long double)x[j].im * sinl(angle);
        im += (long double)x[j].re * sinl(angle) + (long double)x[j].im * cosl(angle);
    }
    return (struct complex){(double)re, (double)im};
}

static double noise(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*seed >> 11) / 0x1p52 - 1;
}

/* Every `stride`th bin, and that the inverse gives the numbers back. */
static void check_length(int64_t n, int64_t stride)
{
    struct arena arena;
    struct fourier plan;
    arena_init(&arena, 1 << 16);
    assert_int_equal(fourier_init(&plan, n, &arena, NULL), HOB_OK);
    struct complex *x = ARENA_NEW(&arena, struct complex, (size_t)n), *y = ARENA_NEW(&arena, struct complex, (size_t)n),
                   *work = ARENA_NEW(&arena, struct complex, (size_t)fourier_work_items(&plan));
    uint64_t seed = (uint64_t)n;
    for (int64_t i = 0; i < n; i++) y[i] = x[i] = (struct complex){noise(&seed), noise(&seed)};
    fourier_run(&plan, y, work);
    double tolerance = 2e-15 * sqrt((double)n) * (1 + log2((double)n));
    for (int64_t k = 0; k < n; k += stride) {
        struct complex expected = bin_of(x, n, k, -1);
        if (fabs(y[k].re - expected.re) > tolerance || fabs(y[k].im - expected.im) > tolerance)
            fail_msg("length %ld, bin %ld: found %.17g%+.17gi, expected %.17g%+.17gi", (long)n, (long)k, y[k].re, y[k].im,
                     expected.re, expected.im);
    }
    fourier_run_inverse(&plan, y, work);
    for (int64_t i = 0; i < n; i++) assert_true(fabs(y[i].re - x[i].re) < 1e-14 && fabs(y[i].im - x[i].im) < 1e-14);
    arena_release(&arena);
}

static void test_lengths(void **state)
{
    (void)state;
    for (int64_t n = 1; n <= 130; n++) check_length(n, 1);
    const int64_t longer[] = {512, 625, 1001, 1009, 3 * 331, 4096, 31 * 31, 37 * 37, 10007, 65536, 30030};
    for (size_t i = 0; i < ARRAY_LENGTH(longer); i++) check_length(longer[i], 1 + longer[i] / 20);
}

/* ---- DFT ---- */

/* [2,5,3,1] along axis 1: cut to 4, as it is, padded to 7 and 67; against the sum, all axes options. */
static void check_dft(int opset, int64_t axis, int64_t length, bool is_onesided)
{
    enum { A = 2, B = 5, C = 3 };
    struct op_bench bench;
    op_bench_init(&bench, 2);
    struct tensor x = random_f32(&bench, 4, (int64_t[]){A, B, C, 1}, 3), n = scalar(&length), at = scalar(&axis), y;
    struct attribute attributes[] = {int_attribute("onesided", is_onesided), int_attribute("axis", axis)};
    const struct tensor *inputs[] = {&x, &n, &at};
    run_op(&bench, "", "DFT", opset, attributes, opset >= 20 ? 1 : 2, inputs, opset >= 20 ? 3 : 2, &y, 1);
    int64_t n_bins = is_onesided ? length / 2 + 1 : length;
    assert_true(tensor_has_shape(&y, 4, (int64_t[]){A, n_bins, C, 2}));
    for (int a = 0; a < A; a++)
        for (int c = 0; c < C; c++) {
            struct complex items[100] = {{0, 0}};
            for (int b = 0; b < B && b < length; b++) items[b].re = (double)((float *)x.data)[(a * B + b) * C + c];
            for (int64_t k = 0; k < n_bins; k++) {
                struct complex expected = bin_of(items, length, k, -1);
                const float *found = (float *)y.data + ((a * n_bins + k) * C + c) * 2;
                assert_true(fabs((double)found[0] - expected.re) < 1e-6 && fabs((double)found[1] - expected.im) < 1e-6);
            }
        }
    op_bench_release(&bench);
}

static void test_dft_axes_and_lengths(void **state)
{
    (void)state;
    const int64_t lengths[] = {1, 4, 5, 7, 67};
    for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++)
        for (int is_onesided = 0; is_onesided < 2; is_onesided++) {
            check_dft(17, 1, lengths[i], is_onesided);
            check_dft(20, -3, lengths[i], is_onesided);
        }
}

/* irfft(rfft(x)) is x for even and odd lengths, in f64 to the last digits; strided input too. */
static void test_dft_there_and_back(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 2);
    for (int64_t n = 2; n < 12; n++) {
        struct tensor half, back, length = scalar(&n);
        double *numbers = ARENA_NEW(&bench.arena, double, (size_t)n * 3);
        for (int64_t i = 0; i < 3 * n; i++) numbers[i] = sin((double)(i * i));
        struct tensor x = tensor_of(DTYPE_F64, 3, (int64_t[]){3, n, 1}, numbers);
        struct attribute forward[] = {int_attribute("onesided", 1)}, inverse[] = {int_attribute("onesided", 1), int_attribute("inverse", 1)};
        run_op(&bench, "", "DFT", 20, forward, 1, (const struct tensor *[]){&x}, 1, &half, 1);
        run_op(&bench, "", "DFT", 20, inverse, 2, (const struct tensor *[]){&half, &length}, 2, &back, 1);
        assert_true(tensor_same_shape(&x, &back));
        for (int64_t i = 0; i < 3 * n; i++) assert_true(fabs(((double *)back.data)[i] - numbers[i]) < 1e-14);
    }
    op_bench_release(&bench);
}

static void test_same_bytes(void **state)
{
    (void)state;
    struct op_bench one, three;
    op_bench_init(&one, 1);
    op_bench_init(&three, 3);
    struct tensor x = random_f32(&one, 3, (int64_t[]){40, 331, 2}, 1), turned = tensor_transpose(&x, (int[]){1, 0, 2}), a, b, t;
    run_op(&one, "", "DFT", 17, NULL, 0, (const struct tensor *[]){&x}, 1, &a, 1);
    run_op(&three, "", "DFT", 17, NULL, 0, (const struct tensor *[]){&x}, 1, &b, 1);
    assert_same_bytes(&one, &a, &b);
    int64_t axis = 0;
    struct tensor at = scalar(&axis);
    run_op(&three, "", "DFT", 20, NULL, 0, (const struct tensor *[]){&turned, NULL, &at}, 3, &b, 1);
    t = tensor_transpose(&b, (int[]){1, 0, 2});
    assert_same_bytes(&one, &a, &t);
    op_bench_release(&one);
    op_bench_release(&three);
}

/* ---- STFT ---- */

static void test_stft(void **state)
{
    (void)state;
    enum { LENGTH = 50, FRAME = 12, COVERED = 9 };
    struct op_bench bench;
    op_bench_init(&bench, 2);
    for (int n_parts = 1; n_parts <= 2; n_parts++) {
        int64_t step = 7, frame = FRAME, n_frames = 1 + (LENGTH - FRAME) / step, n_bins = n_parts == 1 ? FRAME / 2 + 1 : FRAME;
        struct tensor x = random_f32(&bench, 3, (int64_t[]){2, LENGTH, n_parts}, 5), s = scalar(&step), f = scalar(&frame), y,
                      window = random_f32(&bench, 1, (int64_t[]){COVERED}, 6);
        struct attribute onesided = int_attribute("onesided", n_parts == 1);
        run_op(&bench, "", "STFT", 17, &onesided, 1, (const struct tensor *[]){&x, &s, &window, &f}, 4, &y, 1);
        assert_true(tensor_has_shape(&y, 4, (int64_t[]){2, n_frames, n_bins, 2}));
        for (int64_t at = 0; at < 2 * n_frames; at++) {
            struct complex items[FRAME] = {{0, 0}};
            const float *signal = (float *)x.data + (at / n_frames * LENGTH + at % n_frames * step) * n_parts;
            for (int i = 0; i < COVERED; i++) {
                double w = (double)((float *)window.data)[i];
                items[i] = (struct complex){w * (double)signal[i * n_parts], n_parts == 2 ? w * (double)signal[i * n_parts + 1] : 0};
            }
            for (int64_t k = 0; k < n_bins; k++) {
                struct complex expected = bin_of(items, FRAME, k, -1);
                const float *found = (float *)y.data + (at * n_bins + k) * 2;
                assert_true(fabs((double)found[0] - expected.re) < 1e-6 && fabs((double)found[1] - expected.im) < 1e-6);
            }
        }
    }
    op_bench_release(&bench);
}

/* ---- windows ---- */

static void test_windows(void **state)
{
    (void)state;
    struct op_bench bench;
    struct tensor y;
    op_bench_init(&bench, 1);
    int64_t size = 5;
    struct tensor n = scalar(&size);
    struct attribute symmetric[] = {int_attribute("periodic", 0), int_attribute("output_datatype", DTYPE_F64)};
    run_op(&bench, "", "HannWindow", 17, symmetric, 2, (const struct tensor *[]){&n}, 1, &y, 1);
    const double hann[] = {0, 0.5, 1, 0.5, 0};
    for (int i = 0; i < 5; i++) assert_true(fabs(((double *)y.data)[i] - hann[i]) < 1e-15);
    run_op(&bench, "", "BlackmanWindow", 17, symmetric, 2, (const struct tensor *[]){&n}, 1, &y, 1);
    const double blackman[] = {0, 0.34, 1, 0.34, 0};
    for (int i = 0; i < 5; i++) assert_true(fabs(((double *)y.data)[i] - blackman[i]) < 1e-15);
    symmetric[1] = int_attribute("output_datatype", DTYPE_I16);
    run_op(&bench, "", "HannWindow", 17, symmetric, 2, (const struct tensor *[]){&n}, 1, &y, 1);
    assert_int_equal(y.dtype, DTYPE_I16);
    assert_memory_equal(y.data, ((int16_t[]){0, 0, 1, 0, 0}), 10);
    size = 1;
    run_op(&bench, "", "HammingWindow", 17, symmetric, 1, (const struct tensor *[]){&n}, 1, &y, 1);
    assert_true(*(float *)y.data == 1);
    size = 0;
    run_op(&bench, "", "HammingWindow", 17, NULL, 0, (const struct tensor *[]){&n}, 1, &y, 1);
    assert_int_equal(y.dims[0], 0);
    op_bench_release(&bench);
}

/* ---- mel weights ---- */

/* Two bands of 8 kHz, 16 points: the corners are bins 0, 0, 2 and 4 (worked out with Python's math). */
static void test_mel_weights(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    int64_t mels = 2, points = 16, rate = 8000;
    float lower = 0, upper = 3500;
    struct tensor m = scalar(&mels), p = scalar(&points), r = scalar(&rate), l = tensor_of(DTYPE_F32, 0, NULL, &lower),
                  u = tensor_of(DTYPE_F32, 0, NULL, &upper), y;
    run_op(&bench, "", "MelWeightMatrix", 17, NULL, 0, (const struct tensor *[]){&m, &p, &r, &l, &u}, 5, &y, 1);
    assert_true(tensor_has_shape(&y, 2, (int64_t[]){9, 2}));
    const float expected[9][2] = {{1, 0}, {0.5f, 0.5f}, {0, 1}, {0, 0.5f}};
    assert_memory_equal(y.data, expected, sizeof expected);
    op_bench_release(&bench);
}

/* ---- refusals ---- */

static void expect_failure(const char *op, const struct attribute *attributes, size_t n_attributes,
                           const struct tensor *const *inputs, int n_inputs, hob_status status, const char *message)
{
    struct op_bench bench;
    struct tensor y;
    op_bench_init(&bench, 1);
    hob_status found = try_op(&bench, "", op, 20, attributes, n_attributes, inputs, n_inputs, &y, 1);
    if (found != status || !strstr(bench.error.message, message)) fail_msg("%s", bench.error.message);
    op_bench_release(&bench);
}

static void test_refusals(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    struct tensor real = random_f32(&bench, 3, (int64_t[]){2, 8, 1}, 1), complex = random_f32(&bench, 3, (int64_t[]){2, 8, 2}, 1),
                  three = random_f32(&bench, 3, (int64_t[]){2, 8, 3}, 1);
    int64_t zero = 0, last = -1, nine = 9, most = INT64_MAX, minus = -4, one = 1;
    struct tensor none = scalar(&zero), end = scalar(&last), beyond = scalar(&nine), endless = scalar(&most), below = scalar(&minus),
                  step = scalar(&one);
    struct attribute onesided = int_attribute("onesided", 1), strange = int_attribute("output_datatype", DTYPE_STRING);
    expect_failure("DFT", NULL, 0, (const struct tensor *[]){&three}, 1, HOB_BAD_SHAPE, "expected a last axis of 1 (real) or 2");
    expect_failure("DFT", NULL, 0, (const struct tensor *[]){&real, &none}, 2, HOB_BAD_ARGUMENT, "dft_length: found 0");
    expect_failure("DFT", NULL, 0, (const struct tensor *[]){&real, NULL, &end}, 3, HOB_BAD_ARGUMENT, "axis: found -1");
    expect_failure("DFT", &onesided, 1, (const struct tensor *[]){&complex}, 1, HOB_BAD_SHAPE, "found complex input");
    assert_int_not_equal(try_op(&bench, "", "DFT", 20, NULL, 0, (const struct tensor *[]){&real, &endless}, 2, &three, 1), HOB_OK);
    expect_failure("STFT", NULL, 0, (const struct tensor *[]){&real, &none}, 2, HOB_BAD_ARGUMENT, "frame_step: found 0");
    expect_failure("STFT", NULL, 0, (const struct tensor *[]){&real, &step, NULL, &beyond}, 4, HOB_BAD_ARGUMENT, "frame_length: found 9");
    expect_failure("STFT", NULL, 0, (const struct tensor *[]){&complex, &step}, 2, HOB_BAD_SHAPE, "found a complex signal");
    expect_failure("HannWindow", NULL, 0, (const struct tensor *[]){&below}, 1, HOB_BAD_ARGUMENT, "size: found -4");
    expect_failure("HannWindow", &strange, 1, (const struct tensor *[]){&step}, 1, HOB_BAD_GRAPH, "output_datatype: found 8");
    int64_t points = 16, rate = 8000;
    float lower = 0, upper = 9000;
    struct tensor p = scalar(&points), r = scalar(&rate), l = tensor_of(DTYPE_F32, 0, NULL, &lower), u = tensor_of(DTYPE_F32, 0, NULL, &upper);
    expect_failure("MelWeightMatrix", NULL, 0, (const struct tensor *[]){&p, &p, &r, &l, &u}, 5, HOB_BAD_ARGUMENT, "expected edges within");
    expect_failure("MelWeightMatrix", NULL, 0, (const struct tensor *[]){&p, &p, &none, &l, &u}, 5, HOB_BAD_ARGUMENT, "0 samples a second");
    op_bench_release(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths), cmocka_unit_test(test_dft_axes_and_lengths), cmocka_unit_test(test_dft_there_and_back),
        cmocka_unit_test(test_same_bytes), cmocka_unit_test(test_stft), cmocka_unit_test(test_windows), cmocka_unit_test(test_mel_weights),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The norms over channels against their formulas in f64: training and inference of BatchNormalization in all its versions, groups,
 * LRN, mean and variance; every float type, large means, and what is said about wrong shapes. */
#include "unit.h"

#include "ops/vision_ops.h"

static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_F64, DTYPE_F16, DTYPE_BF16};
static const double tolerances[] = {1e-5, 1e-12, 4e-3, 3e-2};

/* Inputs of BatchNormalization: x, scale, shift, mean, variance. */
struct batch {
    struct tensor x, rows[4];
    const struct tensor *inputs[5];
};

static void make_batch(struct op_bench *bench, enum dtype dtype, int rank, const int64_t *dims, int row_rank,
                       struct batch *batch)
{
    batch->x = varied(bench, dtype, rank, dims, 3);
    batch->inputs[0] = &batch->x;
    for (int i = 0; i < 4; i++) {
        batch->rows[i] = varied(bench, dtype, row_rank, dims + 1, (uint64_t)(i + 10));
        batch->inputs[1 + i] = &batch->rows[i];
    }
    for (int64_t i = 0; i < tensor_n_items(&batch->rows[3]); i++) set_number(&batch->rows[3], i, 1 + (double)(i % 3));
}

/* Mean and variance of a channel, width items apart or together. */
static void measure(const struct tensor *x, int64_t n_channels, int64_t width, int64_t channel, double ret_moments[2])
{
    int64_t n_batch = tensor_n_items(x) / (n_channels * width);
    double sum = 0, squares = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t n = 0; n < n_batch; n++)
            for (int64_t i = 0; i < width; i++) {
                double item = number_at(x, (n * n_channels + channel) * width + i);
                if (pass == 0) sum += item / (double)(n_batch * width);
                else squares += (item - sum) * (item - sum) / (double)(n_batch * width);
            }
    ret_moments[0] = sum;
    ret_moments[1] = squares;
}

static void check_batch(const struct batch *batch, const struct tensor *y, int64_t n_channels, int64_t width,
                        bool is_training, double tolerance)
{
    for (int64_t i = 0; i < tensor_n_items(y); i++) {
        int64_t c = i / width % n_channels;
        double moments[] = {number_at(&batch->rows[2], c), number_at(&batch->rows[3], c)};
        if (is_training) measure(&batch->x, n_channels, width, c, moments);
        double expected =
            (number_at(&batch->x, i) - moments[0]) / sqrt(moments[1] + (double)1e-5f) * number_at(&batch->rows[0], c) +
            number_at(&batch->rows[1], c);
        assert_numbers(y, i, 1, &expected, tolerance);
    }
}

static void test_batch_inference(void **state)
{
    struct op_bench *bench = *state;
    struct batch batch;
    struct tensor y;
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        make_batch(bench, dtypes[i], 4, DIMS(2, 5, 7, 3), 1, &batch);
        run_op(bench, "", "BatchNormalization", 15, NULL, 0, batch.inputs, 5, &y, 1);
        check_batch(&batch, &y, 5, 21, false, tolerances[i]);
        make_batch(bench, dtypes[i], 2, DIMS(3, 130), 1, &batch);
        run_op(bench, "", "BatchNormalization", 9, NULL, 0, batch.inputs, 5, &y, 1);
        check_batch(&batch, &y, 130, 1, false, tolerances[i]);
    }
    const struct attribute is_test[] = {INT("is_test", 1)};
    make_batch(bench, DTYPE_F32, 4, DIMS(2, 5, 7, 3), 1, &batch);
    run_op(bench, "", "BatchNormalization", 6, is_test, 1, batch.inputs, 5, &y, 1);
    check_batch(&batch, &y, 5, 21, false, 1e-5);
}

static void check_running(const struct batch *batch, const struct tensor *y, int64_t n_channels, int64_t width,
                          double momentum, double tolerance)
{
    for (int64_t c = 0; c < n_channels; c++) {
        double moments[2];
        measure(&batch->x, n_channels, width, c, moments);
        for (int i = 0; i < 2; i++) {
            double expected = number_at(&batch->rows[2 + i], c) * momentum + moments[i] * (1 - momentum);
            assert_numbers(&y[1 + i], c, 1, &expected, tolerance);
        }
    }
}

static void test_batch_training(void **state)
{
    struct op_bench *bench = *state;
    struct batch batch;
    struct tensor y[5];
    const struct attribute training[] = {INT("training_mode", 1), REAL("momentum", 0.75f)},
                           momentum[] = {REAL("momentum", 0.5f)};
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        make_batch(bench, dtypes[i], 3, DIMS(4, 3, 50), 1, &batch);
        run_op(bench, "", "BatchNormalization", 15, training, 2, batch.inputs, 5, y, 3);
        check_batch(&batch, &y[0], 3, 50, true, tolerances[i]);
        check_running(&batch, y, 3, 50, 0.75, tolerances[i]);
    }
    make_batch(bench, DTYPE_F32, 2, DIMS(70, 9), 1, &batch);
    run_op(bench, "", "BatchNormalization", 14, training, 2, batch.inputs, 5, y, 3);
    check_batch(&batch, &y[0], 9, 1, true, 1e-5);
    check_running(&batch, y, 9, 1, 0.75, 1e-5);
    /* Before opset 14, outputs ask for training, and the batch's own statistics are the last two. */
    make_batch(bench, DTYPE_F32, 4, DIMS(2, 3, 4, 5), 1, &batch);
    run_op(bench, "", "BatchNormalization", 7, momentum, 1, batch.inputs, 5, y, 5);
    check_batch(&batch, &y[0], 3, 20, true, 1e-5);
    check_running(&batch, y, 3, 20, 0.5, 1e-5);
    double moments[2];
    measure(&batch.x, 3, 20, 1, moments);
    assert_numbers(&y[3], 1, 1, &moments[0], 1e-5);
    assert_numbers(&y[4], 1, 1, &moments[1], 1e-5);
    run_op(bench, "", "BatchNormalization", 1, NULL, 0, batch.inputs, 5, y, 1);
    check_batch(&batch, &y[0], 3, 20, true, 1e-5);
}

/* spatial 0: every position has statistics of its own. */
static void test_batch_per_position(void **state)
{
    struct op_bench *bench = *state;
    struct batch batch;
    struct tensor y[3];
    const struct attribute positions[] = {INT("spatial", 0)};
    make_batch(bench, DTYPE_F32, 3, DIMS(4, 3, 5), 2, &batch);
    run_op(bench, "", "BatchNormalization", 7, positions, 1, batch.inputs, 5, y, 1);
    check_batch(&batch, &y[0], 15, 1, false, 1e-5);
    run_op(bench, "", "BatchNormalization", 7, positions, 1, batch.inputs, 5, y, 3);
    check_batch(&batch, &y[0], 15, 1, true, 1e-5);
    assert_true(tensor_has_shape(&y[1], 2, DIMS(3, 5)));
}

static void test_statistics_may_have_types_of_their_own(void **state)
{
    struct op_bench *bench = *state;
    struct batch batch, wide;
    struct tensor y[3];
    const struct attribute training[] = {INT("training_mode", 1)};
    make_batch(bench, DTYPE_F16, 3, DIMS(2, 3, 8), 1, &batch);
    make_batch(bench, DTYPE_F32, 3, DIMS(2, 3, 8), 1, &wide);
    batch.inputs[3] = wide.inputs[3];
    batch.inputs[4] = wide.inputs[4];
    run_op(bench, "", "BatchNormalization", 15, training, 1, batch.inputs, 5, y, 3);
    assert_int_equal(y[0].dtype, DTYPE_F16);
    assert_int_equal(y[1].dtype, DTYPE_F32);
}

/* groups of channels share a mean; rows are one number a channel, or a group. */
static void check_groups(const struct tensor *x, const struct tensor *y, const struct tensor *scale,
                         const struct tensor *shift, int64_t n_channels, int64_t n_groups, double tolerance)
{
    int64_t width = tensor_n_items(x) / x->dims[0] / n_channels, n_group = n_channels / n_groups * width;
    for (int64_t i = 0; i < tensor_n_items(x); i++) {
        struct tensor group = *x;
        double moments[2];
        group.data = (char *)x->data + i / n_group * n_group * (int64_t)dtype_block_bytes(x->dtype);
        group.rank = 1;
        group.dims[0] = n_group;
        measure(&group, 1, n_group, 0, moments);
        int64_t c = i / width % n_channels, row = scale->dims[0] == n_groups ? c / (n_channels / n_groups) : c;
        double expected = (number_at(x, i) - moments[0]) / sqrt(moments[1] + (double)1e-5f) * number_at(scale, row) +
                          number_at(shift, row);
        assert_numbers(y, i, 1, &expected, tolerance);
    }
}

static void test_groups_and_instances(void **state)
{
    struct op_bench *bench = *state;
    const struct attribute groups[] = {INT("num_groups", 2)};
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        struct tensor x = varied(bench, dtypes[i], 4, DIMS(2, 6, 3, 7), 5), y;
        struct tensor scale = varied(bench, dtypes[i], 1, DIMS(6), 6), shift = varied(bench, dtypes[i], 1, DIMS(6), 7);
        struct tensor group_scale = varied(bench, dtypes[i], 1, DIMS(2), 8),
                      group_shift = varied(bench, dtypes[i], 1, DIMS(2), 9);
        run_op(bench, "", "InstanceNormalization", 22, NULL, 0, (const struct tensor *[]){&x, &scale, &shift}, 3, &y,
               1);
        check_groups(&x, &y, &scale, &shift, 6, 6, tolerances[i]);
        run_op(bench, "", "GroupNormalization", 21, groups, 1, (const struct tensor *[]){&x, &scale, &shift}, 3, &y, 1);
        check_groups(&x, &y, &scale, &shift, 6, 2, tolerances[i]);
        run_op(bench, "", "GroupNormalization", 18, groups, 1,
               (const struct tensor *[]){&x, &group_scale, &group_shift}, 3, &y, 1);
        check_groups(&x, &y, &group_scale, &group_shift, 6, 2, tolerances[i]);
    }
}

/* A mean a thousand times the deviation, over a long channel: f32 sums alone would lose most digits. */
static void test_large_means_lose_nothing(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = random_f32(bench, 3, DIMS(1, 1, 400000), 5),
                  one = tensor_of(bench, DTYPE_F32, 1, DIMS(1), NUMBERS(1)), y;
    struct tensor zero = tensor_of(bench, DTYPE_F32, 1, DIMS(1), NUMBERS(0));
    double moments[2];
    for (int64_t i = 0; i < 400000; i++) ((float *)x.data)[i] += 1000;
    measure(&x, 1, 400000, 0, moments);
    run_op(bench, "", "InstanceNormalization", 6, NULL, 0, (const struct tensor *[]){&x, &one, &zero}, 3, &y, 1);
    for (int64_t i = 0; i < 400000; i += 997) {
        double expected = (number_at(&x, i) - moments[0]) / sqrt(moments[1] + (double)1e-5f);
        assert_numbers(&y, i, 1, &expected, 1e-6);
    }
}

static void test_lrn(void **state)
{
    struct op_bench *bench = *state;
    static const int64_t sizes[] = {1, 2, 5, 40};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct tensor x = varied(bench, i & 1 ? DTYPE_F32 : DTYPE_F64, 3, DIMS(2, 7, 70), 5), y;
        const struct attribute attributes[] = {
            {.name = "size", .kind = ATTRIBUTE_INT, .n_items = 1, .integer = sizes[i]},
            REAL("alpha", 0.5f),
            REAL("bias", 2),
            REAL("beta", 0.6f)};
        size_t n_attributes = i < 2 ? 4 : 3; /* beta 0.75 has a way of its own */
        run_op(bench, "", "LRN", 13, attributes, n_attributes, (const struct tensor *[]){&x}, 1, &y, 1);
        for (int64_t k = 0; k < tensor_n_items(&x); k++) {
            int64_t c = k / 70 % 7;
            double sum = 0;
            for (int64_t other = c - (sizes[i] - 1) / 2; other <= c + sizes[i] / 2; other++)
                if (other >= 0 && other < 7) sum += pow(number_at(&x, k + (other - c) * 70), 2);
            double expected = number_at(&x, k) / pow(2 + 0.5 / (double)sizes[i] * sum, i < 2 ? (double)0.6f : 0.75);
            assert_numbers(&y, k, 1, &expected, 1e-6);
        }
    }
}

static void test_mean_variance_normalization(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = varied(bench, DTYPE_F32, 4, DIMS(2, 3, 4, 5), 5), y;
    run_op(bench, "", "MeanVarianceNormalization", 13, NULL, 0, (const struct tensor *[]){&x}, 1, &y, 1);
    for (int64_t i = 0; i < 120; i++) {
        double moments[2];
        measure(&x, 3, 20, i / 20 % 3, moments);
        assert_numbers(&y, i, 1, NUMBERS((number_at(&x, i) - moments[0]) / (sqrt(moments[1]) + 1e-9)), 1e-6);
    }
    const struct attribute last[] = {INTS("axes", -1)};
    run_op(bench, "", "MeanVarianceNormalization", 9, last, 1, (const struct tensor *[]){&x}, 1, &y, 1);
    double sum = 0;
    for (int64_t i = 0; i < 5; i++) sum += number_at(&y, i);
    assert_true(fabs(sum) < 1e-5);
}

static void test_threads_change_nothing(void **state)
{
    struct op_bench *bench = *state;
    struct batch batch;
    const struct attribute training[] = {INT("training_mode", 1)}, size[] = {INT("size", 3)},
                           groups[] = {INT("num_groups", 2)};
    make_batch(bench, DTYPE_F32, 4, DIMS(2, 6, 90, 91), 1, &batch);
    assert_threads_change_nothing(bench, "BatchNormalization", 15, training, 1, batch.inputs, 5);
    assert_threads_change_nothing(bench, "GroupNormalization", 21, groups, 1, batch.inputs, 3);
    assert_threads_change_nothing(bench, "LRN", 13, size, 1, batch.inputs, 1);
    assert_threads_change_nothing(bench, "MeanVarianceNormalization", 13, NULL, 0, batch.inputs, 1);
    assert_threads_change_nothing(bench, "GlobalAveragePool", 1, NULL, 0, batch.inputs, 1);
}

static void test_empty_batches(void **state)
{
    struct op_bench *bench = *state;
    struct batch batch;
    struct tensor y[3];
    const struct attribute training[] = {INT("training_mode", 1)};
    make_batch(bench, DTYPE_F32, 3, DIMS(0, 2, 5), 1, &batch);
    run_op(bench, "", "BatchNormalization", 15, training, 1, batch.inputs, 5, y, 3);
    assert_numbers(&y[1], 0, 2, NUMBERS((double)NAN, (double)NAN), 0);
    run_op(bench, "", "InstanceNormalization", 6, NULL, 0, batch.inputs, 3, y, 1);
    assert_int_equal(tensor_n_items(&y[0]), 0);
}

static void test_wrong_norms_are_told(void **state)
{
    struct op_bench *bench = *state;
    struct batch batch;
    struct tensor two = varied(bench, DTYPE_F32, 1, DIMS(2), 1), y[2];
    const struct attribute groups[] = {INT("num_groups", 2)}, size[] = {INT("size", 0)};
    make_batch(bench, DTYPE_F32, 3, DIMS(2, 3, 5), 1, &batch);
    assert_fails(bench, "GroupNormalization", 21, groups, 1, batch.inputs, 3, HOB_BAD_SHAPE, "multiple of 2 groups");
    assert_fails(bench, "GroupNormalization", 21, NULL, 0, batch.inputs, 3, HOB_BAD_GRAPH, "num_groups: found 0");
    assert_fails(bench, "LRN", 13, size, 1, batch.inputs, 1, HOB_BAD_GRAPH, "size: found 0");
    assert_int_equal(try_op(bench, "", "BatchNormalization", 15, NULL, 0, batch.inputs, 5, y, 2), HOB_BAD_GRAPH);
    batch.inputs[1] = &two;
    assert_fails(bench, "BatchNormalization", 15, NULL, 0, batch.inputs, 5, HOB_BAD_SHAPE,
                 "input 1: found float32 [2]");
    assert_fails(bench, "InstanceNormalization", 6, NULL, 0, batch.inputs, 3, HOB_BAD_SHAPE, "expected a float [3]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_batch_inference, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_batch_training, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_batch_per_position, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_statistics_may_have_types_of_their_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_groups_and_instances, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_large_means_lose_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lrn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mean_variance_normalization, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_threads_change_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_empty_batches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_norms_are_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

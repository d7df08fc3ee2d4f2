/* Pooling against its definition, window by window: any rank, strides, dilations, pads, ceil_mode, every type; where maxima lie; what
 * MaxUnpool puts back; what is said about wrong attributes. ONNX's own cases are test_onnx_cases' business. */
#include "unit.h"

#include "ops/vision_ops.h"

enum { MAX_SPATIAL = 3 };

struct shape {
    int rank; /* spatial axes */
    int64_t in[MAX_SPATIAL], kernel[MAX_SPATIAL], strides[MAX_SPATIAL], dilations[MAX_SPATIAL], pads[2 * MAX_SPATIAL];
    bool is_ceil;
};

/* What a window is made of: the values it covers, and how many positions count with and without pads. */
struct covered {
    double items[4096];
    int64_t places[4096]; /* in the plane */
    int64_t n_items, n_with_pads;
};

static const struct shape shapes[] = {
    {1, {20}, {3}, {1}, {1}, {0, 0}, false},
    {1, {20}, {4}, {3}, {2}, {2, 3}, true},
    {1, {5}, {2}, {2}, {1}, {0, 0}, true},
    {1, {7}, {3}, {5}, {1}, {1, 4}, true},
    {2, {9, 11}, {3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, false},
    {2, {9, 12}, {2, 3}, {2, 2}, {1, 1}, {0, 1, 1, 0}, true},
    {2, {9, 12}, {2, 3}, {1, 3}, {3, 2}, {2, 1, 0, 2}, true},
    {2, {4, 4}, {4, 4}, {1, 1}, {1, 1}, {3, 3, 3, 3}, false},
    {2, {6, 5}, {1, 1}, {3, 2}, {1, 1}, {0, 0, 0, 0}, true},
    {2, {40, 37}, {13, 13}, {1, 1}, {1, 1}, {6, 6, 6, 6}, false},
    {3, {5, 6, 7}, {2, 3, 2}, {2, 1, 3}, {1, 2, 1}, {0, 1, 1, 1, 0, 0}, true},
    {3, {4, 4, 9}, {3, 2, 2}, {1, 2, 2}, {1, 1, 3}, {1, 0, 0, 1, 0, 1}, false},
};

/* By the specification: windows beyond the input and its first pad are left out. */
static int64_t n_outputs(const struct shape *shape, int axis)
{
    int64_t padded = shape->in[axis] + shape->pads[axis] + shape->pads[shape->rank + axis];
    int64_t extent = (shape->kernel[axis] - 1) * shape->dilations[axis] + 1, n = 0;
    for (int64_t start = 0;; start += shape->strides[axis], n++) {
        bool fits = start + extent <= padded, is_begun = start - shape->strides[axis] + extent < padded;
        if (!fits && !(shape->is_ceil && is_begun && start < shape->in[axis] + shape->pads[axis])) return n;
    }
}

static void cover(const struct shape *shape, const struct tensor *x, int64_t plane, const int64_t *output,
                  struct covered *ret_covered)
{
    int64_t n_taps = 1, n_plane = 1;
    for (int axis = 0; axis < shape->rank; axis++) n_taps *= shape->kernel[axis], n_plane *= shape->in[axis];
    ret_covered->n_items = ret_covered->n_with_pads = 0;
    for (int64_t tap = 0; tap < n_taps; tap++) {
        int64_t rest = tap, place = 0, step = 1;
        bool is_inside = true, is_padded = true;
        for (int axis = shape->rank - 1; axis >= 0; axis--) {
            int64_t at = output[axis] * shape->strides[axis] + rest % shape->kernel[axis] * shape->dilations[axis] -
                         shape->pads[axis];
            rest /= shape->kernel[axis];
            is_inside = is_inside && at >= 0 && at < shape->in[axis];
            is_padded = is_padded && at < shape->in[axis] + shape->pads[shape->rank + axis];
            place += at * step;
            step *= shape->in[axis];
        }
        ret_covered->n_with_pads += is_padded;
        if (!is_inside) continue;
        ret_covered->places[ret_covered->n_items] = place;
        ret_covered->items[ret_covered->n_items++] = number_at(x, plane * n_plane + place);
    }
}

struct attributes_of_shape {
    struct attribute items[8];
    size_t n;
};

static struct attributes_of_shape describe(const struct shape *shape)
{
    size_t rank = (size_t)shape->rank;
    return (struct attributes_of_shape){
        .items = {{.name = "kernel_shape", .kind = ATTRIBUTE_INTS, .n_items = rank, .integers = shape->kernel},
                  {.name = "strides", .kind = ATTRIBUTE_INTS, .n_items = rank, .integers = shape->strides},
                  {.name = "dilations", .kind = ATTRIBUTE_INTS, .n_items = rank, .integers = shape->dilations},
                  {.name = "pads", .kind = ATTRIBUTE_INTS, .n_items = 2 * rank, .integers = shape->pads},
                  {.name = "ceil_mode", .kind = ATTRIBUTE_INT, .n_items = 1, .integer = shape->is_ceil}},
        .n = 5};
}

typedef double fold_window(const struct covered *covered, double p);

static double fold_max(const struct covered *covered, double least)
{
    double largest = least;
    for (int64_t i = 0; i < covered->n_items; i++) largest = fmax(largest, covered->items[i]);
    return largest;
}

static double fold_mean(const struct covered *covered, double counts_pads)
{
    double sum = 0;
    int64_t n = counts_pads != 0 ? covered->n_with_pads : covered->n_items;
    for (int64_t i = 0; i < covered->n_items; i++) sum += covered->items[i];
    return n ? sum / (double)n : 0;
}

static double fold_norm(const struct covered *covered, double p)
{
    double sum = 0;
    for (int64_t i = 0; i < covered->n_items; i++) sum += pow(fabs(covered->items[i]), p);
    return pow(sum, 1 / p);
}

static void check_windows(const struct shape *shape, const struct tensor *x, const struct tensor *y, fold_window *fold,
                          double p, double tolerance)
{
    static struct covered covered;
    int64_t output[MAX_SPATIAL], n_plane = 1;
    assert_int_equal(y->dtype, x->dtype);
    for (int axis = 0; axis < shape->rank; axis++) {
        assert_int_equal(y->dims[2 + axis], n_outputs(shape, axis));
        n_plane *= y->dims[2 + axis];
    }
    for (int64_t i = 0; i < tensor_n_items(y); i++) {
        int64_t rest = i % n_plane;
        for (int axis = shape->rank - 1; axis >= 0; axis--) {
            output[axis] = rest % y->dims[2 + axis];
            rest /= y->dims[2 + axis];
        }
        cover(shape, x, i / n_plane, output, &covered);
        double expected = fold(&covered, p);
        assert_numbers(y, i, 1, &expected, tolerance);
    }
}

static struct tensor input_of(struct op_bench *bench, const struct shape *shape, enum dtype dtype)
{
    int64_t dims[2 + MAX_SPATIAL] = {2, 3};
    memcpy(dims + 2, shape->in, sizeof shape->in);
    return varied(bench, dtype, 2 + shape->rank, dims, 7);
}

static void check_all(struct op_bench *bench, const char *name, int opset, enum dtype dtype,
                      const struct attribute *extra, fold_window *fold, double p, double tolerance)
{
    for (size_t i = 0; i < COUNT(shapes); i++) {
        struct attributes_of_shape attributes = describe(&shapes[i]);
        struct tensor x = input_of(bench, &shapes[i], dtype), y;
        const struct tensor *inputs[] = {&x};
        if (extra) attributes.items[attributes.n++] = *extra;
        run_op(bench, "", name, opset, attributes.items, attributes.n, inputs, 1, &y, 1);
        check_windows(&shapes[i], &x, &y, fold, p, tolerance);
    }
}

static void test_max_pool_is_its_definition(void **state)
{
    static const enum dtype floats[] = {DTYPE_F32, DTYPE_F64, DTYPE_F16, DTYPE_BF16};
    for (size_t i = 0; i < COUNT(floats); i++)
        check_all(*state, "MaxPool", 22, floats[i], NULL, fold_max, (double)-INFINITY, 0);
    check_all(*state, "MaxPool", 12, DTYPE_I8, NULL, fold_max, -128, 0);
    check_all(*state, "MaxPool", 12, DTYPE_U8, NULL, fold_max, 0, 0);
}

static void test_average_pool_is_its_definition(void **state)
{
    struct attribute counts = int_attribute("count_include_pad", 1);
    check_all(*state, "AveragePool", 22, DTYPE_F32, NULL, fold_mean, 0, 1e-6);
    check_all(*state, "AveragePool", 22, DTYPE_F32, &counts, fold_mean, 1, 1e-6);
    check_all(*state, "AveragePool", 22, DTYPE_F64, NULL, fold_mean, 0, 1e-14);
    check_all(*state, "AveragePool", 22, DTYPE_F64, &counts, fold_mean, 1, 1e-14);
    check_all(*state, "AveragePool", 22, DTYPE_F16, &counts, fold_mean, 1, 1e-3);
    check_all(*state, "AveragePool", 22, DTYPE_BF16, NULL, fold_mean, 0, 8e-3);
}

static void test_lp_pool_is_its_definition(void **state)
{
    struct attribute p1 = int_attribute("p", 1), p3 = int_attribute("p", 3), half = float_attribute("p", 1.5f);
    check_all(*state, "LpPool", 18, DTYPE_F32, NULL, fold_norm, 2, 1e-6);
    check_all(*state, "LpPool", 18, DTYPE_F64, &p3, fold_norm, 3, 1e-12);
    check_all(*state, "LpPool", 22, DTYPE_F16, &p1, fold_norm, 1, 1e-3);
    check_all(*state, "LpPool", 1, DTYPE_F32, &half, fold_norm, 1.5, 1e-6);
}

/* The index names an item of the window that equals the maximum, the first in row-major order. */
static void check_indices(const struct shape *shape, const struct tensor *x, const struct tensor *y,
                          const struct tensor *indices, bool is_column_major)
{
    static struct covered covered;
    int64_t n_in = 1, n_out = 1;
    for (int axis = 0; axis < shape->rank; axis++) n_in *= shape->in[axis], n_out *= y->dims[2 + axis];
    for (int64_t i = 0; i < tensor_n_items(y); i++) {
        int64_t output[MAX_SPATIAL], rest = i % n_out, k = 0, place = 0, step = 1;
        for (int axis = shape->rank - 1; axis >= 0; axis--) {
            output[axis] = rest % y->dims[2 + axis];
            rest /= y->dims[2 + axis];
        }
        cover(shape, x, i / n_out, output, &covered);
        if (!covered.n_items) {
            assert_int_equal(((const int64_t *)indices->data)[i], -1);
            continue;
        }
        while (covered.items[k] < number_at(y, i)) k++;
        rest = covered.places[k];
        int64_t at[MAX_SPATIAL];
        for (int axis = shape->rank - 1; axis >= 0; axis--) {
            at[axis] = rest % shape->in[axis];
            rest /= shape->in[axis];
        }
        for (int axis = 0; is_column_major && axis < shape->rank; axis++)
            place += at[axis] * step, step *= shape->in[axis];
        if (!is_column_major) place = covered.places[k];
        assert_int_equal(((const int64_t *)indices->data)[i], i / n_out * n_in + place);
    }
}

static void test_indices_name_the_first_maximum(void **state)
{
    struct op_bench *bench = *state;
    static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_U8, DTYPE_I8, DTYPE_F16};
    for (size_t i = 0; i < COUNT(shapes); i++) {
        for (size_t k = 0; k < COUNT(dtypes); k++) {
            struct attributes_of_shape attributes = describe(&shapes[i]);
            struct tensor x = input_of(bench, &shapes[i], dtypes[k]), y[2], alone;
            const struct tensor *inputs[] = {&x};
            bool is_column_major = k & 1;
            run_op(bench, "", "MaxPool", 12, attributes.items, attributes.n, inputs, 1, &alone, 1);
            attributes.items[attributes.n++] = int_attribute("storage_order", is_column_major);
            run_op(bench, "", "MaxPool", 12, attributes.items, attributes.n, inputs, 1, y, 2);
            assert_same_bytes(bench, &y[0], &alone);
            check_indices(&shapes[i], &x, &y[0], &y[1], is_column_major);
        }
    }
}

static void test_nan_is_skipped_by_the_maximum(void **state)
{
    struct op_bench *bench = *state;
    double nan = (double)NAN;
    struct tensor x = tensor_of(bench, DTYPE_F32, 3, DIMS(1, 1, 6), NUMBERS(nan, 1, 2, nan, nan, nan)), y[2];
    const struct attribute attributes[] = {INTS("kernel_shape", 2), INTS("strides", 2)};
    const struct tensor *inputs[] = {&x};
    run_op(bench, "", "MaxPool", 12, attributes, 2, inputs, 1, y, 1);
    assert_numbers(&y[0], 0, 3, NUMBERS(1, 2, (double)-INFINITY), 0);
    run_op(bench, "", "MaxPool", 12, attributes, 2, inputs, 1, y, 2);
    assert_numbers(&y[0], 0, 3, NUMBERS(1, 2, (double)-INFINITY), 0);
    assert_int_equal(((int64_t *)y[1].data)[0], 1);
    assert_int_equal(((int64_t *)y[1].data)[2], 4);
}

static void test_auto_pad_splits_the_pads(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = tensor_of(bench, DTYPE_F32, 3, DIMS(1, 1, 4), NUMBERS(1, 2, 3, 4)), y;
    struct attribute upper[] = {INTS("kernel_shape", 2), TEXT("auto_pad", "SAME_UPPER")};
    struct attribute lower[] = {INTS("kernel_shape", 2), TEXT("auto_pad", "SAME_LOWER")};
    struct attribute valid[] = {INTS("kernel_shape", 2), TEXT("auto_pad", "VALID"), INTS("strides", 3)};
    run_op(bench, "", "AveragePool", 19, upper, 2, (const struct tensor *[]){&x}, 1, &y, 1);
    assert_numbers(&y, 0, 4, NUMBERS(1.5, 2.5, 3.5, 4), 0);
    run_op(bench, "", "AveragePool", 19, lower, 2, (const struct tensor *[]){&x}, 1, &y, 1);
    assert_numbers(&y, 0, 4, NUMBERS(1, 1.5, 2.5, 3.5), 0);
    run_op(bench, "", "MaxPool", 12, valid, 3, (const struct tensor *[]){&x}, 1, &y, 1);
    assert_int_equal(y.dims[2], 1);
}

static void test_threads_and_bands_change_nothing(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = random_f32(bench, 4, DIMS(1, 3, 300, 301), 3);
    const struct attribute attributes[] = {INTS("kernel_shape", 5, 4), INTS("pads", 2, 1, 2, 2)};
    const struct tensor *inputs[] = {&x};
    assert_threads_change_nothing(bench, "AveragePool", 19, attributes, 2, inputs, 1);
    assert_threads_change_nothing(bench, "MaxPool", 12, attributes, 2, inputs, 1);
    assert_threads_change_nothing(bench, "LpPool", 18, attributes, 2, inputs, 1);
    const struct shape shape = {2, {300, 301}, {5, 4}, {1, 1}, {1, 1}, {2, 1, 2, 2}, false};
    struct tensor y;
    run_op(bench, "", "AveragePool", 19, attributes, 2, inputs, 1, &y, 1);
    check_windows(&shape, &x, &y, fold_mean, 0, 1e-6);
}

static void test_empty_tensors(void **state)
{
    struct op_bench *bench = *state;
    struct tensor none = empty_of(bench, DTYPE_F32, 4, DIMS(0, 3, 5, 5)),
                  flat = empty_of(bench, DTYPE_F32, 4, DIMS(1, 3, 0, 5)), y;
    const struct attribute attributes[] = {INTS("kernel_shape", 2, 2)};
    run_op(bench, "", "MaxPool", 12, attributes, 1, (const struct tensor *[]){&none}, 1, &y, 1);
    assert_true(tensor_has_shape(&y, 4, DIMS(0, 3, 4, 4)));
    run_op(bench, "", "AveragePool", 19, attributes, 1, (const struct tensor *[]){&flat}, 1, &y, 1);
    assert_int_equal(tensor_n_items(&y), 0);
    run_op(bench, "", "GlobalAveragePool", 1, NULL, 0, (const struct tensor *[]){&flat}, 1, &y, 1);
    assert_numbers(&y, 0, 1, NUMBERS((double)NAN), 0);
    run_op(bench, "", "GlobalMaxPool", 1, NULL, 0, (const struct tensor *[]){&flat}, 1, &y, 1);
    assert_numbers(&y, 0, 1, NUMBERS((double)-INFINITY), 0);
}

static void test_global_pools(void **state)
{
    struct op_bench *bench = *state;
    static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_F64, DTYPE_F16, DTYPE_BF16};
    struct attribute p3 = int_attribute("p", 3), p_float = float_attribute("p", 2.5f);
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        double tolerance = i < 2 ? 1e-6 : 1e-2, sum = 0, largest = -1e9, cubes = 0, powers = 0;
        struct tensor x = varied(bench, dtypes[i], 5, DIMS(2, 2, 5, 7, 9), 11), y;
        const struct tensor *inputs[] = {&x};
        for (int64_t k = 315; k < 630; k++) {
            double item = number_at(&x, k);
            sum += item, largest = fmax(largest, item), cubes += pow(fabs(item), 3), powers += pow(fabs(item), 2.5);
        }
        run_op(bench, "", "GlobalAveragePool", 22, NULL, 0, inputs, 1, &y, 1);
        assert_true(tensor_has_shape(&y, 5, DIMS(2, 2, 1, 1, 1)));
        assert_numbers(&y, 1, 1, NUMBERS(sum / 315), tolerance);
        run_op(bench, "", "GlobalMaxPool", 22, NULL, 0, inputs, 1, &y, 1);
        assert_numbers(&y, 1, 1, NUMBERS(largest), 0);
        run_op(bench, "", "GlobalLpPool", 2, &p3, 1, inputs, 1, &y, 1);
        assert_numbers(&y, 1, 1, NUMBERS(cbrt(cubes)), tolerance);
        run_op(bench, "", "GlobalLpPool", 1, &p_float, 1, inputs, 1, &y, 1);
        assert_numbers(&y, 1, 1, NUMBERS(pow(powers, 1 / 2.5)), tolerance);
    }
}

static void test_global_average_of_a_large_channel_keeps_its_digits(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = random_f32(bench, 4, DIMS(1, 1, 1000, 1000), 5), y;
    double sum = 0;
    for (int64_t i = 0; i < 1000000; i++) {
        ((float *)x.data)[i] += 1000;
        sum += (double)((float *)x.data)[i];
    }
    run_op(bench, "", "GlobalAveragePool", 1, NULL, 0, (const struct tensor *[]){&x}, 1, &y, 1);
    assert_numbers(&y, 0, 1, NUMBERS(sum / 1e6), 1e-7);
}

static void test_unpooling_undoes_pooling(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = varied(bench, DTYPE_F16, 4, DIMS(2, 3, 6, 8), 13), y[2], back, larger,
                  shape = ints_i64(bench, 4, DIMS(2, 3, 7, 9));
    const struct attribute attributes[] = {INTS("kernel_shape", 2, 2), INTS("strides", 2, 2)};
    run_op(bench, "", "MaxPool", 12, attributes, 2, (const struct tensor *[]){&x}, 1, y, 2);
    run_op(bench, "", "MaxUnpool", 11, attributes, 2, (const struct tensor *[]){&y[0], &y[1]}, 2, &back, 1);
    run_op(bench, "", "MaxUnpool", 11, attributes, 2, (const struct tensor *[]){&y[0], &y[1], &shape}, 3, &larger, 1);
    assert_true(tensor_same_shape(&back, &x));
    assert_true(tensor_has_shape(&larger, 4, DIMS(2, 3, 7, 9)));
    int64_t n_back = 0;
    for (int64_t i = 0; i < tensor_n_items(&back); i++) {
        int64_t row = i / 8, column = i % 8;
        if (number_at(&back, i) != 0) assert_true(number_at(&back, i) == number_at(&x, i));
        n_back += number_at(&back, i) != 0;
        assert_true(number_at(&larger, (row / 6 * 7 + row % 6) * 9 + column) == number_at(&back, i));
    }
    assert_true(n_back > 60 && n_back <= 72);
}

static void test_wrong_pools_are_told(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = varied(bench, DTYPE_F32, 4, DIMS(1, 1, 3, 3), 1),
                  matrix = varied(bench, DTYPE_F32, 2, DIMS(3, 3), 1);
    struct tensor whole = varied(bench, DTYPE_I32, 3, DIMS(1, 1, 3), 1),
                  indices = ints_i64(bench, 4, DIMS(0, 1, 2, 99));
    struct tensor small = varied(bench, DTYPE_F32, 4, DIMS(1, 1, 2, 2), 1),
                  shape = ints_i64(bench, 4, DIMS(1, 1, 1, 1));
    const struct attribute kernel[] = {INTS("kernel_shape", 2, 2), REAL("p", -1)},
                           large[] = {INTS("kernel_shape", 4, 2)};
    const struct attribute wrong[] = {INTS("kernel_shape", 0, 2)},
                           pads[] = {INTS("kernel_shape", 2, 2), INTS("pads", -1, 0, 0, 0)};
    const struct tensor *inputs[] = {&x};
    assert_fails(bench, "MaxPool", 12, NULL, 0, inputs, 1, HOB_BAD_GRAPH, "kernel_shape");
    assert_fails(bench, "MaxPool", 12, large, 1, inputs, 1, HOB_BAD_SHAPE, "spatial axis 0");
    assert_fails(bench, "MaxPool", 12, wrong, 1, inputs, 1, HOB_BAD_GRAPH, "kernel_shape[0]: found 0");
    assert_fails(bench, "MaxPool", 12, pads, 2, inputs, 1, HOB_BAD_GRAPH, "pads[0]: found -1");
    assert_fails(bench, "LpPool", 1, kernel, 2, inputs, 1, HOB_BAD_GRAPH, "p: found -1");
    assert_fails(bench, "AveragePool", 19, kernel, 1, (const struct tensor *[]){&matrix}, 1, HOB_BAD_SHAPE,
                 "expected [N,C,D1");
    assert_fails(bench, "MaxPool", 12, kernel, 1, (const struct tensor *[]){&whole}, 1, HOB_BAD_TYPE, "int32");
    indices.rank = 4;
    memcpy(indices.dims, DIMS(1, 1, 2, 2), 4 * sizeof(int64_t));
    tensor_set_contiguous(&indices);
    assert_fails(bench, "MaxUnpool", 11, kernel, 1, (const struct tensor *[]){&small, &indices}, 2, HOB_BAD_ARGUMENT,
                 "found index 99");
    assert_fails(bench, "MaxUnpool", 11, kernel, 1, (const struct tensor *[]){&small, &indices, &shape}, 3,
                 HOB_BAD_SHAPE, "or larger");
}

/* Kernels and pads as large as attributes may be must neither crash nor walk every tap. */
static void test_hostile_windows(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = varied(bench, DTYPE_F32, 3, DIMS(1, 1, 3), 1), y;
    const struct attribute attributes[] = {INTS("kernel_shape", INT32_MAX), INTS("dilations", INT32_MAX - 1),
                                           INTS("strides", INT32_MAX), INTS("pads", INT32_MAX, INT32_MAX),
                                           INT("ceil_mode", 1)};
    const struct attribute wide[] = {INTS("kernel_shape", INT32_MAX), INTS("pads", INT32_MAX, INT32_MAX),
                                     INTS("strides", INT32_MAX)};
    assert_fails(bench, "MaxPool", 12, attributes, 5, (const struct tensor *[]){&x}, 1, HOB_BAD_SHAPE,
                 "spatial axis 0");
    run_op(bench, "", "AveragePool", 19, wide, 3, (const struct tensor *[]){&x}, 1, &y, 1);
    assert_int_equal(y.dims[2], 2);
    assert_numbers(&y, 0, 2, NUMBERS(0, (number_at(&x, 0) + number_at(&x, 1) + number_at(&x, 2)) / 3), 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_max_pool_is_its_definition, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_average_pool_is_its_definition, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lp_pool_is_its_definition, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_indices_name_the_first_maximum, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nan_is_skipped_by_the_maximum, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_auto_pad_splits_the_pads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_threads_and_bands_change_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_empty_tensors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_global_pools, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_global_average_of_a_large_channel_keeps_its_digits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unpooling_undoes_pooling, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_pools_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hostile_windows, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

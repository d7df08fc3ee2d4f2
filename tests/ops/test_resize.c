/* Resize and Upsample: against PyTorch's interpolation (tools/make-vision-goldens.py), against hand-made numbers for the modes that
 * PyTorch does not have, all types, old opsets, and what is said about wrong inputs. ONNX's own cases are test_onnx_cases' business. */
#include "unit.h"

#include "ops/vision_ops.h"

static struct tensor floats(struct op_bench *bench, size_t n, const double *values)
{
    return tensor_of(bench, DTYPE_F32, 1, DIMS((int64_t)n), values);
}

/* x by sizes. */
static struct tensor resize_to(struct op_bench *bench, const struct tensor *x, const int64_t *sizes,
                               const struct attribute *attributes, size_t n_attributes)
{
    struct tensor wanted = ints_i64(bench, x->rank, sizes), y;
    run_op(bench, "", "Resize", 19, attributes, n_attributes, (const struct tensor *[]){x, NULL, NULL, &wanted}, 4, &y,
           1);
    return y;
}

/* A vector by scale. */
static struct tensor scale_vector(struct op_bench *bench, enum dtype dtype, size_t n, const double *x, double scale,
                                  const struct attribute *attributes, size_t n_attributes)
{
    struct tensor vector = tensor_of(bench, dtype, 1, DIMS((int64_t)n), x), scales = floats(bench, 1, &scale), y;
    run_op(bench, "", "Resize", 19, attributes, n_attributes, (const struct tensor *[]){&vector, NULL, &scales}, 3, &y,
           1);
    return y;
}

struct torch_case {
    const char *golden;
    struct attribute attributes[5];
    bool is_down;
};

static const struct torch_case torch_cases[] = {
    {"resize_bilinear_up", {TEXT("mode", "linear")}, false},
    {"resize_bilinear_down", {TEXT("mode", "linear")}, true},
    {"resize_bilinear_up_corners",
     {TEXT("mode", "linear"), TEXT("coordinate_transformation_mode", "align_corners")},
     false},
    {"resize_bilinear_down_corners",
     {TEXT("mode", "linear"), TEXT("coordinate_transformation_mode", "align_corners")},
     true},
    {"resize_bilinear_up_antialias", {TEXT("mode", "linear"), INT("antialias", 1), INT("exclude_outside", 1)}, false},
    {"resize_bilinear_down_antialias", {TEXT("mode", "linear"), INT("antialias", 1), INT("exclude_outside", 1)}, true},
    {"resize_bicubic_up", {TEXT("mode", "cubic")}, false},
    {"resize_bicubic_down", {TEXT("mode", "cubic")}, true},
    {"resize_bicubic_up_corners",
     {TEXT("mode", "cubic"), TEXT("coordinate_transformation_mode", "align_corners")},
     false},
    {"resize_bicubic_down_corners",
     {TEXT("mode", "cubic"), TEXT("coordinate_transformation_mode", "align_corners")},
     true},
    {"resize_bicubic_up_antialias",
     {TEXT("mode", "cubic"), INT("antialias", 1), INT("exclude_outside", 1), REAL("cubic_coeff_a", -0.5f)},
     false},
    {"resize_bicubic_down_antialias",
     {TEXT("mode", "cubic"), INT("antialias", 1), INT("exclude_outside", 1), REAL("cubic_coeff_a", -0.5f)},
     true},
    {"resize_nearest_up", {TEXT("coordinate_transformation_mode", "asymmetric"), TEXT("nearest_mode", "floor")}, false},
    {"resize_nearest_down",
     {TEXT("coordinate_transformation_mode", "asymmetric"), TEXT("nearest_mode", "floor")},
     true},
    {"resize_nearest_exact_up",
     {TEXT("coordinate_transformation_mode", "tf_half_pixel_for_nn"), TEXT("nearest_mode", "floor")},
     false},
    {"resize_nearest_exact_down",
     {TEXT("coordinate_transformation_mode", "tf_half_pixel_for_nn"), TEXT("nearest_mode", "floor")},
     true},
};

static size_t n_given(const struct attribute attributes[5])
{
    size_t n = 0;
    while (n < 5 && attributes[n].name) n++;
    return n;
}

static void test_agrees_with_torch(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = golden(bench, "resize_x");
    for (size_t i = 0; i < COUNT(torch_cases); i++) {
        const struct torch_case *one = &torch_cases[i];
        struct tensor expected = golden(bench, one->golden);
        struct tensor y = resize_to(bench, &x, one->is_down ? DIMS(2, 3, 4, 5) : DIMS(2, 3, 10, 13), one->attributes,
                                    n_given(one->attributes));
        assert_close(bench, &y, &expected, 1e-5f, 2e-6f);
    }
}

/* The same image as [N,H,W,C], with axes named, as f64 and as halves. */
static void test_layouts_and_types_agree(void **state)
{
    struct op_bench *bench = *state;
    static const enum dtype dtypes[] = {DTYPE_F64, DTYPE_F16, DTYPE_BF16};
    struct tensor x = golden(bench, "resize_x"), expected = golden(bench, "resize_bilinear_up"),
                  sizes = ints_i64(bench, 2, DIMS(13, 10)), y;
    struct tensor turned = tensor_transpose(&x, (int[]){0, 2, 3, 1}), last = empty_of(bench, DTYPE_F32, 4, turned.dims);
    const struct attribute attributes[] = {TEXT("mode", "linear"), INTS("axes", -2, 1)};
    tensor_copy_contiguous(&turned, last.data);
    run_op(bench, "", "Resize", 18, attributes, 2, (const struct tensor *[]){&last, NULL, NULL, &sizes}, 4, &y, 1);
    y = tensor_transpose(&y, (int[]){0, 3, 1, 2});
    assert_close(bench, &y, &expected, 1e-5f, 2e-6f);
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        struct tensor other = empty_of(bench, dtypes[i], 4, x.dims);
        for (int64_t k = 0; k < tensor_n_items(&x); k++) set_number(&other, k, number_at(&x, k));
        y = resize_to(bench, &other, expected.dims, attributes, 1);
        for (int64_t k = 0; k < tensor_n_items(&y); k++)
            assert_numbers(&y, k, 1, NUMBERS(number_at(&expected, k)), i == 0 ? 1e-6 : i == 1 ? 2e-3 : 2e-2);
    }
}

static void test_three_axes(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = golden(bench, "resize_volume_x"), expected = golden(bench, "resize_volume");
    const struct attribute linear[] = {TEXT("mode", "linear")};
    struct tensor y = resize_to(bench, &x, expected.dims, linear, 1);
    assert_close(bench, &y, &expected, 1e-5f, 2e-6f);
}

/* A slope stays one: halfway between its items lies what it would be there. The first axis shrinks, and is interpolated first. */
static void test_shrinking_three_axes(void **state)
{
    struct op_bench *bench = *state;
    static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_F64, DTYPE_F16, DTYPE_U8};
    static const double errors[] = {1e-5, 1e-12, 0.04, 0.501};
    const struct attribute linear[] = {TEXT("mode", "linear")};
    const int64_t *from = DIMS(2, 9, 11, 70), *to = DIMS(2, 4, 5, 60);
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        struct tensor x = empty_of(bench, dtypes[i], 4, from), y;
        for (int64_t k = 0; k < tensor_n_items(&x); k++)
            set_number(&x, k, (double)(100 * (k / 6930) + k / 770 % 9 + 3 * (k / 70 % 11) + k % 70));
        y = resize_to(bench, &x, to, linear, 1);
        for (int64_t k = 0; k < tensor_n_items(&y); k++) {
            double z = ((double)(k / 300 % 4) + 0.5) * 9 / 4 - 0.5, h = ((double)(k / 60 % 5) + 0.5) * 11 / 5 - 0.5,
                   w = ((double)(k % 60) + 0.5) * 70 / 60 - 0.5;
            assert_numbers(&y, k, 1, NUMBERS((double)(100 * (k / 1200)) + z + 3 * h + w), errors[i]);
        }
    }
}

static void test_nearest_modes(void **state)
{
    struct op_bench *bench = *state;
    const double x[] = {0, 1, 2, 3};
    const struct attribute floors[] = {TEXT("nearest_mode", "floor")}, ceils[] = {TEXT("nearest_mode", "ceil")};
    const struct attribute halves_up[] = {TEXT("nearest_mode", "round_prefer_ceil"),
                                          TEXT("coordinate_transformation_mode", "asymmetric")};
    const struct attribute halves_down[] = {TEXT("nearest_mode", "round_prefer_floor"),
                                            TEXT("coordinate_transformation_mode", "asymmetric")};
    struct tensor y = scale_vector(bench, DTYPE_F32, 4, x, 2, floors, 1); /* -.25 .25 .75 1.25 1.75 2.25 2.75 3.25 */
    assert_numbers(&y, 0, 8, NUMBERS(0, 0, 0, 1, 1, 2, 2, 3), 0);
    y = scale_vector(bench, DTYPE_I64, 4, x, 2, ceils, 1);
    assert_numbers(&y, 0, 8, NUMBERS(0, 1, 1, 2, 2, 3, 3, 3), 0);
    y = scale_vector(bench, DTYPE_U8, 4, x, 2, halves_up, 2); /* 0 .5 1 1.5 2 2.5 3 3.5 */
    assert_numbers(&y, 0, 8, NUMBERS(0, 1, 1, 2, 2, 3, 3, 3), 0);
    y = scale_vector(bench, DTYPE_F16, 4, x, 2, halves_down, 2);
    assert_numbers(&y, 0, 8, NUMBERS(0, 0, 1, 1, 2, 2, 3, 3), 0);
}

static void test_symmetric_and_pytorch_half_pixels(void **state)
{
    struct op_bench *bench = *state;
    const struct attribute symmetric[] = {TEXT("mode", "linear"),
                                          TEXT("coordinate_transformation_mode", "half_pixel_symmetric")};
    const struct attribute pytorch[] = {TEXT("mode", "linear"),
                                        TEXT("coordinate_transformation_mode", "pytorch_half_pixel")};
    /* 4 * 0.6 = 2.4, 2 outputs: the centre 2 stays the centre; 2 * (1 - 2 / 2.4) + (o + .5) / .6 - .5 */
    struct tensor y = scale_vector(bench, DTYPE_F32, 4, NUMBERS(0, 10, 20, 30), 0.6, symmetric, 2);
    assert_numbers(&y, 0, 2, NUMBERS(20.0 / 3, 70.0 / 3), 1e-6);
    /* One output shows the first input. */
    y = scale_vector(bench, DTYPE_F32, 4, NUMBERS(7, 10, 20, 30), 0.25, pytorch, 2);
    assert_numbers(&y, 0, 1, NUMBERS(7), 0);
}

static void test_crops_show_the_value_outside(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = tensor_of(bench, DTYPE_F32, 2, DIMS(2, 3), NUMBERS(1, 2, 3, 4, 5, 6)),
                  sizes = ints_i64(bench, 2, DIMS(2, 3)), y;
    struct tensor roi = floats(bench, 4, NUMBERS(0, -0.5, 1, 1.5));
    const struct tensor *inputs[] = {&x, &roi, NULL, &sizes};
    const struct attribute linear[] = {TEXT("mode", "linear"),
                                       TEXT("coordinate_transformation_mode", "tf_crop_and_resize"),
                                       REAL("extrapolation_value", 9)};
    run_op(bench, "", "Resize", 13, linear, 3, inputs, 4, &y, 1); /* columns -1, 1, 3 */
    assert_numbers(&y, 0, 6, NUMBERS(9, 2, 9, 9, 5, 9), 1e-6);
    run_op(bench, "", "Resize", 13, linear + 1, 2, inputs, 4, &y, 1);
    assert_numbers(&y, 0, 6, NUMBERS(9, 2, 9, 9, 5, 9), 0);
    assert_fails(bench, "Resize", 13, linear, 3, (const struct tensor *[]){&x, NULL, NULL, &sizes}, 4, HOB_BAD_GRAPH,
                 "roi: found none");
}

/* Integers: rounded, ties to even, and never out of range though cubic overshoots. */
static void test_integers_are_rounded(void **state)
{
    struct op_bench *bench = *state;
    static const enum dtype dtypes[] = {DTYPE_U8,  DTYPE_I8,  DTYPE_U16, DTYPE_I16,
                                        DTYPE_U32, DTYPE_I32, DTYPE_U64, DTYPE_I64};
    const struct attribute linear[] = {TEXT("mode", "linear"), TEXT("coordinate_transformation_mode", "align_corners")};
    const struct attribute cubic[] = {TEXT("mode", "cubic")};
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        struct tensor y = scale_vector(bench, dtypes[i], 2, NUMBERS(1, 2), 1.5, linear, 2);
        assert_numbers(&y, 0, 3, NUMBERS(1, 2, 2), 0); /* 1.5 to even */
        y = scale_vector(bench, dtypes[i], 2, NUMBERS(2, 3), 1.5, linear, 2);
        assert_numbers(&y, 0, 3, NUMBERS(2, 2, 3), 0);
    }
    struct tensor y = scale_vector(bench, DTYPE_U8, 4, NUMBERS(0, 0, 255, 255), 2, cubic, 1);
    assert_numbers(&y, 2, 4, NUMBERS(0, 58, 197, 255), 0);
    y = scale_vector(bench, DTYPE_I8, 4, NUMBERS(-128, -128, 127, 127), 2, cubic, 1);
    assert_numbers(&y, 2, 1, NUMBERS(-128), 0);
}

static void test_aspect_ratio_is_kept(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = varied(bench, DTYPE_F32, 3, DIMS(5, 10, 20), 1), sizes = ints_i64(bench, 2, DIMS(7, 9)), y;
    const struct attribute larger[] = {INTS("axes", 1, 2), TEXT("keep_aspect_ratio_policy", "not_larger")};
    const struct attribute smaller[] = {INTS("axes", 1, 2), TEXT("keep_aspect_ratio_policy", "not_smaller")};
    const struct tensor *inputs[] = {&x, NULL, NULL, &sizes};
    run_op(bench, "", "Resize", 18, larger, 2, inputs, 4, &y, 1);
    assert_true(tensor_has_shape(&y, 3, DIMS(5, 5, 9))); /* 0.45: 4.5 rounds up */
    run_op(bench, "", "Resize", 18, smaller, 2, inputs, 4, &y, 1);
    assert_true(tensor_has_shape(&y, 3, DIMS(5, 7, 14)));
}

static void test_old_upsampling(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = tensor_of(bench, DTYPE_F32, 4, DIMS(1, 1, 1, 3), NUMBERS(1, 2, 4)),
                  scales = floats(bench, 4, NUMBERS(1, 1, 2, 2)), y;
    const float two[] = {1, 1, 2, 2};
    const struct attribute attribute = {.name = "scales", .kind = ATTRIBUTE_FLOATS, .n_items = 4, .numbers = two};
    const struct attribute experimental[] = {REAL("height_scale", 2), REAL("width_scale", 2), TEXT("mode", "bilinear")};
    const struct attribute linear[] = {TEXT("mode", "linear")};
    const struct tensor *both[] = {&x, &scales};
    run_op(bench, "", "Upsample", 7, &attribute, 1, both, 1, &y, 1);
    assert_numbers(&y, 6, 6, NUMBERS(1, 1, 2, 2, 4, 4), 0);
    run_op(bench, "", "Upsample", 9, NULL, 0, both, 2, &y, 1);
    assert_numbers(&y, 0, 6, NUMBERS(1, 1, 2, 2, 4, 4), 0);
    run_op(bench, "", "Upsample", 9, linear, 1, both, 2, &y, 1);
    assert_numbers(&y, 0, 6, NUMBERS(1, 1.5, 2, 3, 4, 4), 1e-6);
    run_op(bench, "", "Upsample", 1, experimental, 3, both, 1, &y, 1);
    assert_numbers(&y, 0, 6, NUMBERS(1, 1.5, 2, 3, 4, 4), 1e-6);
    run_op(bench, "", "Resize", 10, linear, 1, both, 2, &y, 1);
    assert_numbers(&y, 0, 6, NUMBERS(1, 1.5, 2, 3, 4, 4), 1e-6);
    assert_fails(bench, "Upsample", 7, NULL, 0, both, 1, HOB_BAD_GRAPH, "scales: found neither");
}

static void test_elements_of_any_type_are_moved(void **state)
{
    struct op_bench *bench = *state;
    struct tensor_string words[] = {{"a", 1}, {"bc", 2}};
    struct tensor x, scales = floats(bench, 1, NUMBERS(2)), y;
    assert_int_equal(tensor_init(&x, DTYPE_STRING, 1, DIMS(2), words, NULL), HOB_OK);
    const struct tensor *inputs[] = {&x, NULL, &scales};
    const struct attribute linear[] = {TEXT("mode", "linear")};
    run_op(bench, "", "Resize", 13, NULL, 0, inputs, 3, &y, 1);
    assert_int_equal(((struct tensor_string *)y.data)[1].n_bytes, 1);
    assert_string_equal(((struct tensor_string *)y.data)[3].bytes, "bc");
    assert_fails(bench, "Resize", 13, linear, 1, inputs, 3, HOB_BAD_TYPE, "expected numbers to interpolate");
}

static void test_threads_change_nothing(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = random_f32(bench, 4, DIMS(1, 2, 150, 171), 3), scales = floats(bench, 4, NUMBERS(1, 1, 2.3, 1.7));
    const struct tensor *inputs[] = {&x, NULL, &scales};
    static const struct attribute modes[] = {TEXT("mode", "nearest"), TEXT("mode", "linear"), TEXT("mode", "cubic")};
    for (size_t i = 0; i < COUNT(modes); i++)
        assert_threads_change_nothing(bench, "Resize", 13, &modes[i], 1, inputs, 3);
}

static void test_wrong_inputs_are_told(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = varied(bench, DTYPE_F32, 2, DIMS(2, 3), 1), scales = floats(bench, 2, NUMBERS(1, 2)),
                  sizes = ints_i64(bench, 2, DIMS(2, 3));
    struct tensor negative = floats(bench, 2, NUMBERS(1, -2)), three = floats(bench, 3, NUMBERS(1, 1, 1)),
                  huge = floats(bench, 2, NUMBERS(1, 1e30));
    struct tensor none = empty_of(bench, DTYPE_F32, 2, DIMS(0, 3)), later = scales;
    const struct attribute wrong[] = {TEXT("mode", "fast")}, antialias[] = {INT("antialias", 1)},
                           twice[] = {INTS("axes", 0, 0)};
    assert_fails(bench, "Resize", 13, NULL, 0, (const struct tensor *[]){&x, NULL, &scales, &sizes}, 4, HOB_BAD_GRAPH,
                 "both scales and sizes");
    assert_fails(bench, "Resize", 13, NULL, 0, (const struct tensor *[]){&x}, 1, HOB_BAD_GRAPH,
                 "neither scales nor sizes");
    assert_fails(bench, "Resize", 13, NULL, 0, (const struct tensor *[]){&x, NULL, &negative}, 3, HOB_BAD_ARGUMENT,
                 "found -2");
    assert_fails(bench, "Resize", 13, NULL, 0, (const struct tensor *[]){&x, NULL, &three}, 3, HOB_BAD_SHAPE,
                 "expected [2]");
    assert_fails(bench, "Resize", 13, NULL, 0, (const struct tensor *[]){&x, NULL, &huge}, 3, HOB_BAD_ARGUMENT,
                 "1e+30");
    assert_fails(bench, "Resize", 13, NULL, 0, (const struct tensor *[]){&none, NULL, NULL, &sizes}, 4, HOB_BAD_SHAPE,
                 "found a dim of 0");
    assert_fails(bench, "Resize", 13, wrong, 1, (const struct tensor *[]){&x, NULL, &scales}, 3, HOB_BAD_GRAPH,
                 "mode: found \"fast\"");
    assert_fails(bench, "Resize", 18, antialias, 1, (const struct tensor *[]){&x, NULL, &scales}, 3, HOB_BAD_GRAPH,
                 "antialias");
    assert_fails(bench, "Resize", 18, twice, 1, (const struct tensor *[]){&x, NULL, &scales}, 3, HOB_BAD_GRAPH,
                 "axis 0 twice");
    later.data = NULL;
    assert_fails(bench, "Resize", 13, NULL, 0, (const struct tensor *[]){&x, NULL, &later}, 3, HOB_UNKNOWN, "input 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_agrees_with_torch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_layouts_and_types_agree, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_three_axes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shrinking_three_axes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nearest_modes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_symmetric_and_pytorch_half_pixels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crops_show_the_value_outside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_integers_are_rounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_aspect_ratio_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_old_upsampling, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_elements_of_any_type_are_moved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_threads_change_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_inputs_are_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* GridSample against PyTorch (tools/make-vision-goldens.py); DeformConv and Col2Im against their definitions; regions of interest,
 * NonMaxSuppression, crops and determinants by hand; what is said about wrong inputs. ONNX's cases are test_onnx_cases' business. */
#include "unit.h"

#include "ops/vision_ops.h"

/* ---- GridSample, AffineGrid ---- */

static void check_grid(struct op_bench *bench, const char *prefix, const char *mode, const char *padding,
                       int64_t aligns)
{
    char name[96];
    snprintf(name, sizeof name, "%s_x", prefix);
    struct tensor x = golden(bench, name), y;
    snprintf(name, sizeof name, "%s_points", prefix);
    struct tensor points = golden(bench, name);
    snprintf(name, sizeof name, "%s_%s_%s_%d", prefix, mode, padding, (int)aligns);
    struct tensor expected = golden(bench, name);
    bool is_old = x.rank == 4;
    const char *newer = !strcmp(mode, "bilinear") ? "linear" : !strcmp(mode, "bicubic") ? "cubic" : mode;
    const char *text = is_old ? mode : newer;
    const struct attribute attributes[] = {
        {.name = "mode", .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {text, strlen(text)}},
        {.name = "padding_mode", .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {padding, strlen(padding)}},
        {.name = "align_corners", .kind = ATTRIBUTE_INT, .n_items = 1, .integer = aligns}};
    run_op(bench, "", "GridSample", is_old ? 16 : 20, attributes, 3, (const struct tensor *[]){&x, &points}, 2, &y, 1);
    assert_close(bench, &y, &expected, 1e-5f, 3e-6f);
}

static void test_grid_sample_agrees_with_torch(void **state)
{
    static const char *const modes[] = {"bilinear", "nearest"}, *const paddings[] = {"zeros", "border", "reflection"};
    for (int64_t aligns = 0; aligns < 2; aligns++) {
        for (size_t p = 0; p < COUNT(paddings); p++)
            for (size_t m = 0; m < COUNT(modes); m++) {
                check_grid(*state, "grid", modes[m], paddings[p], aligns);
                check_grid(*state, "grid_volume", modes[m], paddings[p], aligns);
            }
        check_grid(*state, "grid", "bicubic", "zeros", aligns);
    }
}

static void test_grid_sample_of_other_types(void **state)
{
    struct op_bench *bench = *state;
    static const enum dtype dtypes[] = {DTYPE_F64, DTYPE_F16, DTYPE_BF16, DTYPE_U8, DTYPE_I16, DTYPE_I64};
    static const char *const modes[] = {"linear", "cubic", "nearest"};
    const double nan = (double)NAN, infinity = (double)INFINITY;
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        for (size_t m = 0; m < COUNT(modes); m++) {
            /* Points on items give the items, whatever the mode; far away and nowhere give nothing. */
            struct tensor x = tensor_of(bench, dtypes[i], 3, DIMS(1, 1, 3), NUMBERS(4, 8, 16)), y;
            struct tensor points =
                tensor_of(bench, DTYPE_F64, 3, DIMS(1, 6, 1), NUMBERS(-1, 0, 1, 1e30, nan, infinity));
            const struct attribute attributes[] = {
                {.name = "mode", .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {modes[m], strlen(modes[m])}},
                INT("align_corners", 1)};
            run_op(bench, "", "GridSample", 20, attributes, 2, (const struct tensor *[]){&x, &points}, 2, &y, 1);
            assert_numbers(&y, 0, 6, NUMBERS(4, 8, 16, 0, 0, 0), 0);
        }
    }
    /* Interpolated integers are cut off, not rounded. */
    struct tensor x = tensor_of(bench, DTYPE_I8, 3, DIMS(1, 1, 2), NUMBERS(-1, -2)), y;
    struct tensor point = tensor_of(bench, DTYPE_F32, 3, DIMS(1, 1, 1), NUMBERS(0.9));
    const struct attribute aligned[] = {INT("align_corners", 1)};
    run_op(bench, "", "GridSample", 20, aligned, 1, (const struct tensor *[]){&x, &point}, 2, &y, 1);
    assert_numbers(&y, 0, 1, NUMBERS(-1), 0);
}

static void test_affine_grid_of_one_position(void **state)
{
    struct op_bench *bench = *state;
    struct tensor theta = tensor_of(bench, DTYPE_F64, 3, DIMS(1, 2, 3), NUMBERS(1, 0, 0.5, 0, 1, -0.5)),
                  size = ints_i64(bench, 4, DIMS(1, 9, 1, 2)), y;
    const struct attribute aligned[] = {INT("align_corners", 1)};
    run_op(bench, "", "AffineGrid", 20, aligned, 1, (const struct tensor *[]){&theta, &size}, 2, &y, 1);
    assert_true(tensor_has_shape(&y, 4, DIMS(1, 1, 2, 2)));
    assert_numbers(&y, 0, 4, NUMBERS(-0.5, -0.5, 1.5, -0.5), 1e-12);
    run_op(bench, "", "AffineGrid", 20, NULL, 0, (const struct tensor *[]){&theta, &size}, 2, &y, 1);
    assert_numbers(&y, 0, 4, NUMBERS(0, -0.5, 1, -0.5), 1e-12);
    struct tensor wrong = ints_i64(bench, 5, DIMS(1, 9, 1, 2, 2));
    assert_fails(bench, "AffineGrid", 20, NULL, 0, (const struct tensor *[]){&theta, &wrong}, 2, HOB_BAD_SHAPE,
                 "expected [1,3,4]");
}

/* ---- regions of interest ---- */

static void test_roi_align(void **state)
{
    struct op_bench *bench = *state;
    static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_F64, DTYPE_F16, DTYPE_BF16};
    const struct attribute plain[] = {INT("output_height", 2), INT("output_width", 2), INT("sampling_ratio", 1)};
    const struct attribute max[] = {TEXT("mode", "max"), INT("sampling_ratio", 2),
                                    TEXT("coordinate_transformation_mode", "output_half_pixel")};
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        struct tensor x = empty_of(bench, dtypes[i], 4, DIMS(1, 2, 4, 4)),
                      rois = tensor_of(bench, dtypes[i], 2, DIMS(1, 4), NUMBERS(0, 0, 4, 2));
        struct tensor batches = ints_i64(bench, 1, DIMS(0)), y;
        for (int64_t k = 0; k < 32; k++) set_number(&x, k, (double)k);
        const struct tensor *inputs[] = {&x, &rois, &batches};
        /* Bins of 2x1: their middles are x 1 and 3, y 0.5 and 1.5; half a pixel less since opset 16. Item = 4y + x. */
        run_op(bench, "", "RoiAlign", 10, plain, 3, inputs, 3, &y, 1);
        assert_numbers(&y, 0, 4, NUMBERS(3, 5, 7, 9), 0);
        run_op(bench, "", "RoiAlign", 16, plain, 3, inputs, 3, &y, 1);
        assert_numbers(&y, 0, 8, NUMBERS(0.5, 2.5, 4.5, 6.5, 16.5, 18.5, 20.5, 22.5), 0);
        /* Samples at x 1 3, y 0.5 1.5: the largest weighted neighbour is 0.5 * (4 * 2 + 3). */
        run_op(bench, "", "RoiAlign", 22, max, 3, inputs, 3, &y, 1);
        assert_numbers(&y, 0, 1, NUMBERS(5.5), 0);
    }
}

static void test_wrong_regions_are_told(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = varied(bench, DTYPE_F32, 4, DIMS(1, 2, 4, 4), 1),
                  rois = tensor_of(bench, DTYPE_F32, 2, DIMS(1, 4), NUMBERS(0, 0, 1e9, 1e9));
    struct tensor batches = ints_i64(bench, 1, DIMS(0)), other = ints_i64(bench, 1, DIMS(1)), y;
    struct tensor nan = tensor_of(bench, DTYPE_F32, 2, DIMS(1, 4), NUMBERS((double)NAN, 0, 1, 1));
    const struct attribute mode[] = {TEXT("mode", "sum")};
    assert_fails(bench, "RoiAlign", 16, NULL, 0, (const struct tensor *[]){&x, &rois, &batches}, 3, HOB_LIMIT,
                 "region 0");
    assert_fails(bench, "RoiAlign", 16, NULL, 0, (const struct tensor *[]){&x, &rois, &other}, 3, HOB_BAD_ARGUMENT,
                 "found index 1");
    assert_fails(bench, "RoiAlign", 16, mode, 1, (const struct tensor *[]){&x, &rois, &batches}, 3, HOB_BAD_GRAPH,
                 "expected avg or max");
    run_op(bench, "", "RoiAlign", 16, NULL, 0, (const struct tensor *[]){&x, &nan, &batches}, 3, &y, 1);
    assert_numbers(&y, 0, 1, NUMBERS(0), 0);
}

static void test_max_roi_pool(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = empty_of(bench, DTYPE_F32, 4, DIMS(2, 1, 4, 6)), y;
    struct tensor rois =
        tensor_of(bench, DTYPE_F32, 2, DIMS(3, 5), NUMBERS(0, 0, 0, 5, 3, 1, 1, 1, 4, 2, 0, 90, 90, 99, 99));
    const struct attribute attributes[] = {INTS("pooled_shape", 2, 2)},
                           half[] = {INTS("pooled_shape", 1, 1), REAL("spatial_scale", 0.5f)};
    for (int64_t k = 0; k < 48; k++) set_number(&x, k, (double)k);
    const struct tensor *inputs[] = {&x, &rois};
    run_op(bench, "", "MaxRoiPool", 1, attributes, 1, inputs, 2, &y, 1);
    /* 6x4 in quarters; 4x2 of item 1 from (1,1); a region beside the image. */
    assert_numbers(&y, 0, 12, NUMBERS(8, 11, 20, 23, 32, 34, 38, 40, 0, 0, 0, 0), 0);
    run_op(bench, "", "MaxRoiPool", 22, half, 2, inputs, 2, &y, 1);
    assert_numbers(&y, 0, 1, NUMBERS(15), 0); /* corners 0,0 and 2.5,1.5 round to 3,2 */
    set_number(&rois, 5, 7);
    assert_fails(bench, "MaxRoiPool", 1, attributes, 1, inputs, 2, HOB_BAD_ARGUMENT, "found item 7 in region 1");
}

/* ---- NonMaxSuppression ---- */

static void check_selected(const struct tensor *y, int64_t n, const int64_t *expected)
{
    assert_true(tensor_has_shape(y, 2, DIMS(n, 3)));
    if (n) assert_memory_equal(y->data, expected, (size_t)n * 3 * sizeof *expected);
}

static void test_non_max_suppression(void **state)
{
    struct op_bench *bench = *state;
    /* 0 and 1 overlap by 1/3, 2 is apart, 3 has the corners of 2 the other way round. */
    struct tensor boxes =
        tensor_of(bench, DTYPE_F32, 3, DIMS(1, 4, 4), NUMBERS(0, 0, 2, 2, 0, 1, 2, 3, 5, 5, 6, 6, 6, 6, 5, 5));
    struct tensor scores =
        tensor_of(bench, DTYPE_F32, 3, DIMS(1, 2, 4), NUMBERS(0.5, 0.9, 0.5, 0.5, 0.1, 0.2, (double)NAN, 0.05));
    struct tensor limit = ints_i64(bench, 1, DIMS(9)), one = ints_i64(bench, 1, DIMS(1)),
                  negative = ints_i64(bench, 1, DIMS(-1)), y;
    struct tensor loose = tensor_of(bench, DTYPE_F32, 0, NULL, NUMBERS(0.4)),
                  least = tensor_of(bench, DTYPE_F32, 1, DIMS(1), NUMBERS(0.15));
    run_op(bench, "", "NonMaxSuppression", 11, NULL, 0, (const struct tensor *[]){&boxes, &scores, &limit, &loose}, 4,
           &y, 1);
    check_selected(&y, 6, DIMS(0, 0, 1, 0, 0, 0, 0, 0, 2, 0, 1, 1, 0, 1, 0, 0, 1, 3));
    run_op(bench, "", "NonMaxSuppression", 11, NULL, 0,
           (const struct tensor *[]){&boxes, &scores, &limit, NULL, &least}, 5, &y, 1);
    check_selected(&y, 3, DIMS(0, 0, 1, 0, 0, 2, 0, 1, 1));
    run_op(bench, "", "NonMaxSuppression", 10, NULL, 0, (const struct tensor *[]){&boxes, &scores, &one, &loose}, 4, &y,
           1);
    check_selected(&y, 2, DIMS(0, 0, 1, 0, 1, 1));
    run_op(bench, "", "NonMaxSuppression", 11, NULL, 0, (const struct tensor *[]){&boxes, &scores}, 2, &y, 1);
    check_selected(&y, 0, NULL);
    run_op(bench, "", "NonMaxSuppression", 11, NULL, 0, (const struct tensor *[]){&boxes, &scores, &negative}, 3, &y,
           1);
    check_selected(&y, 0, NULL);
    assert_fails(bench, "NonMaxSuppression", 11, NULL, 0, (const struct tensor *[]){&scores, &boxes}, 2, HOB_BAD_SHAPE,
                 "expected [1,classes,2]");
}

/* Against all pairs, for many boxes; centres and corners are the same boxes. */
static void test_many_boxes(void **state)
{
    struct op_bench *bench = *state;
    enum { N = 300 };
    struct tensor corners = random_f32(bench, 3, DIMS(1, N, 4), 5), scores = random_f32(bench, 3, DIMS(1, 1, N), 6), y,
                  same;
    struct tensor centres = empty_of(bench, DTYPE_F32, 3, DIMS(1, N, 4)), limit = ints_i64(bench, 1, DIMS(N));
    struct tensor threshold = tensor_of(bench, DTYPE_F32, 1, DIMS(1), NUMBERS(0.3));
    const struct attribute are_centres[] = {INT("center_point_box", 1)};
    for (int64_t i = 0; i < N; i++) {
        float *box = (float *)corners.data + 4 * i, *centre = (float *)centres.data + 4 * i;
        for (int k = 0; k < 4; k++) box[k] = (float)(int)(box[k] * 64); /* whole numbers: both forms are exact */
        centre[0] = (box[1] + box[3]) / 2, centre[1] = (box[0] + box[2]) / 2;
        centre[2] = fabsf(box[3] - box[1]), centre[3] = fabsf(box[2] - box[0]);
    }
    run_op(bench, "", "NonMaxSuppression", 11, NULL, 0,
           (const struct tensor *[]){&corners, &scores, &limit, &threshold}, 4, &y, 1);
    run_op(bench, "", "NonMaxSuppression", 11, are_centres, 1,
           (const struct tensor *[]){&centres, &scores, &limit, &threshold}, 4, &same, 1);
    assert_same_bytes(bench, &y, &same);
    const int64_t *selected = y.data;
    assert_true(y.dims[0] > 20 && y.dims[0] < N);
    for (int64_t i = 0; i < y.dims[0]; i++) {
        for (int64_t k = 0; k < i; k++) {
            const float *a = (float *)centres.data + 4 * selected[3 * i + 2],
                        *b = (float *)centres.data + 4 * selected[3 * k + 2];
            double width = fmin(a[0] + a[2] / 2, b[0] + b[2] / 2) - fmax(a[0] - a[2] / 2, b[0] - b[2] / 2);
            double height = fmin(a[1] + a[3] / 2, b[1] + b[3] / 2) - fmax(a[1] - a[3] / 2, b[1] - b[3] / 2);
            double shared = fmax(width, 0) * fmax(height, 0);
            assert_true(shared / (a[2] * a[3] + b[2] * b[3] - shared + 1e-9) <= 0.3000001);
            assert_true(number_at(&scores, selected[3 * k + 2]) >= number_at(&scores, selected[3 * i + 2]));
        }
    }
}

/* ---- DeformConv ---- */

/* The definition for images: each tap at its place plus its offset, interpolated between four items, 0 outside. */
static double tap_at(const struct tensor *x, int64_t plane, double row, double column)
{
    double sum = 0, r0 = floor(row), c0 = floor(column);
    for (int i = 0; i < 4; i++) {
        double r = r0 + i / 2, c = c0 + i % 2;
        if (r < 0 || c < 0 || r >= (double)x->dims[2] || c >= (double)x->dims[3]) continue;
        sum += (1 - fabs(row - r)) * (1 - fabs(column - c)) *
               number_at(x, (plane * x->dims[2] + (int64_t)r) * x->dims[3] + (int64_t)c);
    }
    return sum;
}

/* x [1,4,6,7], w [6,2,3,2] in 2 groups, 2 offset groups, pads 1 0 1 1, strides 2 1, dilations 1 2. */
enum { ROWS = 3, COLUMNS = 6, TAPS = 6 };

static double deformed(const struct tensor *const *inputs, int64_t m, int64_t row, int64_t column)
{
    double sum = number_at(inputs[3], m);
    for (int64_t c = 0; c < 2; c++) {
        int64_t channel = m / 3 * 2 + c, group = channel / 2;
        for (int64_t tap = 0; tap < TAPS; tap++) {
            int64_t map = (group * TAPS + tap) * 2, at = row * COLUMNS + column;
            double y = (double)(row * 2 - 1 + tap / 2) + number_at(inputs[2], map * ROWS * COLUMNS + at);
            double x = (double)(column + tap % 2 * 2) + number_at(inputs[2], (map + 1) * ROWS * COLUMNS + at);
            double weight = number_at(inputs[1], (m * 2 + c) * TAPS + tap) *
                            number_at(inputs[4], (group * TAPS + tap) * ROWS * COLUMNS + at);
            sum += weight * tap_at(inputs[0], channel, y, x);
        }
    }
    return sum;
}

static void test_deform_conv_is_its_definition(void **state)
{
    struct op_bench *bench = *state;
    static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_F64, DTYPE_F16, DTYPE_BF16};
    const struct attribute attributes[] = {INTS("pads", 1, 0, 1, 1), INTS("strides", 2, 1), INTS("dilations", 1, 2),
                                           INT("group", 2), INT("offset_group", 2)};
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        struct tensor x = varied(bench, dtypes[i], 4, DIMS(1, 4, 6, 7), 1),
                      w = varied(bench, dtypes[i], 4, DIMS(6, 2, 3, 2), 2), y;
        struct tensor offset = varied(bench, dtypes[i], 4, DIMS(1, 24, ROWS, COLUMNS), 3),
                      bias = varied(bench, dtypes[i], 1, DIMS(6), 4);
        struct tensor mask = varied(bench, dtypes[i], 4, DIMS(1, 12, ROWS, COLUMNS), 5);
        for (int64_t k = 0; k < tensor_n_items(&offset); k++) set_number(&offset, k, number_at(&offset, k) / 16);
        const struct tensor *inputs[] = {&x, &w, &offset, &bias, &mask};
        run_op(bench, "", "DeformConv", 22, attributes, 5, inputs, 5, &y, 1);
        assert_true(tensor_has_shape(&y, 4, DIMS(1, 6, ROWS, COLUMNS)));
        for (int64_t k = 0; k < tensor_n_items(&y); k++) {
            double expected = deformed(inputs, k / (ROWS * COLUMNS), k / COLUMNS % ROWS, k % COLUMNS);
            /* Sums of numbers in the thousands that may nearly cancel. */
            assert_true(fabs(number_at(&y, k) - expected) <= (i == 1   ? 1e-9
                                                              : i == 0 ? 0.05
                                                                       : 1e-2 * fabs(expected) + 1));
        }
    }
}

static void test_deform_conv_of_one_and_three_axes(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = tensor_of(bench, DTYPE_F32, 3, DIMS(1, 1, 4), NUMBERS(1, 2, 4, 8)),
                  w = tensor_of(bench, DTYPE_F32, 3, DIMS(1, 1, 2), NUMBERS(1, 10)), y;
    struct tensor offset = tensor_of(bench, DTYPE_F32, 3, DIMS(1, 2, 3), NUMBERS(0, 0.5, -0.5, 1, 0, 9));
    run_op(bench, "", "DeformConv", 19, NULL, 0, (const struct tensor *[]){&x, &w, &offset}, 3, &y, 1);
    assert_numbers(&y, 0, 3, NUMBERS(1 + 40, 3 + 40, 3), 1e-6);
    struct tensor volume = varied(bench, DTYPE_F32, 5, DIMS(1, 1, 3, 3, 3), 1),
                  one = tensor_of(bench, DTYPE_F32, 5, DIMS(1, 1, 1, 1, 1), NUMBERS(2));
    struct tensor shifts = empty_of(bench, DTYPE_F32, 5, DIMS(1, 3, 3, 3, 3));
    for (int64_t i = 0; i < 81; i++) set_number(&shifts, i, i / 27 == 1);
    run_op(bench, "", "DeformConv", 19, NULL, 0, (const struct tensor *[]){&volume, &one, &shifts}, 3, &y, 1);
    for (int64_t i = 0; i < 27; i++)
        assert_numbers(&y, i, 1, NUMBERS(i / 3 % 3 == 2 ? 0 : 2 * number_at(&volume, i + 3)), 0);
    assert_fails(bench, "DeformConv", 19, NULL, 0, (const struct tensor *[]){&x, &w, &x}, 3, HOB_BAD_SHAPE,
                 "input 2: found [1,1,4]");
}

/* ---- Col2Im, CenterCropPad, Det, DepthToSpace ---- */

static void test_columns_add_up(void **state)
{
    struct op_bench *bench = *state;
    static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_F64, DTYPE_F16, DTYPE_I32, DTYPE_U8, DTYPE_I64};
    const struct attribute attributes[] = {INTS("strides", 2), INTS("dilations", 2), INTS("pads", 1, 2)};
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        /* Image of 5, block of 2: starts -1 1 3, items at start and start + 2. */
        struct tensor x = tensor_of(bench, dtypes[i], 3, DIMS(1, 4, 3), NUMBERS(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)),
                      y;
        struct tensor image = ints_i64(bench, 1, DIMS(5)), block = ints_i64(bench, 1, DIMS(2));
        run_op(bench, "", "Col2Im", 18, attributes, 3, (const struct tensor *[]){&x, &image, &block}, 3, &y, 1);
        assert_true(tensor_has_shape(&y, 3, DIMS(1, 2, 5)));
        assert_numbers(&y, 0, 10, NUMBERS(0, 2 + 4, 0, 3 + 5, 0, 0, 8 + 10, 0, 9 + 11, 0), 0);
    }
    struct tensor x = varied(bench, DTYPE_F32, 3, DIMS(1, 4, 3), 1), image = ints_i64(bench, 1, DIMS(5)),
                  block = ints_i64(bench, 1, DIMS(2));
    assert_fails(bench, "Col2Im", 18, NULL, 0, (const struct tensor *[]){&x, &image, &block}, 3, HOB_BAD_SHAPE,
                 "a multiple of 2, 4]");
}

static void test_columns_of_volumes(void **state)
{
    struct op_bench *bench = *state;
    /* Ones: every image item counts the blocks that cover it. */
    struct tensor x = empty_of(bench, DTYPE_F32, 3, DIMS(1, 8, 18)), image = ints_i64(bench, 3, DIMS(3, 4, 4)),
                  block = ints_i64(bench, 3, DIMS(2, 2, 2)), y;
    for (int64_t i = 0; i < tensor_n_items(&x); i++) set_number(&x, i, 1);
    run_op(bench, "", "Col2Im", 18, NULL, 0, (const struct tensor *[]){&x, &image, &block}, 3, &y, 1);
    for (int64_t i = 0; i < 48; i++) {
        int64_t at[] = {i / 16, i / 4 % 4, i % 4};
        double expected = (at[0] == 1 ? 2 : 1) * (at[1] % 3 ? 2 : 1) * (at[2] % 3 ? 2 : 1);
        assert_numbers(&y, i, 1, &expected, 0);
    }
}

static void test_crops_and_pads_around_the_middle(void **state)
{
    struct op_bench *bench = *state;
    struct tensor_string words[] = {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}};
    struct tensor x, crop = ints_i64(bench, 1, DIMS(1)), pad = ints_i64(bench, 1, DIMS(7)),
                     short_list = ints_i64(bench, 1, DIMS(3)), y;
    struct tensor matrix = tensor_of(bench, DTYPE_I32, 2, DIMS(2, 3), NUMBERS(1, 2, 3, 4, 5, 6));
    const struct attribute last[] = {INTS("axes", -1)};
    assert_int_equal(tensor_init(&x, DTYPE_STRING, 1, DIMS(4), words, NULL), HOB_OK);
    run_op(bench, "", "CenterCropPad", 18, NULL, 0, (const struct tensor *[]){&x, &crop}, 2, &y, 1);
    assert_string_equal(((struct tensor_string *)y.data)->bytes, "b"); /* 3 less: 1 before, 2 behind */
    run_op(bench, "", "CenterCropPad", 18, NULL, 0, (const struct tensor *[]){&x, &pad}, 2, &y, 1);
    assert_int_equal(((struct tensor_string *)y.data)[0].n_bytes, 0); /* 3 more: 1 before, 2 behind */
    assert_string_equal(((struct tensor_string *)y.data)[1].bytes, "a");
    assert_string_equal(((struct tensor_string *)y.data)[4].bytes, "d");
    struct tensor turned = tensor_transpose(&matrix, (int[]){1, 0});
    run_op(bench, "", "CenterCropPad", 18, last, 1, (const struct tensor *[]){&turned, &short_list}, 2, &y, 1);
    assert_numbers(&y, 0, 9, NUMBERS(1, 4, 0, 2, 5, 0, 3, 6, 0), 0);
    assert_fails(bench, "CenterCropPad", 18, NULL, 0, (const struct tensor *[]){&matrix, &crop}, 2, HOB_BAD_SHAPE,
                 "found 1 values, expected 2");
}

static void test_determinants(void **state)
{
    struct op_bench *bench = *state;
    static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_F64, DTYPE_F16};
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        struct tensor x = tensor_of(bench, dtypes[i], 3, DIMS(2, 3, 3),
                                    NUMBERS(0, 2, 1, 3, 0, -1, 1, 1, 4, 1, 2, 3, 2, 4, 6, 1, 1, 1)),
                      y;
        run_op(bench, "", "Det", 22, NULL, 0, (const struct tensor *[]){&x}, 1, &y, 1);
        assert_true(tensor_has_shape(&y, 1, DIMS(2)));
        assert_numbers(&y, 0, 2, NUMBERS(-23, 0), 1e-3);
    }
    struct tensor none = empty_of(bench, DTYPE_F32, 2, DIMS(0, 0)), wide = varied(bench, DTYPE_F32, 2, DIMS(2, 3), 1),
                  y;
    run_op(bench, "", "Det", 11, NULL, 0, (const struct tensor *[]){&none}, 1, &y, 1);
    assert_numbers(&y, 0, 1, NUMBERS(1), 0);
    assert_fails(bench, "Det", 11, NULL, 0, (const struct tensor *[]){&wide}, 1, HOB_BAD_SHAPE,
                 "expected square matrices");
}

static void test_blocks_of_every_type(void **state)
{
    struct op_bench *bench = *state;
    static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_F64, DTYPE_F16, DTYPE_U8, DTYPE_I16, DTYPE_I64, DTYPE_BOOL};
    const struct attribute crd[] = {INT("blocksize", 2), TEXT("mode", "CRD")},
                           wrong[] = {INT("blocksize", 2), TEXT("mode", "RCD")};
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        struct tensor x = tensor_of(bench, dtypes[i], 4, DIMS(1, 4, 1, 2), NUMBERS(0, 1, 0, 0, 1, 1, 0, 1)), y, back;
        run_op(bench, "", "DepthToSpace", 13, crd, 2, (const struct tensor *[]){&x}, 1, &y, 1);
        assert_numbers(&y, 0, 8, NUMBERS(0, 0, 1, 0, 1, 0, 1, 1), 0);
        run_op(bench, "", "SpaceToDepth", 13, crd, 1, (const struct tensor *[]){&y}, 1, &back, 1);
        assert_same_bytes(bench, &back, &x); /* one channel: both modes are the same */
    }
    struct tensor x = varied(bench, DTYPE_F32, 4, DIMS(1, 4, 1, 2), 1);
    assert_fails(bench, "DepthToSpace", 13, wrong, 2, (const struct tensor *[]){&x}, 1, HOB_BAD_GRAPH,
                 "expected DCR or CRD");
}

static void test_threads_change_nothing(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = random_f32(bench, 4, DIMS(2, 4, 30, 31), 1), points = random_f32(bench, 4, DIMS(2, 40, 41, 2), 2);
    struct tensor w = random_f32(bench, 4, DIMS(5, 4, 3, 3), 3), offset = random_f32(bench, 4, DIMS(2, 18, 28, 29), 4);
    struct tensor rois = random_f32(bench, 2, DIMS(9, 4), 5),
                  batches = ints_i64(bench, 9, DIMS(0, 1, 0, 1, 0, 1, 0, 1, 0));
    const struct attribute cubic[] = {TEXT("mode", "cubic")},
                           output[] = {INT("output_height", 3), INT("output_width", 4)};
    for (int64_t i = 0; i < 36; i++) set_number(&rois, i, 15 + 14 * number_at(&rois, i));
    assert_threads_change_nothing(bench, "GridSample", 20, cubic, 1, (const struct tensor *[]){&x, &points}, 2);
    assert_threads_change_nothing(bench, "DeformConv", 19, NULL, 0, (const struct tensor *[]){&x, &w, &offset}, 3);
    assert_threads_change_nothing(bench, "RoiAlign", 16, output, 2, (const struct tensor *[]){&x, &rois, &batches}, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_grid_sample_agrees_with_torch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_grid_sample_of_other_types, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_affine_grid_of_one_position, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_roi_align, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_regions_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_max_roi_pool, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_non_max_suppression, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_boxes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deform_conv_is_its_definition, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deform_conv_of_one_and_three_axes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_columns_add_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_columns_of_volumes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crops_and_pads_around_the_middle, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_determinants, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_blocks_of_every_type, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_threads_change_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

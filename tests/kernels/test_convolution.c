/* Convolution kernels: every table gives the bytes that the plain definitions here give. */
#include "kernel_test.h"

/* ---- patches ---- */

static float patch_item(const struct patches_f32_args *args, int64_t pixel, int64_t step, int64_t n_taps)
{
    int64_t channel = step / n_taps, tap = step % n_taps, index = 0, size = 1;
    for (int axis = args->rank - 1; axis >= 0; axis--) {
        int64_t i = pixel % args->outputs[axis] * args->strides[axis] + tap % args->taps[axis] * args->dilations[axis] +
                    args->origins[axis];
        pixel /= args->outputs[axis];
        tap /= args->taps[axis];
        if (i < 0 || i >= args->inputs[axis]) return 0;
        index += i * size;
        size *= args->inputs[axis];
    }
    return args->x[channel * args->channel_stride + index];
}

static void check_patches(struct patches_f32_args args)
{
    int64_t n_taps = 1, n_items = 1, n_steps;
    for (int axis = 0; axis < args.rank; axis++) n_taps *= args.taps[axis], n_items *= args.inputs[axis];
    n_steps = n_taps * args.n_channels;
    args.channel_stride = n_items + 3;
    int64_t n_floats = panel_count(args.n_pixels) * n_steps * PANEL_COLUMNS;
    float *x = new_random_floats(args.n_channels * args.channel_stride, 1), *expected = new_floats(n_floats),
          *panels = new_floats(n_floats);
    args.x = x;
    args.panels = panels;
    for (int64_t i = 0; i < n_floats; i++) {
        int64_t column = i / (n_steps * PANEL_COLUMNS) * PANEL_COLUMNS + i % PANEL_COLUMNS,
                step = i / PANEL_COLUMNS % n_steps;
        expected[i] = column < args.n_pixels ? patch_item(&args, args.pixel_begin + column, step, n_taps) : 0;
    }
    FOR_EACH_TABLE(table)
    {
        fill(panels, n_floats, 5);
        table->patches_f32(&args);
        assert_same_bits(table->name, panels, expected, n_floats);
    }
    memory_free(x), memory_free(expected), memory_free(panels);
}

static void test_patches(void **state)
{
    (void)state;
    static const struct patches_f32_args cases[] = {
        {.n_channels = 3,
         .rank = 1,
         .inputs = {40},
         .outputs = {40},
         .taps = {1},
         .strides = {1},
         .dilations = {1},
         .n_pixels = 40},
        {.n_channels = 2,
         .rank = 1,
         .inputs = {50},
         .outputs = {19},
         .taps = {5},
         .strides = {3},
         .dilations = {2},
         .origins = {-7},
         .n_pixels = 19},
        {.n_channels = 3,
         .rank = 2,
         .inputs = {9, 13},
         .outputs = {9, 13},
         .taps = {3, 3},
         .strides = {1, 1},
         .dilations = {1, 1},
         .origins = {-1, -1},
         .n_pixels = 117},
        {.n_channels = 2,
         .rank = 2,
         .inputs = {20, 33},
         .outputs = {10, 17},
         .taps = {3, 3},
         .strides = {2, 2},
         .dilations = {1, 1},
         .origins = {-1, -1},
         .pixel_begin = 37,
         .n_pixels = 70},
        {.n_channels = 1,
         .rank = 2,
         .inputs = {2, 40},
         .outputs = {12, 60},
         .taps = {2, 4},
         .strides = {1, 1},
         .dilations = {3, 5},
         .origins = {-9, -20},
         .pixel_begin = 5,
         .n_pixels = 700},
        {.n_channels = 2,
         .rank = 3,
         .inputs = {3, 4, 18},
         .outputs = {3, 3, 20},
         .taps = {2, 3, 2},
         .strides = {1, 2, 1},
         .dilations = {2, 1, 1},
         .origins = {-1, -2, -2},
         .n_pixels = 180},
        {.n_channels = 2,
         .rank = 4,
         .inputs = {2, 3, 2, 5},
         .outputs = {2, 2, 2, 4},
         .taps = {1, 2, 1, 2},
         .strides = {1, 1, 1, 1},
         .dilations = {1, 1, 1, 1},
         .n_pixels = 32},
        /* too far for 32 bits */
        {.n_channels = 1,
         .rank = 1,
         .inputs = {8},
         .outputs = {2},
         .taps = {2},
         .strides = {INT32_MAX},
         .dilations = {INT32_MAX},
         .origins = {-INT32_MAX},
         .n_pixels = 2},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) check_patches(cases[i]);
}

/* ---- depthwise ---- */

static float depthwise_item(const struct depthwise_f32_args *args, int64_t row, int64_t column)
{
    float sum = 0;
    for (int64_t t = 0; t < args->taps[0] * args->taps[1]; t++) {
        int64_t y = row * args->strides[0] + t / args->taps[1] * args->dilations[0] + args->origins[0];
        int64_t x = column * args->strides[1] + t % args->taps[1] * args->dilations[1] + args->origins[1];
        bool is_inside = y >= 0 && y < args->height && x >= 0 && x < args->width;
        sum = fmaf(args->weights[t], is_inside ? args->x[y * args->width + x] : 0, sum);
    }
    return sum;
}

static void check_depthwise(struct depthwise_f32_args args, int64_t n_rows)
{
    size_t n_scratch;
    assert_true(depthwise_scratch_floats(&args, &n_scratch));
    float *x = new_random_floats(args.height * args.width, 2),
          *weights = new_random_floats(args.taps[0] * args.taps[1], 3);
    float *expected = new_floats(n_rows * args.out_width), *y = new_floats(n_rows * args.out_width),
          *scratch = new_floats((int64_t)n_scratch);
    args.x = x, args.weights = weights, args.y = y, args.scratch = scratch;
    for (int64_t i = 0; i < n_rows * args.out_width; i++)
        expected[i] = depthwise_item(&args, i / args.out_width, i % args.out_width);
    FOR_EACH_TABLE(table)
    {
        fill(y, n_rows * args.out_width, 5);
        for (int64_t row = 0; row < n_rows; row += 7) {
            args.row_begin = row, args.row_end = row + 7 < n_rows ? row + 7 : n_rows;
            table->depthwise_f32(&args);
        }
        assert_same_bits(table->name, y, expected, n_rows * args.out_width);
    }
    memory_free(x), memory_free(weights), memory_free(expected), memory_free(y), memory_free(scratch);
}

static void test_depthwise(void **state)
{
    (void)state;
    for (int64_t stride = 1; stride <= 5; stride++)
        for (int64_t dilation = 1; dilation <= 3; dilation++)
            for (int64_t taps = 1; taps <= 5; taps += 2)
                for (int64_t width = 1; width <= 70; width += 23)
                    check_depthwise((struct depthwise_f32_args){.height = 11,
                                                                .width = width,
                                                                .taps = {3, taps},
                                                                .strides = {stride, stride},
                                                                .dilations = {dilation, dilation},
                                                                .origins = {-2, -taps},
                                                                .out_width = width / stride + 2},
                                    10 / stride + 1);
    check_depthwise((struct depthwise_f32_args){.height = 300,
                                                .width = 90,
                                                .taps = {5, 5},
                                                .strides = {1, 1},
                                                .dilations = {1, 1},
                                                .origins = {-2, -2},
                                                .out_width = 90},
                    300);
    check_depthwise((struct depthwise_f32_args){.height = 1,
                                                .width = 50,
                                                .taps = {1, 31},
                                                .strides = {1, 1},
                                                .dilations = {1, 1},
                                                .origins = {0, -15},
                                                .out_width = 50},
                    1);
}

static void test_depthwise_scratch_overflows(void **state)
{
    (void)state;
    size_t n_floats;
    struct depthwise_f32_args args = {
        .taps = {INT32_MAX, INT32_MAX}, .strides = {1, 1}, .dilations = {INT32_MAX, INT32_MAX}, .out_width = 1};
    assert_false(depthwise_scratch_floats(&args, &n_floats));
}

/* ---- finish ---- */

static void check_finish(struct finish_f32_args args, const struct finish_f32_args *given)
{
    int64_t n = args.n_rows * args.y_stride;
    float *start = new_random_floats(n, 4), *expected = new_floats(n), *y = new_floats(n);
    for (int64_t i = 0; i < n; i++) start[i] *= 8;
    start[1] = NAN, start[2] = -0.0f, start[3] = INFINITY, start[4] = -INFINITY;
    for (int64_t i = 5; i < n; i += 7) start[i] *= 14; /* where exp ends in denormal numbers */
    args.bias = given->bias, args.before = given->before, args.after = given->after;
    args.before_stride = args.after_stride = args.n_columns;
    FOR_EACH_TABLE(table)
    {
        memcpy(y, start, (size_t)n * sizeof *y);
        args.y = y;
        table->finish_f32(&args);
        if (table_index == 0) memcpy(expected, y, (size_t)n * sizeof *y);
        assert_same_bits(table->name, y, expected, n);
    }
    memory_free(start), memory_free(expected), memory_free(y);
}

static void test_finish(void **state)
{
    (void)state;
    enum { ROWS = 3, COLUMNS = 93 };
    float *bias = new_random_floats(ROWS, 5), *before = new_random_floats(ROWS * COLUMNS, 6),
          *after = new_random_floats(ROWS * COLUMNS, 7);
    for (int activation = FINISH_NONE; activation <= FINISH_GELU; activation++)
        for (int parts = 0; parts < 16; parts++) {
            struct finish_f32_args given = {.bias = parts & 1 ? bias : NULL,
                                            .before = parts & 2 ? before : NULL,
                                            .after = parts & 4 ? after : NULL};
            check_finish((struct finish_f32_args){.y_stride = COLUMNS + 4,
                                                  .n_rows = ROWS,
                                                  .n_columns = COLUMNS,
                                                  .activation = (enum finish_activation)activation,
                                                  .alpha = -0.4f,
                                                  .beta = 0.7f,
                                                  .scale = 1.5f,
                                                  .shift = 0.25f,
                                                  .is_scaled = parts & 8},
                         &given);
        }
    memory_free(bias), memory_free(before), memory_free(after);
}

/* One number each, by hand. */
static void test_finish_of_known_numbers(void **state)
{
    (void)state;
    static const struct {
        enum finish_activation activation;
        float alpha, beta, x, y;
    } cases[] = {
        {FINISH_NONE, 0, 0, -3, -3},
        {FINISH_RELU, 0, 0, -3, 0},
        {FINISH_RELU, 0, 0, 2, 2},
        {FINISH_LEAKY_RELU, 0.5f, 0, -3, -1.5f},
        {FINISH_CLIP, -1, 6, 9, 6},
        {FINISH_CLIP, -1, 6, -9, -1},
        {FINISH_SIGMOID, 0, 0, 0, 0.5f},
        {FINISH_HARD_SIGMOID, 0.25f, 0.5f, 1, 0.75f},
        {FINISH_HARD_SWISH, 0.25f, 0.5f, 1, 0.75f},
        {FINISH_HARD_SWISH, 0.25f, 0.5f, -9, -0.0f},
        {FINISH_SILU, 0, 0, 0, 0},
        {FINISH_TANH, 0, 0, 0, 0},
        {FINISH_GELU, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) FOR_EACH_TABLE(table)
        {
            float y = cases[i].x;
            table->finish_f32(&(struct finish_f32_args){.y = &y,
                                                        .y_stride = 1,
                                                        .n_rows = 1,
                                                        .n_columns = 1,
                                                        .activation = cases[i].activation,
                                                        .alpha = cases[i].alpha,
                                                        .beta = cases[i].beta});
            assert_same_bits(table->name, &y, &cases[i].y, 1);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patches),
        cmocka_unit_test(test_depthwise),
        cmocka_unit_test(test_depthwise_scratch_overflows),
        cmocka_unit_test(test_finish),
        cmocka_unit_test(test_finish_of_known_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

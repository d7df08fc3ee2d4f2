/* Conv, ConvTranspose, FusedConv and the fused forms against their definitions, summed in f64 item by item: every rank, groups,
 * strides, dilations and pads, all float types; what hostile attributes are told; and bytes that do not depend on threads. */
#include "unit.h"

#include "ops/numbers.h"
#include "ops/run_op.h"

#include <math.h>

enum { MAX_AXES = TENSOR_MAX_RANK - 2 };

static int set_up(void **state)
{
    static struct op_bench bench;
    op_bench_init(&bench, 3);
    *state = &bench;
    return 0;
}

static int tear_down(void **state)
{
    op_bench_release(*state);
    return 0;
}

static struct attribute ints_attribute(const char *name, const int64_t *integers, size_t n)
{
    return (struct attribute){.name = name, .kind = ATTRIBUTE_INTS, .n_items = n, .integers = integers};
}

static struct attribute text_attribute(const char *name, const char *text)
{
    return (struct attribute){.name = name, .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {text, strlen(text)}};
}

/* ---- definitions ---- */

struct geometry {
    int n_axes;
    int64_t n_batches, n_groups, n_channels, n_outputs; /* channels and outputs of one group */
    int64_t inputs[MAX_AXES], kernel[MAX_AXES], strides[MAX_AXES], dilations[MAX_AXES], pads[2 * MAX_AXES];
    int64_t output_padding[MAX_AXES]; /* transposed only */
};

static int64_t product(int n, const int64_t *factors)
{
    int64_t all = 1;
    for (int i = 0; i < n; i++) all *= factors[i];
    return all;
}

static void unravel(int64_t index, int n, const int64_t *dims, int64_t *ret_at)
{
    for (int i = n - 1; i >= 0; i--) {
        ret_at[i] = index % dims[i];
        index /= dims[i];
    }
}

static void output_dims(const struct geometry *g, bool is_transposed, int64_t *ret_dims)
{
    for (int a = 0; a < g->n_axes; a++) {
        int64_t extent = (g->kernel[a] - 1) * g->dilations[a] + 1, pads = g->pads[a] + g->pads[a + g->n_axes];
        ret_dims[a] = is_transposed ? (g->inputs[a] - 1) * g->strides[a] + extent + g->output_padding[a] - pads
                                    : (g->inputs[a] + pads - extent) / g->strides[a] + 1;
    }
}

/* Of the small side's place and a tap, the place on the large side (inputs of Conv, outputs of ConvTranspose); -1: outside. */
static int64_t large_place(const struct geometry *g, const int64_t *small, const int64_t *tap,
                           const int64_t *large_dims)
{
    int64_t place = 0;
    for (int a = 0; a < g->n_axes; a++) {
        int64_t i = small[a] * g->strides[a] + tap[a] * g->dilations[a] - g->pads[a];
        if (i < 0 || i >= large_dims[a]) return -1;
        place = place * large_dims[a] + i;
    }
    return place;
}

/* y, zeroed before, gets the sums of all products; x and w as the operators have them. */
static void sum_products(const struct geometry *g, bool is_transposed, const double *x, const double *w,
                         const int64_t *out, double *y)
{
    const int64_t *small = is_transposed ? g->inputs : out, *large = is_transposed ? out : g->inputs;
    int64_t n_in = product(g->n_axes, g->inputs), n_out = product(g->n_axes, out),
            n_taps = product(g->n_axes, g->kernel);
    int64_t n_small = product(g->n_axes, small), at[MAX_AXES], tap[MAX_AXES];
    for (int64_t b = 0; b < g->n_batches * g->n_groups; b++)
        for (int64_t o = 0; o < g->n_outputs; o++)
            for (int64_t c = 0; c < g->n_channels; c++)
                for (int64_t t = 0; t < n_taps; t++) {
                    int64_t group = b % g->n_groups;
                    int64_t weight = is_transposed ? ((group * g->n_channels + c) * g->n_outputs + o) * n_taps + t
                                                   : ((group * g->n_outputs + o) * g->n_channels + c) * n_taps + t;
                    unravel(t, g->n_axes, g->kernel, tap);
                    for (int64_t i = 0; i < n_small; i++) {
                        unravel(i, g->n_axes, small, at);
                        int64_t place = large_place(g, at, tap, large);
                        if (place < 0) continue;
                        int64_t from = (b * g->n_channels + c) * n_in + (is_transposed ? i : place);
                        y[(b * g->n_outputs + o) * n_out + (is_transposed ? place : i)] += w[weight] * x[from];
                    }
                }
}

/* ---- running ---- */

static struct tensor as_type(struct op_bench *bench, const struct tensor *x, enum dtype dtype)
{
    struct tensor y;
    assert_int_equal(tensor_init(&y, dtype, x->rank, x->dims, NULL, &bench->error), HOB_OK);
    y.data = arena_alloc(&bench->arena, tensor_n_bytes(&y) + 1, 64);
    for (int64_t i = 0; i < tensor_n_items(x); i++) {
        double item;
        numbers_load_f64(x, i, 1, 1, &item);
        numbers_store_f64(&y, i, 1, 1, &item);
    }
    return y;
}

static double *as_doubles(struct op_bench *bench, const struct tensor *x)
{
    return as_type(bench, x, DTYPE_F64).data;
}

struct operands {
    struct tensor x, w, bias;
};

static struct operands make_operands(struct op_bench *bench, const struct geometry *g, bool is_transposed,
                                     enum dtype dtype)
{
    int64_t x_dims[TENSOR_MAX_RANK] = {g->n_batches, g->n_groups * g->n_channels}, w_dims[TENSOR_MAX_RANK];
    w_dims[0] = is_transposed ? x_dims[1] : g->n_groups * g->n_outputs;
    w_dims[1] = is_transposed ? g->n_outputs : g->n_channels;
    for (int a = 0; a < g->n_axes; a++) x_dims[a + 2] = g->inputs[a], w_dims[a + 2] = g->kernel[a];
    struct tensor x = random_f32(bench, g->n_axes + 2, x_dims, 1), w = random_f32(bench, g->n_axes + 2, w_dims, 2);
    struct tensor bias = random_f32(bench, 1, (int64_t[]){g->n_groups * g->n_outputs}, 3);
    return (struct operands){as_type(bench, &x, dtype), as_type(bench, &w, dtype), as_type(bench, &bias, dtype)};
}

static struct tensor run_conv(struct op_bench *bench, const struct geometry *g, bool is_transposed,
                              const struct operands *operands, bool has_bias)
{
    size_t n = (size_t)g->n_axes;
    struct attribute attributes[] = {ints_attribute("strides", g->strides, n),
                                     ints_attribute("dilations", g->dilations, n),
                                     ints_attribute("pads", g->pads, 2 * n), int_attribute("group", g->n_groups),
                                     ints_attribute("output_padding", g->output_padding, n)};
    const struct tensor *inputs[] = {&operands->x, &operands->w, has_bias ? &operands->bias : NULL};
    struct tensor y;
    run_op(bench, "", is_transposed ? "ConvTranspose" : "Conv", 22, attributes, is_transposed ? 5 : 4, inputs, 3, &y,
           1);
    return y;
}

static void check_type(struct op_bench *bench, const struct geometry *g, bool is_transposed, enum dtype dtype,
                       bool has_bias, double tolerance)
{
    struct operands operands = make_operands(bench, g, is_transposed, dtype);
    struct tensor y = run_conv(bench, g, is_transposed, &operands, has_bias);
    int64_t dims[MAX_AXES];
    output_dims(g, is_transposed, dims);
    assert_int_equal(y.dtype, dtype);
    for (int a = 0; a < g->n_axes; a++) assert_int_equal(y.dims[a + 2], dims[a]);
    int64_t n = tensor_n_items(&y), n_plane = product(g->n_axes, dims);
    double *expected = arena_new(&bench->arena, (size_t)n + 1, sizeof *expected, 8),
           *bias = as_doubles(bench, &operands.bias);
    sum_products(g, is_transposed, as_doubles(bench, &operands.x), as_doubles(bench, &operands.w), dims, expected);
    for (int64_t i = 0; i < n; i++) {
        double found;
        numbers_load_f64(&y, i, 1, 1, &found);
        if (has_bias) expected[i] += bias[i / n_plane % (g->n_groups * g->n_outputs)];
        if (!(fabs(found - expected[i]) <= tolerance * (1 + fabs(expected[i]))))
            fail_msg("%s, %d axes: item %ld: found %.9g, expected %.9g", dtype_name(dtype), g->n_axes, (long)i, found,
                     expected[i]);
    }
}

static void check(struct op_bench *bench, const struct geometry *g, bool is_transposed)
{
    check_type(bench, g, is_transposed, DTYPE_F32, true, 2e-6);
    check_type(bench, g, is_transposed, DTYPE_F32, false, 2e-6);
    check_type(bench, g, is_transposed, DTYPE_F64, true, 1e-14);
    check_type(bench, g, is_transposed, DTYPE_F16, true, 1e-3);
    check_type(bench, g, is_transposed, DTYPE_BF16, true, 8e-3);
}

static const struct geometry convolutions[] = {
    {1, 2, 1, 5, 7, {37}, {4}, {1}, {1}, {0, 0}, {0}},     /* sounds */
    {1, 1, 1, 1, 20, {300}, {64}, {32}, {1}, {0, 0}, {0}}, /* a Fourier transform */
    {1, 1, 3, 2, 4, {41}, {5}, {3}, {4}, {9, 2}, {0}},
    {2, 2, 1, 3, 8, {17, 23}, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, {0}},
    {2, 1, 1, 4, 9, {20, 31}, {3, 5}, {2, 3}, {1, 1}, {0, 2, 1, 3}, {0}},
    {2, 1, 1, 40, 50, {9, 11}, {1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, {0}}, /* a product */
    {2, 3, 1, 6, 4, {5, 9}, {1, 1}, {2, 2}, {1, 1}, {0, 0, 0, 0}, {0}},
    {2, 1, 2, 3, 5, {12, 10}, {3, 2}, {1, 2}, {2, 3}, {2, 1, 0, 3}, {0}},
    {2, 2, 12, 1, 1, {19, 21}, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, {0}}, /* depthwise */
    {2, 1, 5, 1, 2, {30, 33}, {5, 5}, {2, 2}, {1, 1}, {2, 2, 2, 2}, {0}},  /* depthwise, two outputs a channel */
    {2, 1, 4, 1, 1, {23, 25}, {3, 3}, {3, 1}, {2, 4}, {2, 4, 1, 3}, {0}},
    {2, 1, 3, 1, 9, {8, 8}, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, {0}}, /* many outputs of one channel */
    {2, 1, 1, 2, 3, {3, 3}, {3, 3}, {1, 1}, {1, 1}, {5, 4, 3, 6}, {0}}, /* windows without any input */
    {3, 1, 2, 2, 3, {5, 7, 9}, {2, 3, 3}, {1, 2, 1}, {2, 1, 2}, {1, 0, 2, 1, 1, 2}, {0}},
    {3, 1, 4, 1, 1, {4, 5, 6}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1, 1, 1, 1}, {0}},
    {4, 1, 1, 2, 2, {3, 4, 3, 5}, {2, 2, 1, 3}, {1, 1, 2, 1}, {1, 2, 1, 1}, {0, 1, 0, 1, 1, 1, 0, 0}, {0}},
    {6, 1, 1, 2, 2, {2, 3, 2, 2, 3, 4}, {1, 2, 2, 1, 2, 2}, {1, 1, 1, 1, 1, 2}, {1, 1, 1, 1, 1, 1}, {0}, {0}},
};

static void test_conv(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(convolutions); i++) check(*state, &convolutions[i], false);
}

static const struct geometry transposes[] = {
    {1, 2, 1, 3, 4, {9}, {3}, {1}, {1}, {0, 0}, {0}},
    {1, 1, 2, 2, 3, {8}, {5}, {3}, {2}, {2, 1}, {2}},
    {2, 2, 1, 5, 3, {6, 7}, {2, 2}, {2, 2}, {1, 1}, {0, 0, 0, 0}, {0}}, /* as many pixels as taps */
    {2, 1, 1, 4, 6, {5, 6}, {3, 4}, {2, 3}, {1, 1}, {1, 0, 0, 2}, {1, 1}},
    {2, 1, 2, 3, 2, {5, 4}, {3, 3}, {4, 2}, {2, 2}, {1, 1, 1, 1}, {2, 1}}, /* dilation and stride share a divisor */
    {2, 1, 6, 1, 1, {7, 9}, {3, 3}, {1, 1}, {2, 1}, {2, 1, 2, 1}, {0}},    /* depthwise */
    {2, 1, 1, 2, 3, {3, 4}, {1, 2}, {3, 5}, {1, 1}, {0, 0, 0, 0}, {2, 4}}, /* outputs that no input reaches */
    {3, 1, 2, 2, 2, {3, 4, 3}, {2, 3, 2}, {2, 1, 3}, {1, 2, 1}, {0, 1, 1, 1, 0, 0}, {1, 0, 2}},
    {6, 1, 1, 2, 1, {2, 1, 2, 2, 1, 3}, {1, 2, 2, 1, 2, 2}, {1, 1, 2, 1, 1, 2}, {1, 1, 1, 1, 1, 1}, {0}, {0}},
};

static void test_conv_transpose(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(transposes); i++) check(*state, &transposes[i], true);
}

static void test_same_bytes_for_any_threads_and_table(void **state)
{
    struct op_bench *bench = *state, alone, many;
    op_bench_init(&alone, 1);
    op_bench_init(&many, 7);
    for (size_t i = 0; i < ARRAY_LENGTH(convolutions) + ARRAY_LENGTH(transposes); i++) {
        bool is_transposed = i >= ARRAY_LENGTH(convolutions);
        const struct geometry *g = is_transposed ? &transposes[i - ARRAY_LENGTH(convolutions)] : &convolutions[i];
        struct operands operands = make_operands(bench, g, is_transposed, DTYPE_F32);
        many.kernels = kernels_select();
        struct tensor a = run_conv(&alone, g, is_transposed, &operands, true),
                      b = run_conv(&many, g, is_transposed, &operands, true);
        many.kernels = kernels_by_name("generic");
        struct tensor c = run_conv(&many, g, is_transposed, &operands, true);
        assert_same_bytes(bench, &a, &b);
        assert_same_bytes(bench, &a, &c);
    }
    op_bench_release(&alone);
    op_bench_release(&many);
}

/* ---- automatic pads ---- */

/* A kernel of ones over ones counts the inputs that each window covers. */
static void check_coverage(struct op_bench *bench, const char *op, const struct attribute *attributes,
                           size_t n_attributes, int64_t n_inputs, int64_t kernel, int64_t n_expected,
                           const float *expected)
{
    float ones[64];
    for (int i = 0; i < 64; i++) ones[i] = 1;
    struct tensor x, w, y;
    assert_int_equal(tensor_init(&x, DTYPE_F32, 3, (int64_t[]){1, 1, n_inputs}, ones, &bench->error), HOB_OK);
    assert_int_equal(tensor_init(&w, DTYPE_F32, 3, (int64_t[]){1, 1, kernel}, ones, &bench->error), HOB_OK);
    run_op(bench, "", op, 11, attributes, n_attributes, (const struct tensor *[]){&x, &w}, 2, &y, 1);
    assert_int_equal(tensor_n_items(&y), n_expected);
    assert_memory_equal(y.data, expected, (size_t)n_expected * sizeof *expected);
}

static void test_automatic_pads(void **state)
{
    static const int64_t two[] = {2}, three[] = {3}, nine[] = {9}, whole[] = {1, 1, 9};
    struct attribute upper[] = {text_attribute("auto_pad", "SAME_UPPER"), ints_attribute("strides", two, 1)};
    struct attribute lower[] = {text_attribute("auto_pad", "SAME_LOWER"), ints_attribute("strides", two, 1)};
    struct attribute valid[] = {text_attribute("auto_pad", "VALID"), ints_attribute("strides", three, 1)};
    check_coverage(*state, "Conv", upper, 2, 6, 3, 3, (const float[]){3, 3, 2});
    check_coverage(*state, "Conv", lower, 2, 6, 3, 3, (const float[]){2, 3, 3});
    check_coverage(*state, "Conv", valid, 2, 8, 3, 2, (const float[]){3, 3});
    /* A kernel narrower than the stride needs no pads at all. */
    check_coverage(*state, "Conv", upper, 2, 5, 1, 3, (const float[]){1, 1, 1});
    check_coverage(*state, "ConvTranspose", upper, 2, 3, 3, 6, (const float[]){1, 1, 2, 1, 2, 1});
    check_coverage(*state, "ConvTranspose", lower, 2, 3, 3, 6, (const float[]){1, 2, 1, 2, 1, 1});
    struct attribute shaped[] = {ints_attribute("output_shape", nine, 1), ints_attribute("strides", two, 1)};
    check_coverage(*state, "ConvTranspose", shaped, 2, 3, 3, 9, (const float[]){1, 1, 2, 1, 2, 1, 1, 0, 0});
    struct attribute full[] = {ints_attribute("strides", two, 1), ints_attribute("output_shape", whole, 3)};
    check_coverage(*state, "ConvTranspose", full, 2, 3, 3, 9, (const float[]){1, 1, 2, 1, 2, 1, 1, 0, 0});
}

/* ---- fused ---- */

static struct tensor run_fused(struct op_bench *bench, const char *domain, const struct attribute *attributes,
                               size_t n_attributes, const struct tensor *const *inputs, int n_inputs)
{
    struct tensor y;
    run_op(bench, domain, strcmp(domain, "hob") ? "FusedConv" : "Conv", 1, attributes, n_attributes, inputs, n_inputs,
           &y, 1);
    return y;
}

static void test_fused(void **state)
{
    struct op_bench *bench = *state;
    struct tensor x = random_f32(bench, 4, (int64_t[]){1, 3, 6, 7}, 1),
                  w = random_f32(bench, 4, (int64_t[]){5, 3, 1, 1}, 2), plain;
    struct tensor bias = random_f32(bench, 1, (int64_t[]){5}, 3), z = random_f32(bench, 4, (int64_t[]){1, 5, 6, 7}, 4);
    const struct tensor *inputs[] = {&x, &w, &bias, &z, &z};
    float params[] = {0.25f, 0};
    struct attribute leaky[] = {
        text_attribute("activation", "LeakyRelu"),
        {.name = "activation_params", .kind = ATTRIBUTE_FLOATS, .n_items = 2, .numbers = params},
        float_attribute("scale", 2),
        float_attribute("shift", 0.5f)};
    run_op(bench, "", "Conv", 11, NULL, 0, inputs, 3, &plain, 1);
    struct tensor fused = run_fused(bench, "com.microsoft", leaky, 2, inputs, 4),
                  ours = run_fused(bench, "hob", leaky, 4, inputs, 5);
    for (int64_t i = 0; i < tensor_n_items(&plain); i++) {
        float added = ((float *)z.data)[i], sum = ((float *)plain.data)[i] + added,
              expected = sum < 0 ? sum * 0.25f : sum;
        assert_true(((float *)fused.data)[i] == expected);
        assert_true(((float *)ours.data)[i] == expected * 2 + 0.5f + added);
    }
    /* What is added may be smaller than the output; FusedConv without an activation is Conv. */
    struct tensor row = random_f32(bench, 1, (int64_t[]){7}, 5);
    inputs[3] = &row;
    fused = run_fused(bench, "com.microsoft", NULL, 0, inputs, 4);
    for (int64_t i = 0; i < tensor_n_items(&plain); i++)
        assert_true(((float *)fused.data)[i] == ((float *)plain.data)[i] + ((float *)row.data)[i % 7]);
}

/* ---- what does not fit ---- */

static void refuse(struct op_bench *bench, const char *op, const struct attribute *attributes, size_t n_attributes,
                   const struct tensor *x, const struct tensor *w, hob_status status, const char *message)
{
    struct tensor y;
    assert_int_equal(try_op(bench, "", op, 11, attributes, n_attributes, (const struct tensor *[]){x, w}, 2, &y, 1),
                     status);
    if (!strstr(bench->error.message, message))
        fail_msg("found \"%s\", expected \"%s\"", bench->error.message, message);
}

static void test_refusals(void **state)
{
    struct op_bench *bench = *state;
    static const int64_t zero[] = {0, 1}, huge[] = {INT64_MAX, 1}, minus[] = {-1, 0, 0, 0}, three[] = {1, 1, 1},
                         kernel[] = {2, 3};
    struct tensor x = random_f32(bench, 4, (int64_t[]){1, 4, 5, 5}, 1),
                  w = random_f32(bench, 4, (int64_t[]){6, 4, 3, 3}, 2);
    struct tensor large = random_f32(bench, 4, (int64_t[]){6, 3, 3, 3}, 2),
                  flat = random_f32(bench, 2, (int64_t[]){4, 5}, 3);
    refuse(bench, "Conv", &(struct attribute[]){ints_attribute("strides", zero, 2)}[0], 1, &x, &w, HOB_BAD_GRAPH,
           "strides[0]: found 0, expected 1");
    refuse(bench, "Conv", &(struct attribute[]){ints_attribute("dilations", huge, 2)}[0], 1, &x, &w, HOB_BAD_GRAPH,
           "dilations[0]");
    refuse(bench, "Conv", &(struct attribute[]){ints_attribute("pads", minus, 4)}[0], 1, &x, &w, HOB_BAD_GRAPH,
           "pads[0]: found -1");
    refuse(bench, "Conv", &(struct attribute[]){ints_attribute("pads", three, 3)}[0], 1, &x, &w, HOB_BAD_GRAPH,
           "two for each spatial axis");
    refuse(bench, "Conv", &(struct attribute[]){ints_attribute("strides", three, 3)}[0], 1, &x, &w, HOB_BAD_SHAPE,
           "found 2 spatial axes, expected 3");
    refuse(bench, "Conv", &(struct attribute[]){ints_attribute("kernel_shape", kernel, 2)}[0], 1, &x, &w, HOB_BAD_SHAPE,
           "found a kernel of 3, expected 2");
    refuse(bench, "Conv", &(struct attribute[]){text_attribute("auto_pad", "BOTH")}[0], 1, &x, &w, HOB_BAD_GRAPH,
           "auto_pad: found \"BOTH\"");
    refuse(bench, "Conv", &(struct attribute[]){int_attribute("group", 0)}[0], 1, &x, &w, HOB_BAD_GRAPH,
           "group: found 0");
    refuse(bench, "Conv", &(struct attribute[]){int_attribute("group", 4)}[0], 1, &x, &w, HOB_BAD_SHAPE,
           "expected x [N,C,..] and w [M,C/4,..]");
    refuse(bench, "Conv", NULL, 0, &x, &large, HOB_BAD_SHAPE, "expected x [N,C,..]");
    refuse(bench, "Conv", NULL, 0, &flat, &w, HOB_BAD_SHAPE, "the same rank, at least 3");
    refuse(bench, "ConvTranspose", &(struct attribute[]){int_attribute("group", 3)}[0], 1, &x, &w, HOB_BAD_SHAPE,
           "C a multiple of 3");
    struct tensor tall = random_f32(bench, 4, (int64_t[]){6, 4, 9, 9}, 2);
    refuse(bench, "Conv", NULL, 0, &x, &tall, HOB_BAD_SHAPE, "expected at least 9 for a window");
    static const int64_t wide[] = {9, 9, 9, 9};
    struct tensor back = random_f32(bench, 4, (int64_t[]){4, 2, 3, 3}, 2);
    refuse(bench, "ConvTranspose", &(struct attribute[]){ints_attribute("pads", wide, 4)}[0], 1, &x, &back,
           HOB_BAD_SHAPE, "expected fewer");
    struct tensor y, z = random_f32(bench, 4, (int64_t[]){1, 6, 3, 4}, 4);
    const struct tensor *inputs[] = {&x, &w, NULL, &z};
    assert_int_equal(try_op(bench, "com.microsoft", "FusedConv", 1, NULL, 0, inputs, 4, &y, 1), HOB_BAD_SHAPE);
    struct attribute softplus = text_attribute("activation", "Softplus");
    assert_int_equal(try_op(bench, "com.microsoft", "FusedConv", 1, &softplus, 1, inputs, 2, &y, 1), HOB_BAD_GRAPH);
    assert_non_null(strstr(bench->error.message, "found \"Softplus\", expected Identity, Relu"));
}

/* Shapes without items, some of dims that no memory bears out. */
static void test_empty(void **state)
{
    struct op_bench *bench = *state;
    static const int64_t cases[][2][4] = {
        {{0, 4, 5, 5}, {6, 4, 3, 3}},
        {{1, 4, 0, 5}, {6, 4, 3, 3}},
        {{1, 4, 5, 5}, {0, 4, 3, 3}},
        {{1, 0, 5, 5}, {6, 0, 3, 3}},
        {{2, 0, 1, INT32_MAX}, {3, 0, 1, INT32_MAX}},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct tensor x = random_f32(bench, 4, cases[i][0], 1), w = random_f32(bench, 4, cases[i][1], 2), y;
        run_op(bench, "", "Conv", 11, NULL, 0, (const struct tensor *[]){&x, &w}, 2, &y, 1);
        for (int64_t k = 0; k < tensor_n_items(&y); k++) assert_true(((float *)y.data)[k] == 0);
    }
    struct tensor x = random_f32(bench, 3, (int64_t[]){1, 0, 4}, 1), w = random_f32(bench, 3, (int64_t[]){0, 2, 3}, 2),
                  y;
    struct tensor bias = random_f32(bench, 1, (int64_t[]){2}, 3);
    run_op(bench, "", "ConvTranspose", 11, NULL, 0, (const struct tensor *[]){&x, &w, &bias}, 3, &y, 1);
    assert_int_equal(tensor_n_items(&y), 12);
    for (int64_t k = 0; k < 12; k++) assert_true(((float *)y.data)[k] == ((float *)bias.data)[k / 6]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv),
        cmocka_unit_test(test_conv_transpose),
        cmocka_unit_test(test_same_bytes_for_any_threads_and_table),
        cmocka_unit_test(test_automatic_pads),
        cmocka_unit_test(test_fused),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* What the tests of pooling, resizing, norms over channels and vision share: attributes as literals, tensors of any number type made
 * of and read as doubles.
 *
 *     const struct attribute attributes[] = {INTS("kernel_shape", 3, 3), TEXT("mode", "linear")};
 *     struct tensor x = tensor_of(bench, DTYPE_U8, 2, DIMS(2, 3), NUMBERS(1, 2, 3, 4, 5, 6));
 *     assert_numbers(&y, 0, 3, NUMBERS(1, 2, 3), 1e-6);
 */
#ifndef TESTS_OPS_VISION_OPS_H
#define TESTS_OPS_VISION_OPS_H

#include "ops/numbers.h"
#include "ops/run_op.h"

#include <math.h>

#define DIMS(...)     \
    (const int64_t[]) \
    {                 \
        __VA_ARGS__   \
    }
#define NUMBERS(...) \
    (const double[]) \
    {                \
        __VA_ARGS__  \
    }
#define COUNT(attributes) (sizeof(attributes) / sizeof((attributes)[0]))
#define INTS(attribute_name, ...)                                                                               \
    {                                                                                                           \
        .name = attribute_name, .kind = ATTRIBUTE_INTS, .n_items = sizeof(DIMS(__VA_ARGS__)) / sizeof(int64_t), \
        .integers = DIMS(__VA_ARGS__)                                                                           \
    }
#define INT(attribute_name, value)                                                      \
    {                                                                                   \
        .name = attribute_name, .kind = ATTRIBUTE_INT, .n_items = 1, .integer = (value) \
    }
#define REAL(attribute_name, value)                                                      \
    {                                                                                    \
        .name = attribute_name, .kind = ATTRIBUTE_FLOAT, .n_items = 1, .number = (value) \
    }
#define TEXT(attribute_name, value)                                                 \
    {                                                                               \
        .name = attribute_name, .kind = ATTRIBUTE_STRING, .n_items = 1, .string = { \
            .bytes = value,                                                         \
            .n_bytes = sizeof(value) - 1                                            \
        }                                                                           \
    }

static inline int set_up(void **state)
{
    static struct op_bench bench;
    op_bench_init(&bench, 2);
    *state = &bench;
    return 0;
}

static inline int tear_down(void **state)
{
    op_bench_release(*state);
    return 0;
}

static inline struct tensor empty_of(struct op_bench *bench, enum dtype dtype, int rank, const int64_t *dims)
{
    struct tensor x;
    assert_int_equal(tensor_init(&x, dtype, rank, dims, NULL, &bench->error), HOB_OK);
    x.data = arena_alloc(&bench->arena, tensor_n_bytes(&x) + 1, 64);
    return x;
}

static inline void set_number(const struct tensor *x, int64_t i, double number)
{
    int64_t whole = 0;
    if (numbers_is_float(x->dtype)) {
        numbers_store_f64(x, i, 1, 1, &number);
    } else {
        whole = (int64_t)number;
        numbers_store_i64(x, i, 1, 1, &whole);
    }
}

static inline double number_at(const struct tensor *x, int64_t i)
{
    double number;
    numbers_load_f64(x, i, 1, 1, &number);
    return number;
}

static inline struct tensor tensor_of(struct op_bench *bench, enum dtype dtype, int rank, const int64_t *dims,
                                      const double *numbers)
{
    struct tensor x = empty_of(bench, dtype, rank, dims);
    for (int64_t i = 0; i < tensor_n_items(&x); i++) set_number(&x, i, numbers[i]);
    return x;
}

/* Reproducible whole numbers in [-100,100] (unsigned types: their size), a quarter of them for float types: exact in every type. */
static inline struct tensor varied(struct op_bench *bench, enum dtype dtype, int rank, const int64_t *dims,
                                   uint64_t seed)
{
    struct tensor x = empty_of(bench, dtype, rank, dims);
    for (int64_t i = 0; i < tensor_n_items(&x); i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        int64_t whole = (int64_t)(seed >> 40) % 201 - 100;
        bool is_unsigned = dtype == DTYPE_U8 || dtype == DTYPE_U16 || dtype == DTYPE_U32 || dtype == DTYPE_U64;
        if (is_unsigned && whole < 0) whole = -whole;
        set_number(&x, i, numbers_is_float(dtype) ? (double)whole / 4 : (double)whole);
    }
    return x;
}

/* Items [first,first+n) are within tolerance * (1 + |expected|); NaN is NaN. */
static inline void assert_numbers(const struct tensor *found, int64_t first, int64_t n, const double *expected,
                                  double tolerance)
{
    assert_true(tensor_is_contiguous(found));
    assert_true(first + n <= tensor_n_items(found));
    for (int64_t i = 0; i < n; i++) {
        double number = number_at(found, first + i);
        if (isnan(expected[i])
                ? isnan(number)
                : number == expected[i] || fabs(number - expected[i]) <= tolerance * (1 + fabs(expected[i])))
            continue;
        print_error("item %ld: found %.9g, expected %.9g\n", (long)(first + i), number, expected[i]);
        fail();
    }
}

/* Runs op of ai.onnx with one output and expects this status and this text in the message. */
static inline void assert_fails(struct op_bench *bench, const char *name, int opset, const struct attribute *attributes,
                                size_t n_attributes, const struct tensor *const *inputs, int n_inputs,
                                hob_status status, const char *message)
{
    struct tensor y;
    assert_int_equal(try_op(bench, "", name, opset, attributes, n_attributes, inputs, n_inputs, &y, 1), status);
    if (!strstr(bench->error.message, message))
        print_error("found \"%s\", expected \"%s\" in it\n", bench->error.message, message);
    assert_non_null(strstr(bench->error.message, message));
}

/* The same op with one thread and with three gives the same bytes. */
static inline void assert_threads_change_nothing(struct op_bench *bench, const char *name, int opset,
                                                 const struct attribute *attributes, size_t n_attributes,
                                                 const struct tensor *const *inputs, int n_inputs)
{
    struct op_bench others[2];
    struct tensor y[2];
    (void)bench;
    for (size_t i = 0; i < 2; i++) {
        op_bench_init(&others[i], i ? 3 : 1);
        run_op(&others[i], "", name, opset, attributes, n_attributes, inputs, n_inputs, &y[i], 1);
    }
    assert_same_bytes(&others[0], &y[0], &y[1]);
    for (size_t i = 0; i < 2; i++) op_bench_release(&others[i]);
}

#endif

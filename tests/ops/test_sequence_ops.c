/* Operators on sequences and optionals where the models of tests/data/cases do not reach: places from the back, types, shapes that do
 * not fit, what is refused. */
#include "unit.h"

#include "ops/run_op.h"

static struct attribute *no_attributes;

static struct tensor scalar_i32(int32_t *item)
{
    return (struct tensor){.dtype = DTYPE_I32, .data = item};
}

/* [a, b, c]: 2x1 each, filled with 1, 2, 3. */
static struct tensor make_sequence(struct op_bench *bench)
{
    static const int64_t items[] = {1, 1, 2, 2, 3, 3}, dims[] = {2, 1};
    struct tensor parts[3], sequence;
    const struct tensor *inputs[3];
    for (int i = 0; i < 3; i++) {
        parts[i] = ints_i64(bench, 2, items + 2 * i);
        assert_int_equal(tensor_init(&parts[i], DTYPE_I64, 2, dims, parts[i].data, NULL), HOB_OK);
        inputs[i] = &parts[i];
    }
    run_op(bench, "", "SequenceConstruct", 11, no_attributes, 0, inputs, 3, &sequence, 1);
    assert_true(sequence.dtype == DTYPE_SEQUENCE && sequence.dims[0] == 3);
    memset(parts[0].data, 0, 16); /* the sequence has its own */
    return sequence;
}

static int64_t first_of(const struct tensor *sequence, int64_t i)
{
    return tensor_get_int((const struct tensor *)sequence->data + i, 0);
}

static void test_places(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    int32_t at_item;
    struct tensor sequence = make_sequence(&bench), nine = ints_i64(&bench, 1, (const int64_t[]){9}), at = scalar_i32(&at_item), y;
    static const struct {
        int32_t at;
        int64_t expected[4];
    } inserts[] = {{0, {9, 1, 2, 3}}, {3, {1, 2, 3, 9}}, {-1, {1, 2, 9, 3}}, {-3, {9, 1, 2, 3}}};
    for (size_t i = 0; i < 4; i++) {
        at_item = inserts[i].at;
        run_op(&bench, "", "SequenceInsert", 11, NULL, 0, (const struct tensor *[]){&sequence, &nine, &at}, 3, &y, 1);
        for (int e = 0; e < 4; e++) assert_int_equal(first_of(&y, e), inserts[i].expected[e]);
    }
    run_op(&bench, "", "SequenceInsert", 11, NULL, 0, (const struct tensor *[]){&sequence, &nine}, 2, &y, 1);
    assert_int_equal(first_of(&y, 3), 9);
    at_item = -2;
    run_op(&bench, "", "SequenceErase", 11, NULL, 0, (const struct tensor *[]){&sequence, &at}, 2, &y, 1);
    assert_true(y.dims[0] == 2 && first_of(&y, 0) == 1 && first_of(&y, 1) == 3);
    run_op(&bench, "", "SequenceErase", 11, NULL, 0, (const struct tensor *[]){&sequence}, 1, &y, 1);
    assert_true(y.dims[0] == 2 && first_of(&y, 1) == 2);
    run_op(&bench, "", "SequenceAt", 11, NULL, 0, (const struct tensor *[]){&sequence, &at}, 2, &y, 1);
    assert_int_equal(tensor_get_int(&y, 1), 2);
    run_op(&bench, "", "SequenceLength", 11, NULL, 0, (const struct tensor *[]){&sequence}, 1, &y, 1);
    assert_int_equal(tensor_get_int(&y, 0), 3);
    op_bench_release(&bench);
}

static void test_concat_axes(void **state)
{
    (void)state;
    static const struct {
        int64_t axis, is_new;
        int rank;
        int64_t dims[3], items[6];
    } cases[] = {{0, 0, 2, {6, 1}, {1, 1, 2, 2, 3, 3}},    {-1, 0, 2, {2, 3}, {1, 2, 3, 1, 2, 3}},
                 {0, 1, 3, {3, 2, 1}, {1, 1, 2, 2, 3, 3}}, {1, 1, 3, {2, 3, 1}, {1, 2, 3, 1, 2, 3}},
                 {-1, 1, 3, {2, 1, 3}, {1, 2, 3, 1, 2, 3}}};
    struct op_bench bench;
    op_bench_init(&bench, 1);
    struct tensor sequence = make_sequence(&bench), y;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct attribute attributes[] = {int_attribute("axis", cases[i].axis), int_attribute("new_axis", cases[i].is_new)};
        run_op(&bench, "", "ConcatFromSequence", 11, attributes, 2, (const struct tensor *[]){&sequence}, 1, &y, 1);
        assert_true(tensor_has_shape(&y, cases[i].rank, cases[i].dims));
        assert_memory_equal(y.data, cases[i].items, sizeof cases[i].items);
    }
    op_bench_release(&bench);
}

static void test_split_takes_strides_and_nothing(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    struct tensor x = ints_i64(&bench, 6, (const int64_t[]){0, 1, 2, 3, 4, 5}), y;
    assert_int_equal(tensor_init(&x, DTYPE_I64, 2, (const int64_t[]){2, 3}, x.data, NULL), HOB_OK);
    struct tensor turned = tensor_transpose(&x, (const int[]){1, 0}), empty = tensor_slice(&turned, 0, 0, 0, 1);
    struct attribute attributes[] = {int_attribute("keepdims", 0), int_attribute("axis", -2)};
    run_op(&bench, "", "SplitToSequence", 24, attributes, 2, (const struct tensor *[]){&turned}, 1, &y, 1);
    assert_int_equal(y.dims[0], 3);
    const struct tensor *parts = y.data;
    assert_true(tensor_has_shape(&parts[1], 1, (const int64_t[]){2}));
    assert_memory_equal(parts[1].data, ((const int64_t[]){1, 4}), 16);
    run_op(&bench, "", "SplitToSequence", 11, NULL, 0, (const struct tensor *[]){&empty}, 1, &y, 1);
    assert_int_equal(y.dims[0], 0);
    op_bench_release(&bench);
}

static void refuse(struct op_bench *bench, const char *name, const struct attribute *attribute, const struct tensor *a,
                   const struct tensor *b, const struct tensor *c, hob_status expected, const char *message)
{
    const struct tensor *inputs[] = {a, b, c};
    struct tensor y;
    assert_int_equal(try_op(bench, "", name, 18, attribute, attribute != NULL, inputs, c ? 3 : b ? 2 : 1, &y, 1), expected);
    if (!strstr(bench->error.message, message)) print_error("%s\n", bench->error.message);
    assert_non_null(strstr(bench->error.message, message));
}

static void test_refusals(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    int32_t far_item = 4, zero_item = 0;
    struct tensor sequence = make_sequence(&bench), far = scalar_i32(&far_item), zero = scalar_i32(&zero_item), empty, uneven;
    struct tensor x = ints_i64(&bench, 3, (const int64_t[]){1, 1, 2}), real = random_f32(&bench, 1, (const int64_t[]){3}, 1);
    struct tensor nothing = {.dtype = DTYPE_NONE};
    struct attribute axis = int_attribute("axis", 0), far_axis = int_attribute("axis", 2), wrong = int_attribute("dtype", 999);
    run_op(&bench, "", "SequenceEmpty", 11, NULL, 0, NULL, 0, &empty, 1);
    run_op(&bench, "", "SequenceConstruct", 11, NULL, 0, (const struct tensor *[]){&x, &x}, 2, &uneven, 1);
    ((struct tensor *)uneven.data)[1].rank = 0;
    refuse(&bench, "SequenceAt", NULL, &sequence, &far, NULL, HOB_BAD_ARGUMENT, "position: found 4, expected -3 to 2");
    refuse(&bench, "SequenceAt", NULL, &empty, &zero, NULL, HOB_BAD_ARGUMENT, "in a sequence of 0");
    refuse(&bench, "SequenceAt", NULL, &x, &zero, NULL, HOB_BAD_TYPE, "input 0: found int64");
    refuse(&bench, "SequenceErase", NULL, &empty, NULL, NULL, HOB_BAD_ARGUMENT, "found an empty sequence");
    refuse(&bench, "SequenceInsert", NULL, &sequence, &x, &far, HOB_BAD_ARGUMENT, "expected -3 to 3");
    refuse(&bench, "SequenceInsert", NULL, &sequence, &real, NULL, HOB_BAD_TYPE, "input 1: found float32, expected int64");
    refuse(&bench, "SequenceInsert", NULL, &sequence, &sequence, NULL, HOB_BAD_TYPE, "input 1: found sequence");
    refuse(&bench, "SequenceConstruct", NULL, &x, &real, NULL, HOB_BAD_TYPE, "input 1: found float32");
    refuse(&bench, "SequenceEmpty", &wrong, NULL, NULL, NULL, HOB_BAD_GRAPH, "dtype: found 999");
    refuse(&bench, "ConcatFromSequence", NULL, &sequence, NULL, NULL, HOB_BAD_GRAPH, "attribute axis: missing");
    refuse(&bench, "ConcatFromSequence", &axis, &empty, NULL, NULL, HOB_BAD_ARGUMENT, "found an empty sequence");
    refuse(&bench, "ConcatFromSequence", &far_axis, &sequence, NULL, NULL, HOB_BAD_ARGUMENT, "axis: found 2, expected -2 to 1");
    refuse(&bench, "ConcatFromSequence", &axis, &uneven, NULL, NULL, HOB_BAD_SHAPE, "element 1: found shape []");
    struct tensor nested = {.data = &sequence, .dtype = DTYPE_SEQUENCE, .rank = 1, .dims = {1}, .strides = {1}};
    refuse(&bench, "ConcatFromSequence", &axis, &nested, NULL, NULL, HOB_BAD_TYPE, "element 0: found sequence");
    refuse(&bench, "SplitToSequence", NULL, &x, &zero, NULL, HOB_BAD_ARGUMENT, "split: found 0");
    refuse(&bench, "SplitToSequence", NULL, &x, &x, NULL, HOB_BAD_ARGUMENT, "part 2: found size 2 of the 1");
    refuse(&bench, "OptionalGetElement", NULL, &nothing, NULL, NULL, HOB_BAD_ARGUMENT, "found an empty optional");
    refuse(&bench, "Neg", NULL, &nothing, NULL, NULL, HOB_BAD_TYPE, "found an empty optional, expected a value");
    op_bench_release(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_places), cmocka_unit_test(test_concat_axes),
                                       cmocka_unit_test(test_split_takes_strides_and_nothing), cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

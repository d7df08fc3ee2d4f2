/* Einsum against the sum that defines it, index by index, in every type; what is refused. */
#include "unit.h"

#include "ops/numbers.h"
#include "ops/run_op.h"

#include <ctype.h>

enum { MAX_OPERANDS = 4, MAX_INDICES = 12 };

/* Equations here are explicit and without ellipsis; a case with one names the same sum in `plain`. */
struct einsum_case {
    const char *equation, *plain;
    int64_t dims[MAX_OPERANDS][5];
    int ranks[MAX_OPERANDS];
    int n_operands;
};

static const struct einsum_case cases[] = {
    {"ij,jk->ik", NULL, {{3, 4}, {4, 5}}, {2, 2}, 2},
    {"ij,jk", "ij,jk->ik", {{3, 4}, {4, 5}}, {2, 2}, 2},
    {"ba", "ba->ab", {{3, 4}}, {2}, 1},
    {"ij,kj->ki", NULL, {{3, 4}, {5, 4}}, {2, 2}, 2},
    {"bhqd,bhkd->bhqk", NULL, {{2, 3, 4, 5}, {2, 3, 6, 5}}, {4, 4}, 2},
    {"bqhd,bkhd->bhqk", NULL, {{2, 4, 3, 5}, {2, 6, 3, 5}}, {4, 4}, 2},
    {"i,j->ij", NULL, {{3}, {4}}, {1, 1}, 2},
    {"i,i->", NULL, {{7}, {7}}, {1, 1}, 2},
    {"ii->i", NULL, {{4, 4}}, {2}, 1},
    {"ii", "ii->", {{4, 4}}, {2}, 1},
    {"iji,jk->k", NULL, {{3, 4, 3}, {4, 2}}, {3, 2}, 2},
    {"ijk->", NULL, {{3, 4, 2}}, {3}, 1},
    {"ijk->j", NULL, {{70, 4, 70}}, {3}, 1},
    {"ab,bc,cd->ad", NULL, {{2, 3}, {3, 4}, {4, 5}}, {2, 2, 2}, 3},
    {"ab,cd,bd->ca", NULL, {{2, 3}, {4, 5}, {3, 5}}, {2, 2, 2}, 3},
    {"a,ab,abc,c->b", NULL, {{2}, {2, 3}, {2, 3, 4}, {4}}, {1, 2, 3, 1}, 4},
    {"Ab,bA->bA", NULL, {{2, 3}, {3, 2}}, {2, 2}, 2},
    {" i j , j -> i ", "ij,j->i", {{3, 4}, {4}}, {2, 1}, 2},
    {"...ij,...jk->...ik", "abij,bjk->abik", {{2, 3, 4, 2}, {3, 2, 5}}, {4, 3}, 2},
    {"...ii->...i", "abii->abi", {{2, 3, 4, 4}}, {4}, 1},
    {"i...,i...", "iab,ib->ab", {{2, 3, 4}, {2, 4}}, {3, 2}, 2},
    {"ij,ij->ij", NULL, {{3, 1}, {3, 4}}, {2, 2}, 2},
    {"i,ij,ij->j", NULL, {{1}, {3, 1}, {3, 4}}, {1, 2, 2}, 3},
    {"ij,jk->ik", NULL, {{3, 0}, {0, 5}}, {2, 2}, 2},
    {"ij,k->k", NULL, {{3, 0}, {2}}, {2, 1}, 2},
    {"->", NULL, {{0}}, {0}, 1},
    {",->", NULL, {{0}, {0}}, {0, 0}, 2},
};

/* The letters of an operand or the output, in `plain`. */
static const char *term(const char *plain, int i)
{
    for (; i; plain++) i -= *plain == ',';
    return plain;
}

static int term_length(const char *text)
{
    int n = 0;
    while (isalpha((unsigned char)text[n])) n++;
    return n;
}

struct sum {
    const char *plain;
    const struct tensor *operands;
    int n_operands;
    char letters[MAX_INDICES];
    int64_t sizes[MAX_INDICES], at[MAX_INDICES];
    int n_letters;
};

static int letter_place(struct sum *sum, char letter)
{
    for (int i = 0; i < sum->n_letters; i++)
        if (sum->letters[i] == letter) return i;
    sum->letters[sum->n_letters] = letter;
    sum->sizes[sum->n_letters] = 1;
    return sum->n_letters++;
}

static void find_sizes(struct sum *sum)
{
    for (int t = 0; t < sum->n_operands; t++) {
        const char *letters = term(sum->plain, t);
        for (int axis = 0; axis < term_length(letters); axis++) {
            int place = letter_place(sum, letters[axis]);
            if (sum->operands[t].dims[axis] != 1) sum->sizes[place] = sum->operands[t].dims[axis];
        }
    }
}

static double factor(struct sum *sum, int t)
{
    const char *letters = term(sum->plain, t);
    int64_t offset = 0;
    double item;
    for (int axis = 0; axis < term_length(letters); axis++)
        if (sum->operands[t].dims[axis] != 1) offset += sum->at[letter_place(sum, letters[axis])] * sum->operands[t].strides[axis];
    numbers_load_f64(&sum->operands[t], offset, 1, 1, &item);
    return item;
}

/* All indices in turn, each product added where the output's indices say. */
static void run_sum(struct sum *sum, double *ret_items)
{
    const char *output = strstr(sum->plain, "->") + 2;
    for (int i = 0; i < sum->n_letters; i++)
        if (!sum->sizes[i]) return;
    for (int carry = 0; !carry;) {
        double product = 1;
        int64_t offset = 0;
        for (int t = 0; t < sum->n_operands; t++) product *= factor(sum, t);
        for (int axis = 0; axis < term_length(output); axis++) {
            int place = letter_place(sum, output[axis]);
            offset = offset * sum->sizes[place] + sum->at[place];
        }
        ret_items[offset] += product;
        carry = 1;
        for (int i = sum->n_letters - 1; carry && i >= 0; i--) {
            carry = ++sum->at[i] == sum->sizes[i];
            if (carry) sum->at[i] = 0;
        }
    }
}

/* Small whole numbers, so that every type holds every sum exactly. */
static struct tensor small_numbers(struct op_bench *bench, enum dtype dtype, int rank, const int64_t *dims, uint64_t seed)
{
    struct tensor x;
    assert_int_equal(tensor_init(&x, dtype, rank, dims, NULL, NULL), HOB_OK);
    x.data = arena_alloc(&bench->arena, tensor_n_bytes(&x) + 8, 64);
    for (int64_t i = 0; i < tensor_n_items(&x); i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        int64_t integer = (int64_t)(seed >> 62);
        double real = (double)integer;
        if (numbers_is_float(dtype)) numbers_store_f64(&x, i, 1, 1, &real);
        else numbers_store_i64(&x, i, 1, 1, &integer);
    }
    return x;
}

static void check(const struct einsum_case *c, enum dtype dtype)
{
    struct op_bench bench;
    struct tensor operands[MAX_OPERANDS], y;
    const struct tensor *inputs[MAX_OPERANDS];
    op_bench_init(&bench, 2);
    for (int t = 0; t < c->n_operands; t++) {
        operands[t] = small_numbers(&bench, dtype, c->ranks[t], c->dims[t], (uint64_t)t + 9);
        inputs[t] = &operands[t];
    }
    struct attribute equation = {.name = "equation", .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {c->equation, strlen(c->equation)}};
    run_op(&bench, "", "Einsum", 12, &equation, 1, inputs, c->n_operands, &y, 1);
    struct sum sum = {.plain = c->plain ? c->plain : c->equation, .operands = operands, .n_operands = c->n_operands};
    find_sizes(&sum);
    const char *output = strstr(sum.plain, "->") + 2;
    assert_int_equal(y.rank, term_length(output));
    for (int axis = 0; axis < y.rank; axis++) assert_int_equal(y.dims[axis], sum.sizes[letter_place(&sum, output[axis])]);
    double expected[4096] = {0}, found;
    run_sum(&sum, expected);
    for (int64_t i = 0; i < tensor_n_items(&y); i++) {
        bool wraps = dtype == DTYPE_I8 || dtype == DTYPE_U8; /* the low bits are all there is */
        numbers_load_f64(&y, i, 1, 1, &found);
        double wanted = dtype == DTYPE_I8 ? (double)(int8_t)(uint8_t)(int64_t)expected[i] : wraps ? (double)(uint8_t)(int64_t)expected[i] : expected[i];
        if (found != wanted && !(dtype == DTYPE_BF16 && expected[i] > 256 && found / wanted > 0.996 && found / wanted < 1.004) &&
            !(dtype == DTYPE_F16 && expected[i] > 2048 && found / wanted > 0.999 && found / wanted < 1.001))
            fail_msg("%s, %s, item %ld: found %g, expected %g", c->equation, dtype_name(dtype), (long)i, found, wanted);
    }
    op_bench_release(&bench);
}

static void test_cases(void **state)
{
    (void)state;
    const enum dtype types[] = {DTYPE_F32, DTYPE_F64, DTYPE_F16, DTYPE_BF16, DTYPE_I8, DTYPE_U8, DTYPE_I16, DTYPE_I32, DTYPE_U32, DTYPE_I64, DTYPE_U64};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        for (size_t t = 0; t < ARRAY_LENGTH(types); t++) check(&cases[i], types[t]);
}

static void expect_failure(const char *text, int n_inputs, hob_status status, const char *message)
{
    struct op_bench bench;
    struct tensor y;
    op_bench_init(&bench, 1);
    struct tensor x = random_f32(&bench, 2, (int64_t[]){3, 4}, 1);
    struct attribute equation = {.name = "equation", .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {text, strlen(text)}};
    hob_status found = try_op(&bench, "", "Einsum", 12, &equation, 1, (const struct tensor *[]){&x, &x}, n_inputs, &y, 1);
    if (found != status || !strstr(bench.error.message, message)) fail_msg("%s: %s", text, bench.error.message);
    op_bench_release(&bench);
}

static void test_refusals(void **state)
{
    (void)state;
    expect_failure("ij", 2, HOB_BAD_GRAPH, "expected a term for each of 2 operands");
    expect_failure("ij,jk,kl->il", 2, HOB_BAD_GRAPH, "expected a term for each of 2 operands");
    expect_failure("i1->i", 1, HOB_BAD_GRAPH, "found '1'");
    expect_failure("i..j->i", 1, HOB_BAD_GRAPH, "found '.'");
    expect_failure("...i...->i", 1, HOB_BAD_GRAPH, "found two ellipses");
    expect_failure("ij->ik", 1, HOB_BAD_GRAPH, "found an output index that no operand has, or twice");
    expect_failure("ij->ii", 1, HOB_BAD_GRAPH, "found an output index that no operand has, or twice");
    expect_failure("ij->i,j", 1, HOB_BAD_GRAPH, "expected nothing behind the output");
    expect_failure("abcdefghi->a", 1, HOB_BAD_GRAPH, "more than 8 letters");
    expect_failure("ijk->i", 1, HOB_BAD_SHAPE, "expected 3 axes");
    expect_failure("i->i", 1, HOB_BAD_SHAPE, "expected 1 axes");
    expect_failure("ij,jk->ik", 2, HOB_BAD_SHAPE, "expected 4 at axis 0");
    expect_failure("ii->i", 1, HOB_BAD_SHAPE, "expected 3 at axis 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

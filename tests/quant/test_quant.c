/* Storage formats: blocks worked out by hand after ggml's definition, ggml's own bytes, round-trip bounds, hostile input. */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/size.h"
#include "quant/quant.h"

enum { BLOCK = 32 };

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; quant_at(i); i++) {
        const struct quant_def *quant = quant_at(i);
        assert_ptr_equal(quant_find(quant->dtype), quant);
        assert_ptr_equal(quant_find_gguf(quant->gguf_id), quant);
        assert_int_equal(quant->block_items, dtype_block_items(quant->dtype));
        assert_int_equal(quant->block_bytes, dtype_block_bytes(quant->dtype));
    }
    assert_null(quant_find(DTYPE_F32));
    assert_null(quant_find_gguf(1000));
}

/* 0x3400 is 0.25 in binary16. */
static void test_q8_0_decode(void **state)
{
    (void)state;
    unsigned char block[34] = {0x00, 0x34, 4, 0xff, 127, 0x80};
    float items[BLOCK];
    quant_find(DTYPE_Q8_0)->decode(BLOCK, block, items);
    assert_true(items[0] == 1.0f && items[1] == -0.25f && items[2] == 31.75f && items[3] == -32.0f && items[31] == 0.0f);
}

static void test_q4_0_decode(void **state)
{
    (void)state;
    unsigned char block[18] = {0x00, 0x34, 0x9f, 0x80};
    float items[BLOCK];
    quant_find(DTYPE_Q4_0)->decode(BLOCK, block, items);
    assert_true(items[0] == 1.75f && items[16] == 0.25f && items[1] == -2.0f && items[17] == 0.0f && items[2] == -2.0f);
}

/* Largest magnitude 127 gives scale 1; halves round away from zero. */
static void test_q8_0_encode(void **state)
{
    (void)state;
    float items[BLOCK] = {127, -126.5f, 0.5f, -0.5f, 1.49f, -1.51f};
    unsigned char block[34], expected[34] = {0x00, 0x3c, 127, 0x81, 1, 0xff, 1, 0xfe};
    quant_find(DTYPE_Q8_0)->encode(BLOCK, items, block);
    assert_memory_equal(block, expected, sizeof block);
}

/* The largest magnitude, 8, is positive: the scale is -1 and that item is 0; 8.5 is added before cutting. */
static void test_q4_0_encode(void **state)
{
    (void)state;
    float items[BLOCK] = {8, -8, 1, -1, 0.5f, 0.49f};
    items[16] = -0.5f, items[17] = 7.6f;
    unsigned char block[18], expected[18];
    memset(expected, 0x88, sizeof expected);
    expected[0] = 0x00, expected[1] = 0xbc; /* -1 */
    expected[2] = 0x90;                     /* 8 -> 0; -0.5 -> 9.0 cut to 9 */
    expected[3] = 0x0f;                     /* -8 -> 16.5, at most 15; 7.6 -> 0.9 cut to 0 */
    expected[4] = 0x87, expected[5] = 0x89, expected[6] = 0x88, expected[7] = 0x88;
    quant_find(DTYPE_Q4_0)->encode(BLOCK, items, block);
    assert_memory_equal(block, expected, sizeof block);
}

static void test_zero_block(void **state)
{
    (void)state;
    float items[BLOCK] = {0};
    for (size_t i = 0; quant_at(i); i++) {
        unsigned char block[64];
        if (!quant_at(i)->encode) continue;
        quant_at(i)->encode(BLOCK, items, block);
        quant_at(i)->decode(BLOCK, block, items);
        for (int j = 0; j < BLOCK; j++) assert_true(items[j] == 0);
    }
}

/* Half a step, and the rounding of the scale to 11 bits on top. Q4_0 and Q5_0 cut their far end: up to a whole step there. */
static double largest_error(enum dtype dtype, double magnitude, double item)
{
    switch ((int)dtype) {
    case DTYPE_F16: return fabs(item) * 0x1p-11 + 0x1p-25;
    case DTYPE_BF16: return fabs(item) * 0x1p-8;
    case DTYPE_Q8_0: return magnitude / 127 * 0.5 + magnitude * 0x1p-11 + 1e-7;
    case DTYPE_Q4_1: return magnitude * 2 / 15 * 0.5 + magnitude * 3 * 0x1p-11;
    case DTYPE_Q5_0: return magnitude / 16 * 1.001 + magnitude * 0x1p-11;
    case DTYPE_Q5_1: return magnitude * 2 / 31 * 0.5 + magnitude * 3 * 0x1p-11;
    default: return magnitude / 8 * 1.001 + magnitude * 0x1p-11;
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    enum { N = 64 * BLOCK };
    static float items[N], decoded[N];
    unsigned char blocks[N * 2];
    uint32_t random = 1;
    for (int i = 0; i < N; i++) {
        random = random * 1664525u + 1013904223u;
        items[i] = (float)(int32_t)random * 0x1p-31f * ldexpf(1, i / BLOCK % 9 - 4);
    }
    for (size_t q = 0; quant_at(q); q++) {
        if (!quant_at(q)->encode) continue;
        quant_at(q)->encode(N, items, blocks);
        quant_at(q)->decode(N, blocks, decoded);
        for (int i = 0; i < N; i++) {
            double magnitude = 0;
            for (int j = i / BLOCK * BLOCK; j < i / BLOCK * BLOCK + BLOCK; j++) magnitude = fmax(magnitude, fabs((double)items[j]));
            assert_true(fabs((double)decoded[i] - (double)items[i]) <= largest_error(quant_at(q)->dtype, magnitude, (double)items[i]));
        }
    }
}

/* Nothing is promised but that no conversion is undefined (the sanitizers look on) and that the format's NaN-free range holds. */
static void test_hostile_items(void **state)
{
    (void)state;
    static const float odd[] = {NAN, INFINITY, -INFINITY, 0x1p-149f, -0x1p-140f, 3e38f};
    for (size_t q = 0; quant_at(q); q++)
        for (size_t i = 0; i < ARRAY_LENGTH(odd); i++) {
            float items[BLOCK] = {0.5f, odd[i], odd[i] / 2};
            unsigned char block[64];
            if (!quant_at(q)->encode) continue;
            quant_at(q)->encode(BLOCK, items, block);
            quant_at(q)->decode(BLOCK, block, items);
        }
}

static unsigned char *read_golden(const char *name, size_t *ret_n_bytes)
{
    char path[64];
    snprintf(path, sizeof path, "tests/data/quant/%s.bin", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    unsigned char *bytes = memory_new(1 << 16, 1);
    *ret_n_bytes = fread(bytes, 1, 1 << 16, file);
    fclose(file);
    return bytes;
}

/* tools/make-ggml-goldens.py says what the files hold. */
static void check_goldens(const struct quant_def *quant, const unsigned char *items, size_t n_items)
{
    enum { N_BLOCKS = 3 };
    size_t n_bytes, n_encoded = 0, block_bytes = (size_t)quant->block_bytes, n_decoded = N_BLOCKS * (size_t)quant->block_items;
    unsigned char *golden = read_golden(quant->name, &n_bytes);
    if (quant->encode) {
        n_encoded = n_items / (size_t)quant->block_items * block_bytes;
        unsigned char *encoded = memory_new(n_encoded, 1);
        quant->encode((int64_t)n_items, (const float *)(const void *)items, encoded);
        assert_memory_equal(encoded, golden, n_encoded);
        memory_free(encoded);
    }
    float *decoded = memory_new(n_decoded, sizeof *decoded);
    assert_int_equal(n_bytes, n_encoded + N_BLOCKS * block_bytes + n_decoded * sizeof *decoded);
    quant->decode((int64_t)n_decoded, golden + n_encoded, decoded);
    assert_memory_equal(decoded, golden + n_encoded + N_BLOCKS * block_bytes, n_decoded * sizeof *decoded);
    memory_free(decoded), memory_free(golden);
}

static void test_ggml_blocks(void **state)
{
    (void)state;
    size_t n_bytes;
    unsigned char *items = read_golden("items", &n_bytes);
    for (size_t i = 0; quant_at(i); i++)
        if (quant_at(i)->block_items > 1) check_goldens(quant_at(i), items, n_bytes / sizeof(float));
    memory_free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),       cmocka_unit_test(test_q8_0_decode), cmocka_unit_test(test_q4_0_decode),
        cmocka_unit_test(test_q8_0_encode), cmocka_unit_test(test_q4_0_encode), cmocka_unit_test(test_zero_block),
        cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_hostile_items), cmocka_unit_test(test_ggml_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* GGUF files built here field by field: every metadata type, every refusal. */
#include "unit.h"

#include "base/buffer.h"
#include "base/size.h"
#include "formats/gguf.h"

#include <string.h>

enum { U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 };

static void put(struct buffer *file, const void *bytes, size_t n_bytes)
{
    assert_true(buffer_append(file, bytes, n_bytes));
}

static void put_u32(struct buffer *file, uint32_t number)
{
    put(file, &number, sizeof number);
}

static void put_u64(struct buffer *file, uint64_t number)
{
    put(file, &number, sizeof number);
}

static void put_text(struct buffer *file, const char *text)
{
    put_u64(file, strlen(text));
    put(file, text, strlen(text));
}

static void put_entry(struct buffer *file, const char *key, uint32_t type, const void *value, size_t n_bytes)
{
    put_text(file, key);
    put_u32(file, type);
    put(file, value, n_bytes);
}

static void put_array_head(struct buffer *file, uint32_t type, uint64_t n_items)
{
    put_u32(file, type);
    put_u64(file, n_items);
}

static void begin(struct buffer *file, uint32_t version, uint64_t n_tensors, uint64_t n_entries)
{
    put(file, "GGUF", 4);
    put_u32(file, version);
    put_u64(file, n_tensors);
    put_u64(file, n_entries);
}

static void put_tensor(struct buffer *file, const char *name, uint32_t rank, const uint64_t *dims, uint32_t type,
                       uint64_t offset)
{
    put_text(file, name);
    put_u32(file, rank);
    put(file, dims, rank * sizeof *dims);
    put_u32(file, type);
    put_u64(file, offset);
}

static void put_data(struct buffer *file, size_t alignment, size_t n_bytes)
{
    while (file->n_bytes % alignment) buffer_append_byte(file, 0);
    for (size_t i = 0; i < n_bytes; i++) buffer_append_byte(file, (unsigned char)i);
}

static struct tensor_file *open_built(struct buffer *built)
{
    struct tensor_file *file;
    hob_error error;
    assert_int_equal(tensor_file_new("built.gguf", "gguf", &file, NULL), HOB_OK);
    if (gguf_parse(built->bytes, built->n_bytes, file, &error) != HOB_OK) fail_msg("%s", error.message);
    return file;
}

/* Releases built. */
static void refuse(struct buffer *built, hob_status expected, const char *message)
{
    struct tensor_file *file;
    hob_error error = {0};
    assert_int_equal(tensor_file_new("built.gguf", "gguf", &file, NULL), HOB_OK);
    hob_status status = gguf_parse(built->bytes, built->n_bytes, file, &error);
    if (status != expected || !strstr(error.message, message))
        fail_msg("found %d: %s, expected %s", (int)status, error.message, message);
    tensor_file_free(file);
    buffer_release(built);
}

static void put_every_number(struct buffer *file)
{
    put_entry(file, "u8", U8, "\xff", 1);
    put_entry(file, "i8", I8, "\xff", 1);
    put_entry(file, "u16", U16, "\xff\xff", 2);
    put_entry(file, "i16", I16, "\xff\xff", 2);
    put_entry(file, "u32", U32, "\xff\xff\xff\xff", 4);
    put_entry(file, "i32", I32, "\xff\xff\xff\xff", 4);
    put_entry(file, "u64", U64, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    put_entry(file, "i64", I64, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    put_entry(file, "f32", F32, &(float){1.5f}, 4);
    put_entry(file, "f64", F64, &(double){-0.1}, 8);
    put_entry(file, "bool", BOOL, "\x01", 1);
}

static void test_numbers(void **state)
{
    (void)state;
    struct buffer built = {0};
    begin(&built, 3, 0, 11);
    put_every_number(&built);
    struct tensor_file *file = open_built(&built);
    static const struct {
        const char *key;
        int64_t integer;
    } integers[] = {{"u8", 255},         {"i8", -1},  {"u16", 65535}, {"i16", -1},
                    {"u32", UINT32_MAX}, {"i32", -1}, {"i64", -1}};
    for (size_t i = 0; i < ARRAY_LENGTH(integers); i++) {
        int64_t integer;
        assert_true(tensor_file_get_int(file, integers[i].key, &integer));
        assert_int_equal(integer, integers[i].integer);
    }
    double number;
    bool flag;
    int64_t untouched = 7;
    assert_false(tensor_file_get_int(file, "u64", &untouched));
    assert_false(tensor_file_get_int(file, "f32", &untouched));
    assert_false(tensor_file_get_int(file, "none", &untouched));
    assert_int_equal(untouched, 7);
    assert_true(tensor_file_get(file, "u64")->unsigned_integer == UINT64_MAX);
    assert_true(tensor_file_get_float(file, "f32", &number) && number == 1.5);
    assert_true(tensor_file_get_float(file, "f64", &number) && number == -0.1);
    assert_true(tensor_file_get_float(file, "i8", &number) && number == -1.0);
    assert_true(tensor_file_get_bool(file, "bool", &flag) && flag);
    assert_false(tensor_file_get_bool(file, "u8", &flag));
    assert_null(tensor_file_get_string(file, "u8"));
    tensor_file_free(file);
    buffer_release(&built);
}

static void test_texts_and_arrays(void **state)
{
    (void)state;
    struct buffer built = {0};
    begin(&built, 2, 0, 4);
    put_text(&built, "name");
    put_u32(&built, STRING);
    put_text(&built, "llama");
    put_text(&built, "tokens");
    put_u32(&built, ARRAY);
    put_array_head(&built, STRING, 2);
    put_text(&built, "a");
    put_text(&built, "");
    put_text(&built, "scores");
    put_u32(&built, ARRAY);
    put_array_head(&built, F32, 2);
    put(&built, ((const float[]){1, -2}), 8);
    put_text(&built, "nested");
    put_u32(&built, ARRAY);
    put_array_head(&built, ARRAY, 2);
    put_array_head(&built, I16, 2);
    put(&built, ((const int16_t[]){-5, 6}), 4);
    put_array_head(&built, BOOL, 0);
    struct tensor_file *file = open_built(&built);
    assert_int_equal(file->version, 2);
    assert_string_equal(tensor_file_get_string(file, "name"), "llama");
    const struct metadata *tokens = tensor_file_get(file, "tokens"), *scores = tensor_file_get(file, "scores");
    assert_int_equal(tokens->n_items, 2);
    assert_int_equal(tokens->element_kind, METADATA_STRING);
    assert_int_equal(tokens->strings[0].n_bytes, 1);
    assert_int_equal(tokens->strings[1].n_bytes, 0);
    assert_float_equal(scores->numbers[1], -2, 0);
    const struct metadata *nested = tensor_file_get(file, "nested");
    assert_int_equal(nested->arrays[0].integers[0], -5);
    assert_int_equal(nested->arrays[1].n_items, 0);
    tensor_file_free(file);
    buffer_release(&built);
}

static void test_tensors(void **state)
{
    (void)state;
    struct buffer built = {0};
    begin(&built, 3, 3, 1);
    put_entry(&built, "general.alignment", U32, &(uint32_t){64}, 4);
    put_tensor(&built, "float", 2, (const uint64_t[]){3, 2}, 0, 0);
    put_tensor(&built, "blocks", 2, (const uint64_t[]){64, 2}, 8, 64);
    put_tensor(&built, "not yet", 1, (const uint64_t[]){256}, 14, 256);
    put_data(&built, 64, 256 + 210);
    struct tensor_file *file = open_built(&built);
    const struct tensor *floats = tensor_file_find(file, "float"), *blocks = tensor_file_find(file, "blocks");
    assert_true(tensor_has_shape(floats, 2, (const int64_t[]){2, 3}));
    assert_int_equal(*(const unsigned char *)floats->data, 0);
    assert_true(tensor_has_shape(blocks, 2, (const int64_t[]){2, 64}));
    assert_int_equal(blocks->dtype, DTYPE_Q8_0);
    assert_int_equal(*(const unsigned char *)blocks->data, 64);
    assert_string_equal(dtype_name(tensor_file_find(file, "not yet")->dtype), "q6_k");
    assert_null(tensor_file_find(file, "nowhere"));
    tensor_file_free(file);
    buffer_release(&built);
}

static void test_refuses_headers(void **state)
{
    (void)state;
    struct buffer built = {0};
    refuse(&built, HOB_BAD_FILE, "truncated: the magic");
    put(&built, "GGML\3\0\0\0", 8);
    refuse(&built, HOB_BAD_FILE, "not a GGUF file: found 47 47 4d 4c");
    begin(&built, 1, 0, 0);
    refuse(&built, HOB_UNSUPPORTED, "GGUF version 1, expected 2 or 3");
    begin(&built, 0x03000000, 0, 0);
    refuse(&built, HOB_UNSUPPORTED, "big-endian");
    begin(&built, 3, 0, UINT64_MAX);
    refuse(&built, HOB_BAD_FILE, "18446744073709551615 metadata entries");
    begin(&built, 3, 1000, 0);
    refuse(&built, HOB_BAD_FILE, "found 1000 tensors, expected at most 0");
}

static void test_refuses_metadata(void **state)
{
    (void)state;
    struct buffer built = {0};
    begin(&built, 3, 0, 2);
    put_entry(&built, "twice", U8, "\1", 1);
    put_entry(&built, "twice", U8, "\1", 1);
    refuse(&built, HOB_BAD_FILE, "metadata key 'twice' stands twice");
    begin(&built, 3, 0, 1);
    put_entry(&built, "odd", 13, "\1", 1);
    refuse(&built, HOB_BAD_FILE, "metadata odd: found metadata type 13");
    begin(&built, 3, 0, 1);
    put_entry(&built, "", U8, "\1", 1);
    refuse(&built, HOB_BAD_FILE, "metadata key 0: found 0 bytes");
    begin(&built, 3, 0, 1);
    put_text(&built, "long");
    put_u32(&built, ARRAY);
    put_array_head(&built, F64, UINT64_MAX / 8);
    refuse(&built, HOB_BAD_FILE, "metadata long: found 2305843009213693951 array items");
    begin(&built, 3, 0, 1);
    put_text(&built, "deep");
    put_u32(&built, ARRAY);
    for (int i = 0; i < 20; i++) put_array_head(&built, ARRAY, 1);
    refuse(&built, HOB_LIMIT, "metadata deep: arrays nested deeper");
    begin(&built, 3, 0, 1);
    put_entry(&built, "general.alignment", U32, &(uint32_t){24}, 4);
    refuse(&built, HOB_BAD_FILE, "general.alignment: found 24");
}

static void refuse_tensor(uint32_t rank, const uint64_t *dims, uint32_t type, uint64_t offset, hob_status status,
                          const char *message)
{
    struct buffer built = {0};
    begin(&built, 3, 1, 0);
    put_tensor(&built, "w", rank, dims, type, offset);
    put_data(&built, 32, 64);
    refuse(&built, status, message);
}

static void test_refuses_tensors(void **state)
{
    (void)state;
    static const uint64_t two[] = {2}, seventeen[] = {17}, huge[] = {1ull << 40, 1ull << 40}, negative[] = {UINT64_MAX},
                          ones[9] = {1};
    refuse_tensor(1, two, 0, 32 * 3, HOB_BAD_FILE,
                  "tensor w: found 8 bytes at offset 96, the data section has 64 bytes");
    refuse_tensor(1, seventeen, 0, 0, HOB_BAD_FILE, "tensor w: found 68 bytes at offset 0");
    refuse_tensor(1, two, 0, 4, HOB_BAD_FILE, "found offset 4, expected a multiple of 32");
    refuse_tensor(1, two, 0, UINT64_MAX - 31, HOB_BAD_FILE, "truncated: tensor w");
    refuse_tensor(2, huge, 0, 0, HOB_BAD_SHAPE, "tensor w: found shape [1099511627776,1099511627776]");
    refuse_tensor(1, negative, 0, 0, HOB_BAD_FILE, "found dimension 18446744073709551615");
    refuse_tensor(9, ones, 0, 0, HOB_BAD_FILE, "found rank 9");
    refuse_tensor(1, two, 8, 0, HOB_BAD_SHAPE, "expected rows of whole q8_0 blocks");
    refuse_tensor(1, two, 4, 0, HOB_UNSUPPORTED, "found ggml type 4");
    refuse_tensor(1, two, 4000000000u, 0, HOB_UNSUPPORTED, "found ggml type 4000000000");
}

static void test_refuses_same_name(void **state)
{
    (void)state;
    struct buffer built = {0};
    begin(&built, 3, 2, 0);
    for (int i = 0; i < 2; i++) put_tensor(&built, "w", 1, (const uint64_t[]){2}, 0, 0);
    put_data(&built, 32, 64);
    refuse(&built, HOB_BAD_FILE, "tensor 'w' stands twice");
}

static void test_path_in_messages(void **state)
{
    (void)state;
    struct tensor_file *file;
    hob_error error;
    assert_int_equal(gguf_open("fuzz/seeds/gguf/big-endian", &file, &error), HOB_UNSUPPORTED);
    assert_int_equal(strncmp(error.message, "fuzz/seeds/gguf/big-endian: ", 28), 0);
    assert_int_equal(gguf_open("no-such-file.gguf", &file, &error), HOB_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),           cmocka_unit_test(test_texts_and_arrays),
        cmocka_unit_test(test_tensors),           cmocka_unit_test(test_refuses_headers),
        cmocka_unit_test(test_refuses_metadata),  cmocka_unit_test(test_refuses_tensors),
        cmocka_unit_test(test_refuses_same_name), cmocka_unit_test(test_path_in_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

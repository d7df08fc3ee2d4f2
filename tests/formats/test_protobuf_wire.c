/* The wire reader, on bytes written out by hand from the encoding's documentation. */
#include "unit.h"

#include "base/size.h"
#include "formats/protobuf_wire.h"

static void test_fields(void **state)
{
    (void)state;
    static const unsigned char bytes[] = {0x08, 0x96, 0x01,             /* 1: 150 */
                                          0x12, 0x02, 'h',  'i',        /* 2: "hi" */
                                          0x1d, 0x00, 0x00, 0xc0, 0x3f, /* 3: 1.5f */
                                          0x21, 1,    2,    3,    4,    5, 6, 7, 8};
    struct wire wire = wire_over(bytes, sizeof bytes);
    struct wire_field field;
    int64_t integer;
    float number;
    struct wire_span span;
    assert_int_equal(wire_next(&wire, &field, NULL), HOB_OK);
    assert_int_equal(field.number, 1);
    assert_int_equal(wire_as_int(&field, &integer, NULL), HOB_OK);
    assert_int_equal(integer, 150);
    assert_int_equal(wire_as_span(&field, &span, NULL), HOB_BAD_FILE);
    assert_int_equal(wire_next(&wire, &field, NULL), HOB_OK);
    assert_int_equal(wire_as_span(&field, &span, NULL), HOB_OK);
    assert_memory_equal(span.bytes, "hi", 2);
    assert_int_equal(wire_next(&wire, &field, NULL), HOB_OK);
    assert_int_equal(wire_as_float(&field, &number, NULL), HOB_OK);
    assert_float_equal(number, 1.5f, 0);
    assert_int_equal(wire_next(&wire, &field, NULL), HOB_OK);
    assert_int_equal(field.payload.n_bytes, 8);
    assert_int_equal(field.offset, 12);
    assert_true(wire_at_end(&wire));
}

static void test_negative(void **state)
{
    (void)state;
    static const unsigned char minus_one[] = {0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
    struct wire wire = wire_over(minus_one, sizeof minus_one);
    struct wire_field field;
    int64_t integer;
    assert_int_equal(wire_next(&wire, &field, NULL), HOB_OK);
    assert_int_equal(wire_as_int(&field, &integer, NULL), HOB_OK);
    assert_int_equal(integer, -1);
}

static void test_lists(void **state)
{
    (void)state;
    static const unsigned char packed[] = {0x0a, 0x03, 0x01, 0x96, 0x01}, single[] = {0x08, 0x07};
    struct wire wire = wire_over(packed, sizeof packed);
    struct wire_field field;
    struct wire_span items;
    size_t n_items;
    assert_int_equal(wire_next(&wire, &field, NULL), HOB_OK);
    assert_int_equal(wire_as_list(&field, WIRE_VARINT, &items, &n_items, NULL), HOB_OK);
    assert_int_equal(n_items, 2);
    assert_int_equal(wire_list_take(&items), 1);
    assert_int_equal(wire_list_take(&items), 150);
    assert_int_equal(wire_as_list(&field, WIRE_FIXED32, &items, &n_items, NULL), HOB_BAD_FILE);
    wire = wire_over(single, sizeof single);
    assert_int_equal(wire_next(&wire, &field, NULL), HOB_OK);
    assert_int_equal(wire_as_list(&field, WIRE_VARINT, &items, &n_items, NULL), HOB_OK);
    assert_int_equal(n_items, 1);
}

static void test_refuses(void **state)
{
    (void)state;
    static const struct {
        unsigned char bytes[16];
        size_t n_bytes;
    } cases[] = {
        {{0x08}, 1},                                                              /* no number */
        {{0x08, 0x80}, 2},                                                        /* the number does not end */
        {{0x12, 0x05, 'h', 'i'}, 4},                                              /* five bytes announced, two there */
        {{0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, 11}, /* 2^64-1 announced */
        {{0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}, 11}, /* more than 64 bits */
        {{0x0b}, 1},                                                              /* a group */
        {{0x0e, 0x00}, 2},                                                        /* wire type 6 */
        {{0x00, 0x00}, 2},                                                        /* field number 0 */
        {{0x1d, 0, 0, 0}, 4},                                                     /* three of four bytes */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct wire wire = wire_over(cases[i].bytes, cases[i].n_bytes);
        struct wire_field field = {.number = 99};
        hob_error error = {0};
        assert_int_equal(wire_next(&wire, &field, &error), HOB_BAD_FILE);
        assert_int_equal(field.number, 99);
        assert_true(*error.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_negative),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

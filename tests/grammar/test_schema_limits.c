/* Schemas from strangers, of up to 64 KiB: whatever they multiply, the work is counted and comes to an end, and what is told apart plainly
 * is compiled. No time is asserted; what bounds it is. */
#include "unit.h"

#include "base/buffer.h"
#include "grammar/grammar.h"
#include "grammar/json_schema.h"
#include "grammar/schema.h"

#include <string.h>

enum { MOST_BYTES = 64 << 10 };

static void expect(struct buffer *text, hob_status wanted)
{
    struct grammar_builder builder;
    struct grammar *grammar = NULL;
    hob_error error = {0};
    uint32_t root = 0;
    assert_true(text->n_bytes <= MOST_BYTES);
    assert_int_equal(grammar_builder_init(&builder, &error), HOB_OK);
    hob_status status = json_schema_compile(&builder, text->bytes, text->n_bytes, &root, &error);
    if (status == HOB_OK) status = grammar_new(&builder, root, &grammar, &error);
    if (status != wanted) fail_msg("%.60s…: found %d (%s), wanted %d", text->bytes, status, error.message, wanted);
    assert_true(builder.n_schema_steps <= SCHEMA_MAX_STEPS);
    assert_true(builder.n_states <= GRAMMAR_MAX_STATES && builder.n_moves <= GRAMMAR_MAX_MOVES);
    grammar_unref(grammar);
    grammar_builder_release(&builder);
    buffer_release(text);
}

/* before, then n times the item with its number, then behind. */
static struct buffer list_of(const char *before, size_t n, const char *first, const char *second, const char *behind)
{
    struct buffer text = {0};
    buffer_append_string(&text, before);
    for (size_t i = 0; i < n; i++) buffer_printf(&text, "%s%s%zu%s", i ? "," : "", first, i, second);
    buffer_append_string(&text, behind);
    return text;
}

/* Each alternative is compared with each other. */
static void test_one_of(void **state)
{
    (void)state;
    struct buffer few = list_of("{\"oneOf\":[", 100, "{\"properties\":{\"kind\":{\"const\":", "},\"x\":{}},\"required\":[\"kind\"]}", "]}");
    struct buffer many = list_of("{\"oneOf\":[", 3900, "{\"const\":", "}", "]}");
    struct buffer objects = list_of("{\"oneOf\":[", 1100, "{\"properties\":{\"k\":{\"const\":", "}},\"required\":[\"k\"]}", "]}");
    expect(&few, HOB_OK);
    expect(&many, HOB_LIMIT);
    expect(&objects, HOB_LIMIT);
}

/* 16 times 16 times … what is behind the first reference, each merged with the others. */
static void test_references(void **state)
{
    (void)state;
    struct buffer text = {0};
    buffer_append_string(&text, "{\"$defs\":{\"d0\":{\"minimum\":0}");
    for (int i = 1; i < 14; i++) {
        buffer_printf(&text, ",\"d%d\":{\"allOf\":[", i);
        for (int k = 0; k < 16; k++) buffer_printf(&text, "%s{\"$ref\":\"#/$defs/d%d\"}", k ? "," : "", i - 1);
        buffer_append_string(&text, "]}");
    }
    buffer_append_string(&text, "},\"allOf\":[{\"$ref\":\"#/$defs/d13\"}]}");
    expect(&text, HOB_LIMIT);
}

static void test_merges(void **state)
{
    (void)state;
    struct buffer growing = list_of("{\"allOf\":[", 1500, "{\"properties\":{\"p", "\":{\"type\":\"null\"}}}", "]}");
    struct buffer enums = list_of("{\"oneOf\":[{\"enum\":[", 5000, "", "", "]},{\"enum\":[");
    for (int i = 0; i < 5000; i++) buffer_printf(&enums, "%s%d", i ? "," : "", i + 5000);
    buffer_append_string(&enums, "]}]}");
    expect(&growing, HOB_LIMIT);
    expect(&enums, HOB_LIMIT);
}

/* What only grows the grammar is bounded by its size. */
static void test_sizes(void **state)
{
    (void)state;
    static const char *const rows[] = {"{\"type\":\"string\",\"maxLength\":500000}", "{\"pattern\":\"^(a{1000}){500}$\"}",
                                       "{\"pattern\":\"^(a?b?c?d?){700}$\"}", "{\"pattern\":\"^(a|b)*a(a|b){12}$\",\"maxLength\":4000}"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buffer text = {0};
        buffer_append_string(&text, rows[i]);
        expect(&text, HOB_LIMIT);
    }
    struct buffer items = list_of("{\"prefixItems\":[", 3000, "{\"const\":", "}", "]}");
    expect(&items, HOB_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_of), cmocka_unit_test(test_references), cmocka_unit_test(test_merges),
                                       cmocka_unit_test(test_sizes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

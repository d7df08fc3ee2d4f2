/* Whose each byte of a rendered text is: marks follow a stranger's texts through filters, methods, operators and statements. */
#include "unit.h"

#include "text/jinja/jinja.h"

#include <string.h>

struct row {
    const char *template, *text, *marks; /* marks: one for each byte, "." the template's and "x" foreign */
};

static const struct row rows[] = {
    {"<{{ c }}>", "<a b>", ".xxx."},
    {"{{ own }}{{ c }}", "OWNa b", "...xxx"},
    {"{{ '<' + c + '>' }}", "<a b>", ".xxx."},
    {"{{ '<' ~ c ~ 1 ~ '>' }}", "<a b1>", ".xxx.."},
    {"{{ c | upper }}{{ c.title() }}{{ own | lower }}", "A BA Bown", "xxxxxx..."},
    {"{{ padded | trim }}{{ padded.strip() }}|{{ padded.lstrip() }}", "hoho|ho ", "xxxx.xxx"},
    {"{{ c[0] }}{{ c[1:] }}{{ c[::-1] }}{{ c | first }}{{ c | reverse }}", "a bb aab a", "xxxxxxxxxx"},
    {"{{ 'x-y' | replace('-', c) }}{{ c | replace(' ', '--') }}", "xa bya--b", ".xxx.x..x"},
    {"{{ c.replace('a', own) }}", "OWN b", "...xx"},
    {"{{ [own, c, own] | join('/') }}{{ '-'.join(list) }}", "OWN/a b/OWNp-q", "....xxx....x.x"},
    {"{{ c | tojson }}{{ own | tojson }}", "\"a b\"\"OWN\"", "xxxxx....."},
    {"{{ {'k': c} | tojson }}", "{\"k\": \"a b\"}", "......xxxxx."},
    {"{{ object | tojson }}", "{\"key\": 1}", ".xxxxx...."},
    {"{{ list }}", "['p', 'q']", ".xxx..xxx."},
    {"{{ '%s|%5s' | format(c, own) }}{{ '{}+{x}'.format(c, x=list[1]) }}", "a b|  OWNa b+q", "xxx......xxx.x"},
    {"{% set s %}[{{ c }}]{% endset %}{{ s }}{{ s | length }}", "[a b]5", ".xxx.."},
    {"{% macro m(t) %}({{ t }}){% endmacro %}{{ m(c) }}{{ m(own) }}", "(a b)(OWN)", ".xxx......"},
    {"{% for w in c.split() %}{{ w }}{{ loop.index }}{% endfor %}", "a1b2", "x.x."},
    {"{% filter upper %}q{{ c }}{% endfilter %}", "QA B", "xxxx"},
    {"{{ c * 2 }}{{ 'o' * 2 }}", "a ba boo", "xxxxxx.."},
    {"{% set ns = namespace(t='') %}{% for w in list %}{% set ns.t = ns.t + '<' + w %}{% endfor %}{{ ns.t }}", "<p<q", ".x.x"},
    {"{% for k, v in object.items() %}{{ k }}={{ v }}{% endfor %}", "key=1", "xxx.."},
    {"{{ c | indent(1) }}{{ c | center(5) }}{{ c.ljust(4) }}", "a b a b a b ", "xxx.xxx.xxx."},
    {"{{ c | e }}{{ c | urlencode }}{{ c | string }}{{ c | safe }}{{ c | d('') }}", "a ba%20ba ba ba b", "xxxxxxxxxxxxxxxxx"},
    {"{{ c.partition(' ')[2] }}{{ c.rsplit(' ', 1)[0] }}{{ c.removesuffix('b') }}", "baa ", "xxxx"},
    {"{{ speaker.role }}{{ speaker.name }}{{ odd.role }}", "user_1nn<o>", "......xxxxx"},
    {"{{ missing }}{{ none }}{{ c if c else own }}", "Nonea b", "....xxx"},
};

static void show_marks(const struct buffer *text, const struct buffer *marks, char *shown)
{
    for (size_t i = 0; i < text->n_bytes; i++) shown[i] = i < marks->n_bytes && marks->bytes[i] ? 'x' : '.';
    shown[text->n_bytes] = '\0';
}

static void test_marks(void **state)
{
    (void)state;
    json_t *own = json_pack("{s:s}", "own", "OWN");
    json_t *foreign = json_loads("{\"c\": \"a b\", \"padded\": \" ho \", \"list\": [\"p\", \"q\"], \"object\": {\"key\": 1}, \"none\": null,"
                                 " \"speaker\": {\"role\": \"user_1\", \"name\": \"nn\"}, \"odd\": {\"role\": \"<o>\"}}", 0, NULL);
    struct jinja_options options = {.trusted_member = "role"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct jinja_template *template;
        struct buffer text, marks;
        hob_error error = {0};
        char shown[200];
        if (jinja_parse(rows[i].template, strlen(rows[i].template), "t", &template, &error) != HOB_OK) fail_msg("%s", error.message);
        if (jinja_render_marked(template, own, foreign, &options, &text, &marks, &error) != HOB_OK)
            fail_msg("%s: %s", rows[i].template, error.message);
        show_marks(&text, &marks, shown);
        bool is_right = text.n_bytes == strlen(rows[i].text) && !memcmp(buffer_text(&text), rows[i].text, text.n_bytes);
        if (!is_right || strcmp(shown, rows[i].marks)) fail_msg("%s: %s\n%s, wanted\n%s", rows[i].template, buffer_text(&text), shown, rows[i].marks);
        buffer_release(&text);
        buffer_release(&marks);
        jinja_template_free(template);
    }
    json_decref(own);
    json_decref(foreign);
}

/* Many texts of many sizes: blocks lie anywhere, and marks stay with their bytes. */
static void test_blocks(void **state)
{
    (void)state;
    static const char template_text[] = "{% for t in texts %}{{ '<' + (t * loop.index) + '>' }}{% endfor %}";
    struct jinja_template *template;
    struct buffer text, marks;
    hob_error error = {0};
    json_t *texts = json_array(), *foreign = json_pack("{s:o}", "texts", texts);
    for (int i = 0; i < 600; i++) json_array_append_new(texts, json_string(i % 7 ? "abc" : ""));
    if (jinja_parse(template_text, strlen(template_text), "t", &template, &error) != HOB_OK) fail_msg("%s", error.message);
    if (jinja_render_marked(template, NULL, foreign, NULL, &text, &marks, &error) != HOB_OK) fail_msg("%s", error.message);
    for (size_t i = 0; i < text.n_bytes; i++) {
        bool is_marked = i < marks.n_bytes && marks.bytes[i];
        assert_int_equal(is_marked, text.bytes[i] >= 'a' && text.bytes[i] <= 'c');
    }
    assert_true(text.n_bytes > 400000);
    buffer_release(&text);
    buffer_release(&marks);
    jinja_template_free(template);
    json_decref(foreign);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_marks), cmocka_unit_test(test_blocks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

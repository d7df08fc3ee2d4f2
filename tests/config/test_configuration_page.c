/* docs/configuration.md has the keys of options.def, with what the rows say of them. The test fails when its tables are stale;
 * HOB_CONFIGURATION_UPDATE=1 (tools/make-configuration-page) writes them anew. */
#include "unit.h"

#include "base/buffer.h"
#include "config/options.h"
#include "config/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE "docs/configuration.md"
#define BEGINNING "<!-- keys -->\n"
#define END "<!-- end of keys -->\n"

static void read_page(struct buffer *page)
{
    char chunk[4096];
    FILE *stream = fopen(PAGE, "rb");
    assert_non_null(stream);
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, stream)) > 0;) buffer_append(page, chunk, n);
    fclose(stream);
}

/* What a value may be, for a person. */
static void write_type(const struct config_option *option, struct buffer *text)
{
    static const char *const names[] = {[CONFIG_BOOLEAN] = "true or false",
                                        [CONFIG_COUNT] = "whole number",
                                        [CONFIG_BYTES] = "size",
                                        [CONFIG_SECONDS] = "time",
                                        [CONFIG_TEXT] = "text",
                                        [CONFIG_PATH] = "path",
                                        [CONFIG_NAME_OR_PATH] = "name or path",
                                        [CONFIG_LIST] = "list",
                                        [CONFIG_QUANTIZATION] = "true, false or format"};
    for (size_t i = 0; option->words && option->words[i]; i++)
        buffer_printf(text, "%s`\"%s\"`", i ? " " : "", option->words[i]);
    if (option->words) return;
    buffer_append_string(text, names[option->type]);
    bool is_bounded = option->type == CONFIG_COUNT;
    if (is_bounded) buffer_printf(text, ", %lld to %lld", (long long)option->least, (long long)option->most);
}

static void write_default(const struct config_option *option, struct buffer *text)
{
    bool is_text =
        option->type != CONFIG_BOOLEAN && option->type != CONFIG_COUNT && option->type != CONFIG_QUANTIZATION;
    bool is_number =
        *option->default_text && strspn(option->default_text, "0123456789") == strlen(option->default_text);
    if (option->type == CONFIG_LIST) buffer_append_string(text, "`[]`");
    else if (!*option->default_text && option->type != CONFIG_CHOICE) buffer_append_string(text, "–");
    else buffer_printf(text, is_text && !is_number ? "`\"%s\"`" : "`%s`", option->default_text);
}

static void write_row(const struct config_option *option, struct buffer *text)
{
    buffer_printf(text, "| `%s` | ", option->key);
    write_type(option, text);
    buffer_append_string(text, " | ");
    write_default(option, text);
    if (option->environment) buffer_printf(text, " | `%s`", option->environment);
    buffer_printf(text, " | %s |\n", option->help);
}

static void write_table(const struct config_option *options, size_t n_options, struct buffer *text)
{
    bool has_environment = options[0].environment != NULL;
    buffer_append_string(text, has_environment ? "\n| Key | Value | Default | Environment | |\n|---|---|---|---|---|\n"
                                               : "\n| Key | Value | Default | |\n|---|---|---|---|\n");
    for (size_t i = 0; i < n_options; i++) write_row(&options[i], text);
}

static void write_tables(struct buffer *text)
{
    for (size_t i = 0, n; i < N_CONFIG_OPTIONS; i += n) {
        const struct config_option *first = &config_options[i];
        for (n = 1; i + n < N_CONFIG_OPTIONS && !strcmp(first[n].section, first->section);) n++;
        if (*first->section) buffer_printf(text, "\n### [%s]\n", first->section);
        else buffer_append_string(text, "\n### At the top of the file\n");
        write_table(first, n, text);
    }
    buffer_append_string(text, "\n### [models.NAME]\n\nA model that requests call NAME.\n");
    write_table(config_model_options, N_CONFIG_MODEL_OPTIONS, text);
    buffer_append_string(text, "\n### [backends.NAME]\n\nAn API elsewhere that stands in when a model of ours fails. "
                               "There is none by default.\n");
    write_table(config_backend_options, N_CONFIG_BACKEND_OPTIONS, text);
}

static void test_page(void **state)
{
    struct buffer page = {0}, wanted = {0};
    (void)state;
    read_page(&page);
    const char *beginning = strstr(buffer_text(&page), BEGINNING), *end = strstr(buffer_text(&page), END);
    assert_true(beginning && end && end > beginning);
    buffer_append(&wanted, page.bytes, (size_t)(beginning - page.bytes));
    buffer_append_string(&wanted, BEGINNING);
    write_tables(&wanted);
    buffer_printf(&wanted, "\n%s", end);
    if (getenv("HOB_CONFIGURATION_UPDATE")) {
        FILE *stream = fopen(PAGE, "wb");
        assert_non_null(stream);
        assert_int_equal(fwrite(wanted.bytes, 1, wanted.n_bytes, stream), wanted.n_bytes);
        assert_int_equal(fclose(stream), 0);
    } else if (strcmp(buffer_text(&page), buffer_text(&wanted)) != 0)
        fail_msg(PAGE " is stale: run tools/make-configuration-page");
    buffer_release(&page);
    buffer_release(&wanted);
}

/* Where the hand-written part names variables of other programs, it names them all. */
static void test_foreign_names(void **state)
{
    struct buffer page = {0};
    (void)state;
    read_page(&page);
    for (size_t i = 0; i < n_config_foreign; i++) {
        if (!strstr(buffer_text(&page), config_foreign[i].name)) fail_msg(PAGE " lacks %s", config_foreign[i].name);
        if (!strstr(buffer_text(&page), config_foreign[i].ours)) fail_msg(PAGE " lacks %s", config_foreign[i].ours);
    }
    buffer_release(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_page), cmocka_unit_test(test_foreign_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

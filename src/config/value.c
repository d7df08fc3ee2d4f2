/* What is given is a TOML value or a text without quotes. A text is read by the option's type: "5" is a number for a COUNT. A TOML value
 * must have the right type, but sizes and times may be strings with units. */
#include "config/value.h"
#include "base/error.h"
#include "base/suggest.h"
#include "config/folders.h"
#include "config/units.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FOUND_BYTES = 96, EXPECTED_BYTES = 200 };

struct reading {
    const struct config_option *option;
    const struct config_input *input;
    hob_error *error;
};

/* ---- messages ---- */

static void write_found(const struct config_input *input, char found[static FOUND_BYTES])
{
    const struct toml_value *toml = input->toml;
    if (!toml) snprintf(found, FOUND_BYTES, "'%.60s'", input->text);
    else if (toml->kind == TOML_STRING) snprintf(found, FOUND_BYTES, "\"%.60s\"", toml->text);
    else if (toml->kind == TOML_INTEGER) snprintf(found, FOUND_BYTES, "%lld", (long long)toml->integer);
    else if (toml->kind == TOML_FLOAT) snprintf(found, FOUND_BYTES, "%g", toml->number);
    else if (toml->kind == TOML_BOOLEAN) snprintf(found, FOUND_BYTES, "%s", toml->boolean ? "true" : "false");
    else snprintf(found, FOUND_BYTES, "%s", toml_kind_name(toml->kind));
}

static void write_words(const char *const *words, const char *beginning, char expected[static EXPECTED_BYTES])
{
    size_t n = (size_t)snprintf(expected, EXPECTED_BYTES, "%s", beginning);
    for (size_t i = 0; words[i]; i++)
        if (n < EXPECTED_BYTES)
            n += (size_t)snprintf(expected + n, EXPECTED_BYTES - n, "%s\"%s\"", i ? ", " : "", words[i]);
}

static void write_size_range(const struct config_option *option, char expected[static EXPECTED_BYTES])
{
    char least[32], most[32];
    units_write_bytes((uint64_t)option->least, least);
    units_write_bytes((uint64_t)option->most, most);
    snprintf(expected, EXPECTED_BYTES, "a size from %s to %s, as 4096 or \"512MiB\"", least, most);
}

static void write_expected(const struct config_option *option, char expected[static EXPECTED_BYTES])
{
    switch (option->type) {
    case CONFIG_BOOLEAN:
        snprintf(expected, EXPECTED_BYTES, "true or false");
        break;
    case CONFIG_COUNT:
        snprintf(expected, EXPECTED_BYTES, "a whole number from %lld to %lld", (long long)option->least,
                 (long long)option->most);
        break;
    case CONFIG_BYTES:
        write_size_range(option, expected);
        break;
    case CONFIG_SECONDS:
        snprintf(expected, EXPECTED_BYTES, "a time from %lld to %lld seconds, as 90 or \"5m\"",
                 (long long)option->least, (long long)option->most);
        break;
    case CONFIG_WORD:
    case CONFIG_CHOICE:
        write_words(option->words, "one of ", expected);
        break;
    case CONFIG_QUANTIZATION:
        write_words(config_quantizations, "true, false or one of ", expected);
        break;
    case CONFIG_LIST:
        snprintf(expected, EXPECTED_BYTES, "an array of strings");
        break;
    case CONFIG_TEXT:
    case CONFIG_PATH:
    case CONFIG_NAME_OR_PATH:
        snprintf(expected, EXPECTED_BYTES, "a string");
        break;
    }
}

static hob_status fail_value(const struct reading *reading, const char *hint)
{
    char found[FOUND_BYTES], expected[EXPECTED_BYTES];
    write_found(reading->input, found);
    write_expected(reading->option, expected);
    FAIL(reading->error, HOB_BAD_ARGUMENT, "found %s, expected %s%s", found, expected, hint);
}

static hob_status no_memory(const struct reading *reading)
{
    FAIL(reading->error, HOB_NO_MEMORY, "out of memory");
}

/* The text of a string, or what the environment or a flag says; NULL: a value of another kind. */
static const char *given_text(const struct config_input *input)
{
    if (!input->toml) return input->text;
    return input->toml->kind == TOML_STRING ? input->toml->text : NULL;
}

/* ---- numbers ---- */

static bool is_within(const struct config_option *option, double number)
{
    return number >= (double)option->least && number <= (double)option->most;
}

static hob_status read_boolean(const struct reading *reading, bool *ret_value)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    const struct config_input *input = reading->input;
    if (input->toml && input->toml->kind != TOML_BOOLEAN) return fail_value(reading, "");
    if (input->toml) {
        *ret_value = input->toml->boolean;
        return HOB_OK;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(input->text, words[i]) != 0) continue;
        *ret_value = i % 2;
        return HOB_OK;
    }
    return fail_value(reading, "");
}

/* Whole, and not negative. */
static bool read_integer(const struct config_input *input, uint64_t *ret_value)
{
    if (!input->toml) return units_read_whole(input->text, ret_value);
    if (input->toml->kind != TOML_INTEGER || input->toml->integer < 0) return false;
    *ret_value = (uint64_t)input->toml->integer;
    return true;
}

static hob_status read_count(const struct reading *reading, size_t *ret_value)
{
    uint64_t value;
    if (!read_integer(reading->input, &value) || !is_within(reading->option, (double)value))
        return fail_value(reading, "");
    *ret_value = (size_t)value;
    return HOB_OK;
}

static hob_status read_bytes(const struct reading *reading, uint64_t *ret_value)
{
    uint64_t value;
    const char *text = given_text(reading->input);
    bool is_read = text ? units_read_bytes(text, &value) : read_integer(reading->input, &value);
    if (!is_read || !is_within(reading->option, (double)value)) return fail_value(reading, "");
    *ret_value = value;
    return HOB_OK;
}

static hob_status read_seconds(const struct reading *reading, double *ret_value)
{
    double value = NAN;
    const struct toml_value *toml = reading->input->toml;
    const char *text = given_text(reading->input);
    if (text && !units_read_seconds(text, &value)) return fail_value(reading, "");
    if (!text && toml->kind == TOML_INTEGER) value = (double)toml->integer;
    if (!text && toml->kind == TOML_FLOAT) value = toml->number;
    if (!is_within(reading->option, value)) return fail_value(reading, "");
    *ret_value = value;
    return HOB_OK;
}

/* ---- texts ---- */

/* "": not set. */
static hob_status copy_text(const struct reading *reading, const char *text, const char **ret_text)
{
    const char *copy = *text ? arena_copy_string(reading->input->arena, text, strlen(text)) : NULL;
    if (*text && !copy) return no_memory(reading);
    *ret_text = copy;
    return HOB_OK;
}

static hob_status read_string(const struct reading *reading, const char **ret_text)
{
    const struct toml_value *toml = reading->input->toml;
    const char *text = given_text(reading->input);
    if (!text) return fail_value(reading, "");
    if (toml && strlen(text) != toml->n_text_bytes) return fail_value(reading, " without a NUL");
    *ret_text = text;
    return HOB_OK;
}

static hob_status read_text(const struct reading *reading, const char **ret_text)
{
    const char *text = NULL;
    TRY(read_string(reading, &text));
    return copy_text(reading, text, ret_text);
}

static hob_status fail_word(const struct reading *reading, const char *text, const char *const *words)
{
    char hint[64] = "";
    size_t n_words = 0;
    while (words[n_words]) n_words++;
    size_t nearest = suggest_nearest(text, words, n_words);
    if (nearest < n_words) snprintf(hint, sizeof hint, "; did you mean \"%s\"?", words[nearest]);
    return fail_value(reading, hint);
}

static hob_status read_index(const struct reading *reading, const char *const *words, size_t *ret_index)
{
    const char *text = NULL;
    TRY(read_string(reading, &text));
    for (size_t i = 0; words[i]; i++) {
        if (strcmp(text, words[i]) != 0) continue;
        *ret_index = i;
        return HOB_OK;
    }
    return fail_word(reading, text, words);
}

static hob_status read_choice(const struct reading *reading, int *ret_index)
{
    size_t index = 0;
    TRY(read_index(reading, reading->option->words, &index));
    *ret_index = (int)index;
    return HOB_OK;
}

static hob_status read_word(const struct reading *reading, const char **ret_word)
{
    size_t index = 0;
    const char *text = given_text(reading->input);
    bool is_unset = text && !*text;
    if (!is_unset) TRY(read_index(reading, reading->option->words, &index));
    *ret_word = is_unset ? NULL : reading->option->words[index];
    return HOB_OK;
}

static hob_status read_quantization(const struct reading *reading, const char **ret_name)
{
    const struct toml_value *toml = reading->input->toml;
    const char *text = given_text(reading->input);
    bool is_on = toml ? toml->kind == TOML_BOOLEAN && toml->boolean : !strcmp(text, "true");
    bool is_off = toml ? toml->kind == TOML_BOOLEAN && !toml->boolean : !strcmp(text, "false");
    size_t index = 0;
    if (!is_on && !is_off) TRY(read_index(reading, config_quantizations, &index));
    *ret_name = is_on ? "true" : is_off ? NULL : config_quantizations[index];
    return HOB_OK;
}

/* ---- paths ---- */

static hob_status expand_path(const struct reading *reading, const char *text, const char **ret_path)
{
    struct buffer path = {0};
    const struct config_input *input = reading->input;
    hob_status status = HOB_OK;
    if (folders_expand(input->environment, text, input->folder, &path))
        status = copy_text(reading, buffer_text(&path), ret_path);
    else if (path.is_failed) status = no_memory(reading);
    else status = fail_value(reading, " whose folder is known: HOME is not set");
    buffer_release(&path);
    return status;
}

static hob_status read_path(const struct reading *reading, const char **ret_path)
{
    const char *text = NULL;
    TRY(read_string(reading, &text));
    if (reading->option->standard && !strcmp(text, "default")) text = reading->option->standard;
    return *text ? expand_path(reading, text, ret_path) : copy_text(reading, text, ret_path);
}

static hob_status read_name_or_path(const struct reading *reading, const char **ret_text)
{
    const char *text = NULL;
    TRY(read_string(reading, &text));
    return strpbrk(text, "/.") ? expand_path(reading, text, ret_text) : copy_text(reading, text, ret_text);
}

/* ---- lists ---- */

static hob_status read_array(const struct reading *reading, struct config_list *ret_list,
                             const struct toml_value **ret_culprit)
{
    const struct toml_value *toml = reading->input->toml;
    if (toml->kind != TOML_ARRAY) return fail_value(reading, "");
    size_t n_items = toml->array->n_items;
    const char **items = ARENA_NEW(reading->input->arena, const char *, n_items + 1);
    if (!items) return no_memory(reading);
    for (size_t i = 0; i < n_items; i++) {
        const struct toml_value *item = &toml->array->items[i];
        struct config_input item_input = *reading->input;
        item_input.toml = item;
        *ret_culprit = item;
        TRY(read_text(&(struct reading){.option = reading->option, .input = &item_input, .error = reading->error},
                      &items[i]));
        if (!items[i]) FAIL(reading->error, HOB_BAD_ARGUMENT, "found \"\", expected a text that is not empty");
    }
    *ret_culprit = toml;
    *ret_list = (struct config_list){.items = items, .n_items = n_items};
    return HOB_OK;
}

/* Split at commas; blanks around an item are nobody's, and neither is an item of nothing else. */
static hob_status read_separated(const struct reading *reading, struct config_list *ret_list)
{
    size_t n_items = 0, n_most = 1;
    for (const char *at = reading->input->text; *at; at++) n_most += *at == ',';
    const char **items = ARENA_NEW(reading->input->arena, const char *, n_most);
    if (!items) return no_memory(reading);
    for (const char *at = reading->input->text;; at++) {
        at += strspn(at, " ");
        size_t n_bytes = strcspn(at, ","), n_kept = n_bytes;
        while (n_kept && at[n_kept - 1] == ' ') n_kept--;
        if (n_kept && !(items[n_items++] = arena_copy_string(reading->input->arena, at, n_kept)))
            return no_memory(reading);
        at += n_bytes;
        if (!*at) break;
    }
    *ret_list = (struct config_list){.items = items, .n_items = n_items};
    return HOB_OK;
}

static hob_status read_list(const struct reading *reading, struct config_list *ret_list,
                            const struct toml_value **ret_culprit)
{
    return reading->input->toml ? read_array(reading, ret_list, ret_culprit) : read_separated(reading, ret_list);
}

hob_status config_value_read(const struct config_option *option, const struct config_input *input, void *structure,
                             const struct toml_value **ret_culprit, hob_error *error)
{
    const struct reading reading = {.option = option, .input = input, .error = error};
    void *field = (char *)structure + option->offset;
    *ret_culprit = input->toml;
    switch (option->type) {
    case CONFIG_BOOLEAN:
        return read_boolean(&reading, field);
    case CONFIG_COUNT:
        return read_count(&reading, field);
    case CONFIG_BYTES:
        return read_bytes(&reading, field);
    case CONFIG_SECONDS:
        return read_seconds(&reading, field);
    case CONFIG_TEXT:
        return read_text(&reading, field);
    case CONFIG_WORD:
        return read_word(&reading, field);
    case CONFIG_CHOICE:
        return read_choice(&reading, field);
    case CONFIG_PATH:
        return read_path(&reading, field);
    case CONFIG_NAME_OR_PATH:
        return read_name_or_path(&reading, field);
    case CONFIG_LIST:
        return read_list(&reading, field, ret_culprit);
    case CONFIG_QUANTIZATION:
        return read_quantization(&reading, field);
    }
    FAIL(error, HOB_INTERNAL, "%s: found a row of an unknown type", option->key);
}

#include "config/write.h"
#include "config/units.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* ---- strings and keys ---- */

static void write_character(const char *bytes, size_t n_bytes, int32_t character, struct buffer *text)
{
    if (character == '"' || character == '\\') buffer_printf(text, "\\%c", (char)character);
    else if (character == '\n') buffer_append_string(text, "\\n");
    else if (character == '\t') buffer_append_string(text, "\\t");
    else if (character < 0x20 || character == 0x7F) buffer_printf(text, "\\u%04X", (unsigned)character);
    else buffer_append(text, bytes, n_bytes);
}

bool config_write_string(const char *string, struct buffer *text)
{
    size_t n_left = strlen(string);
    bool is_whole = true;
    buffer_append_byte(text, '"');
    while (n_left) {
        utf8proc_int32_t character;
        utf8proc_ssize_t n_used =
            utf8proc_iterate((const utf8proc_uint8_t *)string, (utf8proc_ssize_t)n_left, &character);
        size_t n_bytes = n_used > 0 ? (size_t)n_used : 1;
        if (n_used > 0) write_character(string, n_bytes, character, text);
        else buffer_append_string(text, "\xEF\xBF\xBD");
        is_whole = is_whole && n_used > 0;
        string += n_bytes;
        n_left -= n_bytes;
    }
    buffer_append_byte(text, '"');
    return is_whole;
}

void config_write_key(const char *key, struct buffer *text)
{
    bool is_bare = *key != '\0';
    for (const char *at = key; *at; at++)
        is_bare = is_bare && (isalnum((unsigned char)*at) || *at == '_' || *at == '-');
    if (is_bare) buffer_append_string(text, key);
    else config_write_string(key, text);
}

/* ---- values ---- */

/* The fewest digits that read back as the same number; TOML wants a whole one to be an integer or to have a point. */
static void write_seconds(double seconds, struct buffer *text)
{
    char digits[40];
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, seconds);
        if (strtod(digits, NULL) == seconds) break;
    }
    if (seconds == floor(seconds) && fabs(seconds) < 1e15) snprintf(digits, sizeof digits, "%.0f", seconds);
    buffer_append_string(text, digits);
}

static void write_bytes(uint64_t n_bytes, struct buffer *text)
{
    char size[32];
    units_write_bytes(n_bytes, size);
    buffer_printf(text, isdigit((unsigned char)size[strlen(size) - 1]) ? "%s" : "\"%s\"", size);
}

static void write_list(const struct config_list *list, struct buffer *text)
{
    buffer_append_byte(text, '[');
    for (size_t i = 0; i < list->n_items; i++) {
        if (i) buffer_append_string(text, ", ");
        config_write_string(list->items[i], text);
    }
    buffer_append_byte(text, ']');
}

static void write_quantization(const char *name, struct buffer *text)
{
    if (!name || !strcmp(name, "true")) buffer_append_string(text, name ? "true" : "false");
    else config_write_string(name, text);
}

bool config_write_value(const struct config_option *option, const void *structure, struct buffer *text)
{
    const void *field = (const char *)structure + option->offset;
    switch (option->type) {
    case CONFIG_BOOLEAN:
        buffer_append_string(text, *(const bool *)field ? "true" : "false");
        break;
    case CONFIG_COUNT:
        buffer_printf(text, "%zu", *(const size_t *)field);
        break;
    case CONFIG_BYTES:
        write_bytes(*(const uint64_t *)field, text);
        break;
    case CONFIG_SECONDS:
        write_seconds(*(const double *)field, text);
        break;
    case CONFIG_CHOICE:
        config_write_string(option->words[*(const int *)field], text);
        break;
    case CONFIG_LIST:
        write_list(field, text);
        break;
    case CONFIG_QUANTIZATION:
        write_quantization(*(const char *const *)field, text);
        break;
    case CONFIG_TEXT:
    case CONFIG_WORD:
    case CONFIG_PATH:
    case CONFIG_NAME_OR_PATH:
        if (!*(const char *const *)field) return false;
        config_write_string(*(const char *const *)field, text);
        break;
    }
    return true;
}

/* In a comment, where control characters are forbidden. */
static void write_plain(const char *name, struct buffer *text)
{
    struct buffer quoted = {0};
    config_write_string(name, &quoted);
    if (quoted.n_bytes >= 2) buffer_append(text, quoted.bytes + 1, quoted.n_bytes - 2);
    text->is_failed |= quoted.is_failed;
    buffer_release(&quoted);
}

void config_write_origin(const struct config_origin *origin, struct buffer *text)
{
    static const char *const sources[] = {[CONFIG_FROM_DEFAULT] = "default",
                                          [CONFIG_FROM_FILE] = "",
                                          [CONFIG_FROM_ENVIRONMENT] = "environment ",
                                          [CONFIG_FROM_FLAG] = "flag "};
    buffer_append_string(text, sources[origin->source]);
    if (origin->name) write_plain(origin->name, text);
    if (origin->source == CONFIG_FROM_FILE) buffer_printf(text, ":%d", origin->line);
}

/* ---- tables ---- */

static void write_line(const struct config_option *option, const void *structure, const struct config_origin *origin,
                       struct buffer *text)
{
    struct buffer value = {0};
    bool is_set = config_write_value(option, structure, &value);
    buffer_printf(text, is_set ? "%s = %s  # " : "# %s is not set%s  # ", option->key, buffer_text(&value));
    config_write_origin(origin, text);
    buffer_append_byte(text, '\n');
    text->is_failed |= value.is_failed;
    buffer_release(&value);
}

static void write_named(const char *section, const char *name, const struct config_option *options, size_t n_options,
                        const void *structure, const struct config_origin *origins, struct buffer *text)
{
    buffer_printf(text, "\n[%s.", section);
    config_write_key(name, text);
    buffer_append_string(text, "]\n");
    for (size_t i = 0; i < n_options; i++) write_line(&options[i], structure, &origins[i], text);
}

void config_to_toml(const struct config *config, struct buffer *text)
{
    const char *section = "";
    for (size_t i = 0; i < N_CONFIG_OPTIONS; i++) {
        if (strcmp(section, config_options[i].section) != 0)
            buffer_printf(text, "\n[%s]\n", section = config_options[i].section);
        write_line(&config_options[i], config, &config->origins[i], text);
    }
    for (size_t i = 0; i < config->n_models; i++)
        write_named("models", config->models[i].name, config_model_options, N_CONFIG_MODEL_OPTIONS, &config->models[i],
                    config->models[i].origins, text);
    for (size_t i = 0; i < config->n_backends; i++)
        write_named("backends", config->backends[i].name, config_backend_options, N_CONFIG_BACKEND_OPTIONS,
                    &config->backends[i], config->backends[i].origins, text);
}

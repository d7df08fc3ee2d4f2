/* Fields are copied with memcpy, so that an enum, a size or a pointer is read as what it is. */
#include "text/config_record.h"
#include "base/error.h"

#include <string.h>

/* ---- writing ---- */

static void write_text(const struct config_field *field, const char *config, struct buffer *bytes)
{
    const char *text;
    size_t n_bytes = 0;
    memcpy(&text, config + field->offset, sizeof text);
    if (field->size_offset) memcpy(&n_bytes, config + field->size_offset, sizeof n_bytes);
    else if (text) n_bytes = strlen(text);
    record_put_text(bytes, text, n_bytes);
}

static void write_regex(const struct config_field *field, const char *config, struct buffer *bytes)
{
    const struct regex *regex;
    const char *pattern = NULL;
    size_t n_bytes = 0;
    bool is_literal = false;
    memcpy(&regex, config + field->offset, sizeof regex);
    if (regex) pattern = regex_pattern(regex, &n_bytes, &is_literal);
    record_put_u8(bytes, is_literal);
    record_put_text(bytes, pattern, n_bytes);
}

static void write_number(const struct config_field *field, const char *config, struct buffer *bytes)
{
    uint32_t small;
    int64_t large;
    bool flag;
    if (field->kind == CONFIG_BOOL) {
        memcpy(&flag, config + field->offset, sizeof flag);
        record_put_u8(bytes, flag);
    } else if (field->kind == CONFIG_U32) {
        memcpy(&small, config + field->offset, sizeof small);
        record_put_u32(bytes, small);
    } else {
        memcpy(&large, config + field->offset, sizeof large);
        record_put_i64(bytes, large);
    }
}

void config_write(const struct config_field *fields, const void *config, struct buffer *bytes)
{
    for (const struct config_field *field = fields; field->kind != CONFIG_END; field++) {
        if (field->kind == CONFIG_TEXT) {
            write_text(field, config, bytes);
        } else if (field->kind == CONFIG_REGEX) {
            write_regex(field, config, bytes);
        } else if (field->kind == CONFIG_CHARSMAP) {
            struct charsmap charsmap;
            size_t n_bytes;
            memcpy(&charsmap, (const char *)config + field->offset, sizeof charsmap);
            const void *map = charsmap_bytes(&charsmap, &n_bytes);
            record_put_array(bytes, map, n_bytes, 1);
        } else {
            write_number(field, config, bytes);
        }
    }
}

/* ---- reading ---- */

static void read_text(const struct config_field *field, char *config, struct record_reader *reader)
{
    size_t n_bytes;
    const char *text = record_text(reader, &n_bytes);
    if (!text && !field->is_optional) record_fail(reader);
    if (text && ((!field->size_offset && strlen(text) != n_bytes) || !unicode_is_valid(text, n_bytes))) record_fail(reader);
    memcpy(config + field->offset, &text, sizeof text);
    if (field->size_offset) memcpy(config + field->size_offset, &n_bytes, sizeof n_bytes);
}

static hob_status read_regex(struct tokenizer *tokenizer, const struct config_field *field, char *config, struct record_reader *reader,
                             hob_error *error)
{
    bool is_literal = record_bool(reader);
    size_t n_bytes;
    const char *pattern = record_text(reader, &n_bytes);
    struct regex *regex = NULL;
    if (!pattern && !field->is_optional) record_fail(reader);
    if (!pattern) return HOB_OK;
    TRY(is_literal ? regex_new_literal(pattern, n_bytes, &regex, error) : regex_new(pattern, n_bytes, &regex, error));
    memcpy(config + field->offset, &regex, sizeof regex);
    return tokenizer_keep_regex(tokenizer, regex, error);
}

static hob_status read_charsmap(const struct config_field *field, char *config, struct record_reader *reader, hob_error *error)
{
    size_t n_bytes;
    const void *bytes = record_array(reader, 1, &n_bytes);
    struct charsmap charsmap = {0};
    if (n_bytes) TRY(charsmap_init(&charsmap, bytes, n_bytes, error));
    memcpy(config + field->offset, &charsmap, sizeof charsmap);
    return HOB_OK;
}

static void read_number(const struct config_field *field, char *config, struct record_reader *reader)
{
    if (field->kind == CONFIG_BOOL) {
        bool flag = record_bool(reader);
        memcpy(config + field->offset, &flag, sizeof flag);
    } else if (field->kind == CONFIG_U32) {
        uint32_t number = record_u32(reader);
        if (field->most && number > field->most) record_fail(reader);
        memcpy(config + field->offset, &number, sizeof number);
    } else {
        int64_t number = record_i64(reader);
        memcpy(config + field->offset, &number, sizeof number);
    }
}

hob_status config_read(struct tokenizer *tokenizer, const struct config_field *fields, void *config, struct record_reader *reader,
                       hob_error *error)
{
    for (const struct config_field *field = fields; field->kind != CONFIG_END && !reader->is_bad; field++) {
        if (field->kind == CONFIG_TEXT) read_text(field, config, reader);
        else if (field->kind == CONFIG_REGEX) TRY(read_regex(tokenizer, field, config, reader, error));
        else if (field->kind == CONFIG_CHARSMAP) TRY(read_charsmap(field, config, reader, error));
        else read_number(field, config, reader);
    }
    return HOB_OK;
}

/* Renders any description: scalars as "name: value", lists of tensors as tables, counts as columns. It knows shapes of JSON, not
 * what they mean, so a new field shows up by itself. */
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "engine/describe.h"

#include <string.h>

enum { SHOWN_VALUE_BYTES = 100, SHOWN_LIST_ITEMS = 400 };

static void render_bytes(struct buffer *text, json_int_t n_bytes)
{
    if (n_bytes >= 1 << 20) buffer_printf(text, "%.1f MiB", (double)n_bytes / (1 << 20));
    else if (n_bytes >= 1 << 10) buffer_printf(text, "%.1f KiB", (double)n_bytes / (1 << 10));
    else buffer_printf(text, "%lld bytes", (long long)n_bytes);
}

/* One line, control characters shown as spaces, long ones cut at a whole character. */
static void render_string(struct buffer *text, const char *string)
{
    size_t n_bytes = strlen(string), n_shown = n_bytes;
    if (n_shown > SHOWN_VALUE_BYTES) {
        n_shown = SHOWN_VALUE_BYTES;
        while (n_shown > 0 && ((unsigned char)string[n_shown] & 0xC0) == 0x80) n_shown--;
    }
    for (size_t i = 0; i < n_shown; i++) {
        bool is_control = (unsigned char)string[i] < ' ' || string[i] == 0x7f;
        buffer_append_byte(text, is_control ? (unsigned char)' ' : (unsigned char)string[i]);
    }
    if (n_shown < n_bytes) buffer_append_string(text, "…");
}

static void render_scalar(struct buffer *text, const char *key, const json_t *value)
{
    size_t n_key = strlen(key);
    bool is_bytes = n_key >= 5 && strstr(key, "bytes");
    if (json_is_integer(value) && is_bytes) render_bytes(text, json_integer_value(value));
    else if (json_is_integer(value)) buffer_printf(text, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value)) buffer_printf(text, "%g", json_real_value(value));
    else if (json_is_boolean(value)) buffer_append_string(text, json_is_true(value) ? "true" : "false");
    else if (json_is_string(value)) render_string(text, json_string_value(value));
}

static void render_shape(struct buffer *text, const json_t *shape)
{
    buffer_append_byte(text, '[');
    for (size_t i = 0; i < json_array_size(shape); i++) {
        if (i) buffer_append_byte(text, ',');
        render_scalar(text, "", json_array_get(shape, i));
    }
    buffer_append_byte(text, ']');
}

/* {"name", "type", "shape", "relative_error"?} on a line. */
static void render_row(struct buffer *text, json_t *row)
{
    const char *name = json_string_value(json_object_get(row, "name"));
    const char *type = json_string_value(json_object_get(row, "type"));
    buffer_append_string(text, "  ");
    size_t start = text->n_bytes;
    render_string(text, name ? name : "");
    size_t n_columns = text->n_bytes - start;
    buffer_printf(text, "%*s %-8s ", (int)(n_columns < 44 ? 44 - n_columns : 0), "", type ? type : "");
    const json_t *shape = json_object_get(row, "shape");
    if (shape) render_shape(text, shape);
    else buffer_append_string(text, "of any shape"); /* [] would say a scalar */
    const json_t *relative = json_object_get(row, "relative_error");
    if (relative) buffer_printf(text, "  off by %.2g %%", 100 * json_real_value(relative));
    buffer_append_byte(text, '\n');
}

static void render_list(struct buffer *text, const char *key, const json_t *list)
{
    size_t n_items = json_array_size(list);
    buffer_printf(text, "%s: %zu\n", key, n_items);
    for (size_t i = 0; i < n_items && i < SHOWN_LIST_ITEMS; i++) {
        json_t *item = json_array_get(list, i);
        if (json_is_object(item)) {
            render_row(text, item);
            continue;
        }
        buffer_append_string(text, "  ");
        render_scalar(text, "", item);
        buffer_append_byte(text, '\n');
    }
    if (n_items > SHOWN_LIST_ITEMS) buffer_printf(text, "  … %zu more (--json lists all)\n", n_items - SHOWN_LIST_ITEMS);
}

static void render_object(struct buffer *text, const char *key, json_t *object)
{
    const char *name;
    json_t *value;
    if (!json_object_size(object)) return;
    buffer_printf(text, "%s:\n", key);
    json_object_foreach(object, name, value)
    {
        buffer_printf(text, "  %-44s ", name);
        if (json_is_array(value)) render_shape(text, value);
        else render_scalar(text, name, value);
        buffer_append_byte(text, '\n');
    }
}

static void render_field(struct buffer *text, const char *key, json_t *value)
{
    if (json_is_object(value)) {
        render_object(text, key, value);
    } else if (json_is_array(value) && !strcmp(key, "shape")) {
        buffer_append_string(text, "shape: ");
        render_shape(text, value);
        buffer_append_byte(text, '\n');
    } else if (!strcmp(key, "nodes")) {
        buffer_printf(text, "nodes: %zu (--json lists them with the types and shapes of what they make)\n", json_array_size(value));
    } else if (json_is_array(value)) {
        if (json_array_size(value)) render_list(text, key, value);
    } else {
        buffer_printf(text, "%s: ", key);
        render_scalar(text, key, value);
        buffer_append_byte(text, '\n');
    }
}

hob_status describe_render(const json_t *root, char **ret_text, hob_error *error)
{
    struct buffer text = {0};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)root, key, value) render_field(&text, key, value);
    if (text.is_failed) {
        buffer_release(&text);
        FAIL(error, HOB_NO_MEMORY, "a description: out of memory");
    }
    *ret_text = text.bytes; /* never empty: there is at least the file's name */
    return HOB_OK;
}

hob_status describe_dump(const json_t *root, char **ret_text, hob_error *error)
{
    size_t n_bytes = json_dumpb(root, NULL, 0, JSON_COMPACT | JSON_ENSURE_ASCII);
    char *text = n_bytes ? memory_new(n_bytes + 2, 1) : NULL;
    if (!text) FAIL(error, HOB_NO_MEMORY, "a description: out of memory");
    json_dumpb(root, text, n_bytes, JSON_COMPACT | JSON_ENSURE_ASCII);
    text[n_bytes] = '\n';
    *ret_text = text;
    return HOB_OK;
}

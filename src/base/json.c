#include "base/json.h"

#include "base/buffer.h"

#include <utf8proc.h>

static json_t *json_repaired_text(const char *bytes, size_t n_bytes)
{
    struct buffer text = {0};
    for (size_t i = 0; i < n_bytes;) {
        utf8proc_int32_t character;
        utf8proc_ssize_t n_left = (utf8proc_ssize_t)(n_bytes - i);
        utf8proc_ssize_t n_used = utf8proc_iterate((const utf8proc_uint8_t *)bytes + i, n_left, &character);
        if (n_used > 0) buffer_append(&text, bytes + i, (size_t)n_used);
        else buffer_append_string(&text, "\xEF\xBF\xBD");
        i += n_used > 0 ? (size_t)n_used : 1;
    }
    json_t *string = text.is_failed ? NULL : json_stringn(buffer_text(&text), text.n_bytes);
    buffer_release(&text);
    return string;
}

json_t *json_text(const char *bytes, size_t n_bytes)
{
    json_t *string = json_stringn(bytes, n_bytes);
    return string ? string : json_repaired_text(bytes, n_bytes);
}

static void give_up(json_t **whole)
{
    json_decref(*whole);
    *whole = NULL;
}

void json_append(json_t **list, json_t *item)
{
    if (json_array_append_new(*list, item) != 0) give_up(list);
}

void json_put(json_t **object, const char *key, json_t *value)
{
    if (json_object_set_new(*object, key, value) != 0) give_up(object);
}

json_t *json_ids(const int32_t *ids, size_t n_ids)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < n_ids; i++) json_append(&array, json_integer(ids[i]));
    return array;
}

/* The code of "\uXXXX" at text; -1: it is none. */
static long escaped_code(const char *text, const char *end)
{
    char digits[5] = "";
    if (end - text < 6 || text[0] != '\\' || text[1] != 'u') return -1;
    memcpy(digits, text + 2, 4);
    return strspn(digits, "0123456789abcdefABCDEF") == 4 ? strtol(digits, NULL, 16) : -1;
}

static bool is_high(long code)
{
    return code >= 0xD800 && code < 0xDC00;
}

static bool is_low(long code)
{
    return code >= 0xDC00 && code < 0xE000;
}

void json_mend_surrogates(char *text, size_t n_bytes)
{
    const char *end = text + n_bytes;
    while (text < end && (text = memchr(text, '\\', (size_t)(end - text)))) {
        long code = escaped_code(text, end);
        bool is_pair = is_high(code) && is_low(escaped_code(text + 6, end));
        if (!is_pair && (is_high(code) || is_low(code))) memcpy(text + 2, "fffd", 4);
        text += is_pair ? 12 : code >= 0 ? 6 : 2;
    }
}

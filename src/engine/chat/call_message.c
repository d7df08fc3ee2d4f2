#include "engine/chat/call_message.h"
#include "base/buffer.h"
#include "base/sha256.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ID_CHARACTERS = 9 }; /* Mistral's templates refuse any other number */

static void make_id(const char *name, const char *arguments, size_t index, char ret_id[ID_CHARACTERS + 1])
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    unsigned char digests[2 * SHA256_BYTES], digest[SHA256_BYTES];
    char place[32];
    int n_place = snprintf(place, sizeof place, "%zu", index);
    sha256_of(name, strlen(name), digests);
    sha256_of(arguments, strlen(arguments), digests + SHA256_BYTES);
    for (int i = 0; i < n_place; i++) digests[i] ^= (unsigned char)place[i];
    sha256_of(digests, sizeof digests, digest);
    for (size_t i = 0; i < ID_CHARACTERS; i++) ret_id[i] = digits[(digest[2 * i] << 8 | digest[2 * i + 1]) % 62];
    ret_id[ID_CHARACTERS] = '\0';
}

static void append_dumped(const json_t *value, size_t flags, struct buffer *out)
{
    json_free_t release;
    char *text = json_dumps(value, JSON_ENCODE_ANY | flags);
    if (text) buffer_append_string(out, text);
    else out->is_failed = true;
    json_get_alloc_funcs(NULL, &release);
    release(text);
}

/* With as few digits as read back the same: 0.1 is not to become 0.10000000000000001. */
static void append_real(const json_t *value, struct buffer *out)
{
    bool is_same = false;
    size_t n_before = out->n_bytes;
    for (size_t digits = 15; !is_same && digits <= 17; digits++) {
        out->n_bytes = n_before;
        append_dumped(value, JSON_REAL_PRECISION(digits), out);
        is_same = out->is_failed || strtod(out->bytes + n_before, NULL) == json_real_value(value);
    }
}

/* As json_dumps, but for reals. Depth is that of what jansson read. */
static void append_value(json_t *value, struct buffer *out)
{
    const char *key, *separator = "";
    json_t *member;
    if (json_is_object(value)) {
        buffer_append_byte(out, '{');
        json_object_foreach (value, key, member) {
            json_t *name = json_string(key);
            buffer_append_string(out, separator);
            append_dumped(name, 0, out);
            buffer_append_string(out, ": ");
            append_value(member, out);
            json_decref(name);
            separator = ", ";
        }
        buffer_append_byte(out, '}');
    } else if (json_is_array(value)) {
        buffer_append_byte(out, '[');
        for (size_t i = 0; i < json_array_size(value); i++, separator = ", ") {
            buffer_append_string(out, separator);
            append_value(json_array_get(value, i), out);
        }
        buffer_append_byte(out, ']');
    } else if (json_is_real(value)) {
        append_real(value, out);
    } else {
        append_dumped(value, 0, out);
    }
}

json_t *call_message(const json_t *call, size_t index)
{
    char made_id[ID_CHARACTERS + 1];
    struct buffer dumped = {0};
    const json_t *id = json_object_get(call, "id");
    json_t *arguments = json_object_get(call, "arguments"), *made = NULL;
    const char *name = json_string_value(json_object_get(call, "name"));
    if (json_is_string(arguments)) buffer_append_string(&dumped, json_string_value(arguments));
    else append_value(arguments, &dumped);
    make_id(name ? name : "", buffer_text(&dumped), index, made_id);
    if (!dumped.is_failed)
        made = json_pack("{s:s, s:s, s:{s:O, s:s}}", "id", id ? json_string_value(id) : made_id, "type", "function", "function", "name",
                         json_object_get(call, "name"), "arguments", buffer_text(&dumped));
    buffer_release(&dumped);
    return made;
}

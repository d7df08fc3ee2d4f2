#include "engine/chat/call_message.h"
#include "base/sha256.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
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

/* With as few digits as read back the same: 0.1 is not to become 0.10000000000000001. */
static char *dump(const json_t *arguments)
{
    char *text = NULL;
    bool is_same = false;
    for (int digits = 15; !is_same && digits <= 17; digits++) {
        json_free_t release;
        json_get_alloc_funcs(NULL, &release);
        release(text);
        text = json_dumps(arguments, (size_t)(JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits)));
        json_t *again = text ? json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;
        is_same = json_equal(again, (json_t *)(uintptr_t)arguments);
        json_decref(again);
    }
    return text;
}

json_t *call_message(const json_t *call, size_t index)
{
    char made_id[ID_CHARACTERS + 1];
    json_free_t release;
    const json_t *id = json_object_get(call, "id"), *arguments = json_object_get(call, "arguments");
    const char *name = json_string_value(json_object_get(call, "name"));
    char *dumped = json_is_string(arguments) ? NULL : dump(arguments);
    const char *text = dumped ? dumped : json_string_value(arguments);
    make_id(name ? name : "", text ? text : "", index, made_id);
    json_t *made = json_pack("{s:s, s:s, s:{s:O, s:s}}", "id", id ? json_string_value(id) : made_id, "type", "function", "function", "name",
                             json_object_get(call, "name"), "arguments", text ? text : "{}");
    json_get_alloc_funcs(NULL, &release);
    release(dumped);
    return made;
}

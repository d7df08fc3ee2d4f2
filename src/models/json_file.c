/* jansson does the parsing; this bounds the size and says where a mistake is. */
#include "models/json_file.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/mapped_file.h"

enum { JSON_FILE_MAX_BYTES = 16 << 20 };

static hob_status parse(const struct mapped_file *file, const char *path, json_t **ret_json, hob_error *error)
{
    if (file->n_bytes > JSON_FILE_MAX_BYTES)
        FAIL(error, HOB_LIMIT, "%s: found %zu bytes, expected at most %d", path, file->n_bytes, JSON_FILE_MAX_BYTES);
    json_error_t mistake;
    json_t *json = file->n_bytes ? json_loadb((const char *)file->bytes, file->n_bytes, 0, &mistake) : NULL;
    if (!json && !file->n_bytes) FAIL(error, HOB_BAD_FILE, "%s: found an empty file, expected JSON", path);
    if (!json) FAIL(error, HOB_BAD_FILE, "%s:%d:%d: %s", path, mistake.line, mistake.column, mistake.text);
    *ret_json = json;
    return HOB_OK;
}

hob_status json_file_read(const char *path, json_t **ret_json, hob_error *error)
{
    struct mapped_file file;
    TRY(mapped_file_open(path, &file, error));
    hob_status status = parse(&file, path, ret_json, error);
    mapped_file_release(&file);
    return status;
}

hob_status json_file_path(const char *folder, const char *name, char **ret_path, hob_error *error)
{
    struct buffer path = {0};
    if (!buffer_printf(&path, "%s/%s", folder, name)) {
        buffer_release(&path);
        FAIL(error, HOB_NO_MEMORY, "%s/%s: out of memory", folder, name);
    }
    *ret_path = path.bytes;
    return HOB_OK;
}

const char *json_kind_name(const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a text";
    case JSON_INTEGER:
        return "a whole number";
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    case JSON_NULL:
        break;
    }
    return "null";
}

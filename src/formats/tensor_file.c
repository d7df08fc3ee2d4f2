/* The tables behind a tensor file. Arrays grow in the arena by doubling, as the graph's do. */
#include "formats/tensor_file.h"
#include "base/error.h"
#include "base/memory.h"

#include <string.h>

enum { ARENA_CHUNK_BYTES = 64 * 1024, NAME_MAX_BYTES = 1 << 16, SHOWN_NAME_BYTES = 80 };

static hob_status no_memory(const struct tensor_file *file, hob_error *error)
{
    FAIL(error, HOB_NO_MEMORY, "%s: out of memory at %zu tensors", file->path, file->n_tensors);
}

hob_status tensor_file_new(const char *path, const char *format, struct tensor_file **ret_file, hob_error *error)
{
    struct tensor_file *file = memory_new(1, sizeof *file);
    if (!file) FAIL(error, HOB_NO_MEMORY, "%s: out of memory", path);
    arena_init(&file->arena, ARENA_CHUNK_BYTES);
    file->path = arena_copy_string(&file->arena, path, strlen(path));
    file->format = format;
    if (!file->path) {
        tensor_file_free(file);
        FAIL(error, HOB_NO_MEMORY, "%s: out of memory", path);
    }
    *ret_file = file;
    return HOB_OK;
}

void tensor_file_free(struct tensor_file *file)
{
    if (!file) return;
    for (size_t i = 0; i < file->n_maps; i++) mapped_file_release(&file->maps[i]);
    string_map_release(&file->tensor_by_name);
    string_map_release(&file->metadata_by_key);
    arena_release(&file->arena);
    memory_free(file);
}

/* Room for one item more: doubles when n_items is a power of two or zero. */
static void *grow_array(struct tensor_file *file, void *items, size_t n_items, size_t item_bytes)
{
    if (n_items & (n_items - 1)) return items;
    void *grown = arena_new(&file->arena, n_items ? n_items * 2 : 1, item_bytes, 16);
    if (grown && n_items) memcpy(grown, items, n_items * item_bytes);
    return grown;
}

hob_status tensor_file_map(struct tensor_file *file, const char *path, struct mapped_file *ret_map, hob_error *error)
{
    struct mapped_file *grown = grow_array(file, file->maps, file->n_maps, sizeof *file->maps);
    const char **paths = grow_array(file, file->map_paths, file->n_maps, sizeof *file->map_paths);
    const char *copy = arena_copy_string(&file->arena, path, strlen(path));
    if (!grown || !paths || !copy) return no_memory(file, error);
    file->maps = grown;
    file->map_paths = paths;
    paths[file->n_maps] = copy;
    TRY(mapped_file_open(path, &file->maps[file->n_maps], error));
    *ret_map = file->maps[file->n_maps++];
    return HOB_OK;
}

/* Copies a name that is new to map and notes index for it. */
static hob_status add_name(struct tensor_file *file, struct string_map *map, const char *what, const char *name,
                           size_t n_bytes, size_t index, const char **ret_copy, hob_error *error)
{
    int shown = n_bytes < SHOWN_NAME_BYTES ? (int)n_bytes : SHOWN_NAME_BYTES;
    uint64_t found;
    if (!n_bytes || n_bytes > NAME_MAX_BYTES || memchr(name, '\0', n_bytes))
        FAIL(error, HOB_BAD_FILE, "the name of %s %zu: found %zu bytes '%.*s', expected 1 to %d without a NUL", what,
             index, n_bytes, shown, name, NAME_MAX_BYTES);
    if (string_map_get(map, name, n_bytes, &found))
        FAIL(error, HOB_BAD_FILE, "%s '%.*s' stands twice", what, shown, name);
    const char *copy = arena_copy_string(&file->arena, name, n_bytes);
    if (!copy || !string_map_put(map, copy, n_bytes, index)) return no_memory(file, error);
    *ret_copy = copy;
    return HOB_OK;
}

hob_status tensor_file_add_tensor(struct tensor_file *file, const char *name, size_t n_name_bytes,
                                  const struct tensor *tensor, hob_error *error)
{
    struct named_tensor *grown = grow_array(file, file->tensors, file->n_tensors, sizeof *file->tensors);
    if (!grown) return no_memory(file, error);
    file->tensors = grown;
    struct named_tensor *added = &file->tensors[file->n_tensors];
    added->tensor = *tensor;
    if ((uintptr_t)tensor->data % dtype_alignment(tensor->dtype)) {
        added->tensor.data = arena_copy(&file->arena, tensor->data, tensor_n_bytes(tensor), 64);
        if (!added->tensor.data) return no_memory(file, error);
    }
    TRY(add_name(file, &file->tensor_by_name, "tensor", name, n_name_bytes, file->n_tensors, &added->name, error));
    file->n_tensors++;
    return HOB_OK;
}

hob_status tensor_file_add_metadata(struct tensor_file *file, const char *key, size_t n_key_bytes,
                                    const struct metadata *value, hob_error *error)
{
    struct metadata *grown = grow_array(file, file->metadata, file->n_metadata, sizeof *file->metadata);
    if (!grown) return no_memory(file, error);
    file->metadata = grown;
    struct metadata *added = &file->metadata[file->n_metadata];
    *added = *value;
    TRY(add_name(file, &file->metadata_by_key, "metadata key", key, n_key_bytes, file->n_metadata, &added->key, error));
    file->n_metadata++;
    return HOB_OK;
}

const struct tensor *tensor_file_find(const struct tensor_file *file, const char *name)
{
    uint64_t index;
    return string_map_get(&file->tensor_by_name, name, strlen(name), &index) ? &file->tensors[index].tensor : NULL;
}

const struct metadata *tensor_file_get(const struct tensor_file *file, const char *key)
{
    uint64_t index;
    return string_map_get(&file->metadata_by_key, key, strlen(key), &index) ? &file->metadata[index] : NULL;
}

bool tensor_file_get_int(const struct tensor_file *file, const char *key, int64_t *ret_integer)
{
    const struct metadata *found = tensor_file_get(file, key);
    if (!found) return false;
    if (found->kind == METADATA_INT) {
        *ret_integer = found->integer;
    } else {
        if (found->kind != METADATA_UINT || found->unsigned_integer > INT64_MAX) return false;
        *ret_integer = (int64_t)found->unsigned_integer;
    }
    return true;
}

bool tensor_file_get_float(const struct tensor_file *file, const char *key, double *ret_number)
{
    const struct metadata *found = tensor_file_get(file, key);
    if (!found) return false;
    switch (found->kind) {
    case METADATA_FLOAT:
        *ret_number = found->number;
        return true;
    case METADATA_INT:
        *ret_number = (double)found->integer;
        return true;
    case METADATA_UINT:
        *ret_number = (double)found->unsigned_integer;
        return true;
    default:
        return false;
    }
}

bool tensor_file_get_bool(const struct tensor_file *file, const char *key, bool *ret_flag)
{
    const struct metadata *found = tensor_file_get(file, key);
    if (!found || found->kind != METADATA_BOOL) return false;
    *ret_flag = found->integer != 0;
    return true;
}

const char *tensor_file_get_string(const struct tensor_file *file, const char *key)
{
    const struct metadata *found = tensor_file_get(file, key);
    return found && found->kind == METADATA_STRING ? found->string.bytes : NULL;
}

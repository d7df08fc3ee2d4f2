#include "formats/onnx_external.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/mapped_file.h"
#include "base/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

enum { MAX_FILES = 1 << 14 };

struct external_file {
    struct external_file *next;
    char *location, *path; /* as the model says, and joined to its folder */
    struct mapped_file map;
};

struct onnx_external {
    char *folder;      /* of the model's path as given; "." when that has none */
    char *real_folder; /* of the file the path leads to */
    struct external_file *files;
    size_t n_files;
};

/* Cuts the last component off. */
static void cut_name(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash) memcpy(path, ".", 2);
    else slash[slash == path] = '\0';
}

static char *copy_folder(const char *path)
{
    char *folder = *path ? memory_copy_string(path) : memory_copy_string(".");
    if (folder) cut_name(folder);
    return folder;
}

hob_status onnx_external_new(const char *model_path, struct onnx_external **ret_external, hob_error *error)
{
    char resolved[PATH_MAX];
    struct onnx_external *external = memory_new(1, sizeof *external);
    if (!external) FAIL(error, HOB_NO_MEMORY, "out of memory");
    external->folder = copy_folder(model_path);
    external->real_folder = copy_folder(realpath(model_path, resolved) ? resolved : model_path);
    if (!external->folder || !external->real_folder) {
        onnx_external_free(external);
        FAIL(error, HOB_NO_MEMORY, "out of memory");
    }
    *ret_external = external;
    return HOB_OK;
}

void onnx_external_free(struct onnx_external *external)
{
    if (!external) return;
    for (struct external_file *file = external->files, *next; file; file = next) {
        next = file->next;
        mapped_file_release(&file->map);
        memory_free(file->location);
        memory_free(file->path);
        memory_free(file);
    }
    memory_free(external->folder);
    memory_free(external->real_folder);
    memory_free(external);
}

static bool climbs(const char *location)
{
    for (const char *part = location; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (!strncmp(part, "..", 2) && (part[2] == '/' || !part[2])) return true;
    }
    return false;
}

static bool lies_in(const char *path, const char *folder)
{
    char resolved[PATH_MAX];
    if (!realpath(folder, resolved)) return false;
    size_t n_bytes = strlen(resolved);
    if (n_bytes == 1) return true; /* "/" */
    return !strncmp(path, resolved, n_bytes) && path[n_bytes] == '/';
}

/* ret_path (PATH_MAX bytes) is where location leads to, all links resolved. */
static hob_status resolve(const struct onnx_external *external, const char *location, char *ret_path, hob_error *error)
{
    if (!*location || *location == '/' || climbs(location))
        FAIL(error, HOB_BAD_FILE, "external data: found location '%.200s', expected a file in the model's folder",
             location);
    struct buffer joined = {.cap_bytes = PATH_MAX};
    buffer_printf(&joined, "%s/%s", external->folder, location);
    bool is_found = !joined.is_failed && realpath(joined.bytes, ret_path);
    int problem = joined.is_failed ? ENAMETOOLONG : errno;
    buffer_release(&joined);
    if (!is_found)
        FAIL(error, problem == ENOENT ? HOB_NOT_FOUND : HOB_IO, "external data %.200s: %s", location,
             strerror(problem));
    if (lies_in(ret_path, external->folder) || lies_in(ret_path, external->real_folder)) return HOB_OK;
    FAIL(error, HOB_BAD_FILE, "external data: location '%.200s' leads out of the model's folder", location);
}

static hob_status add_file(struct onnx_external *external, const char *location, struct external_file **ret_file,
                           hob_error *error)
{
    char path[PATH_MAX];
    if (external->n_files == MAX_FILES) FAIL(error, HOB_LIMIT, "external data: found more than %d files", MAX_FILES);
    TRY(resolve(external, location, path, error));
    struct external_file *file = memory_new(1, sizeof *file);
    struct buffer joined = {0};
    char *copy = memory_copy_string(location);
    hob_status status = HOB_OK;
    if (!file || !copy || !buffer_printf(&joined, "%s/%s", external->folder, location)) FAIL_CLEANUP(error, HOB_NO_MEMORY, "external data: out of memory");
    TRY_CLEANUP(mapped_file_open(path, &file->map, error));
    file->location = copy;
    file->path = joined.bytes;
    file->next = external->files;
    external->files = file;
    external->n_files++;
    *ret_file = file;
    return HOB_OK;
cleanup:
    memory_free(file);
    memory_free(copy);
    buffer_release(&joined);
    return status;
}

hob_status onnx_external_find(struct onnx_external *external, const char *location, uint64_t offset, size_t n_bytes,
                              const unsigned char **ret_bytes, hob_error *error)
{
    struct external_file *file = external->files;
    while (file && strcmp(file->location, location) != 0) file = file->next;
    if (!file) TRY(add_file(external, location, &file, error));
    if (offset > file->map.n_bytes || n_bytes > file->map.n_bytes - offset)
        FAIL(error, HOB_BAD_FILE, "external data %.200s: found %zu bytes, expected %zu at offset %" PRIu64, location,
             file->map.n_bytes, n_bytes, offset);
    *ret_bytes = file->map.bytes ? file->map.bytes + offset : (const unsigned char *)"";
    return HOB_OK;
}

const char *onnx_external_path(const struct onnx_external *external, size_t index)
{
    const struct external_file *file = external->files;
    for (; file && index; index--) file = file->next;
    return file ? file->path : NULL;
}

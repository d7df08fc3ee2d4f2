#include "cli/paths.h"

#include "base/error.h"
#include "base/memory.h"

#include <errno.h>
#include <sys/stat.h>

enum { MAX_NAME_BYTES = 200 }; /* file systems take 255; the ending and a number must fit too */

static hob_status make_one(const char *path, hob_error *error)
{
    if (mkdir(path, 0777) == 0) return HOB_OK;
    int error_number = errno;
    struct stat info;
    if (error_number == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) return HOB_OK;
    FAIL(error, HOB_IO, "%s: cannot make the folder: %s", path, strerror(error_number));
}

hob_status make_folder(const char *path, hob_error *error)
{
    char *part = memory_copy_string(path);
    if (!part) FAIL(error, HOB_NO_MEMORY, "%s: no memory for the path", path);
    hob_status status = HOB_OK;
    for (char *slash = strchr(part + (*part == '/'), '/'); slash && status == HOB_OK; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        status = make_one(part, error);
        *slash = '/';
    }
    if (status == HOB_OK) status = make_one(part, error);
    memory_free(part);
    return status;
}

hob_status join_path(const char *folder, const char *name, const char *ending, struct buffer *path, hob_error *error)
{
    buffer_clear(path);
    buffer_printf(path, "%s/%s%s", folder, name, ending);
    if (path->is_failed) FAIL(error, HOB_NO_MEMORY, "%s: no memory for the path", folder);
    return HOB_OK;
}

static bool is_unsafe(const char *name, size_t index)
{
    unsigned char byte = (unsigned char)name[index];
    return byte == '/' || byte == '\\' || byte < 0x20 || byte == 0x7f || (byte == '.' && index == 0);
}

static bool is_safe(const char *name)
{
    size_t n_bytes = strlen(name), n_safe = 0;
    while (n_safe < n_bytes && !is_unsafe(name, n_safe)) n_safe++;
    return n_safe == n_bytes && n_bytes > 0 && n_bytes <= MAX_NAME_BYTES;
}

static bool is_taken(char *const *file_names, size_t n_names, const char *name)
{
    for (size_t i = 0; i < n_names; i++)
        if (file_names[i] && strcmp(file_names[i], name) == 0) return true;
    return false;
}

/* The name with a number behind it from the second try on; NULL when memory is out. */
static char *safe_name(const char *name, size_t attempt)
{
    struct buffer safe = {0};
    for (size_t i = 0; i < MAX_NAME_BYTES && name[i]; i++)
        buffer_append_byte(&safe, is_unsafe(name, i) ? '_' : (unsigned char)name[i]);
    if (!*name) buffer_append_byte(&safe, '_');
    if (attempt > 1) buffer_printf(&safe, "_%zu", attempt);
    char *copy = safe.is_failed ? NULL : memory_copy_string(buffer_text(&safe));
    buffer_release(&safe);
    return copy;
}

static char *free_name(char *const *file_names, size_t n_names, const char *name)
{
    char *candidate = NULL;
    for (size_t attempt = 1; attempt <= n_names + 1; attempt++) { /* n_names can take no more than n_names of them */
        memory_free(candidate);
        candidate = safe_name(name, attempt);
        if (!candidate || !is_taken(file_names, n_names, candidate)) break;
    }
    return candidate;
}

/* Tensors whose own name will do come first, so that none of them loses it to a replaced one. */
hob_status file_names_new(const char *const *names, size_t n_names, char ***ret_file_names, hob_error *error)
{
    char **file_names = memory_new(n_names, sizeof *file_names);
    bool is_done = file_names != NULL;
    for (size_t i = 0; is_done && i < n_names; i++)
        if (is_safe(names[i])) is_done = (file_names[i] = free_name(file_names, n_names, names[i])) != NULL;
    for (size_t i = 0; is_done && i < n_names; i++)
        if (!is_safe(names[i])) is_done = (file_names[i] = free_name(file_names, n_names, names[i])) != NULL;
    if (is_done) {
        *ret_file_names = file_names;
        return HOB_OK;
    }
    file_names_free(file_names, n_names);
    FAIL(error, HOB_NO_MEMORY, "no memory for the names of %zu files", n_names);
}

void file_names_free(char **file_names, size_t n_names)
{
    for (size_t i = 0; file_names && i < n_names; i++) memory_free(file_names[i]);
    memory_free(file_names);
}

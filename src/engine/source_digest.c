#include "engine/source_digest.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/mapped_file.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_FILES = 1 << 20 };

/* Names from the folder; they lie in the arena. */
struct file_list {
    struct arena arena;
    const char **names;
    size_t n_names;
};

static hob_status digest_file(const char *path, unsigned char ret_digest[SHA256_BYTES], uint64_t *n_bytes, hob_error *error)
{
    struct mapped_file file;
    TRY(mapped_file_open(path, &file, error));
    sha256_of(file.bytes, file.n_bytes, ret_digest);
    *n_bytes += file.n_bytes;
    mapped_file_release(&file);
    return HOB_OK;
}

/* ---- which files ---- */

/* Files that readers of models look at. */
static int is_read(const struct dirent *entry)
{
    static const char *const patterns[] = {"*.json", "*.onnx*", "*.safetensors", "*.txt"};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        if (fnmatch(patterns[i], entry->d_name, FNM_PERIOD) == 0) return 1;
    return 0;
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* A path below the folder as seen from there; what lies elsewhere (there is no such thing) by its last part. */
static const char *name_from(const char *folder, const char *path)
{
    size_t n_folder = strlen(folder);
    while (n_folder > 1 && folder[n_folder - 1] == '/') n_folder--;
    const char *slash = strrchr(path, '/'), *rest = path + n_folder;
    if (strncmp(path, folder, n_folder) || (*rest != '/' && folder[n_folder - 1] != '/')) return slash ? slash + 1 : path;
    while (*rest == '/') rest++;
    return rest;
}

static void add_name(struct file_list *list, const char *name)
{
    list->names[list->n_names] = arena_copy_string(&list->arena, name, strlen(name));
    if (list->names[list->n_names]) list->n_names++;
}

/* In order, each once. */
static void sort_names(struct file_list *list)
{
    size_t n_kept = 0;
    if (list->n_names) qsort(list->names, list->n_names, sizeof *list->names, compare_names);
    for (size_t i = 0; i < list->n_names; i++)
        if (!i || strcmp(list->names[i], list->names[i - 1])) list->names[n_kept++] = list->names[i];
    list->n_names = n_kept;
}

/* path NULL: the folder is the model. */
static hob_status find_files(const char *path, const char *folder, const char *const *files, size_t n_files, struct file_list *list,
                             hob_error *error)
{
    struct dirent **entries = NULL;
    bool is_folder = !path;
    int n_entries = is_folder ? scandir(folder, &entries, is_read, NULL) : 0;
    if (n_entries < 0) FAIL(error, HOB_IO, "%s: %s", folder, strerror(errno));
    size_t n_names = (size_t)n_entries + n_files + !is_folder;
    list->names = n_names <= MAX_FILES ? ARENA_NEW(&list->arena, const char *, n_names) : NULL;
    for (int i = 0; i < n_entries; i++) {
        if (list->names) add_name(list, entries[i]->d_name);
        free(entries[i]); /* scandir's own memory */
    }
    free(entries);
    for (size_t i = 0; list->names && i < n_files; i++) add_name(list, name_from(folder, files[i]));
    if (list->names && path) add_name(list, name_from(folder, path));
    if (list->n_names != n_names) FAIL(error, HOB_NO_MEMORY, "%s: out of memory", folder);
    sort_names(list);
    return HOB_OK;
}

/* ---- their digest ---- */

static hob_status add_line(const char *folder, const char *name, struct buffer *lines, uint64_t *n_bytes, hob_error *error)
{
    unsigned char digest[SHA256_BYTES];
    char text[SHA256_TEXT_BYTES];
    struct stat info;
    struct buffer path = {0};
    hob_status status = HOB_OK;
    if (!buffer_printf(&path, "%s/%s", folder, name)) FAIL_CLEANUP(error, HOB_NO_MEMORY, "%s: out of memory", folder);
    if (stat(path.bytes, &info) == 0 && !S_ISREG(info.st_mode)) goto cleanup;
    TRY_CLEANUP(digest_file(path.bytes, digest, n_bytes, error));
    if (!buffer_printf(lines, "%s  %s\n", sha256_text(digest, text), name)) FAIL_CLEANUP(error, HOB_NO_MEMORY, "%s: out of memory", folder);
cleanup:
    buffer_release(&path);
    return status;
}

static hob_status digest_files(const char *folder, const struct file_list *list, unsigned char ret_digest[SHA256_BYTES], uint64_t *n_bytes,
                               hob_error *error)
{
    struct buffer lines = {0};
    hob_status status = HOB_OK;
    for (size_t i = 0; i < list->n_names && status == HOB_OK; i++) status = add_line(folder, list->names[i], &lines, n_bytes, error);
    if (status == HOB_OK) sha256_of(buffer_text(&lines), lines.n_bytes, ret_digest);
    buffer_release(&lines);
    return status;
}

hob_status source_digest(const char *path, const char *folder, const char *const *files, size_t n_files,
                         unsigned char ret_digest[SHA256_BYTES], uint64_t *ret_n_bytes, hob_error *error)
{
    struct stat info;
    struct file_list list = {.n_names = 0};
    uint64_t n_bytes = 0;
    bool is_folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    arena_init(&list.arena, 16 * 1024);
    hob_status status = find_files(is_folder ? NULL : path, folder, files, n_files, &list, error);
    if (status == HOB_OK)
        status = is_folder || list.n_names > 1 ? digest_files(folder, &list, ret_digest, &n_bytes, error)
                                               : digest_file(path, ret_digest, &n_bytes, error);
    arena_release(&list.arena);
    if (status == HOB_OK) *ret_n_bytes = n_bytes;
    return status;
}

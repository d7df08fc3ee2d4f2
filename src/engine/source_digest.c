#include "engine/source_digest.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/mapped_file.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>

static hob_status digest_file(const char *path, unsigned char ret_digest[SHA256_BYTES], uint64_t *n_bytes, hob_error *error)
{
    struct mapped_file file;
    TRY(mapped_file_open(path, &file, error));
    sha256_of(file.bytes, file.n_bytes, ret_digest);
    *n_bytes += file.n_bytes;
    mapped_file_release(&file);
    return HOB_OK;
}

/* Files that readers of models look at. */
static int is_read(const struct dirent *entry)
{
    static const char *const patterns[] = {"*.json", "*.onnx*", "*.safetensors", "*.txt"};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        if (fnmatch(patterns[i], entry->d_name, FNM_PERIOD) == 0) return 1;
    return 0;
}

static int compare_names(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name);
}

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

static hob_status digest_folder(const char *folder, unsigned char ret_digest[SHA256_BYTES], uint64_t *n_bytes, hob_error *error)
{
    struct dirent **entries;
    struct buffer lines = {0};
    hob_status status = HOB_OK;
    int n_entries = scandir(folder, &entries, is_read, compare_names);
    if (n_entries < 0) FAIL(error, HOB_IO, "%s: %s", folder, strerror(errno));
    for (int i = 0; i < n_entries; i++) {
        if (status == HOB_OK) status = add_line(folder, entries[i]->d_name, &lines, n_bytes, error);
        free(entries[i]); /* scandir's own memory */
    }
    free(entries);
    if (status == HOB_OK) sha256_of(buffer_text(&lines), lines.n_bytes, ret_digest);
    buffer_release(&lines);
    return status;
}

hob_status source_digest(const char *path, unsigned char ret_digest[SHA256_BYTES], uint64_t *ret_n_bytes, hob_error *error)
{
    struct stat info;
    uint64_t n_bytes = 0;
    bool is_folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    TRY(is_folder ? digest_folder(path, ret_digest, &n_bytes, error) : digest_file(path, ret_digest, &n_bytes, error));
    *ret_n_bytes = n_bytes;
    return HOB_OK;
}

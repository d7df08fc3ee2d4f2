#include "server/models/model_file.h"

#include "base/buffer.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_FILES = 4096 };

/* Sums instead of lists: a folder is not read in the same order each time. */
struct look {
    struct model_file *file;
    uint64_t mark;
};

static void add(struct look *look, const char *name, const struct stat *status)
{
    unsigned char digest[SHA256_BYTES];
    uint64_t words[SHA256_BYTES / sizeof(uint64_t)];
    struct buffer text = {0};
    buffer_printf(&text, "%s\n%lld\n%lld.%09ld\n%llu", name, (long long)status->st_size, (long long)status->st_mtim.tv_sec, status->st_mtim.tv_nsec,
                  (unsigned long long)status->st_ino);
    sha256_of(buffer_text(&text), text.n_bytes, digest);
    buffer_release(&text);
    memcpy(words, digest, sizeof words);
    look->mark += words[0];
    look->file->n_bytes += (uint64_t)status->st_size;
    if (status->st_mtim.tv_sec > look->file->modified_s) look->file->modified_s = status->st_mtim.tv_sec;
}

static void add_folder(struct look *look, const char *path)
{
    struct stat status;
    struct buffer file = {0};
    DIR *folder = opendir(path);
    size_t n_files = 0;
    for (struct dirent *entry; folder && n_files < MOST_FILES && (entry = readdir(folder)); n_files++) {
        buffer_clear(&file);
        if (!buffer_printf(&file, "%s/%s", path, entry->d_name)) continue;
        if (stat(file.bytes, &status) == 0 && S_ISREG(status.st_mode)) add(look, entry->d_name, &status);
    }
    if (folder) closedir(folder);
    buffer_release(&file);
}

bool model_file_look(const char *path, struct model_file *ret_file)
{
    struct stat status;
    struct look look = {.file = ret_file};
    if (stat(path, &status) != 0 || access(path, R_OK) != 0) return false;
    *ret_file = (struct model_file){0};
    if (S_ISDIR(status.st_mode)) add_folder(&look, path);
    else add(&look, "", &status);
    struct buffer text = {0};
    buffer_printf(&text, "%s\n%llu", path, (unsigned long long)look.mark);
    sha256_of(buffer_text(&text), text.n_bytes, ret_file->digest);
    buffer_release(&text);
    return true;
}

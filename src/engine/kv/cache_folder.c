#include "engine/kv/cache_folder.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/kv/cache_writer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAITING_BYTES = 64 << 20, LEAST_WAITING = 4, PATH_BYTES = 4096 };

struct cache_folder {
    char *path;
    unsigned char model[SHA256_BYTES];
    size_t block_bytes;
    uint64_t most_bytes, n_bytes; /* n_bytes: as of the last look, and what was written since; the writer's */
    struct cache_writer *writer;
    atomic_bool is_closed;        /* one could not be written */
};

/* What waits to be written, before its bytes. */
struct waiting {
    _Alignas(64) struct cache_folder_text text;
    int32_t ids[PAGED_POSITIONS];
};

/* ---- the folder ---- */

/* As mkdir -p; those that are there stay as they are. */
static hob_status make_folders(char *path, hob_error *error)
{
    for (char *slash = path + 1; slash;) {
        slash = strchr(slash, '/');
        if (slash) *slash = '\0';
        int problem = mkdir(path, 0700) != 0 && errno != EEXIST ? errno : 0;
        if (problem) error_set(error, HOB_IO, ERROR_HERE, "%s: cannot make the folder: %s", path, strerror(problem));
        if (slash) *slash++ = '/';
        if (problem) return HOB_IO;
    }
    return HOB_OK;
}

/* Keys and values tell what a person wrote, and whoever can write them decides what the model says. */
static hob_status check_folder(const char *path, hob_error *error)
{
    struct stat info;
    if (stat(path, &info) != 0) FAIL(error, HOB_IO, "%s: %s", path, strerror(errno));
    if (!S_ISDIR(info.st_mode)) FAIL(error, HOB_BAD_ARGUMENT, "%s: found a file, expected a folder", path);
    if (info.st_uid != geteuid() || info.st_mode & (S_IWGRP | S_IWOTH))
        FAIL(error, HOB_BAD_ARGUMENT,
             "%s: found a folder of user %ld with mode %o, expected one that only its owner may write to (chmod 700)",
             path, (long)info.st_uid, (unsigned)info.st_mode & 07777u);
    return HOB_OK;
}

/* ---- how much is in it ---- */

struct found_file {
    const char *name;
    uint64_t n_bytes;
    int64_t mtime_ns;
};

static bool has_ending(const char *name, const char *ending)
{
    size_t n_name = strlen(name), n_ending = strlen(ending);
    return n_name > n_ending && !strcmp(name + n_name - n_ending, ending);
}

static int64_t now_ns(void)
{
    return (int64_t)clock_read_ns(CLOCK_REALTIME);
}

/* Temporary files of processes that were killed. Those of the living are younger. */
static bool is_left_over(const struct found_file *file)
{
    return has_ending(file->name, ".tmp") && file->mtime_ns < now_ns() - INT64_C(600) * 1000000000;
}

static bool look_at_file(DIR *stream, const char *name, struct found_file *ret_file)
{
    struct stat info;
    if (!has_ending(name, ".kv") && !has_ending(name, ".tmp")) return false;
    if (fstatat(dirfd(stream), name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode)) return false;
    *ret_file = (struct found_file){.name = name,
                                    .n_bytes = (uint64_t)info.st_size,
                                    .mtime_ns = (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec};
    return true;
}

static int compare_times(const void *left, const void *right)
{
    int64_t a = ((const struct found_file *)left)->mtime_ns, b = ((const struct found_file *)right)->mtime_ns;
    return a < b ? -1 : a > b;
}

/* All files, the oldest first; names live in arena. What memory does not suffice for is not listed. */
static struct found_file *list_files(DIR *stream, struct arena *arena, struct buffer *list, size_t *ret_n_files)
{
    struct found_file file;
    for (const struct dirent *entry; (entry = readdir(stream));) {
        if (!look_at_file(stream, entry->d_name, &file)) continue;
        file.name = arena_copy_string(arena, entry->d_name, strlen(entry->d_name));
        if (file.name) buffer_append(list, &file, sizeof file);
    }
    *ret_n_files = list->n_bytes / sizeof file;
    struct found_file *files = (struct found_file *)(void *)list->bytes;
    if (*ret_n_files) qsort(files, *ret_n_files, sizeof *files, compare_times);
    return files;
}

static void remove_oldest(struct cache_folder *folder, DIR *stream, uint64_t most_bytes)
{
    struct arena arena;
    struct buffer list = {0};
    size_t n_files;
    arena_init(&arena, 64 * 1024);
    const struct found_file *files = list_files(stream, &arena, &list, &n_files);
    folder->n_bytes = 0;
    for (size_t i = 0; i < n_files; i++) folder->n_bytes += files[i].n_bytes;
    for (size_t i = 0; i < n_files; i++) {
        bool is_due = folder->n_bytes > most_bytes && has_ending(files[i].name, ".kv");
        if (!is_due && !is_left_over(&files[i])) continue;
        if (unlinkat(dirfd(stream), files[i].name, 0) == 0 || errno == ENOENT) folder->n_bytes -= files[i].n_bytes;
    }
    buffer_release(&list);
    arena_release(&arena);
}

/* Looks at all there is, also at what others wrote. */
static void shrink(struct cache_folder *folder, uint64_t most_bytes)
{
    DIR *stream = opendir(folder->path);
    if (!stream) {
        log_write(LOG_WARNING, "%s: %s", folder->path, strerror(errno));
        return;
    }
    remove_oldest(folder, stream, most_bytes);
    closedir(stream);
}

/* ---- blocks ---- */

void cache_folder_begin(const struct cache_folder *folder, struct cache_folder_text *ret_text)
{
    (void)folder;
    *ret_text = (struct cache_folder_text){.n_before = -1, .start_ns = now_ns()};
}

static struct cache_file_block block_of(const struct cache_folder *folder, const struct cache_folder_text *text)
{
    return (struct cache_file_block){
        .model = folder->model, .parent = text->parent, .ids = text->ids, .n_bytes = folder->block_bytes};
}

void cache_folder_step(const struct cache_folder *folder, struct cache_folder_text *text, const int32_t *ids)
{
    memcpy(text->parent, text->name, SHA256_BYTES);
    text->ids = ids;
    text->n_before++;
    struct cache_file_block block = block_of(folder, text);
    cache_file_name(&block, text->name);
}

/* The folder's own name was measured when it was opened. */
static const char *file_of(const struct cache_folder *folder, const struct cache_folder_text *text, char ret_path[PATH_BYTES])
{
    char name[SHA256_TEXT_BYTES];
    snprintf(ret_path, PATH_BYTES, "%s/%s.kv", folder->path, sha256_text(text->name, name));
    return ret_path;
}

/* A text's beginning is the newest of it: its end is of no use without. */
static int64_t time_of(const struct cache_folder_text *text)
{
    return text->start_ns - text->n_before * 1000;
}

bool cache_folder_read(const struct cache_folder *folder, const struct cache_folder_text *text, void *ret_bytes)
{
    hob_error error;
    char file[PATH_BYTES];
    struct cache_file_block block = block_of(folder, text);
    const char *path = file_of(folder, text, file);
    hob_status status = cache_file_read(path, &block, ret_bytes, time_of(text), &error);
    if (status != HOB_OK && status != HOB_NOT_FOUND) log_write(LOG_WARNING, "%s; the block is computed anew", error.message);
    if (status == HOB_BAD_FILE) unlink(path); /* the right one takes its place */
    return status == HOB_OK;
}

/* And was used just now. */
static bool is_there(const char *path, int64_t mtime_ns)
{
    return utimensat(AT_FDCWD, path,
                     (struct timespec[2]){{.tv_nsec = UTIME_OMIT},
                                          {.tv_sec = mtime_ns / 1000000000, .tv_nsec = mtime_ns % 1000000000}},
                     AT_SYMLINK_NOFOLLOW) == 0;
}

/* Once is enough: what ails one ails all, and it takes a while to find out. */
static void close_folder(struct cache_folder *folder, const hob_error *error)
{
    if (!atomic_exchange(&folder->is_closed, true)) log_write(LOG_WARNING, "%s; nothing more is written there", error->message);
}

static void write_file(struct cache_folder *folder, const struct cache_folder_text *text, const char *path, const void *bytes)
{
    hob_error error;
    uint64_t n_bytes = CACHE_FILE_HEADER_BYTES + (uint64_t)folder->block_bytes;
    struct cache_file_block block = block_of(folder, text);
    if (is_there(path, time_of(text))) return; /* it waited twice, or another process was faster */
    /* A look at the whole folder makes room for the next look not to come at once. */
    if (folder->n_bytes > folder->most_bytes - n_bytes) shrink(folder, (folder->most_bytes - n_bytes) / 8 * 7);
    hob_status status = cache_file_write(path, &block, bytes, time_of(text), &error);
    if (status == HOB_OK) folder->n_bytes += n_bytes;
    else close_folder(folder, &error);
}

/* On the writer's thread. */
static void write_waiting(void *context, const void *piece)
{
    struct cache_folder *folder = context;
    const struct waiting *waiting = piece;
    struct cache_folder_text text = waiting->text;
    char file[PATH_BYTES];
    text.ids = waiting->ids;
    if (!atomic_load(&folder->is_closed)) write_file(folder, &text, file_of(folder, &text, file), waiting + 1);
}

bool cache_folder_write(struct cache_folder *folder, const struct cache_folder_text *text, const void *bytes)
{
    struct waiting waiting = {.text = *text};
    char file[PATH_BYTES];
    if (atomic_load(&folder->is_closed) || CACHE_FILE_HEADER_BYTES + (uint64_t)folder->block_bytes > folder->most_bytes) return false;
    if (is_there(file_of(folder, text, file), time_of(text))) return true;
    memcpy(waiting.ids, text->ids, sizeof waiting.ids);
    return cache_writer_put(folder->writer, &waiting, sizeof waiting, bytes, folder->block_bytes);
}

size_t cache_folder_n_bytes(struct cache_folder *folder)
{
    return cache_writer_n_bytes(folder->writer);
}

/* ---- life ---- */

static hob_status set_up(struct cache_folder *folder, const char *path, hob_error *error)
{
    folder->path = memory_copy_string(path);
    if (!folder->path) FAIL(error, HOB_NO_MEMORY, "%s: out of memory", path);
    TRY(make_folders(folder->path, error));
    TRY(check_folder(folder->path, error));
    shrink(folder, folder->most_bytes);
    size_t piece_bytes = sizeof(struct waiting) + folder->block_bytes, n_pieces = WAITING_BYTES / piece_bytes;
    if (n_pieces < LEAST_WAITING) n_pieces = LEAST_WAITING;
    return cache_writer_new(piece_bytes, n_pieces, write_waiting, folder, &folder->writer, error);
}

hob_status cache_folder_open(const char *path, const unsigned char model[SHA256_BYTES], size_t block_bytes,
                             uint64_t most_bytes, struct cache_folder **ret_folder, hob_error *error)
{
    if (!*path) FAIL(error, HOB_BAD_ARGUMENT, "cache folder: found an empty name");
    if (strlen(path) > PATH_BYTES - 100) FAIL(error, HOB_BAD_ARGUMENT, "cache folder: found a name of %zu bytes, expected fewer", strlen(path));
    struct cache_folder *folder = memory_new(1, sizeof *folder);
    if (!folder) FAIL(error, HOB_NO_MEMORY, "%s: out of memory", path);
    memcpy(folder->model, model, SHA256_BYTES);
    folder->block_bytes = block_bytes;
    folder->most_bytes = most_bytes;
    hob_status status = set_up(folder, path, error);
    if (status == HOB_OK) *ret_folder = folder;
    else cache_folder_free(folder);
    return status;
}

void cache_folder_free(struct cache_folder *folder)
{
    if (!folder) return;
    cache_writer_free(folder->writer);
    memory_free(folder->path);
    memory_free(folder);
}

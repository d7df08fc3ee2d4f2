#include "cli/model_search.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "config/folders.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_DEPTH = 8, MOST_ENTRIES = 20000, MOST_MODELS = 256 };

/* A folder being looked through. */
struct visit {
    DIR *stream;
    const char *path;
    bool has_config;
    uint64_t safetensors_bytes;
};

static hob_status no_memory(hob_error *error)
{
    FAIL(error, HOB_NO_MEMORY, "no memory for the models that are found");
}

static bool has_ending(const char *name, const char *ending)
{
    size_t n_name = strlen(name), n_ending = strlen(ending);
    return n_name > n_ending && strcmp(name + n_name - n_ending, ending) == 0;
}

static bool is_known(const struct model_search *search, const struct stat *info)
{
    for (size_t i = 0; i < search->n_items; i++)
        if (search->items[i].device == info->st_dev && search->items[i].inode == info->st_ino) return true;
    return false;
}

static hob_status add(struct model_search *search, const char *path, uint64_t n_bytes, const struct stat *info,
                      hob_error *error)
{
    if (is_known(search, info)) return HOB_OK;
    if (search->n_items == MOST_MODELS) {
        search->is_cut = true;
        return HOB_OK;
    }
    struct found_model *items = memory_resize(search->items, search->n_items + 1, sizeof *items);
    if (!items) return no_memory(error);
    search->items = items;
    char *copy = memory_copy_string(path);
    if (!copy) return no_memory(error);
    items[search->n_items++] =
        (struct found_model){.path = copy, .n_bytes = n_bytes, .device = info->st_dev, .inode = info->st_ino};
    return HOB_OK;
}

static hob_status look_at_file(struct model_search *search, struct visit *visit, const char *name,
                               const struct stat *info, hob_error *error)
{
    visit->has_config |= strcmp(name, "config.json") == 0;
    if (has_ending(name, ".safetensors")) visit->safetensors_bytes += (uint64_t)info->st_size;
    if (!has_ending(name, ".gguf") && !has_ending(name, ".hob") && !has_ending(name, ".onnx")) return HOB_OK;
    struct buffer path = {0};
    buffer_printf(&path, "%s/%s", visit->path, name);
    hob_status status =
        path.is_failed ? no_memory(error) : add(search, path.bytes, (uint64_t)info->st_size, info, error);
    buffer_release(&path);
    return status;
}

static hob_status look_through(struct model_search *search, int parent, const char *name, const char *path, int depth,
                               int flags, hob_error *error);

static hob_status look_at(struct model_search *search, struct visit *visit, const char *name, int depth,
                          hob_error *error)
{
    struct stat info;
    int folder = dirfd(visit->stream);
    if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return HOB_OK;
    bool is_link = S_ISLNK(info.st_mode); /* Hugging Face's snapshots are links to files */
    if (is_link && fstatat(folder, name, &info, 0) != 0) return HOB_OK;
    if (S_ISREG(info.st_mode)) return look_at_file(search, visit, name, &info, error);
    if (is_link || !S_ISDIR(info.st_mode) || depth == MOST_DEPTH) return HOB_OK;
    struct buffer path = {0};
    buffer_printf(&path, "%s/%s", visit->path, name);
    hob_status status = path.is_failed ? no_memory(error)
                                       : look_through(search, folder, name, path.bytes, depth + 1, O_NOFOLLOW, error);
    buffer_release(&path);
    return status;
}

static hob_status look_at_all(struct model_search *search, struct visit *visit, int depth, hob_error *error)
{
    struct dirent *entry;
    while ((entry = readdir(visit->stream))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (search->n_entries == MOST_ENTRIES) {
            search->is_cut = true;
            return HOB_OK;
        }
        search->n_entries++;
        TRY(look_at(search, visit, entry->d_name, depth, error));
    }
    struct stat info;
    bool is_model = visit->has_config && visit->safetensors_bytes && fstat(dirfd(visit->stream), &info) == 0;
    return is_model ? add(search, visit->path, visit->safetensors_bytes, &info, error) : HOB_OK;
}

/* name below parent, which is path for people. */
static hob_status look_through(struct model_search *search, int parent, const char *name, const char *path, int depth,
                               int flags, hob_error *error)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
    struct visit visit = {.stream = fd >= 0 ? fdopendir(fd) : NULL, .path = path};
    if (!visit.stream) {
        if (fd >= 0) close(fd);
        return HOB_OK;
    }
    hob_status status = look_at_all(search, &visit, depth, error);
    closedir(visit.stream);
    return status;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const struct found_model *)a)->path, ((const struct found_model *)b)->path);
}

hob_status model_search_folder(struct model_search *search, const char *folder, hob_error *error)
{
    char *path = realpath(folder, NULL);
    if (!path) return HOB_OK;
    hob_status status = look_through(search, AT_FDCWD, path, path, 0, 0, error);
    free(path);
    if (search->n_items) qsort(search->items, search->n_items, sizeof *search->items, compare_paths);
    return status;
}

/* Of the safetensors that lie in a folder itself. */
static uint64_t folder_bytes(const char *path)
{
    uint64_t n_bytes = 0;
    struct stat info;
    DIR *stream = opendir(path);
    for (struct dirent *entry; stream && (entry = readdir(stream));)
        if (has_ending(entry->d_name, ".safetensors") && fstatat(dirfd(stream), entry->d_name, &info, 0) == 0)
            n_bytes += (uint64_t)info.st_size;
    if (stream) closedir(stream);
    return n_bytes;
}

hob_status model_search_one(struct model_search *search, const char *path, hob_error *error)
{
    struct stat info;
    char *whole = realpath(path, NULL);
    if (!whole || stat(whole, &info) != 0) {
        free(whole);
        FAIL(error, HOB_NOT_FOUND, "%s: %s", path, strerror(errno));
    }
    hob_status status =
        add(search, whole, S_ISDIR(info.st_mode) ? folder_bytes(whole) : (uint64_t)info.st_size, &info, error);
    free(whole);
    return status;
}

/* A variable that moves a place, what is below it, and where the place is without the variable (NULL: nowhere). */
static const struct {
    const char *variable, *below, *otherwise;
} places[] = {
    {"HOB_MODELS", "", "$XDG_DATA_HOME/hob/models"},
    {"HF_HUB_CACHE", "", NULL},
    {"HF_HOME", "/hub", "$XDG_CACHE_HOME/huggingface/hub"},
    {"LLAMA_CACHE", "", "$XDG_CACHE_HOME/llama.cpp"},
    {NULL, NULL, "~/.lmstudio/models"},
    {NULL, NULL, "~/.models"},
    {NULL, NULL, "/usr/local/share/hob/models"},
    {NULL, NULL, "/usr/share/hob/models"},
    {NULL, NULL, "/var/lib/hob/models"},
};

hob_status model_search_places(struct model_search *search, hob_error *error)
{
    hob_status status = HOB_OK;
    for (size_t i = 0; i < sizeof places / sizeof places[0] && status == HOB_OK; i++) {
        struct buffer path = {0};
        const char *moved = places[i].variable ? environment_get(NULL, places[i].variable) : NULL;
        bool is_known_place = moved ? buffer_printf(&path, "%s%s", moved, places[i].below)
                                    : places[i].otherwise && folders_expand(NULL, places[i].otherwise, NULL, &path);
        if (path.is_failed) status = no_memory(error);
        else if (is_known_place) status = model_search_folder(search, path.bytes, error);
        buffer_release(&path);
    }
    return status;
}

void model_search_release(struct model_search *search)
{
    for (size_t i = 0; i < search->n_items; i++) memory_free(search->items[i].path);
    memory_free(search->items);
    *search = (struct model_search){0};
}

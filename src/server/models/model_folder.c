/* Models below a folder: files with a model's ending; folders with a config.json and weights, as they come from a hub, are one model. */
#include "server/models/model_spec.h"

#include "base/buffer.h"

#include <dirent.h>
#include <sys/stat.h>

enum { MOST_DEEP = 6, MOST_FILES = 20000, MOST_PATH_BYTES = 4096 };

struct walk {
    struct buffer path;
    size_t n_root_bytes; /* of the folder itself, with its slash */
    size_t n_files;
    model_on_file *on_file;
    void *context;
};

static bool ends_with(const char *text, const char *ending)
{
    size_t n_text = strlen(text), n_ending = strlen(ending);
    return n_text > n_ending && !strcmp(text + n_text - n_ending, ending);
}

static bool is_model_file(const char *name)
{
    return ends_with(name, ".gguf") || ends_with(name, ".hob") || ends_with(name, ".onnx") || ends_with(name, ".safetensors");
}

/* "x-00002-of-00003.gguf" belongs to "x-00001-of-00003.gguf". */
static bool is_later_part(const char *name)
{
    const char *of = strstr(name, "-of-");
    return of && of - name >= 6 && of[-6] == '-' && strncmp(of - 5, "00001", 5) != 0;
}

static void cut(struct walk *walk, size_t n_bytes)
{
    walk->path.n_bytes = n_bytes;
    walk->path.bytes[n_bytes] = '\0';
}

static bool has_file(struct walk *walk, const char *name)
{
    struct stat status;
    size_t n_bytes = walk->path.n_bytes;
    bool is_there = buffer_printf(&walk->path, "/%s", name) && stat(walk->path.bytes, &status) == 0 && S_ISREG(status.st_mode);
    cut(walk, n_bytes);
    return is_there;
}

static bool is_model_folder(struct walk *walk)
{
    return has_file(walk, "config.json") && (has_file(walk, "model.safetensors") || has_file(walk, "model.safetensors.index.json"));
}

/* "bert/model.onnx" is bert: the file's own name says nothing. */
static void tell(struct walk *walk)
{
    char name[MOST_PATH_BYTES];
    const char *below = walk->path.bytes + walk->n_root_bytes;
    snprintf(name, sizeof name, "%s", below);
    char *slash = strrchr(name, '/'), *dot = strrchr(name, '.');
    if (dot && (!slash || dot > slash) && is_model_file(name)) *dot = '\0';
    if (slash && !strcmp(slash, "/model")) *slash = '\0';
    model_name_make_text(name);
    walk->on_file(walk->context, name, walk->path.bytes);
}

static void walk_folder(struct walk *walk, int depth);

/* Of a folder that is a model, the weights that it is opened with. */
static bool is_part_of_folder(const char *name)
{
    return ends_with(name, ".safetensors") || !strcmp(name, "model.onnx");
}

static void see(struct walk *walk, const char *name, int depth, bool is_in_model)
{
    struct stat status;
    size_t n_bytes = walk->path.n_bytes;
    if (name[0] == '.' || n_bytes + strlen(name) + 2 > MOST_PATH_BYTES) return;
    if (buffer_printf(&walk->path, "/%s", name) && stat(walk->path.bytes, &status) == 0) {
        if (S_ISDIR(status.st_mode)) walk_folder(walk, depth + 1);
        else if (S_ISREG(status.st_mode) && is_model_file(name) && !is_later_part(name) && !(is_in_model && is_part_of_folder(name))) tell(walk);
    }
    cut(walk, n_bytes);
}

static void walk_folder(struct walk *walk, int depth)
{
    bool is_model = depth > 0 && is_model_folder(walk);
    if (is_model) tell(walk);
    DIR *folder = depth <= MOST_DEEP ? opendir(walk->path.bytes) : NULL;
    if (!folder) return;
    for (struct dirent *entry; walk->n_files < MOST_FILES && (entry = readdir(folder)); walk->n_files++) see(walk, entry->d_name, depth, is_model);
    closedir(folder);
}

void model_specs_of_folder(const char *folder, model_on_file *on_file, void *context)
{
    struct walk walk = {.on_file = on_file, .context = context};
    if (!folder || !*folder || !buffer_append_string(&walk.path, folder)) return;
    while (walk.path.n_bytes > 1 && walk.path.bytes[walk.path.n_bytes - 1] == '/') cut(&walk, walk.path.n_bytes - 1);
    walk.n_root_bytes = walk.path.n_bytes + 1;
    walk_folder(&walk, 0);
    buffer_release(&walk.path);
}

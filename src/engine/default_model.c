/* The models that commands use without -m: what the environment names, else in the person's data folder, beside the program as
 * `make` leaves it, or in the system's. In each folder NAME.hob (a pack), NAME.gguf, or a folder NAME. */
#include "engine/default_model.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "base/size.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const endings[] = {".hob", ".gguf", ""};

/* folder NULL: skipped. suffix: a path below it. Leaves the first that exists in path. */
static bool find_in(const char *folder, const char *suffix, const char *name, struct buffer *path)
{
    for (size_t i = 0; folder && *folder && i < ARRAY_LENGTH(endings); i++) {
        buffer_clear(path);
        buffer_printf(path, "%s%s/%s%s", folder, suffix, name, endings[i]);
        if (!path->is_failed && access(path->bytes, R_OK) == 0) return true;
    }
    return false;
}

static bool find_beside_program(const char *name, struct buffer *path)
{
    char program[4096];
    ssize_t n_bytes = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n_bytes <= 0) return false;
    program[n_bytes] = '\0';
    char *slash = strrchr(program, '/');
    if (!slash) return false;
    *slash = '\0';
    return find_in(program, "/../models", name, path) || find_in(program, "/../share/hob/models", name, path);
}

static const struct {
    const char *variable, *name;
} defaults[] = {
    [HOB_MODEL_GRAPH] = {"HOB_MODEL", "default"},
    [HOB_MODEL_DECODER] = {"HOB_MODEL", "default"},
    [HOB_MODEL_ENCODER] = {"HOB_EMBED_MODEL", "embed"},
    [HOB_MODEL_CLASSIFIER] = {"HOB_RERANK_MODEL", "rerank"},
};

const char *default_model_variable(hob_model_kind kind)
{
    return defaults[kind].variable;
}

char *hob_model_default_path(hob_model_kind kind)
{
    const char *chosen = getenv(defaults[kind].variable), *name = defaults[kind].name;
    if (chosen && *chosen) return memory_copy_string(chosen);
    struct buffer path = {0};
    const char *data_home = getenv("XDG_DATA_HOME");
    bool is_found = data_home && *data_home ? find_in(data_home, "/hob/models", name, &path)
                                            : find_in(getenv("HOME"), "/.local/share/hob/models", name, &path);
    is_found = is_found || find_beside_program(name, &path) || find_in("/usr/local/share", "/hob/models", name, &path) ||
               find_in("/usr/share", "/hob/models", name, &path);
    char *copy = is_found ? memory_copy_string(path.bytes) : NULL;
    buffer_release(&path);
    return copy;
}

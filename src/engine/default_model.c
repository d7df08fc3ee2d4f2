/* The model that commands use without -m: $HOB_MODEL, the person's data folder, the system's, or beside the program as `make`
 * leaves it. In each folder: default.hob (a pack), default.gguf, or a folder called default. */
#include "base/buffer.h"
#include "base/memory.h"
#include "base/size.h"
#include "hob/model.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const names[] = {"default.hob", "default.gguf", "default"};

/* folder NULL: skipped. suffix: a path below it. Leaves the first that exists in path. */
static bool find_in(const char *folder, const char *suffix, struct buffer *path)
{
    for (size_t i = 0; folder && *folder && i < ARRAY_LENGTH(names); i++) {
        buffer_clear(path);
        buffer_printf(path, "%s%s/%s", folder, suffix, names[i]);
        if (!path->is_failed && access(path->bytes, R_OK) == 0) return true;
    }
    return false;
}

static bool find_beside_program(struct buffer *path)
{
    char program[4096];
    ssize_t n_bytes = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n_bytes <= 0) return false;
    program[n_bytes] = '\0';
    char *slash = strrchr(program, '/');
    if (!slash) return false;
    *slash = '\0';
    return find_in(program, "/../models", path) || find_in(program, "/../share/hob/models", path);
}

char *hob_model_default_path(void)
{
    const char *chosen = getenv("HOB_MODEL");
    if (chosen && *chosen) return memory_copy_string(chosen);
    struct buffer path = {0};
    const char *data_home = getenv("XDG_DATA_HOME");
    bool is_found = data_home && *data_home ? find_in(data_home, "/hob/models", &path)
                                            : find_in(getenv("HOME"), "/.local/share/hob/models", &path);
    is_found = is_found || find_beside_program(&path) || find_in("/usr/local/share", "/hob/models", &path) ||
               find_in("/usr/share", "/hob/models", &path);
    char *copy = is_found ? memory_copy_string(path.bytes) : NULL;
    buffer_release(&path);
    return copy;
}

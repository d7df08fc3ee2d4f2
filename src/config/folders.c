#include "config/folders.h"
#include "base/size.h"

#include <stdlib.h>
#include <string.h>

extern char **environ;

const char *environment_get(const char *const *environment, const char *name)
{
    size_t n_bytes = strlen(name);
    for (const char *const *entry = environment ? environment : (const char *const *)environ; entry && *entry; entry++)
        if (!strncmp(*entry, name, n_bytes) && (*entry)[n_bytes] == '=')
            return (*entry)[n_bytes + 1] ? *entry + n_bytes + 1 : NULL;
    return NULL;
}

/* What a path may begin with, and what it is below the home folder where the variable says nothing. */
static const struct {
    const char *beginning, *variable, *below_home;
} starts[] = {
    {"~", "HOME", NULL},
    {"$HOME", "HOME", NULL},
    {"$XDG_CONFIG_HOME", "XDG_CONFIG_HOME", "/.config"},
    {"$XDG_DATA_HOME", "XDG_DATA_HOME", "/.local/share"},
    {"$XDG_CACHE_HOME", "XDG_CACHE_HOME", "/.cache"},
    {"$XDG_STATE_HOME", "XDG_STATE_HOME", "/.local/state"},
    {"$XDG_RUNTIME_DIR", "XDG_RUNTIME_DIR", NULL},
};

/* The specification wants relative ones ignored. */
static const char *absolute_variable(const char *const *environment, const char *name)
{
    const char *value = environment_get(environment, name);
    return value && value[0] == '/' ? value : NULL;
}

static bool append_start(const char *const *environment, size_t start, struct buffer *path)
{
    const char *value = absolute_variable(environment, starts[start].variable),
               *home = absolute_variable(environment, "HOME");
    if (value) return buffer_append_string(path, value);
    if (!strcmp(starts[start].variable, "XDG_RUNTIME_DIR"))
        return folders_expand(environment, "$XDG_STATE_HOME/hob/run", NULL, path);
    if (!home || !starts[start].below_home) return false;
    return buffer_printf(path, "%s%s", home, starts[start].below_home);
}

bool folders_expand(const char *const *environment, const char *path, const char *folder, struct buffer *ret_path)
{
    for (size_t i = 0; i < ARRAY_LENGTH(starts); i++) {
        size_t n_bytes = strlen(starts[i].beginning);
        if (strncmp(path, starts[i].beginning, n_bytes) || (path[n_bytes] && path[n_bytes] != '/')) continue;
        return append_start(environment, i, ret_path) && buffer_append_string(ret_path, path + n_bytes);
    }
    bool is_relative = path[0] != '/' && path[0] != '@';
    if (is_relative && folder) return buffer_printf(ret_path, "%s%s%s", folder, !strcmp(folder, "/") ? "" : "/", path);
    return buffer_append_string(ret_path, path);
}

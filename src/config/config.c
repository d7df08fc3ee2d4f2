#include "config/config.h"
#include "base/error.h"
#include "base/memory.h"
#include "config/checks.h"
#include "config/file_layer.h"
#include "config/folders.h"
#include "config/loader.h"
#include "config/text_layers.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char file_name[] = "hob/config.toml";

/* ---- files ---- */

static bool add_file(struct config_files *files, const char *path, const char *kind)
{
    struct config_file *items = memory_resize(files->items, files->n_items + 1, sizeof *items);
    if (!items) return false;
    files->items = items;
    char *copy = memory_copy_string(path);
    if (!copy) return false;
    items[files->n_items++] = (struct config_file){.path = copy, .kind = kind, .is_there = access(path, F_OK) == 0};
    return true;
}

/* The folder that is most important comes first in the variable, and last here. */
static bool add_system_files(const char *const *environment, struct config_files *files)
{
    const char *folders = environment_get(environment, "XDG_CONFIG_DIRS");
    if (!folders) folders = "/etc/xdg";
    bool is_good = true;
    for (const char *end = folders + strlen(folders); is_good;) {
        const char *begin = end;
        while (begin > folders && begin[-1] != ':') begin--;
        struct buffer path = {0};
        buffer_printf(&path, "%.*s/%s", (int)(end - begin), begin, file_name);
        if (path.is_failed) is_good = false;
        else if (*begin == '/') is_good = add_file(files, path.bytes, "system");
        buffer_release(&path);
        if (begin == folders) break;
        end = begin - 1;
    }
    return is_good;
}

static bool add_user_file(const char *const *environment, struct config_files *files)
{
    struct buffer path = {0};
    bool is_known = folders_expand(environment, "$XDG_CONFIG_HOME/hob/config.toml", NULL, &path);
    bool is_good = is_known ? add_file(files, path.bytes, "user") : !path.is_failed;
    buffer_release(&path);
    return is_good;
}

hob_status config_files_list(const struct config_sources *sources, struct config_files *ret_files, hob_error *error)
{
    struct config_files files = {0};
    const char *named = sources->file ? sources->file : environment_get(sources->environment, "HOB_CONFIG");
    bool is_good = named
                       ? add_file(&files, named, "named")
                       : add_system_files(sources->environment, &files) && add_user_file(sources->environment, &files);
    if (is_good) {
        *ret_files = files;
        return HOB_OK;
    }
    config_files_release(&files);
    FAIL(error, HOB_NO_MEMORY, "out of memory for the configuration");
}

void config_files_release(struct config_files *files)
{
    for (size_t i = 0; i < files->n_items; i++) memory_free(files->items[i].path);
    memory_free(files->items);
    *files = (struct config_files){0};
}

char *config_default_socket_path(void)
{
    struct buffer path = {0};
    char *copy = folders_expand(NULL, config_options[CONFIG_socket_path].default_text, NULL, &path)
                     ? memory_copy_string(path.bytes)
                     : NULL;
    buffer_release(&path);
    return copy;
}

/* ---- layers ---- */

static hob_status read_files(struct loader *loader)
{
    struct config_files files;
    hob_status status = HOB_OK;
    TRY(config_files_list(loader->sources, &files, loader->error));
    for (size_t i = 0; i < files.n_items && status == HOB_OK; i++) {
        bool is_named = !strcmp(files.items[i].kind, "named");
        if (files.items[i].is_there || is_named) status = file_layer_read(loader, files.items[i].path);
    }
    config_files_release(&files);
    return status;
}

/* What a model's table does not say holds from elsewhere, with the place where it was said. */
static void inherit(const struct config *config, struct config_model *model)
{
#define INHERIT(field)                                                          \
    if (model->origins[CONFIG_MODEL_##field].source == CONFIG_FROM_DEFAULT) {   \
        model->field = config->field;                                           \
        model->origins[CONFIG_MODEL_##field] = config->origins[CONFIG_##field]; \
    }
    INHERIT(context_window)
    INHERIT(quantization)
    INHERIT(cache_type)
    INHERIT(cache_tokens)
#undef INHERIT
}

static hob_status read_layers(struct loader *loader)
{
    struct loader_table table = loader_section(loader, "");
    TRY(loader_set_defaults(loader, &table));
    TRY(read_files(loader));
    TRY(environment_layer_read(loader));
    TRY(flag_layer_read(loader));
    for (size_t i = 0; i < loader->config->n_models; i++) inherit(loader->config, &loader->config->models[i]);
    TRY(checks_run(loader));
    return loader->n_faults ? loader->first_fault : HOB_OK;
}

hob_status config_load(const struct config_sources *sources, struct config **ret_config, hob_error *error)
{
    struct config *config = memory_new(1, sizeof *config);
    if (!config) FAIL(error, HOB_NO_MEMORY, "out of memory for the configuration");
    arena_init(&config->arena, 16 * 1024);
    struct loader loader = {.config = config, .sources = sources, .error = error};
    hob_status status = read_layers(&loader);
    if (status == HOB_OK) *ret_config = config;
    else config_free(config);
    return status;
}

void config_free(struct config *config)
{
    if (!config) return;
    arena_release(&config->arena);
    memory_free(config);
}

/* ---- questions ---- */

const char *config_quant(const char *quantization, bool is_encoder)
{
    if (!quantization || strcmp(quantization, "true") != 0) return quantization;
    return is_encoder ? "int8" : "q8_0";
}

const struct config_model *config_find_model(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->n_models; i++) {
        const struct config_model *model = &config->models[i];
        if (!strcmp(model->name, name)) return model;
        for (size_t k = 0; k < model->aliases.n_items; k++)
            if (!strcmp(model->aliases.items[k], name)) return model;
    }
    return NULL;
}

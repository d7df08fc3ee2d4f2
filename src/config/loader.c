#include "config/loader.h"
#include "base/error.h"
#include "config/value.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MOST_NAMED = 1024 };

/* ---- telling ---- */

static void write_message(char *message, size_t n_bytes, const struct config_origin *origin, const char *format,
                          va_list args)
{
    int n = 0;
    if (origin && origin->source == CONFIG_FROM_FILE)
        n = snprintf(message, n_bytes, "%s:%d:%d: ", origin->name, origin->line, origin->column);
    else if (origin && origin->name) n = snprintf(message, n_bytes, "%s: ", origin->name);
    if (n >= 0 && (size_t)n < n_bytes) vsnprintf(message + n, n_bytes - (size_t)n, format, args);
}

static void tell(const struct loader *loader, enum config_severity severity, const char *message)
{
    if (loader->sources->report) loader->sources->report(loader->sources->report_context, severity, message);
}

hob_status loader_code(const struct config_origin *origin)
{
    return origin->source == CONFIG_FROM_FILE ? HOB_BAD_FILE : HOB_BAD_ARGUMENT;
}

void loader_fault_error(struct loader *loader, const hob_error *error)
{
    tell(loader, CONFIG_FAULT, error->message);
    if (loader->n_faults++) return;
    loader->first_fault = error->code;
    if (loader->error) *loader->error = *error;
}

void loader_fault(struct loader *loader, hob_status code, const struct config_origin *origin, const char *format, ...)
{
    hob_error error;
    va_list args;
    error_set(&error, code, ERROR_HERE, "%s", "");
    va_start(args, format);
    write_message(error.message, sizeof error.message, origin, format, args);
    va_end(args);
    loader_fault_error(loader, &error);
}

void loader_note(const struct loader *loader, const struct config_origin *origin, const char *format, ...)
{
    char message[sizeof((hob_error *)0)->message];
    va_list args;
    va_start(args, format);
    write_message(message, sizeof message, origin, format, args);
    va_end(args);
    tell(loader, CONFIG_NOTE, message);
}

hob_status loader_no_memory(struct loader *loader)
{
    FAIL(loader->error, HOB_NO_MEMORY, "out of memory for the configuration");
}

/* ---- tables ---- */

struct loader_table loader_section(struct loader *loader, const char *section)
{
    return (struct loader_table){.section = section,
                                 .options = config_options,
                                 .n_options = N_CONFIG_OPTIONS,
                                 .structure = loader->config,
                                 .origins = loader->config->origins};
}

static struct loader_table model_table(struct config_model *model)
{
    return (struct loader_table){.section = "models",
                                 .name = model->name,
                                 .options = config_model_options,
                                 .n_options = N_CONFIG_MODEL_OPTIONS,
                                 .structure = model,
                                 .origins = model->origins};
}

static struct loader_table backend_table(struct config_backend *backend)
{
    return (struct loader_table){.section = "backends",
                                 .name = backend->name,
                                 .options = config_backend_options,
                                 .n_options = N_CONFIG_BACKEND_OPTIONS,
                                 .structure = backend,
                                 .origins = backend->origins};
}

/* Room for one more behind n_items; they move whenever their number is a power of two. NULL: memory is out. */
static void *room_for_one(struct arena *arena, void *items, size_t n_items, size_t item_bytes)
{
    if (n_items && (n_items & (n_items - 1))) return items;
    void *moved = arena_new(arena, n_items ? n_items * 2 : 1, item_bytes, _Alignof(max_align_t));
    if (moved && n_items) memcpy(moved, items, n_items * item_bytes);
    return moved;
}

static bool find_named(struct config *config, bool is_model, const char *name, struct loader_table *ret_table)
{
    size_t n_items = is_model ? config->n_models : config->n_backends;
    for (size_t i = 0; i < n_items; i++) {
        if (strcmp(is_model ? config->models[i].name : config->backends[i].name, name) != 0) continue;
        *ret_table = is_model ? model_table(&config->models[i]) : backend_table(&config->backends[i]);
        return true;
    }
    return false;
}

static bool add_model(struct config *config, const char *name, const struct config_origin *origin,
                      struct loader_table *ret_table)
{
    struct config_model *models = room_for_one(&config->arena, config->models, config->n_models, sizeof *models);
    if (!models) return false;
    config->models = models;
    models[config->n_models].name = name;
    models[config->n_models].origin = *origin;
    *ret_table = model_table(&models[config->n_models++]);
    return true;
}

static bool add_backend(struct config *config, const char *name, const struct config_origin *origin,
                        struct loader_table *ret_table)
{
    struct config_backend *backends =
        room_for_one(&config->arena, config->backends, config->n_backends, sizeof *backends);
    if (!backends) return false;
    config->backends = backends;
    backends[config->n_backends].name = name;
    backends[config->n_backends].origin = *origin;
    *ret_table = backend_table(&backends[config->n_backends++]);
    return true;
}

/* Names come back in answers, in metrics and in logs. */
static bool is_name(const char *name)
{
    enum { MOST_BYTES = 128 };
    size_t n_bytes = strlen(name);
    for (size_t i = 0; i < n_bytes; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7F) return false;
    return n_bytes > 0 && n_bytes <= MOST_BYTES;
}

hob_status loader_named_table(struct loader *loader, const char *section, const char *name,
                              const struct config_origin *origin, struct loader_table *ret_table)
{
    struct config *config = loader->config;
    bool is_model = !strcmp(section, "models");
    if (find_named(config, is_model, name, ret_table)) return HOB_OK;
    if (config->n_models + config->n_backends >= MOST_NAMED) {
        loader_fault(loader, HOB_LIMIT, origin, "found more than %d models and backends", MOST_NAMED);
        return HOB_LIMIT;
    }
    if (!is_name(name))
        loader_fault(loader, loader_code(origin), origin,
                     "%s: found a name of %zu bytes, expected 1 to 128 without control characters", section,
                     strlen(name));
    const char *copy = arena_copy_string(&config->arena, name, strlen(name));
    if (!copy ||
        !(is_model ? add_model(config, copy, origin, ret_table) : add_backend(config, copy, origin, ret_table)))
        return loader_no_memory(loader);
    return loader_set_defaults(loader, ret_table);
}

/* ---- values ---- */

static void tell_value(struct loader *loader, const struct loader_table *table, const struct config_option *option,
                       const struct config_origin *origin, const hob_error *problem)
{
    hob_status code = loader_code(origin);
    const char *dot = *option->section ? "." : "";
    if (origin->source != CONFIG_FROM_FILE) loader_fault(loader, code, origin, "%s", problem->message); /* its name says which */
    else if (table->name)
        loader_fault(loader, code, origin, "%s.%s.%s: %s", option->section, table->name, option->key, problem->message);
    else loader_fault(loader, code, origin, "%s%s%s: %s", option->section, dot, option->key, problem->message);
}

hob_status loader_set(struct loader *loader, const struct loader_table *table, size_t option,
                      const struct toml_value *toml, const char *text, const char *folder,
                      const struct config_origin *origin)
{
    hob_error problem;
    const struct toml_value *culprit = NULL;
    const struct config_input input = {.toml = toml,
                                       .text = text,
                                       .folder = folder,
                                       .environment = loader->sources->environment,
                                       .arena = &loader->config->arena};
    hob_status status = config_value_read(&table->options[option], &input, table->structure, &culprit, &problem);
    if (status == HOB_NO_MEMORY) return loader_no_memory(loader);
    struct config_origin place = *origin;
    if (culprit) {
        place.line = culprit->line;
        place.column = culprit->column;
    }
    table->origins[option] = place; /* of a wrong value too: it was said */
    if (status != HOB_OK) tell_value(loader, table, &table->options[option], &place, &problem);
    return HOB_OK;
}

/* A default that has no folder without HOME stays unset: whoever needs it says so. */
hob_status loader_set_defaults(struct loader *loader, const struct loader_table *table)
{
    const struct config_input begun = {.environment = loader->sources->environment, .arena = &loader->config->arena};
    for (size_t i = 0; i < table->n_options; i++) {
        hob_error problem;
        const struct toml_value *culprit = NULL;
        struct config_input input = begun;
        input.text = table->options[i].default_text;
        hob_status status = config_value_read(&table->options[i], &input, table->structure, &culprit, &problem);
        if (status == HOB_NO_MEMORY) return loader_no_memory(loader);
        HOB_ASSERT(status == HOB_OK || table->options[i].type == CONFIG_PATH);
    }
    return HOB_OK;
}

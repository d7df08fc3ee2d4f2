#include "config/options.h"
#include "base/size.h"
#include "base/suggest.h"

#include <stdio.h>
#include <string.h>

#define ANY .words = NULL
#define RANGE(lowest, highest) .least = (lowest), .most = (highest)
#define WORDS(...)                 \
    .words = (const char *const[]) \
    {                              \
        __VA_ARGS__, NULL          \
    }
#define STANDARD(path) .standard = (path)

/* Bounds stand last because they may be of several parts. */
#define ROW(in_section, key_name, structure, field, kind, standing, variable, helping, ...) \
    {.section = (in_section),                                                               \
     .key = (key_name),                                                                     \
     .type = CONFIG_##kind,                                                                 \
     .offset = offsetof(structure, field),                                                  \
     .default_text = (standing),                                                            \
     .environment = (variable),                                                             \
     .help = (helping),                                                                     \
     __VA_ARGS__},

const struct config_option config_options[N_CONFIG_OPTIONS] = {
#define OPTION(section, key, field, type, default_text, bounds, environment, help) \
    ROW(section, #key, struct config, field, type, default_text, environment, help, bounds)
#include "config/options.def"
};

const struct config_option config_model_options[N_CONFIG_MODEL_OPTIONS] = {
#define MODEL_OPTION(key, field, type, default_text, bounds, help) \
    ROW("models", #key, struct config_model, field, type, default_text, NULL, help, bounds)
#include "config/options.def"
};

const struct config_option config_backend_options[N_CONFIG_BACKEND_OPTIONS] = {
#define BACKEND_OPTION(key, field, type, default_text, bounds, help) \
    ROW("backends", #key, struct config_backend, field, type, default_text, NULL, help, bounds)
#include "config/options.def"
};

/* As hob_model_options.quant takes them. */
const char *const config_quantizations[] = {"q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "f16", "bf16", "int8", NULL};

const struct config_foreign config_foreign[] = {
#define FOREIGN(name, ours) {name, ours},
#include "config/options.def"
};
const size_t n_config_foreign = ARRAY_LENGTH(config_foreign);

size_t config_option_find(const struct config_option *options, size_t n_options, const char *section, const char *key)
{
    for (size_t i = 0; i < n_options; i++)
        if (!strcmp(options[i].section, section) && !strcmp(options[i].key, key)) return i;
    return n_options;
}

bool config_is_section(const char *name)
{
    for (size_t i = 0; i < N_CONFIG_OPTIONS; i++)
        if (*name && !strcmp(config_options[i].section, name)) return true;
    return false;
}

/* Keys of this place, and at the top also the sections' names. Each once. */
static size_t names_at(const struct config_option *options, size_t n_options, const char *section,
                       const char *names[static N_CONFIG_OPTIONS + 2])
{
    size_t n_names = 0;
    for (size_t i = 0; i < n_options; i++) {
        bool is_here = !strcmp(options[i].section, section),
             is_new_section = i && strcmp(options[i - 1].section, options[i].section);
        if (is_here) names[n_names++] = options[i].key;
        else if (!*section && is_new_section) names[n_names++] = options[i].section;
    }
    if (*section || options != config_options) return n_names;
    names[n_names++] = "models";
    names[n_names++] = "backends";
    return n_names;
}

/* The key of that name in another section; NULL: there is none. */
static const struct config_option *find_elsewhere(const char *section, const char *key)
{
    for (size_t i = 0; i < N_CONFIG_OPTIONS; i++)
        if (!strcmp(config_options[i].key, key) && strcmp(config_options[i].section, section) != 0)
            return &config_options[i];
    return NULL;
}

void config_hint_key(const struct config_option *options, size_t n_options, const char *section, const char *key,
                     char hint[static CONFIG_HINT_BYTES])
{
    const char *names[N_CONFIG_OPTIONS + 2];
    size_t n_names = names_at(options, n_options, section, names), nearest = suggest_nearest(key, names, n_names);
    const struct config_option *elsewhere = find_elsewhere(section, key);
    hint[0] = '\0';
    if (elsewhere && *elsewhere->section)
        snprintf(hint, CONFIG_HINT_BYTES, "; it belongs below [%s]", elsewhere->section);
    else if (elsewhere) snprintf(hint, CONFIG_HINT_BYTES, "; it belongs to the top of the file, before any [section]");
    else if (nearest < n_names) snprintf(hint, CONFIG_HINT_BYTES, "; did you mean %s?", names[nearest]);
}

#include "config/text_layers.h"
#include "base/error.h"
#include "base/suggest.h"
#include "config/folders.h"

#include <stdio.h>
#include <string.h>

extern char **environ;

/* ---- environment ---- */

static void note_foreign(const struct loader *loader)
{
    for (size_t i = 0; i < n_config_foreign; i++) {
        const struct config_foreign *foreign = &config_foreign[i];
        struct config_origin origin = {.source = CONFIG_FROM_ENVIRONMENT, .name = foreign->name};
        if (environment_get(loader->sources->environment, foreign->name))
            loader_note(loader, &origin, "not read; ours is %s", foreign->ours);
    }
}

enum { MOST_NAME_BYTES = 40 };
static const char ours[] = "HOB_";

/* "HOB_NAME=value" to "NAME"; false: not of ours, or longer than any. */
static bool take_name(const char *entry, char name[static MOST_NAME_BYTES])
{
    size_t n_ours = sizeof ours - 1, n_bytes = strcspn(entry, "=");
    if (n_bytes <= n_ours || n_bytes - n_ours >= MOST_NAME_BYTES || strncmp(entry, ours, n_ours) != 0) return false;
    memcpy(name, entry + n_ours, n_bytes - n_ours);
    name[n_bytes - n_ours] = '\0';
    return true;
}

/* Names of ours that other parts read are left alone unless they are close to one of these: tests have many of their own. */
static void note_misspelt(const struct loader *loader, const char *name)
{
    const char *names[N_CONFIG_OPTIONS];
    for (size_t i = 0; i < N_CONFIG_OPTIONS; i++) names[i] = config_options[i].environment + sizeof ours - 1;
    size_t nearest = suggest_nearest(name, names, N_CONFIG_OPTIONS);
    if (nearest == N_CONFIG_OPTIONS || !strcmp(names[nearest], name)) return;
    loader_note(loader, NULL, "%s%s: not read; did you mean %s%s?", ours, name, ours, names[nearest]);
}

static void note_all_misspelt(const struct loader *loader)
{
    static const char *const others[] = {"CONFIG", "KERNELS", "CLIENTS"};
    const char *const *entries =
        loader->sources->environment ? loader->sources->environment : (const char *const *)environ;
    char name[MOST_NAME_BYTES];
    for (; entries && *entries; entries++) {
        bool is_other = !take_name(*entries, name);
        for (size_t i = 0; !is_other && i < sizeof others / sizeof others[0]; i++) is_other = !strcmp(name, others[i]);
        if (!is_other) note_misspelt(loader, name);
    }
}

hob_status environment_layer_read(struct loader *loader)
{
    struct loader_table table = loader_section(loader, "");
    for (size_t i = 0; i < N_CONFIG_OPTIONS; i++) {
        const char *text = environment_get(loader->sources->environment, config_options[i].environment);
        struct config_origin origin = {.source = CONFIG_FROM_ENVIRONMENT, .name = config_options[i].environment};
        if (text) TRY(loader_set(loader, &table, i, NULL, text, NULL, &origin));
    }
    note_foreign(loader);
    note_all_misspelt(loader);
    return HOB_OK;
}

/* ---- flags ---- */

struct dotted_key {
    char *section, *name, *key; /* name NULL: of a section */
};

/* "key", "section.key", "models.NAME.key", whose NAME may have dots. text is cut into its parts. */
static struct dotted_key split_key(char *text)
{
    char *first = strchr(text, '.'), *last = strrchr(text, '.');
    if (!first) return (struct dotted_key){.section = text + strlen(text), .key = text};
    *first = '\0';
    *last = '\0';
    return (struct dotted_key){.section = text, .name = last > first ? first + 1 : NULL, .key = last + 1};
}

static hob_status find_table(struct loader *loader, const struct dotted_key *key, const struct config_origin *origin,
                             struct loader_table *ret_table)
{
    bool is_named = !strcmp(key->section, "models") || !strcmp(key->section, "backends");
    if (is_named && key->name) return loader_named_table(loader, key->section, key->name, origin, ret_table);
    *ret_table = loader_section(loader, key->section);
    return HOB_OK;
}

static hob_status read_flag(struct loader *loader, const struct config_flag *flag)
{
    struct arena *arena = &loader->config->arena;
    const char *shown = flag->shown ? flag->shown : flag->key;
    char *text = arena_copy_string(arena, flag->key, strlen(flag->key)), hint[CONFIG_HINT_BYTES];
    struct config_origin origin = {.source = CONFIG_FROM_FLAG, .name = arena_copy_string(arena, shown, strlen(shown))};
    struct loader_table table;
    if (!text || !origin.name) return loader_no_memory(loader);
    struct dotted_key key = split_key(text);
    TRY(find_table(loader, &key, &origin, &table));
    bool is_known_form = !key.name == !table.name;
    size_t option =
        is_known_form ? config_option_find(table.options, table.n_options, table.section, key.key) : table.n_options;
    if (option < table.n_options) return loader_set(loader, &table, option, NULL, flag->text, NULL, &origin);
    config_hint_key(table.options, table.n_options, table.section, key.key, hint);
    loader_fault(loader, HOB_BAD_ARGUMENT, &origin, "found an unknown key%s%.80s%s", flag->shown ? " " : "",
                 flag->shown ? flag->key : "", hint);
    return HOB_OK;
}

hob_status flag_layer_read(struct loader *loader)
{
    for (size_t i = 0; i < loader->sources->n_flags; i++) TRY(read_flag(loader, &loader->sources->flags[i]));
    return HOB_OK;
}

/* Models by name: what the configuration says, and what lies in the models folder. */
#include "server/models/registry_parts.h"

#include "base/clock.h"
#include "base/memory.h"

static const uint64_t LOOK_AGAIN_NS = UINT64_C(1000000000);

static bool has_name(const struct model_entry *entry, const char *name, size_t n_bytes)
{
    if (strlen(entry->spec.name) == n_bytes && !memcmp(entry->spec.name, name, n_bytes)) return true;
    for (size_t i = 0; i < entry->spec.n_aliases; i++)
        if (strlen(entry->spec.aliases[i]) == n_bytes && !memcmp(entry->spec.aliases[i], name, n_bytes)) return true;
    return false;
}

static struct model_entry *find(const struct model_registry *registry, const char *name, size_t n_bytes)
{
    for (struct model_entry *entry = registry->entries; entry; entry = entry->next)
        if (entry->is_listed && has_name(entry, name, n_bytes)) return entry;
    return NULL;
}

/* Ollama's clients say "qwen:latest" for "qwen", and the other way round. */
static struct model_entry *find_or_latest(const struct model_registry *registry, const char *name)
{
    static const char latest[] = ":latest";
    size_t n_bytes = strlen(name), n_latest = sizeof latest - 1;
    struct model_entry *entry = find(registry, name, n_bytes);
    bool is_latest = n_bytes > n_latest && !strcmp(name + n_bytes - n_latest, latest);
    return entry || !is_latest ? entry : find(registry, name, n_bytes - n_latest);
}

/* By its own name, listed or not. */
static struct model_entry *find_own(const struct model_registry *registry, const char *name)
{
    for (struct model_entry *entry = registry->entries; entry; entry = entry->next)
        if (!strcmp(entry->spec.name, name)) return entry;
    return NULL;
}

static struct model_entry *add(struct model_registry *registry, const struct model_spec *spec)
{
    struct model_entry **last = &registry->entries;
    struct model_entry *entry = ARENA_NEW(&registry->arena, struct model_entry, 1);
    if (!entry) return NULL;
    entry->spec = *spec;
    while (*last) last = &(*last)->next;
    return *last = entry;
}

/* ---- the folder ---- */

static bool is_configured_path(const struct model_registry *registry, const char *path)
{
    for (struct model_entry *entry = registry->entries; entry; entry = entry->next)
        if (entry->is_listed && !entry->is_from_folder && !strcmp(entry->spec.path, path)) return true;
    return false;
}

/* A name of the configuration hides a file of the same name. Memory is only taken for what is new. */
static void see_file(void *context, const char *name, const char *path)
{
    struct model_registry *registry = context;
    struct model_entry *entry = find_own(registry, name);
    if (is_configured_path(registry, path) || (entry && entry->is_listed && !entry->is_from_folder)) return;
    if (!entry) {
        struct model_spec spec = {.name = arena_copy_string(&registry->arena, name, strlen(name))};
        if (!spec.name || !(entry = add(registry, &spec))) return;
    }
    bool is_same = entry->is_from_folder && entry->spec.path && !strcmp(entry->spec.path, path);
    if (!is_same) {
        struct model_spec spec = {.name = entry->spec.name, .path = arena_copy_string(&registry->arena, path, strlen(path))};
        if (!spec.path) return;
        entry->spec = spec;
    }
    entry->is_from_folder = entry->is_listed = entry->is_seen = true;
}

static void look_at_folder(struct model_registry *registry)
{
    registry->looked_ns = clock_now_ns();
    for (struct model_entry *entry = registry->entries; entry; entry = entry->next) entry->is_seen = false;
    model_specs_of_folder(registry->settings.models_folder, see_file, registry);
    for (struct model_entry *entry = registry->entries; entry; entry = entry->next)
        if (entry->is_from_folder && !entry->is_seen && !entry->open) entry->is_listed = false;
}

struct model_entry *entries_find(struct model_registry *registry, const char *name)
{
    struct model_entry *entry = find_or_latest(registry, name);
    if (entry || clock_now_ns() - registry->looked_ns < LOOK_AGAIN_NS) return entry;
    look_at_folder(registry);
    return find_or_latest(registry, name);
}

struct model_entry *entries_default(struct model_registry *registry, enum model_use use)
{
    for (struct model_entry *entry = registry->entries; entry; entry = entry->next)
        if (entry->is_listed && entry->spec.is_default[use]) return entry;
    return NULL;
}

/* ---- the configuration ---- */

static bool read_settings(struct model_registry *registry, const struct config *config, struct registry_settings *ret_settings)
{
    const char *folder = config->models_folder, *cache = config->prefix_cache_folder;
    struct registry_settings settings = {
        .open = {.n_threads = config->threads,
                 .prefix_cache_bytes = (size_t)config->prefix_cache_bytes,
                 .prefix_cache_folder = cache ? arena_copy_string(&registry->arena, cache, strlen(cache)) : NULL,
                 .prefix_cache_folder_bytes = config->prefix_cache_folder_bytes},
        .max_bytes = config->memory_max_bytes,
        .max_models = config->max_models,
        .keep_alive_ns = (uint64_t)(config->keep_alive_s * 1e9),
        .models_folder = folder ? arena_copy_string(&registry->arena, folder, strlen(folder)) : NULL,
    };
    if ((cache && !settings.open.prefix_cache_folder) || (folder && !settings.models_folder)) return false;
    *ret_settings = settings;
    return true;
}

/* What failed before may go now: another path, more memory. */
static bool take_spec(struct model_registry *registry, const struct model_spec *spec)
{
    struct model_entry *entry = find_own(registry, spec->name);
    if (!entry && !(entry = add(registry, spec))) return false;
    entry->spec = *spec;
    entry->is_listed = true;
    entry->is_from_folder = false;
    if (entry->state == MODEL_FAILED) entry->state = MODEL_COLD;
    entry->backoff_s = 0;
    return true;
}

bool entries_read(struct model_registry *registry, const struct config *config)
{
    struct model_specs specs;
    struct registry_settings settings;
    if (!read_settings(registry, config, &settings) || !model_specs_of_config(config, &registry->arena, &specs)) return false;
    for (struct model_entry *entry = registry->entries; entry; entry = entry->next) {
        entry->is_listed = false;
        entry->spec.is_pinned = false;
        memset(entry->spec.is_default, 0, sizeof entry->spec.is_default);
    }
    registry->settings = settings;
    for (size_t i = 0; i < specs.n_specs; i++)
        if (!take_spec(registry, &specs.specs[i])) return false;
    look_at_folder(registry);
    return true;
}

/* A snapshot of all models, for whoever shows them. */
#include "server/models/registry_parts.h"

#include "base/clock.h"
#include "base/memory.h"

static const char *copy(struct arena *arena, const char *text)
{
    const char *copied = text ? arena_copy_string(arena, text, strlen(text)) : "";
    return copied ? copied : "";
}

static int64_t unix_time(uint64_t at_ns)
{
    int64_t now_s = (int64_t)time(NULL), left_ns = (int64_t)(at_ns - clock_now_ns());
    return now_s + left_ns / 1000000000;
}

static void show_open(const struct open_model *open, struct model_status *status)
{
    status->memory_bytes = open_model_bytes(open);
    status->mapped_bytes = hob_model_get_memory(open->main.model).mapped_bytes;
    if (open->draft.model) status->mapped_bytes += hob_model_get_memory(open->draft.model).mapped_bytes;
    status->n_context = (int64_t)open->loaded.n_context_tokens;
    status->load_ms = open->loaded.load_ms;
    status->n_users = open->n_users;
    bool goes = open->expires_ns && !open->n_users && !(open->entry && open->entry->spec.is_pinned);
    status->expires_s = goes ? unix_time(open->expires_ns) : 0;
}

static void show_info(const hob_model_info *info, struct arena *arena, struct model_status *status)
{
    status->architecture = copy(arena, info->architecture);
    status->format = copy(arena, info->format);
    status->kind = info->kind;
    status->n_context = info->n_context;
    status->n_vocab = info->n_vocab;
    status->width = info->width;
}

/* What it is wanted for says the kind of one that was never open. */
static void guess_kind(const struct model_entry *entry, struct model_status *status)
{
    static const hob_model_kind kinds[] = {[CONFIG_MODEL_DECODER] = HOB_MODEL_DECODER,
                                           [CONFIG_MODEL_ENCODER] = HOB_MODEL_ENCODER,
                                           [CONFIG_MODEL_RERANKER] = HOB_MODEL_CLASSIFIER,
                                           [CONFIG_MODEL_ANY] = HOB_MODEL_DECODER};
    status->kind = kinds[entry->spec.kind];
    status->is_kind_known = entry->spec.kind != CONFIG_MODEL_ANY;
}

/* The format that "true" stands for; packs stay as they were made. */
static const char *quant_of(const struct model_spec *spec, bool is_encoder)
{
    size_t n_bytes = strlen(spec->path);
    bool is_pack = n_bytes > 4 && !strcmp(spec->path + n_bytes - 4, ".hob");
    return is_pack ? NULL : config_quant(spec->quantization, is_encoder);
}

static void show_names(const struct model_entry *entry, struct arena *arena, struct model_status *status)
{
    status->name = copy(arena, entry->spec.name);
    status->path = copy(arena, entry->spec.path);
    status->problem = entry->state == MODEL_FAILED ? copy(arena, entry->problem.message) : NULL;
    const char **aliases = ARENA_NEW(arena, const char *, entry->spec.n_aliases);
    for (size_t i = 0; aliases && i < entry->spec.n_aliases; i++) aliases[i] = copy(arena, entry->spec.aliases[i]);
    status->aliases = aliases;
    status->n_aliases = aliases ? entry->spec.n_aliases : 0;
}

static void show(const struct model_entry *entry, struct arena *arena, struct model_status *status)
{
    *status = (struct model_status){.state = entry->state, .architecture = "", .format = "", .is_pinned = entry->spec.is_pinned};
    show_names(entry, arena, status);
    status->progress = entry->state == MODEL_READY ? 1 : atomic_load_explicit(&entry->progress, memory_order_relaxed) / 1000.0;
    status->n_loads = entry->n_loads;
    status->n_failures = entry->n_failures;
    status->n_evictions = entry->n_evictions;
    guess_kind(entry, status);
    if (entry->is_known) {
        show_info(&entry->info, arena, status);
        status->is_kind_known = true;
    }
    status->quant = copy(arena, quant_of(&entry->spec, status->kind != HOB_MODEL_DECODER));
    if (entry->open) show_open(entry->open, status);
}

/* Without the lock: a disk may be slow, and the engine gives models back meanwhile. */
static void show_file(struct model_status *status)
{
    struct model_file file;
    if (!model_file_look(status->path, &file)) return;
    status->file_bytes = file.n_bytes;
    status->modified_s = file.modified_s;
}

struct model_list *model_registry_list(struct model_registry *registry)
{
    struct model_list *list = memory_new(1, sizeof *list + sizeof *list->arena);
    if (!list) return NULL;
    list->arena = (struct arena *)(list + 1);
    arena_init(list->arena, 4096);
    pthread_mutex_lock(&registry->lock);
    size_t n_models = 0;
    for (const struct model_entry *entry = registry->entries; entry; entry = entry->next) n_models += entry->is_listed;
    list->models = ARENA_NEW(list->arena, struct model_status, n_models);
    for (const struct model_entry *entry = registry->entries; list->models && entry; entry = entry->next)
        if (entry->is_listed) show(entry, list->arena, &list->models[list->n_models++]);
    list->max_memory_bytes = registry->settings.max_bytes;
    pthread_mutex_unlock(&registry->lock);
    for (size_t i = 0; i < list->n_models; i++) {
        show_file(&list->models[i]);
        list->memory_bytes += list->models[i].memory_bytes;
    }
    return list;
}

void model_list_free(struct model_list *list)
{
    if (!list) return;
    arena_release(list->arena);
    memory_free(list);
}

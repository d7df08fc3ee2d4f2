#include "server/models/model_spec.h"

#include "base/memory.h"

#include <utf8proc.h>

static const char *const endings[] = {".gguf", ".hob", ".onnx", ".safetensors"};

static size_t length_without_ending(const char *name, size_t n_bytes)
{
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t n = strlen(endings[i]);
        if (n_bytes > n && !memcmp(name + n_bytes - n, endings[i], n)) return n_bytes - n;
    }
    return n_bytes;
}

void model_name_make_text(char *name)
{
    utf8proc_int32_t character;
    for (utf8proc_uint8_t *at = (utf8proc_uint8_t *)name; *at;) {
        utf8proc_ssize_t n_bytes = utf8proc_iterate(at, -1, &character);
        if (n_bytes < 1) *at = '_';
        at += n_bytes < 1 ? 1 : n_bytes;
    }
}

const char *model_name_of_path(const char *path, struct arena *arena)
{
    size_t n_bytes = strlen(path);
    while (n_bytes > 1 && path[n_bytes - 1] == '/') n_bytes--;
    size_t first = n_bytes;
    while (first > 0 && path[first - 1] != '/') first--;
    char *name = arena_copy_string(arena, path + first, length_without_ending(path + first, n_bytes - first));
    if (name) model_name_make_text(name);
    return name;
}

/* ---- from the configuration ---- */

static const char *copy_text(struct arena *arena, const char *text)
{
    return text ? arena_copy_string(arena, text, strlen(text)) : NULL;
}

static bool copy_aliases(struct arena *arena, const struct config_list *aliases, struct model_spec *spec)
{
    const char **copies = ARENA_NEW(arena, const char *, aliases->n_items);
    for (size_t i = 0; copies && i < aliases->n_items; i++)
        if (!(copies[i] = copy_text(arena, aliases->items[i]))) return false;
    spec->aliases = copies;
    spec->n_aliases = aliases->n_items;
    return copies != NULL;
}

static bool spec_of_table(const struct config_model *model, struct arena *arena, struct model_spec *spec)
{
    *spec = (struct model_spec){.name = copy_text(arena, model->name),
                                .path = copy_text(arena, model->path),
                                .kind = (enum config_model_kind)model->kind,
                                .is_pinned = model->pinned,
                                .quantization = copy_text(arena, model->quantization),
                                .n_context_tokens = model->context_window,
                                .cache_type = copy_text(arena, model->cache_type),
                                .n_cache_tokens = model->cache_tokens,
                                .chat_template = copy_text(arena, model->chat_template),
                                .draft_model_path = copy_text(arena, model->draft_model_path)};
    return spec->name && spec->path && copy_aliases(arena, &model->aliases, spec);
}

static struct model_spec *find_path(const struct model_specs *specs, const char *path)
{
    for (size_t i = 0; i < specs->n_specs; i++)
        if (!strcmp(specs->specs[i].path, path)) return &specs->specs[i];
    return NULL;
}

static bool is_name_taken(const struct model_specs *specs, const char *name)
{
    for (size_t i = 0; i < specs->n_specs; i++)
        if (!strcmp(specs->specs[i].name, name)) return true;
    return false;
}

/* The file's name; where another model is called so already, with a number behind it. */
static const char *choose_name(const struct model_specs *specs, const char *path, struct arena *arena)
{
    const char *name = model_name_of_path(path, arena);
    char *numbered = name ? arena_alloc(arena, strlen(name) + 24, 1) : NULL;
    if (!numbered || !is_name_taken(specs, name)) return numbered ? name : NULL;
    for (size_t n = 2;; n++) {
        snprintf(numbered, strlen(name) + 24, "%s-%zu", name, n);
        if (!is_name_taken(specs, numbered)) return numbered;
    }
}

/* What the top of the configuration says of models that have no table. */
static bool add_path(const struct config *config, const char *path, enum config_model_kind kind, struct arena *arena, struct model_specs *specs,
                     struct model_spec **ret_spec)
{
    struct model_spec *spec = find_path(specs, path);
    *ret_spec = spec;
    if (spec) return true;
    spec = &specs->specs[specs->n_specs];
    *spec = (struct model_spec){.name = choose_name(specs, path, arena),
                                .path = copy_text(arena, path),
                                .kind = kind,
                                .quantization = copy_text(arena, config->quantization),
                                .n_context_tokens = kind == CONFIG_MODEL_DECODER ? config->context_window : 0,
                                .cache_type = copy_text(arena, config->cache_type),
                                .n_cache_tokens = config->cache_tokens};
    if (!spec->name || !spec->path) return false;
    specs->n_specs++;
    *ret_spec = spec;
    return true;
}

static struct model_spec *first_of_kind(const struct model_specs *specs, enum config_model_kind kind, bool is_pinned)
{
    for (size_t i = 0; i < specs->n_specs; i++) {
        struct model_spec *spec = &specs->specs[i];
        bool fits = spec->kind == kind || (spec->kind == CONFIG_MODEL_ANY && kind == CONFIG_MODEL_DECODER);
        if (fits && (spec->is_pinned || !is_pinned)) return spec;
    }
    return NULL;
}

/* The path that is configured, else a pinned table of that kind, else any such table, else the model that comes with hob. Tables that do not
 * say their kind count as decoders. */
static bool choose_default(const struct config *config, const char *path, enum config_model_kind kind, hob_model_kind library_kind,
                           struct arena *arena, struct model_specs *specs, struct model_spec **ret_spec)
{
    *ret_spec = NULL;
    if (path) return add_path(config, path, kind, arena, specs, ret_spec);
    if ((*ret_spec = first_of_kind(specs, kind, true)) || (*ret_spec = first_of_kind(specs, kind, false))) return true;
    char *default_path = hob_model_default_path(library_kind);
    bool is_made = !default_path || add_path(config, default_path, kind, arena, specs, ret_spec);
    hob_free(default_path);
    return is_made;
}

bool model_specs_of_config(const struct config *config, struct arena *arena, struct model_specs *ret_specs)
{
    struct model_spec *generator, *embedder, *reranker;
    struct model_specs specs = {.specs = ARENA_NEW(arena, struct model_spec, config->n_models + 3)};
    if (!specs.specs) return false;
    for (size_t i = 0; i < config->n_models; i++)
        if (!spec_of_table(&config->models[i], arena, &specs.specs[specs.n_specs++])) return false;
    if (!choose_default(config, config->model_path, CONFIG_MODEL_DECODER, HOB_MODEL_DECODER, arena, &specs, &generator) ||
        !choose_default(config, config->embed_model_path, CONFIG_MODEL_ENCODER, HOB_MODEL_ENCODER, arena, &specs, &embedder) ||
        !choose_default(config, config->rerank_model_path, CONFIG_MODEL_RERANKER, HOB_MODEL_CLASSIFIER, arena, &specs, &reranker))
        return false;
    if (generator) generator->is_default[USE_GENERATE] = generator->is_pinned = true;
    if (embedder) embedder->is_default[USE_EMBED] = true;
    if (reranker) reranker->is_default[USE_RERANK] = true;
    struct model_spec *any = generator ? generator : embedder ? embedder : reranker;
    if (any) any->is_default[USE_ANY] = true;
    *ret_specs = specs;
    return true;
}

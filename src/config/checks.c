#include "config/checks.h"
#include "base/error.h"
#include "base/string_map.h"
#include "config/address.h"

#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static void check_socket(struct loader *loader)
{
    enum { MOST_BYTES = sizeof((struct sockaddr_un *)0)->sun_path - 1 };
    const struct config *config = loader->config;
    const struct config_origin *origin = &config->origins[CONFIG_socket_path];
    size_t n_bytes = config->socket_path ? strlen(config->socket_path) : 0;
    if (n_bytes > MOST_BYTES)
        loader_fault(loader, loader_code(origin), origin,
                     "socket_path: found a path of %zu bytes, expected at most %d, which the system takes", n_bytes,
                     MOST_BYTES);
}

static void check_addresses(struct loader *loader)
{
    const struct config *config = loader->config;
    const struct config_origin *origin = &config->origins[CONFIG_listen];
    for (size_t i = 0; i < config->listen.n_items; i++) {
        const char *address = config->listen.items[i];
        enum address_kind kind = address_kind(address);
        if (kind == ADDRESS_BAD)
            loader_fault(loader, loader_code(origin), origin,
                         "server.listen: found \"%.80s\", expected unix:///path, a path, @name, host:port, "
                         "tcp://host:port or fd:N",
                         address);
        if (kind == ADDRESS_TCP && !address_is_loopback(address) && !config->api_key_file)
            loader_note(loader, origin,
                        "server.listen: %.80s can be reached from other machines, and there is no api_key_file",
                        address);
    }
}

/* ---- models ---- */

/* Each name and alias may be one model's only. names: of the models before. */
static bool claim_name(struct loader *loader, struct string_map *names, const struct config_model *model,
                       const char *name, const struct config_origin *origin)
{
    uint64_t other;
    size_t n_bytes = strlen(name);
    if (!string_map_get(names, name, n_bytes, &other))
        return string_map_put(names, name, n_bytes, (uint64_t)(model - loader->config->models));
    loader_fault(loader, loader_code(origin), origin, "models.%s: found the name \"%s\", which models.%s goes by",
                 model->name, name, loader->config->models[other].name);
    return true;
}

static bool claim_names(struct loader *loader, struct string_map *names)
{
    const struct config *config = loader->config;
    bool is_good = true;
    for (size_t i = 0; is_good && i < config->n_models; i++)
        is_good = claim_name(loader, names, &config->models[i], config->models[i].name,
                             &config->models[i].origins[CONFIG_MODEL_path]);
    for (size_t i = 0; is_good && i < config->n_models; i++) {
        const struct config_model *model = &config->models[i];
        for (size_t k = 0; is_good && k < model->aliases.n_items; k++)
            is_good = claim_name(loader, names, model, model->aliases.items[k], &model->origins[CONFIG_MODEL_aliases]);
    }
    return is_good;
}

static hob_status check_names(struct loader *loader)
{
    struct string_map names = {0};
    bool is_good = claim_names(loader, &names);
    string_map_release(&names);
    return is_good ? HOB_OK : loader_no_memory(loader);
}

/* Said nowhere: a wrong value has been told already. */
static bool is_missing(const struct loader *loader, const struct config_origin *origin)
{
    return origin->source == CONFIG_FROM_DEFAULT && !loader->has_unread;
}

static void check_model(struct loader *loader, const struct config_model *model)
{
    if (is_missing(loader, &model->origins[CONFIG_MODEL_path]))
        loader_fault(loader, loader_code(&model->origin), &model->origin,
                     "models.%s: found no path, expected the model's file or folder", model->name);
}

static void note_missing(const struct loader *loader, const struct config_origin *origin, const char *key,
                         const char *path)
{
    if (path && access(path, R_OK) != 0) loader_note(loader, origin, "%s: %s cannot be read", key, path);
}

static void note_missing_files(const struct loader *loader)
{
    const struct config *config = loader->config;
    note_missing(loader, &config->origins[CONFIG_model_path], "model_path", config->model_path);
    note_missing(loader, &config->origins[CONFIG_embed_model_path], "embed_model_path", config->embed_model_path);
    note_missing(loader, &config->origins[CONFIG_rerank_model_path], "rerank_model_path", config->rerank_model_path);
    note_missing(loader, &config->origins[CONFIG_api_key_file], "server.api_key_file", config->api_key_file);
    for (size_t i = 0; i < config->n_models; i++)
        note_missing(loader, &config->models[i].origins[CONFIG_MODEL_path], config->models[i].name,
                     config->models[i].path);
}

/* ---- backends ---- */

static bool is_web_address(const char *url)
{
    return !strncmp(url, "https://", 8) || !strncmp(url, "http://", 7);
}

static void check_backend(struct loader *loader, const struct config_backend *backend)
{
    const struct config_origin *origin = &backend->origins[CONFIG_BACKEND_url];
    hob_status code = loader_code(&backend->origin);
    if (is_missing(loader, origin))
        loader_fault(loader, code, &backend->origin, "backends.%s: found no url, expected where its API begins",
                     backend->name);
    if (is_missing(loader, &backend->origins[CONFIG_BACKEND_for_models]))
        loader_fault(loader, code, &backend->origin,
                     "backends.%s: found no \"for\", expected the models that it stands in for", backend->name);
    if (backend->url && !is_web_address(backend->url))
        loader_fault(loader, loader_code(origin), origin,
                     "backends.%s.url: found \"%.80s\", expected https:// or http:// in front", backend->name,
                     backend->url);
}

static void note_unused_backends(const struct loader *loader)
{
    const struct config *config = loader->config;
    if (config->no_network && config->n_backends)
        loader_note(loader, &config->origins[CONFIG_no_network],
                    "server.no_network: is true, so no backend will be asked");
}

hob_status checks_run(struct loader *loader)
{
    const struct config *config = loader->config;
    check_socket(loader);
    check_addresses(loader);
    TRY(check_names(loader));
    for (size_t i = 0; i < config->n_models; i++) check_model(loader, &config->models[i]);
    for (size_t i = 0; i < config->n_backends; i++) check_backend(loader, &config->backends[i]);
    note_unused_backends(loader);
    note_missing_files(loader);
    return HOB_OK;
}

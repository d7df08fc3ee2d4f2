#include "engine/neighbours.h"
#include "base/error.h"
#include "base/memory.h"
#include "models/json_file.h"

/* Transformers and GPT-2 name the same things differently. */
static const char *const context_keys[] = {"max_position_embeddings", "n_positions", "n_ctx", NULL};
static const char *const layer_keys[] = {"num_hidden_layers", "n_layer", NULL};

static int64_t find_integer(const json_t *config, const char *const *keys, int64_t fallback)
{
    for (; *keys; keys++) {
        const json_t *item = json_object_get(config, *keys);
        if (json_is_integer(item) && json_integer_value(item) >= 0) return json_integer_value(item);
    }
    return fallback;
}

static void add_eos(struct neighbour_config *config, const json_t *item)
{
    if (json_is_integer(item) && config->n_eos_ids < MODEL_MAX_EOS_IDS) config->eos_ids[config->n_eos_ids++] = json_integer_value(item);
}

static void read_ids(const json_t *json, struct neighbour_config *config)
{
    config->bos_id = find_integer(json, (const char *const[]){"bos_token_id", NULL}, -1);
    const json_t *eos = json_object_get(json, "eos_token_id");
    add_eos(config, eos);
    for (size_t i = 0; i < json_array_size(eos); i++) add_eos(config, json_array_get(eos, i));
}

hob_status neighbour_config_read(const char *folder, struct neighbour_config *ret_config, hob_error *error)
{
    struct neighbour_config config = {.bos_id = -1};
    char *path;
    json_t *json = NULL;
    TRY(json_file_path(folder, "config.json", &path, error));
    hob_status status = json_file_read(path, &json, error);
    memory_free(path);
    if (status != HOB_OK && status != HOB_NOT_FOUND) return status;
    if (status == HOB_OK) {
        config.n_context = find_integer(json, context_keys, 0);
        config.n_layers = find_integer(json, layer_keys, 0);
        read_ids(json, &config);
        json_decref(json);
    }
    *ret_config = config;
    return HOB_OK;
}

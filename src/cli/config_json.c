#include "cli/config_json.h"

#include "base/buffer.h"
#include "cli/json.h"
#include "config/options.h"

static json_t *text_or_null(const char *text)
{
    return text ? json_text(text, strlen(text)) : json_null();
}

static json_t *list_json(const struct config_list *list)
{
    json_t *items = json_array();
    for (size_t i = 0; i < list->n_items; i++)
        if (json_array_append_new(items, json_text(list->items[i], strlen(list->items[i]))) != 0) {
            json_decref(items);
            return NULL;
        }
    return items;
}

static json_t *quantization_json(const char *name)
{
    if (!name || strcmp(name, "true") == 0) return json_boolean(name != NULL);
    return json_string(name);
}

static json_t *value_json(const struct config_option *option, const void *structure)
{
    const void *field = (const char *)structure + option->offset;
    switch (option->type) {
    case CONFIG_BOOLEAN:
        return json_boolean(*(const bool *)field);
    case CONFIG_COUNT:
        return json_integer((json_int_t) * (const size_t *)field);
    case CONFIG_BYTES:
        return json_integer((json_int_t) * (const uint64_t *)field);
    case CONFIG_SECONDS:
        return json_real(*(const double *)field);
    case CONFIG_CHOICE:
        return json_string(option->words[*(const int *)field]);
    case CONFIG_LIST:
        return list_json(field);
    case CONFIG_QUANTIZATION:
        return quantization_json(*(const char *const *)field);
    case CONFIG_TEXT:
    case CONFIG_WORD:
    case CONFIG_PATH:
    case CONFIG_NAME_OR_PATH:
        break;
    }
    return text_or_null(*(const char *const *)field);
}

static json_t *entry_json(const struct config_option *option, const void *structure, const struct config_origin *origin)
{
    static const char *const sources[] = {"default", "file", "environment", "flag"};
    json_t *entry = json_pack("{s:o, s:s}", "value", value_json(option, structure), "from", sources[origin->source]);
    bool is_good = entry != NULL;
    if (is_good && origin->name) is_good = json_object_set_new(entry, "name", text_or_null(origin->name)) == 0;
    if (is_good && origin->source == CONFIG_FROM_FILE)
        is_good = json_object_set_new(entry, "line", json_integer(origin->line)) == 0 &&
                  json_object_set_new(entry, "column", json_integer(origin->column)) == 0;
    if (is_good) return entry;
    json_decref(entry);
    return NULL;
}

/* name NULL: of a section. */
static bool add_options(json_t *values, const char *name, const struct config_option *options, size_t n_options,
                        const void *structure, const struct config_origin *origins)
{
    bool is_good = true;
    for (size_t i = 0; is_good && i < n_options; i++) {
        struct buffer key = {0};
        if (*options[i].section) buffer_printf(&key, "%s.", options[i].section);
        if (name) buffer_printf(&key, "%s.", name);
        buffer_append_string(&key, options[i].key);
        json_t *entry = entry_json(&options[i], structure, &origins[i]);
        is_good = !key.is_failed && entry && json_object_set_new_nocheck(values, buffer_text(&key), entry) == 0;
        buffer_release(&key);
    }
    return is_good;
}

static bool add_values(json_t *values, const struct config *config)
{
    bool is_good = add_options(values, NULL, config_options, N_CONFIG_OPTIONS, config, config->origins);
    for (size_t i = 0; is_good && i < config->n_models; i++)
        is_good = add_options(values, config->models[i].name, config_model_options, N_CONFIG_MODEL_OPTIONS,
                              &config->models[i], config->models[i].origins);
    for (size_t i = 0; is_good && i < config->n_backends; i++)
        is_good = add_options(values, config->backends[i].name, config_backend_options, N_CONFIG_BACKEND_OPTIONS,
                              &config->backends[i], config->backends[i].origins);
    return is_good;
}

json_t *config_json(const struct config *config)
{
    json_t *object = json_object(), *values = json_object();
    bool is_good = add_values(values, config) && json_object_set_new(object, "files", list_json(&config->files)) == 0;
    if (json_object_set_new(object, "values", values) == 0 && is_good) return object;
    json_decref(object);
    return NULL;
}

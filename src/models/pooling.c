/* sentence-transformers describes a model as a list of modules: a network, then pooling, then perhaps
 * normalising. */
#include "models/model.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"
#include "models/json_file.h"

#include <string.h>

static const char modules_name[] = "modules.json";
static const char limits_name[] = "sentence_bert_config.json";
static const char limits_key[] = "max_seq_length";
static const char pooling_name[] = "config.json";

/* Both ways of saying it: a flag a mode, and (since version 5) one text. */
static const struct {
    const char *flag, *text;
    hob_pooling mode; /* HOB_POOLING_DEFAULT: not supported */
} modes[] = {
    {"pooling_mode_mean_tokens", "mean", HOB_POOLING_MEAN},
    {"pooling_mode_cls_token", "cls", HOB_POOLING_CLS},
    {"pooling_mode_lasttoken", "lasttoken", HOB_POOLING_LAST},
    {"pooling_mode_max_tokens", "max", HOB_POOLING_DEFAULT},
    {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", HOB_POOLING_DEFAULT},
    {"pooling_mode_weightedmean_tokens", "weightedmean", HOB_POOLING_DEFAULT},
};

static bool is_chosen(const json_t *config, size_t mode)
{
    const char *text = json_string_value(json_object_get(config, "pooling_mode"));
    return json_is_true(json_object_get(config, modes[mode].flag)) || (text && !strcmp(text, modes[mode].text));
}

static hob_status parse_mode(const char *path, const json_t *config, hob_pooling *ret_mode, hob_error *error)
{
    size_t n_chosen = 0, chosen = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(modes); i++)
        if (is_chosen(config, i)) {
            n_chosen++;
            chosen = i;
        }
    if (n_chosen != 1) FAIL(error, HOB_UNSUPPORTED, "%s: found %zu pooling modes, expected one", path, n_chosen);
    if (modes[chosen].mode == HOB_POOLING_DEFAULT)
        FAIL(error, HOB_UNSUPPORTED, "%s: found %s, expected mean, cls or lasttoken pooling", path, modes[chosen].flag);
    *ret_mode = modes[chosen].mode;
    return HOB_OK;
}

/* NULL for ret_json when there is no such file. */
static hob_status read_optional(const char *folder, const char *name, char **ret_path, json_t **ret_json,
                                hob_error *error)
{
    TRY(json_file_path(folder, name, ret_path, error));
    hob_error ignored;
    hob_status status = json_file_read(*ret_path, ret_json, error ? error : &ignored);
    if (status != HOB_NOT_FOUND) return status;
    *ret_json = NULL;
    return HOB_OK;
}

static hob_status read_mode(const char *folder, const char *module, hob_pooling *ret_mode, hob_error *error)
{
    hob_status status = HOB_OK;
    char *module_folder = NULL, *path = NULL;
    json_t *config = NULL;
    if (strstr(module, "..") || *module == '/')
        FAIL(error, HOB_BAD_FILE, "%s/%s: found path \"%.64s\", expected a folder inside", folder, modules_name,
             module);
    TRY_CLEANUP(json_file_path(folder, module, &module_folder, error));
    TRY_CLEANUP(json_file_path(module_folder, pooling_name, &path, error));
    TRY_CLEANUP(json_file_read(path, &config, error));
    TRY_CLEANUP(parse_mode(path, config, ret_mode, error));
cleanup:
    json_decref(config);
    memory_free(path);
    memory_free(module_folder);
    return status;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n_text = strlen(text), n_end = strlen(end);
    return n_text >= n_end && !strcmp(text + n_text - n_end, end);
}

/* type: a Python class, "sentence_transformers.models.Pooling". */
static hob_status apply_module(const char *folder, const char *type, const char *module, struct model_pooling *pooling,
                               hob_error *error)
{
    if (ends_with(type, ".Pooling")) return read_mode(folder, module, &pooling->mode, error);
    if (ends_with(type, ".Normalize")) pooling->is_normalized = true;
    else if (ends_with(type, ".StaticEmbedding")) pooling->is_plain_text = true;
    else if (!ends_with(type, ".Transformer"))
        FAIL(error, HOB_UNSUPPORTED,
             "%s/%s: found module %.64s, expected Transformer, StaticEmbedding, Pooling or Normalize", folder,
             modules_name, type);
    return HOB_OK;
}

static hob_status apply_modules(const char *folder, const json_t *modules, struct model_pooling *pooling,
                                hob_error *error)
{
    size_t index;
    json_t *module;
    pooling->is_stated = true;
    pooling->is_normalized = false; /* until a module says so */
    if (!json_is_array(modules))
        FAIL(error, HOB_BAD_FILE, "%s/%s: found %s, expected a list", folder, modules_name, json_kind_name(modules));
    json_array_foreach (modules, index, module) {
        const char *type = json_string_value(json_object_get(module, "type"));
        const char *path = json_string_value(json_object_get(module, "path"));
        if (!type) FAIL(error, HOB_BAD_FILE, "%s/%s: module %zu: type: missing", folder, modules_name, index);
        TRY(apply_module(folder, type, path ? path : "", pooling, error));
    }
    return HOB_OK;
}

static hob_status read_modules(const char *folder, struct model_pooling *pooling, hob_error *error)
{
    char *path = NULL;
    json_t *modules = NULL;
    hob_status status = read_optional(folder, modules_name, &path, &modules, error);
    if (status == HOB_OK && modules) status = apply_modules(folder, modules, pooling, error);
    json_decref(modules);
    memory_free(path);
    return status;
}

static hob_status read_max_tokens(const char *folder, struct model_pooling *pooling, hob_error *error)
{
    char *path = NULL;
    json_t *limits = NULL;
    hob_status status = read_optional(folder, limits_name, &path, &limits, error);
    json_int_t max_tokens = json_integer_value(json_object_get(limits, limits_key));
    if (status == HOB_OK && max_tokens > 0) pooling->max_tokens = max_tokens;
    json_decref(limits);
    memory_free(path);
    return status;
}

hob_status model_read_pooling(const char *folder, struct model_pooling *ret_pooling, hob_error *error)
{
    struct model_pooling pooling = {.mode = HOB_POOLING_MEAN, .is_normalized = true};
    TRY(read_modules(folder, &pooling, error));
    TRY(read_max_tokens(folder, &pooling, error));
    *ret_pooling = pooling;
    return HOB_OK;
}

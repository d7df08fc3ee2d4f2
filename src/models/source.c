/* Opening a source: which architecture is it, and where do its hyperparameters lie? */
#include "models/source.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "models/json_file.h"

#include <string.h>

static const char gguf_architecture_key[] = "general.architecture";
static const char hf_type_key[] = "model_type";
static const char hf_config_name[] = "config.json";
static const char gguf_format[] = "gguf";

static bool has_name(const struct model_def *def, bool is_gguf, const char *name)
{
    if (is_gguf) return *name && !strcmp(def->gguf_architecture, name);
    for (size_t i = 0; i < MODEL_MAX_ALIASES && def->hf_types[i]; i++)
        if (!strcmp(def->hf_types[i], name)) return true;
    return false;
}

/* By an architecture before this one, which shares the name. */
static bool is_listed(size_t index, const char *name)
{
    for (size_t i = 0; i < index; i++)
        if (has_name(model_def_at(i), false, name)) return true;
    return false;
}

static void list_names(struct buffer *list, bool is_gguf)
{
    for (size_t i = 0; i < model_def_count(); i++) {
        const struct model_def *def = model_def_at(i);
        if (is_gguf && *def->gguf_architecture)
            buffer_printf(list, "%s%s", list->n_bytes ? ", " : "", def->gguf_architecture);
        for (size_t j = 0; !is_gguf && j < MODEL_MAX_ALIASES && def->hf_types[j]; j++)
            if (!is_listed(i, def->hf_types[j])) buffer_printf(list, "%s%s", list->n_bytes ? ", " : "", def->hf_types[j]);
    }
}

static hob_status find_def(struct model_source *source, const char *key, const char *name, hob_error *error)
{
    bool is_gguf = model_source_is_gguf(source);
    if (!name) FAIL(error, HOB_BAD_FILE, "%s: %s: missing", source->where, key);
    for (size_t i = 0; i < model_def_count(); i++)
        if (has_name(model_def_at(i), is_gguf, name)) {
            source->def = model_def_at(i);
            if (!source->def->is_this || source->def->is_this(source)) return HOB_OK;
        }
    struct buffer list = {0};
    list_names(&list, is_gguf);
    hob_status status = error_set(error, HOB_UNSUPPORTED, ERROR_HERE, "%s: %s: found \"%.64s\", expected one of %s",
                                  source->where, key, name, buffer_text(&list));
    buffer_release(&list);
    return status;
}

static hob_status open_config(struct model_source *source, const char *folder, hob_error *error)
{
    TRY(json_file_path(folder ? folder : ".", hf_config_name, &source->config_path, error));
    source->where = source->config_path;
    hob_status status = json_file_read(source->config_path, &source->config, error);
    if (status == HOB_NOT_FOUND)
        FAIL(error, status, "%s: missing; it says how to read the tensors of %s", source->config_path,
             source->file->path);
    if (status == HOB_OK && !json_is_object(source->config))
        FAIL(error, HOB_BAD_FILE, "%s: found %s, expected an object", source->config_path,
             json_kind_name(source->config));
    return status;
}

hob_status model_source_open(const struct tensor_file *file, const char *folder, struct model_source *ret_source,
                             hob_error *error)
{
    hob_status status = HOB_OK;
    struct model_source source = {.file = file, .where = file->path};
    if (!strcmp(file->format, gguf_format)) {
        const char *name = tensor_file_get_string(file, gguf_architecture_key);
        TRY_CLEANUP(find_def(&source, gguf_architecture_key, name, error));
    } else {
        TRY_CLEANUP(open_config(&source, folder, error));
        const char *name = json_string_value(json_object_get(source.config, hf_type_key));
        TRY_CLEANUP(find_def(&source, hf_type_key, name, error));
    }
    *ret_source = source;
cleanup:
    if (status != HOB_OK) model_source_close(&source);
    return status;
}

void model_source_close(struct model_source *source)
{
    json_decref(source->config);
    memory_free(source->config_path);
    *source = (struct model_source){0};
}

#include "engine/chat_template.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/mapped_file.h"
#include "base/memory.h"
#include "models/json_file.h"

#include <string.h>

/* Newer models keep it in a file of its own. */
static char *read_file(const char *path)
{
    struct mapped_file file;
    struct buffer text = {0};
    if (mapped_file_open(path, &file, NULL) != HOB_OK) return NULL;
    if (file.n_bytes && !memchr(file.bytes, 0, file.n_bytes)) buffer_append(&text, file.bytes, file.n_bytes);
    mapped_file_release(&file);
    return text.bytes;
}

/* "chat_template": "…", or [{"name": "default", "template": "…"}, …]. A text alone is the default. */
static char *read_config(const char *path, const char *wanted)
{
    json_t *config;
    const char *text = NULL;
    if (json_file_read(path, &config, NULL) != HOB_OK) return NULL;
    const json_t *found = json_object_get(config, "chat_template");
    if (json_is_string(found) && !strcmp(wanted, "default")) text = json_string_value(found);
    for (size_t i = 0; json_is_array(found) && i < json_array_size(found); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(found, i), "name"));
        if (name && !strcmp(name, wanted)) text = json_string_value(json_object_get(json_array_get(found, i), "template"));
    }
    char *copy = text && *text ? memory_copy_string(text) : NULL;
    json_decref(config);
    return copy;
}

/* The first that there is: a file of its own, or what the tokenizer's configuration says. */
static hob_status find(const char *folder, const char *file, const char *name, char **ret_text, hob_error *error)
{
    char *path;
    TRY(json_file_path(folder, file, &path, error));
    *ret_text = read_file(path);
    memory_free(path);
    if (*ret_text) return HOB_OK;
    TRY(json_file_path(folder, "tokenizer_config.json", &path, error));
    *ret_text = read_config(path, name);
    memory_free(path);
    return HOB_OK;
}

hob_status chat_template_find(struct hob_model *model, hob_error *error)
{
    if (model->chat_template || !model->folder || !strcmp(model->info.format, "gguf")) return HOB_OK;
    TRY(find(model->folder, "chat_template.jinja", "default", &model->owned_template, error));
    model->chat_template = model->owned_template;
    TRY(find(model->folder, "additional_chat_templates/tool_use.jinja", "tool_use", &model->owned_tool_template, error));
    model->tool_template = model->owned_tool_template;
    return HOB_OK;
}

#include "engine/end_tokens.h"

#include "base/error.h"
#include "base/memory.h"
#include "models/json_file.h"
#include "text/tokenizer.h"

#include <string.h>

static void add(struct hob_model *model, int64_t id)
{
    if (id < 0 || id > INT32_MAX || model->n_eos_ids == MODEL_MAX_EOS_IDS) return;
    for (size_t i = 0; i < model->n_eos_ids; i++)
        if (model->eos_ids[i] == id) return;
    model->eos_ids[model->n_eos_ids++] = id;
}

static void add_json(struct hob_model *model, const json_t *ids)
{
    if (json_is_integer(ids)) add(model, json_integer_value(ids));
    for (size_t i = 0; i < json_array_size(ids); i++)
        if (json_is_integer(json_array_get(ids, i))) add(model, json_integer_value(json_array_get(ids, i)));
}

/* What generation really uses: config.json often names only one of several. */
static hob_status read_generation_config(struct hob_model *model, hob_error *error)
{
    char *path;
    json_t *config;
    if (!model->folder || !strcmp(model->info.format, "gguf")) return HOB_OK;
    TRY(json_file_path(model->folder, "generation_config.json", &path, error));
    hob_status status = json_file_read(path, &config, error);
    memory_free(path);
    if (status == HOB_NOT_FOUND) return HOB_OK;
    TRY(status);
    add_json(model, json_object_get(config, "eos_token_id"));
    json_decref(config);
    return HOB_OK;
}

hob_status end_tokens_find(struct hob_model *model, hob_error *error)
{
    int32_t ids[MODEL_MAX_EOS_IDS];
    TRY(read_generation_config(model, error));
    if (!model->tokenizer) return HOB_OK;
    size_t n_ids = tokenizer_end_ids((const struct tokenizer *)model->tokenizer, MODEL_MAX_EOS_IDS, ids);
    for (size_t i = 0; i < n_ids; i++) add(model, ids[i]);
    return HOB_OK;
}

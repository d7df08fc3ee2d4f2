/* sentence-transformers keeps the texts that a model was trained to see in front of queries and documents beside the model. */
#include "base/arena.h"
#include "base/error.h"
#include "base/memory.h"
#include "models/json_file.h"
#include "models/model.h"

#include <string.h>

static const char prompts_file_name[] = "config_sentence_transformers.json";
static const char prompts_key[] = "prompts", default_key[] = "default_prompt_name";

static hob_status copy_text(struct arena *arena, const char *path, const char *text, const char **ret_copy,
                            hob_error *error)
{
    const char *copy = arena_copy(arena, text, strlen(text) + 1, 1);
    if (!copy) FAIL(error, HOB_NO_MEMORY, "%s: out of memory", path);
    *ret_copy = copy;
    return HOB_OK;
}

static hob_status copy_prompts(const char *path, json_t *texts, struct arena *arena, struct model_prompts *prompts,
                               hob_error *error)
{
    const char *name;
    json_t *text;
    size_t n_texts = json_object_size(texts);
    if (n_texts > MODEL_MAX_PROMPTS)
        FAIL(error, HOB_LIMIT, "%s: %s: found %zu, expected at most %d", path, prompts_key, n_texts, MODEL_MAX_PROMPTS);
    struct model_prompt *items = ARENA_NEW(arena, struct model_prompt, n_texts);
    if (!items) FAIL(error, HOB_NO_MEMORY, "%s: out of memory", path);
    prompts->items = items;
    json_object_foreach (texts, name, text) {
        if (!json_is_string(text))
            FAIL(error, HOB_BAD_FILE, "%s: %s: %.64s: found %s, expected a text", path, prompts_key, name,
                 json_kind_name(text));
        TRY(copy_text(arena, path, name, &items[prompts->n].name, error));
        TRY(copy_text(arena, path, json_string_value(text), &items[prompts->n++].text, error));
    }
    return HOB_OK;
}

static hob_status parse_prompts(const char *path, const json_t *config, struct arena *arena,
                                struct model_prompts *prompts, hob_error *error)
{
    json_t *texts = json_object_get(config, prompts_key), *name = json_object_get(config, default_key);
    if (texts && !json_is_null(texts) && !json_is_object(texts))
        FAIL(error, HOB_BAD_FILE, "%s: %s: found %s, expected an object", path, prompts_key, json_kind_name(texts));
    if (json_is_object(texts)) TRY(copy_prompts(path, texts, arena, prompts, error));
    if (!name || json_is_null(name)) return HOB_OK;
    if (!json_is_string(name) || !model_find_prompt(prompts, json_string_value(name)))
        FAIL(error, HOB_BAD_FILE, "%s: %s: found %.64s, expected a name among %s", path, default_key,
             json_is_string(name) ? json_string_value(name) : json_kind_name(name), prompts_key);
    return copy_text(arena, path, json_string_value(name), &prompts->default_name, error);
}

const char *model_find_prompt(const struct model_prompts *prompts, const char *name)
{
    for (size_t i = 0; i < prompts->n; i++)
        if (!strcmp(prompts->items[i].name, name)) return prompts->items[i].text;
    return NULL;
}

hob_status model_read_prompts(const char *folder, struct arena *arena, struct model_prompts *ret_prompts,
                              hob_error *error)
{
    struct model_prompts prompts = {0};
    char *path = NULL;
    json_t *config = NULL;
    hob_error ignored;
    TRY(json_file_path(folder, prompts_file_name, &path, error));
    hob_status status = json_file_read(path, &config, error ? error : &ignored);
    bool is_absent = status == HOB_NOT_FOUND;
    if (status == HOB_OK) status = parse_prompts(path, config, arena, &prompts, error);
    json_decref(config);
    memory_free(path);
    if (is_absent) status = HOB_OK;
    if (status == HOB_OK) *ret_prompts = prompts;
    return status;
}

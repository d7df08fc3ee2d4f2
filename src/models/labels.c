/* config.json has "id2label": {"0": "entailment", …} and perhaps "problem_type"; GGUF a list of texts. */
#include "models/labels.h"

#include "base/arena.h"
#include "base/error.h"
#include "base/memory.h"
#include "models/json_file.h"

#include <inttypes.h>
#include <string.h>

static const char labels_key[] = "id2label", problem_key[] = "problem_type", config_name[] = "config.json";
static const char gguf_labels_key[] = "classifier.output_labels";

static hob_status fail_memory(hob_error *error)
{
    FAIL(error, HOB_NO_MEMORY, "labels: out of memory");
}

static hob_status check_count(const char *where, const char *key, int64_t n_found, int64_t n_labels, hob_error *error)
{
    if (n_labels > MODEL_MAX_LABELS)
        FAIL(error, HOB_LIMIT, "%s: found %" PRId64 " labels, expected at most %d", where, n_labels, MODEL_MAX_LABELS);
    if (n_found && n_found != n_labels)
        FAIL(error, HOB_BAD_FILE, "%s: %s: found %" PRId64 " labels, expected the %" PRId64 " that the model has", where, key, n_found, n_labels);
    return HOB_OK;
}

/* transformers' name for a label that has none. */
static const char *default_name(struct arena *arena, int64_t i)
{
    char name[32];
    int n_bytes = snprintf(name, sizeof name, "LABEL_%" PRId64, i);
    return arena_copy_string(arena, name, (size_t)n_bytes);
}

static hob_status read_problem(const json_t *config, const char *where, struct model_labels *labels, hob_error *error)
{
    const json_t *problem = json_object_get(config, problem_key);
    labels->activation = labels->n == 1 ? ACTIVATION_SIGMOID : ACTIVATION_SOFTMAX;
    if (!problem || json_is_null(problem)) return HOB_OK;
    const char *text = json_string_value(problem);
    if (!text) FAIL(error, HOB_BAD_FILE, "%s: %s: found %s, expected a text", where, problem_key, json_kind_name(problem));
    if (!strcmp(text, "regression")) labels->activation = ACTIVATION_NONE;
    else if (!strcmp(text, "multi_label_classification")) labels->activation = ACTIVATION_SIGMOID;
    else if (strcmp(text, "single_label_classification"))
        FAIL(error, HOB_UNSUPPORTED, "%s: %s: found \"%.64s\", expected regression, single_label_classification or multi_label_classification",
             where, problem_key, text);
    return HOB_OK;
}

static hob_status name_of_config(const json_t *names, const char *where, int64_t i, struct arena *arena, const char **ret_name,
                                 hob_error *error)
{
    char key[32];
    snprintf(key, sizeof key, "%" PRId64, i);
    const json_t *name = json_object_get(names, key);
    if (names && !json_is_string(name))
        FAIL(error, HOB_BAD_FILE, "%s: %s: %s: found %s, expected a text", where, labels_key, key, name ? json_kind_name(name) : "nothing");
    *ret_name = name ? arena_copy_string(arena, json_string_value(name), json_string_length(name)) : default_name(arena, i);
    return *ret_name ? HOB_OK : fail_memory(error);
}

hob_status labels_of_config(const json_t *config, const char *where, int64_t n_labels, struct arena *arena,
                            struct model_labels *ret_labels, hob_error *error)
{
    const json_t *names = json_object_get(config, labels_key);
    if (json_is_null(names)) names = NULL;
    if (names && !json_is_object(names))
        FAIL(error, HOB_BAD_FILE, "%s: %s: found %s, expected an object", where, labels_key, json_kind_name(names));
    if (!n_labels) n_labels = (int64_t)json_object_size(names);
    TRY(check_count(where, labels_key, (int64_t)json_object_size(names), n_labels, error));
    const char **texts = ARENA_NEW(arena, const char *, (size_t)n_labels);
    if (!texts) return fail_memory(error);
    for (int64_t i = 0; i < n_labels; i++) TRY(name_of_config(names, where, i, arena, &texts[i], error));
    struct model_labels labels = {.names = texts, .n = (size_t)n_labels};
    TRY(read_problem(config, where, &labels, error));
    *ret_labels = labels;
    return HOB_OK;
}

hob_status labels_of_gguf(const struct model_source *source, int64_t n_labels, struct arena *arena, struct model_labels *ret_labels,
                          hob_error *error)
{
    char key[SOURCE_NAME_BYTES];
    snprintf(key, sizeof key, "%s.%s", source->def->gguf_architecture, gguf_labels_key);
    const struct metadata *list = tensor_file_get(source->file, key);
    bool has_names = list && list->kind == METADATA_ARRAY && list->n_items && list->element_kind == METADATA_STRING;
    TRY(check_count(source->where, key, has_names ? (int64_t)list->n_items : 0, n_labels, error));
    const char **texts = ARENA_NEW(arena, const char *, (size_t)n_labels);
    if (!texts) return fail_memory(error);
    for (int64_t i = 0; i < n_labels; i++) {
        texts[i] = has_names ? arena_copy_string(arena, list->strings[i].bytes, list->strings[i].n_bytes) : default_name(arena, i);
        if (!texts[i]) return fail_memory(error);
    }
    *ret_labels = (struct model_labels){.names = texts, .n = (size_t)n_labels,
                                        .activation = n_labels == 1 ? ACTIVATION_SIGMOID : ACTIVATION_SOFTMAX};
    return HOB_OK;
}

hob_status model_read_labels(const char *folder, int64_t n_labels, struct arena *arena, struct model_labels *ret_labels, hob_error *error)
{
    char *path = NULL;
    json_t *config = NULL;
    hob_error ignored;
    TRY(json_file_path(folder, config_name, &path, error));
    hob_status status = json_file_read(path, &config, error ? error : &ignored);
    if (status == HOB_OK || status == HOB_NOT_FOUND) status = labels_of_config(config, path, n_labels, arena, ret_labels, error);
    json_decref(config);
    memory_free(path);
    return status;
}

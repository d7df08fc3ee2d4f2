/* What goes around a text: post-processors of tokenizer.json. Only the single-text side is kept, as a flat list of ids with
 * TEMPLATE_TEXT for the text; a sequence of post-processors folds into one such list. */
#include "base/error.h"
#include "text/json_read.h"
#include "text/parts.h"

#include <string.h>

enum { MAX_TEMPLATE_IDS = 256 };

hob_status template_set(struct tokenizer *tokenizer, const int32_t *before, size_t n_before, const int32_t *after,
                        size_t n_after, hob_error *error)
{
    bool is_done = true;
    tokenizer->template.n_ids = 0;
    for (size_t i = 0; i < n_before; i++) is_done = is_done && id_list_append(&tokenizer->template, before[i]);
    is_done = is_done && id_list_append(&tokenizer->template, TEMPLATE_TEXT);
    for (size_t i = 0; i < n_after; i++) is_done = is_done && id_list_append(&tokenizer->template, after[i]);
    return is_done ? HOB_OK : text_no_memory(error);
}

static hob_status add_item(struct id_list *list, int64_t id, const struct tokenizer *tokenizer, hob_error *error)
{
    if (id != TEMPLATE_TEXT && !vocabulary_has(&tokenizer->vocabulary, id))
        FAIL(error, HOB_BAD_FILE, "found token id %lld, which the vocabulary lacks", (long long)id);
    if (list->n_ids == MAX_TEMPLATE_IDS)
        FAIL(error, HOB_LIMIT, "more than %d ids around a text", MAX_TEMPLATE_IDS);
    return id_list_append(list, (int32_t)id) ? HOB_OK : text_no_memory(error);
}

/* Where the new list has the text, the list so far goes. */
static hob_status fold(struct tokenizer *tokenizer, const struct id_list *list, hob_error *error)
{
    struct id_list folded = {0};
    hob_status status = HOB_OK;
    for (size_t i = 0; i < list->n_ids; i++) {
        if (list->ids[i] != TEMPLATE_TEXT || tokenizer->template.n_ids == 0) {
            TRY_CLEANUP(add_item(&folded, list->ids[i], tokenizer, error));
            continue;
        }
        for (size_t j = 0; j < tokenizer->template.n_ids; j++)
            TRY_CLEANUP(add_item(&folded, tokenizer->template.ids[j], tokenizer, error));
    }
    struct id_list old = tokenizer->template;
    tokenizer->template = folded;
    folded = old;
cleanup:
    id_list_release(&folded);
    return status;
}

/* {"SpecialToken": {"id": "[CLS]"}} stands for the ids listed under "special_tokens". */
static hob_status add_special(struct tokenizer *tokenizer, const json_t *specials, const json_t *item,
                              struct id_list *list, hob_error *error)
{
    const char *name;
    size_t n_bytes;
    const json_t *special, *ids;
    TRY(json_read_string(item, "id", NULL, &name, &n_bytes, error));
    TRY(json_read_object(specials, name, &special, error));
    TRY(json_read_array(special, "ids", &ids, error));
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const json_t *id = json_array_get(ids, i);
        if (!json_is_integer(id) || json_integer_value(id) < 0)
            FAIL(error, HOB_BAD_FILE, "special token \"%.40s\": found %s, expected an id", name, json_read_kind(id));
        TRY(add_item(list, json_integer_value(id), tokenizer, error));
    }
    return HOB_OK;
}

static hob_status load_template(struct tokenizer *tokenizer, const json_t *json, struct id_list *list,
                                hob_error *error)
{
    const json_t *single;
    TRY(json_read_array(json, "single", &single, error));
    const json_t *specials = json_read_optional(json, "special_tokens");
    for (size_t i = 0; i < json_array_size(single); i++) {
        const json_t *item = json_array_get(single, i);
        const json_t *special = json_object_get(item, "SpecialToken");
        if (special)
            TRY(add_special(tokenizer, specials, special, list, error));
        else if (json_object_get(item, "Sequence"))
            TRY(add_item(list, TEMPLATE_TEXT, tokenizer, error));
        else
            FAIL(error, HOB_BAD_FILE, "\"single\": found neither SpecialToken nor Sequence");
    }
    return HOB_OK;
}

/* BertProcessing and RobertaProcessing: ["[CLS]", 101] and ["[SEP]", 102]. */
static hob_status load_pair_processing(struct tokenizer *tokenizer, const json_t *json, struct id_list *list,
                                       hob_error *error)
{
    static const char *const names[] = {"cls", "sep"};
    for (size_t i = 0; i < 2; i++) {
        const json_t *pair;
        TRY(json_read_array(json, names[i], &pair, error));
        const json_t *id = json_array_get(pair, 1);
        if (!json_is_integer(id) || json_integer_value(id) < 0)
            FAIL(error, HOB_BAD_FILE, "\"%s\": found %s, expected an id", names[i], json_read_kind(id));
        TRY(add_item(list, json_integer_value(id), tokenizer, error));
        if (i == 0) TRY(add_item(list, TEMPLATE_TEXT, tokenizer, error));
    }
    return HOB_OK;
}

static hob_status load_processor(struct tokenizer *tokenizer, const json_t *json, int depth, hob_error *error);

static hob_status load_sequence(struct tokenizer *tokenizer, const json_t *json, int depth, hob_error *error)
{
    const json_t *processors;
    if (depth == MAX_PARTS) FAIL(error, HOB_LIMIT, "sequences nested deeper than %d", MAX_PARTS);
    TRY(json_read_array(json, "processors", &processors, error));
    for (size_t i = 0; i < json_array_size(processors); i++)
        TRY(load_processor(tokenizer, json_array_get(processors, i), depth + 1, error));
    return HOB_OK;
}

static hob_status load_processor(struct tokenizer *tokenizer, const json_t *json, int depth, hob_error *error)
{
    const char *type;
    size_t n_bytes;
    if (!json_is_object(json)) FAIL(error, HOB_BAD_FILE, "found %s, expected an object", json_read_kind(json));
    TRY(json_read_string(json, "type", NULL, &type, &n_bytes, error));
    if (!strcmp(type, "ByteLevel")) return HOB_OK; /* changes offsets only */
    if (!strcmp(type, "Sequence")) return load_sequence(tokenizer, json, depth, error);
    struct id_list list = {0};
    hob_status status;
    if (!strcmp(type, "TemplateProcessing"))
        status = load_template(tokenizer, json, &list, error);
    else if (!strcmp(type, "BertProcessing") || !strcmp(type, "RobertaProcessing"))
        status = load_pair_processing(tokenizer, json, &list, error);
    else
        status = error_set(error, HOB_UNSUPPORTED, ERROR_HERE, "%.40s: no such post-processor", type);
    if (status == HOB_OK) status = fold(tokenizer, &list, error);
    id_list_release(&list);
    return status;
}

hob_status template_load(struct tokenizer *tokenizer, const json_t *json, hob_error *error)
{
    if (!json) return HOB_OK;
    hob_status status = load_processor(tokenizer, json, 0, error);
    return status == HOB_OK ? status : error_prefix(error, status, "post_processor");
}

/* What goes around a text, or around two of them: post-processors of tokenizer.json. Each is kept as a flat list of ids with
 * TEMPLATE_TEXT and TEMPLATE_SECOND for the texts; a sequence of post-processors folds into one list for a single text. For a pair, the
 * one processor that says something of texts counts: how two of them would fold is not defined. */
#include "base/error.h"
#include "text/json_read.h"
#include "text/parts.h"

#include <string.h>

enum { MAX_TEMPLATE_IDS = 256 };

void template_release(struct template *template)
{
    id_list_release(&template->ids);
    id_list_release(&template->types);
}

static hob_status append(struct template *template, int32_t id, int32_t type, hob_error *error)
{
    if (template->ids.n_ids == MAX_TEMPLATE_IDS) FAIL(error, HOB_LIMIT, "more than %d ids around a text", MAX_TEMPLATE_IDS);
    return id_list_append(&template->ids, id) && id_list_append(&template->types, type) ? HOB_OK : text_no_memory(error);
}

hob_status template_add(struct tokenizer *tokenizer, struct template *template, int64_t id, int64_t type, hob_error *error)
{
    if (id != TEMPLATE_TEXT && id != TEMPLATE_SECOND && !vocabulary_has(&tokenizer->vocabulary, id))
        FAIL(error, HOB_BAD_FILE, "found token id %lld, which the vocabulary lacks", (long long)id);
    if (type < 0 || type > TEMPLATE_MAX_TYPE)
        FAIL(error, HOB_BAD_FILE, "found type %lld, expected 0 to %d", (long long)type, TEMPLATE_MAX_TYPE);
    return append(template, (int32_t)id, (int32_t)type, error);
}

/* ---- put around ---- */

size_t tokenizer_n_around(const struct tokenizer *tokenizer, bool is_pair)
{
    const struct id_list *ids = &(is_pair ? &tokenizer->pair : &tokenizer->single)->ids;
    size_t n_around = 0;
    for (size_t i = 0; i < ids->n_ids; i++) n_around += ids->ids[i] != TEMPLATE_TEXT && ids->ids[i] != TEMPLATE_SECOND;
    return n_around;
}

static bool append_all(const int32_t *ids, size_t n_ids, int32_t type, struct id_list *ret_ids, struct id_list *types)
{
    bool is_done = true;
    for (size_t i = 0; i < n_ids && is_done; i++) is_done = id_list_append(ret_ids, ids[i]) && (!types || id_list_append(types, type));
    return is_done;
}

/* Without post-processor texts stand one behind the other, as in Hugging Face's tokenizers. */
static const struct template bare_pair = {.ids = {.ids = (int32_t[]){TEMPLATE_TEXT, TEMPLATE_SECOND}, .n_ids = 2},
                                          .types = {.ids = (int32_t[]){0, 1}, .n_ids = 2}};
static const struct template bare_single = {.ids = {.ids = (int32_t[]){TEMPLATE_TEXT}, .n_ids = 1},
                                            .types = {.ids = (int32_t[]){0}, .n_ids = 1}};

static const struct template *template_of(const struct tokenizer *tokenizer, bool is_pair)
{
    if (is_pair) return tokenizer->pair.ids.n_ids ? &tokenizer->pair : &bare_pair;
    return tokenizer->single.ids.n_ids ? &tokenizer->single : &bare_single;
}

hob_status tokenizer_put_around(const struct tokenizer *tokenizer, const struct token_span *first, const struct token_span *second,
                                struct id_list *ids, struct id_list *types, hob_error *error)
{
    const struct template *template = template_of(tokenizer, second != NULL);
    bool is_done = true;
    for (size_t i = 0; i < template->ids.n_ids && is_done; i++) {
        const int32_t *id = &template->ids.ids[i];
        struct token_span span = *id == TEMPLATE_TEXT ? *first : *id == TEMPLATE_SECOND ? *second : (struct token_span){id, 1};
        is_done = append_all(span.ids, span.n_ids, template->types.ids[i], ids, types);
    }
    return is_done ? HOB_OK : text_no_memory(error);
}

/* ---- loading ---- */

/* Where the new list has the text, the list so far goes. */
static hob_status fold(struct tokenizer *tokenizer, const struct template *new, hob_error *error)
{
    struct template folded = {0};
    hob_status status = HOB_OK;
    for (size_t i = 0; i < new->ids.n_ids; i++) {
        bool is_text = new->ids.ids[i] == TEMPLATE_TEXT && tokenizer->single.ids.n_ids;
        for (size_t j = 0; is_text && j < tokenizer->single.ids.n_ids; j++)
            TRY_CLEANUP(append(&folded, tokenizer->single.ids.ids[j], tokenizer->single.types.ids[j], error));
        if (!is_text) TRY_CLEANUP(append(&folded, new->ids.ids[i], new->types.ids[i], error));
    }
    struct template old = tokenizer->single;
    tokenizer->single = folded;
    folded = old;
cleanup:
    template_release(&folded);
    return status;
}

static hob_status read_type(const json_t *item, int64_t *ret_type, hob_error *error)
{
    const json_t *type = json_object_get(item, "type_id");
    if (type && !json_is_integer(type)) FAIL(error, HOB_BAD_FILE, "\"type_id\": found %s, expected a number", json_read_kind(type));
    *ret_type = json_integer_value(type);
    return HOB_OK;
}

/* {"SpecialToken": {"id": "[CLS]", "type_id": 0}} stands for the ids listed under "special_tokens". */
static hob_status add_special(struct tokenizer *tokenizer, const json_t *specials, const json_t *item, struct template *list,
                              hob_error *error)
{
    const char *name;
    size_t n_bytes;
    int64_t type;
    const json_t *special, *ids;
    TRY(json_read_string(item, "id", NULL, &name, &n_bytes, error));
    TRY(read_type(item, &type, error));
    TRY(json_read_object(specials, name, &special, error));
    TRY(json_read_array(special, "ids", &ids, error));
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const json_t *id = json_array_get(ids, i);
        if (!json_is_integer(id) || json_integer_value(id) < 0)
            FAIL(error, HOB_BAD_FILE, "special token \"%.40s\": found %s, expected an id", name, json_read_kind(id));
        TRY(template_add(tokenizer, list, json_integer_value(id), type, error));
    }
    return HOB_OK;
}

/* {"Sequence": {"id": "B", "type_id": 1}} is the second text. */
static hob_status add_text(struct tokenizer *tokenizer, const json_t *item, struct template *list, hob_error *error)
{
    const char *id = json_string_value(json_object_get(item, "id"));
    int64_t type;
    TRY(read_type(item, &type, error));
    return template_add(tokenizer, list, id && !strcmp(id, "B") ? TEMPLATE_SECOND : TEMPLATE_TEXT, type, error);
}

static hob_status load_template(struct tokenizer *tokenizer, const json_t *json, const char *key, struct template *list, hob_error *error)
{
    const json_t *items;
    TRY(json_read_array(json, key, &items, error));
    const json_t *specials = json_read_optional(json, "special_tokens");
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i), *text = json_object_get(item, "Sequence");
        const json_t *special = json_object_get(item, "SpecialToken");
        if (!special && !text) FAIL(error, HOB_BAD_FILE, "\"%s\": found neither SpecialToken nor Sequence", key);
        TRY(special ? add_special(tokenizer, specials, special, list, error) : add_text(tokenizer, text, list, error));
    }
    return HOB_OK;
}

static hob_status load_templates(struct tokenizer *tokenizer, const json_t *json, struct template lists[2], hob_error *error)
{
    TRY(load_template(tokenizer, json, "single", &lists[0], error));
    for (size_t i = 0; i < lists[0].ids.n_ids; i++)
        if (lists[0].ids.ids[i] == TEMPLATE_SECOND) FAIL(error, HOB_BAD_FILE, "\"single\": found Sequence B, expected A alone");
    return json_read_optional(json, "pair") ? load_template(tokenizer, json, "pair", &lists[1], error) : HOB_OK;
}

static hob_status read_end(const json_t *json, const char *name, int64_t *ret_id, hob_error *error)
{
    const json_t *pair;
    TRY(json_read_array(json, name, &pair, error));
    const json_t *id = json_array_get(pair, 1);
    if (!json_is_integer(id) || json_integer_value(id) < 0)
        FAIL(error, HOB_BAD_FILE, "\"%s\": found %s, expected an id", name, json_read_kind(id));
    *ret_id = json_integer_value(id);
    return HOB_OK;
}

/* BertProcessing and RobertaProcessing: ["[CLS]", 101] and ["[SEP]", 102]. RoBERTa puts two between texts, and has one type. */
static hob_status load_ends(struct tokenizer *tokenizer, const json_t *json, bool is_roberta, struct template lists[2], hob_error *error)
{
    int64_t cls, sep;
    TRY(read_end(json, "cls", &cls, error));
    TRY(read_end(json, "sep", &sep, error));
    for (int i = 0; i < 2; i++) {
        TRY(template_add(tokenizer, &lists[i], cls, 0, error));
        TRY(template_add(tokenizer, &lists[i], TEMPLATE_TEXT, 0, error));
        TRY(template_add(tokenizer, &lists[i], sep, 0, error));
    }
    if (is_roberta) TRY(template_add(tokenizer, &lists[1], sep, 0, error));
    TRY(template_add(tokenizer, &lists[1], TEMPLATE_SECOND, !is_roberta, error));
    return template_add(tokenizer, &lists[1], sep, !is_roberta, error);
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
    struct template lists[2] = {0}; /* of a text, of two */
    bool is_roberta = !strcmp(type, "RobertaProcessing");
    hob_status status;
    if (!strcmp(type, "TemplateProcessing"))
        status = load_templates(tokenizer, json, lists, error);
    else if (!strcmp(type, "BertProcessing") || is_roberta)
        status = load_ends(tokenizer, json, is_roberta, lists, error);
    else
        status = error_set(error, HOB_UNSUPPORTED, ERROR_HERE, "%.40s: no such post-processor", type);
    if (status == HOB_OK) status = fold(tokenizer, &lists[0], error);
    if (status == HOB_OK && lists[1].ids.n_ids) {
        struct template old = tokenizer->pair;
        tokenizer->pair = lists[1];
        lists[1] = old;
    }
    for (int i = 0; i < 2; i++) template_release(&lists[i]);
    return status;
}

hob_status template_load(struct tokenizer *tokenizer, const json_t *json, hob_error *error)
{
    if (!json) return HOB_OK;
    hob_status status = load_processor(tokenizer, json, 0, error);
    return status == HOB_OK ? status : error_prefix(error, status, "post_processor");
}

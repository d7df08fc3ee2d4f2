/* Life and look-ups of a tokenizer, and the tables of its parts. */
#include "text/tokenizer.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"
#include "text/json_read.h"
#include "text/parts.h"

#include <string.h>

/* Texts of tokens after which generation stops, whatever the metadata says: end of text, turn or message in the chat formats
 * of Llama 3, ChatML, Phi, Gemma, DeepSeek, Granite, Mistral. */
static const char *const end_texts[] = {"<|eot_id|>",    "<|im_end|>",        "<|end|>",  "<end_of_turn>",
                                        "<|endoftext|>", "<|end_of_text|>",   "<|eom_id|>", "</s>",
                                        "<EOT>",         "<|return|>",        "<eos>",
                                        ("<\xEF\xBD\x9C" "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>")};
enum { MOST_ENDS = ARRAY_LENGTH(end_texts) + 2 }; /* and those that have the roles */

static const struct normalizer_def *const normalizer_defs[] = {
#define NORMALIZER(name) &normalizer_##name,
#include "text/normalizers.def"
#undef NORMALIZER
};
static const struct pretokenizer_def *const pretokenizer_defs[] = {
#define PRETOKENIZER(name) &pretokenizer_##name,
#include "text/pretokenizers.def"
#undef PRETOKENIZER
};
static const struct stage_def *const stage_defs[] = {
#define DECODER(name) &stage_##name,
#include "text/decoders.def"
#undef DECODER
};

void tokenizer_free(struct tokenizer *tokenizer)
{
    if (!tokenizer) return;
    if (tokenizer->def && tokenizer->def->release) tokenizer->def->release(tokenizer);
    for (size_t i = 0; i < tokenizer->n_regexes; i++) regex_free(tokenizer->regexes[i]);
    added_tokens_release(&tokenizer->added);
    added_tokens_release(&tokenizer->added_normalized);
    vocabulary_release(&tokenizer->vocabulary);
    template_release(&tokenizer->single);
    template_release(&tokenizer->pair);
    arena_release(&tokenizer->arena);
    if (tokenizer->release_owned) tokenizer->release_owned(tokenizer->owned);
    memory_free(tokenizer);
}

void tokenizer_own(struct tokenizer *tokenizer, void *owned, void (*release)(void *owned))
{
    tokenizer->owned = owned;
    tokenizer->release_owned = release;
}

size_t tokenizer_n_tokens(const struct tokenizer *tokenizer)
{
    return tokenizer->vocabulary.n_tokens;
}

const char *tokenizer_token(const struct tokenizer *tokenizer, int32_t id, size_t *ret_n_bytes)
{
    if (!vocabulary_has(&tokenizer->vocabulary, id)) return NULL;
    size_t n_bytes;
    const char *text = vocabulary_text(&tokenizer->vocabulary, (size_t)id, &n_bytes);
    if (ret_n_bytes) *ret_n_bytes = n_bytes;
    return text;
}

enum token_type tokenizer_type(const struct tokenizer *tokenizer, int32_t id)
{
    return vocabulary_has(&tokenizer->vocabulary, id) ? tokenizer->vocabulary.types[id] : TOKEN_ABSENT;
}

int32_t tokenizer_id(const struct tokenizer *tokenizer, const char *token, size_t n_bytes)
{
    return vocabulary_find(&tokenizer->vocabulary, token, n_bytes);
}

int32_t tokenizer_role(const struct tokenizer *tokenizer, hob_token_role role)
{
    return (unsigned)role < HOB_N_TOKEN_ROLES ? tokenizer->roles[role] : HOB_NO_TOKEN;
}

void tokenizer_set_role(struct tokenizer *tokenizer, hob_token_role role, int32_t id)
{
    if (vocabulary_has(&tokenizer->vocabulary, id)) tokenizer->roles[role] = id;
}

static void add_end(int32_t id, size_t most, int32_t *ids, size_t *n_ids)
{
    if (id < 0 || *n_ids == most) return;
    for (size_t i = 0; i < *n_ids; i++)
        if (ids[i] == id) return;
    ids[(*n_ids)++] = id;
}

size_t tokenizer_end_ids(const struct tokenizer *tokenizer, size_t most, int32_t *ret_ids)
{
    size_t n_ids = 0;
    add_end(tokenizer->roles[HOB_TOKEN_EOS], most, ret_ids, &n_ids);
    add_end(tokenizer->roles[HOB_TOKEN_EOT], most, ret_ids, &n_ids);
    for (size_t i = 0; i < ARRAY_LENGTH(end_texts); i++) {
        int32_t id = tokenizer_id(tokenizer, end_texts[i], strlen(end_texts[i]));
        if (id >= 0 && tokenizer_type(tokenizer, id) != TOKEN_NORMAL) add_end(id, most, ret_ids, &n_ids);
    }
    return n_ids;
}

bool tokenizer_is_end(const struct tokenizer *tokenizer, int32_t id)
{
    int32_t ids[MOST_ENDS];
    size_t n_ids = tokenizer_end_ids(tokenizer, MOST_ENDS, ids);
    for (size_t i = 0; i < n_ids; i++)
        if (ids[i] == id) return true;
    return false;
}

hob_status tokenizer_keep_regex(struct tokenizer *tokenizer, struct regex *regex, hob_error *error)
{
    if (tokenizer->n_regexes == ARRAY_LENGTH(tokenizer->regexes)) {
        regex_free(regex);
        FAIL(error, HOB_LIMIT, "tokenizer: more than %zu patterns", ARRAY_LENGTH(tokenizer->regexes));
    }
    tokenizer->regexes[tokenizer->n_regexes++] = regex;
    return HOB_OK;
}

hob_status part_list_append(struct part_list *list, const void *def, const void *config, hob_error *error)
{
    if (list->n_parts == MAX_PARTS) FAIL(error, HOB_LIMIT, "tokenizer: more than %d parts of one sort", MAX_PARTS);
    list->parts[list->n_parts++] = (struct part){def, config};
    return HOB_OK;
}

static bool has_name(const char *const *names, size_t n_names, const char *name)
{
    for (size_t i = 0; i < n_names && names[i]; i++)
        if (!strcmp(names[i], name)) return true;
    return false;
}

/* Handles one part that is not a sequence. */
typedef hob_status load_one(struct tokenizer *tokenizer, const char *type, const json_t *json, hob_error *error);

/* A part, or a "Sequence" of parts, or of sequences: depth first. */
static hob_status load_parts(struct tokenizer *tokenizer, const json_t *json, const char *members, int depth,
                             load_one *load, hob_error *error)
{
    const char *type;
    size_t n_bytes;
    if (!json || json_is_null(json)) return HOB_OK;
    if (!json_is_object(json)) FAIL(error, HOB_BAD_FILE, "found %s, expected an object", json_read_kind(json));
    TRY(json_read_string(json, "type", NULL, &type, &n_bytes, error));
    if (strcmp(type, "Sequence") != 0) {
        hob_status status = load(tokenizer, type, json, error);
        return status == HOB_OK ? status : error_prefix(error, status, "%.40s", type);
    }
    if (depth == MAX_PARTS) FAIL(error, HOB_LIMIT, "sequences nested deeper than %d", MAX_PARTS);
    const json_t *array;
    TRY(json_read_array(json, members, &array, error));
    for (size_t i = 0; i < json_array_size(array); i++)
        TRY(load_parts(tokenizer, json_array_get(array, i), members, depth + 1, load, error));
    return HOB_OK;
}

static hob_status load_normalizer(struct tokenizer *tokenizer, const char *type, const json_t *json, hob_error *error)
{
    for (size_t i = 0; i < ARRAY_LENGTH(normalizer_defs); i++) {
        const struct normalizer_def *def = normalizer_defs[i];
        if (!has_name(def->names, ARRAY_LENGTH(def->names), type)) continue;
        const void *config = NULL;
        if (def->load) TRY(def->load(tokenizer, json, &config, error));
        return part_list_append(&tokenizer->normalizers, def, config, error);
    }
    FAIL(error, HOB_UNSUPPORTED, "no such normalizer");
}

static hob_status load_pretokenizer(struct tokenizer *tokenizer, const char *type, const json_t *json,
                                    hob_error *error)
{
    for (size_t i = 0; i < ARRAY_LENGTH(pretokenizer_defs); i++) {
        const struct pretokenizer_def *def = pretokenizer_defs[i];
        if (!has_name(def->names, ARRAY_LENGTH(def->names), type)) continue;
        const void *config = NULL;
        if (def->load) TRY(def->load(tokenizer, json, &config, error));
        return part_list_append(&tokenizer->pretokenizers, def, config, error);
    }
    FAIL(error, HOB_UNSUPPORTED, "no such pre-tokenizer");
}

static hob_status load_stage(struct tokenizer *tokenizer, const char *type, const json_t *json, hob_error *error)
{
    for (size_t i = 0; i < ARRAY_LENGTH(stage_defs); i++) {
        const struct stage_def *def = stage_defs[i];
        if (!has_name(def->names, ARRAY_LENGTH(def->names), type)) continue;
        const void *config = NULL;
        if (def->load) TRY(def->load(tokenizer, json, &config, error));
        return part_list_append(&tokenizer->stages, def, config, error);
    }
    FAIL(error, HOB_UNSUPPORTED, "no such decoder");
}

hob_status normalizers_load(struct tokenizer *tokenizer, const json_t *json, hob_error *error)
{
    hob_status status = load_parts(tokenizer, json, "normalizers", 0, load_normalizer, error);
    return status == HOB_OK ? status : error_prefix(error, status, "normalizer");
}

hob_status pretokenizers_load(struct tokenizer *tokenizer, const json_t *json, hob_error *error)
{
    hob_status status = load_parts(tokenizer, json, "pretokenizers", 0, load_pretokenizer, error);
    return status == HOB_OK ? status : error_prefix(error, status, "pre_tokenizer");
}

hob_status stages_load(struct tokenizer *tokenizer, const json_t *json, hob_error *error)
{
    if (!json) return part_list_append(&tokenizer->stages, &stage_join, NULL, error);
    hob_status status = load_parts(tokenizer, json, "decoders", 0, load_stage, error);
    return status == HOB_OK ? status : error_prefix(error, status, "decoder");
}

/* From the keys tokenizer.ggml.* to the plain struct that text/ builds a tokenizer from. */
#include "base/error.h"
#include "base/memory.h"
#include "engine/tokenizer_open.h"
#include "formats/tensor_file.h"

#include <string.h>

#define KEY(name) "tokenizer.ggml." name

static const char *const role_keys[HOB_N_TOKEN_ROLES] = {
    [HOB_TOKEN_BOS] = KEY("bos_token_id"),     [HOB_TOKEN_EOS] = KEY("eos_token_id"),
    [HOB_TOKEN_EOT] = KEY("eot_token_id"),     [HOB_TOKEN_UNKNOWN] = KEY("unknown_token_id"),
    [HOB_TOKEN_PAD] = KEY("padding_token_id"), [HOB_TOKEN_SEP] = KEY("seperator_token_id"), /* GGUF's spelling */
    [HOB_TOKEN_CLS] = KEY("cls_token_id"),     [HOB_TOKEN_MASK] = KEY("mask_token_id"),
    [HOB_TOKEN_FIM_PREFIX] = KEY("fim_pre_token_id"), [HOB_TOKEN_FIM_SUFFIX] = KEY("fim_suf_token_id"),
    [HOB_TOKEN_FIM_MIDDLE] = KEY("fim_mid_token_id"), [HOB_TOKEN_FIM_PAD] = KEY("fim_pad_token_id"),
    [HOB_TOKEN_FIM_REPO] = KEY("fim_rep_token_id"),   [HOB_TOKEN_FIM_FILE] = KEY("fim_sep_token_id"),
};

/* What older conversions call them. */
static const char *const older_keys[HOB_N_TOKEN_ROLES] = {
    [HOB_TOKEN_FIM_PREFIX] = KEY("prefix_token_id"),
    [HOB_TOKEN_FIM_SUFFIX] = KEY("suffix_token_id"),
    [HOB_TOKEN_FIM_MIDDLE] = KEY("middle_token_id"),
};

/* Absent: NULL and n_items 0. */
static hob_status get_array(const struct tensor_file *file, const char *key, enum metadata_kind kind,
                            const struct metadata **ret_array, hob_error *error)
{
    const struct metadata *array = tensor_file_get(file, key);
    bool is_right = !array || (array->kind == METADATA_ARRAY &&
                               (array->n_items == 0 || array->element_kind == kind ||
                                (kind == METADATA_INT && array->element_kind == METADATA_UINT)));
    if (!is_right) FAIL(error, HOB_BAD_FILE, "%s: %s: found another kind of value than expected", file->path, key);
    *ret_array = array;
    return HOB_OK;
}

struct text_list {
    const char **texts;
    size_t *n_bytes;
    size_t n_texts;
};

static void text_list_release(struct text_list *list)
{
    memory_free(list->texts);
    memory_free(list->n_bytes);
}

static hob_status get_texts(const struct tensor_file *file, const char *key, struct text_list *list, hob_error *error)
{
    const struct metadata *array;
    TRY(get_array(file, key, METADATA_STRING, &array, error));
    list->n_texts = array ? array->n_items : 0;
    list->texts = memory_new(list->n_texts, sizeof *list->texts);
    list->n_bytes = memory_new(list->n_texts, sizeof *list->n_bytes);
    if (!list->texts || !list->n_bytes) FAIL(error, HOB_NO_MEMORY, "%s: %s: no memory", file->path, key);
    for (size_t i = 0; i < list->n_texts; i++) {
        list->texts[i] = array->strings[i].bytes;
        list->n_bytes[i] = array->strings[i].n_bytes;
    }
    return HOB_OK;
}

static hob_status check_length(const struct tensor_file *file, const struct metadata *array, size_t n_tokens,
                               hob_error *error)
{
    if (array && array->n_items != n_tokens)
        FAIL(error, HOB_BAD_FILE, "%s: %s: found %zu items, expected one for each of %zu tokens", file->path,
             array->key, array->n_items, n_tokens);
    return HOB_OK;
}

static hob_status get_scores(const struct tensor_file *file, size_t n_tokens, float **ret_scores, hob_error *error)
{
    const struct metadata *array;
    TRY(get_array(file, KEY("scores"), METADATA_FLOAT, &array, error));
    TRY(check_length(file, array, n_tokens, error));
    if (!array || n_tokens == 0) return HOB_OK;
    *ret_scores = memory_new(n_tokens, sizeof **ret_scores);
    if (!*ret_scores) FAIL(error, HOB_NO_MEMORY, "%s: no memory for scores", file->path);
    for (size_t i = 0; i < n_tokens; i++) (*ret_scores)[i] = (float)array->numbers[i];
    return HOB_OK;
}

static hob_status get_types(const struct tensor_file *file, size_t n_tokens, int32_t **ret_types, hob_error *error)
{
    const struct metadata *array;
    TRY(get_array(file, KEY("token_type"), METADATA_INT, &array, error));
    TRY(check_length(file, array, n_tokens, error));
    if (!array || n_tokens == 0) return HOB_OK;
    *ret_types = memory_new(n_tokens, sizeof **ret_types);
    if (!*ret_types) FAIL(error, HOB_NO_MEMORY, "%s: no memory for token types", file->path);
    for (size_t i = 0; i < n_tokens; i++) {
        int64_t type = array->integers[i];
        (*ret_types)[i] = type > 0 && type <= TOKEN_BYTE ? (int32_t)type : TOKEN_UNUSED;
    }
    return HOB_OK;
}

static hob_status get_charsmap(const struct tensor_file *file, struct tokenizer_vocabulary *vocabulary,
                               unsigned char **ret_bytes, hob_error *error)
{
    const struct metadata *array;
    TRY(get_array(file, KEY("precompiled_charsmap"), METADATA_INT, &array, error));
    if (!array || array->n_items == 0) return HOB_OK;
    *ret_bytes = memory_new(array->n_items, 1);
    if (!*ret_bytes) FAIL(error, HOB_NO_MEMORY, "%s: no memory for the charsmap", file->path);
    for (size_t i = 0; i < array->n_items; i++) (*ret_bytes)[i] = (unsigned char)array->integers[i];
    vocabulary->charsmap = *ret_bytes;
    vocabulary->charsmap_bytes = array->n_items;
    return HOB_OK;
}

static int get_flag(const struct tensor_file *file, const char *key)
{
    bool flag;
    return tensor_file_get_bool(file, key, &flag) ? flag : -1;
}

/* Phi-3's conversions do not say it, so its name has to. */
static bool is_right_stripping(const struct tensor_file *file)
{
    const char *name = tensor_file_get_string(file, "general.name");
    return name && (strcasestr(name, "phi-3") || strcasestr(name, "phi3"));
}

static void get_settings(const struct tensor_file *file, struct tokenizer_vocabulary *vocabulary)
{
    vocabulary->kind = tensor_file_get_string(file, KEY("model"));
    vocabulary->pre_split = tensor_file_get_string(file, KEY("pre"));
    vocabulary->add_bos = get_flag(file, KEY("add_bos_token"));
    vocabulary->add_eos = get_flag(file, KEY("add_eos_token"));
    vocabulary->add_sep = get_flag(file, KEY("add_sep_token"));
    vocabulary->add_space_prefix = get_flag(file, KEY("add_space_prefix"));
    vocabulary->remove_extra_whitespaces = get_flag(file, KEY("remove_extra_whitespaces"));
    vocabulary->is_right_stripping = is_right_stripping(file);
    for (size_t i = 0; i < HOB_N_TOKEN_ROLES; i++) {
        int64_t id;
        bool is_told = tensor_file_get_int(file, role_keys[i], &id) || (older_keys[i] && tensor_file_get_int(file, older_keys[i], &id));
        if (is_told && id >= 0 && (uint64_t)id < vocabulary->n_tokens) vocabulary->roles[i] = (int32_t)id;
    }
}

hob_status tokenizer_from_gguf(const struct tensor_file *file, struct tokenizer **ret_tokenizer, hob_error *error)
{
    struct tokenizer_vocabulary vocabulary;
    struct text_list tokens = {0}, merges = {0};
    float *scores = NULL;
    int32_t *types = NULL;
    unsigned char *charsmap = NULL;
    hob_status status = HOB_OK;
    tokenizer_vocabulary_init(&vocabulary);
    TRY_CLEANUP(get_texts(file, KEY("tokens"), &tokens, error));
    TRY_CLEANUP(get_texts(file, KEY("merges"), &merges, error));
    TRY_CLEANUP(get_scores(file, tokens.n_texts, &scores, error));
    TRY_CLEANUP(get_types(file, tokens.n_texts, &types, error));
    TRY_CLEANUP(get_charsmap(file, &vocabulary, &charsmap, error));
    vocabulary.n_tokens = tokens.n_texts;
    vocabulary.texts = tokens.texts;
    vocabulary.text_bytes = tokens.n_bytes;
    vocabulary.n_merges = merges.n_texts;
    vocabulary.merges = merges.texts;
    vocabulary.merge_bytes = merges.n_bytes;
    vocabulary.scores = scores;
    vocabulary.types = types;
    get_settings(file, &vocabulary);
    status = tokenizer_new(&vocabulary, file->path, ret_tokenizer, error);
cleanup:
    text_list_release(&tokens);
    text_list_release(&merges);
    memory_free(scores);
    memory_free(types);
    memory_free(charsmap);
    return status;
}

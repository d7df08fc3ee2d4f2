/* From tokenizer.json, the format of Hugging Face's tokenizers. Truncation and padding are the caller's business and are not
 * read. Ids are the file's own; the reference implementation renumbers added tokens whose ids leave gaps. */
#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"
#include "text/json_read.h"
#include "text/parts.h"

#include <string.h>

static const struct tokenizer_def *const tokenizer_defs[] = {
#define TOKENIZER(name) &tokenizer_##name,
#include "text/tokenizers.def"
#undef TOKENIZER
};

/* Spellings of tokens with a role; the first that the vocabulary has counts. */
static const struct {
    hob_token_role role;
    const char *text;
} role_texts[] = {
    {HOB_TOKEN_BOS, "<s>"},
    {HOB_TOKEN_BOS, "<|begin_of_text|>"},
    {HOB_TOKEN_BOS, "<bos>"},
    {HOB_TOKEN_BOS, "<\xEF\xBD\x9C" "begin\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>"},
    {HOB_TOKEN_EOS, "</s>"},
    {HOB_TOKEN_EOS, "<|end_of_text|>"},
    {HOB_TOKEN_EOS, "<|endoftext|>"},
    {HOB_TOKEN_EOS, "<eos>"},
    {HOB_TOKEN_EOS, "<\xEF\xBD\x9C" "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>"},
    {HOB_TOKEN_EOT, "<|eot_id|>"},
    {HOB_TOKEN_EOT, "<|im_end|>"},
    {HOB_TOKEN_EOT, "<end_of_turn>"},
    {HOB_TOKEN_EOT, "<|end|>"},
    {HOB_TOKEN_PAD, "[PAD]"},
    {HOB_TOKEN_PAD, "<pad>"},
    {HOB_TOKEN_SEP, "[SEP]"},
    {HOB_TOKEN_CLS, "[CLS]"},
    {HOB_TOKEN_MASK, "[MASK]"},
    {HOB_TOKEN_MASK, "<mask>"},
};

hob_status vocabulary_load_object(struct tokenizer *tokenizer, const json_t *model, hob_error *error)
{
    const json_t *vocab;
    TRY(json_read_object(model, "vocab", &vocab, error));
    TRY(vocabulary_reserve(&tokenizer->vocabulary, json_object_size(vocab), error));
    void *at = json_object_iter((json_t *)(uintptr_t)vocab);
    for (; at; at = json_object_iter_next((json_t *)(uintptr_t)vocab, at)) {
        const json_t *id = json_object_iter_value(at);
        const char *text = json_object_iter_key(at);
        if (!json_is_integer(id))
            FAIL(error, HOB_BAD_FILE, "\"vocab\": \"%.40s\": found %s, expected an id", text, json_read_kind(id));
        TRY(vocabulary_add(&tokenizer->vocabulary, json_integer_value(id), text, json_object_iter_key_len(at),
                           TOKEN_NORMAL, error));
    }
    return HOB_OK;
}

/* Files from before "type" was written tell by what else they have. */
static const char *guess_type(const json_t *model)
{
    if (json_object_get(model, "merges")) return "BPE";
    if (json_is_array(json_object_get(model, "vocab"))) return "Unigram";
    return json_object_get(model, "max_input_chars_per_word") ? "WordPiece" : "WordLevel";
}

static hob_status load_model(struct tokenizer *tokenizer, const json_t *root, hob_error *error)
{
    const json_t *model;
    const char *type;
    size_t n_bytes;
    TRY(json_read_object(root, "model", &model, error));
    TRY(json_read_string(model, "type", guess_type(model), &type, &n_bytes, error));
    for (size_t i = 0; i < ARRAY_LENGTH(tokenizer_defs); i++) {
        if (!tokenizer_defs[i]->json_name || strcmp(tokenizer_defs[i]->json_name, type) != 0) continue;
        tokenizer->def = tokenizer_defs[i];
        hob_status status = tokenizer->def->load_json(tokenizer, model, error);
        return status == HOB_OK ? status : error_prefix(error, status, "model");
    }
    FAIL(error, HOB_UNSUPPORTED, "model: found type \"%.40s\", expected BPE, WordPiece, Unigram or WordLevel", type);
}

/* Enters it into the vocabulary; is_normalized: it is to be matched after normalizing. */
static hob_status read_added(struct tokenizer *tokenizer, const json_t *json, struct added_token *ret_token,
                             bool *ret_is_normalized, hob_error *error)
{
    struct added_token token = {0};
    const char *text;
    int64_t id;
    if (!json_is_object(json)) FAIL(error, HOB_BAD_FILE, "found %s, expected an object", json_read_kind(json));
    TRY(json_read_string(json, "content", NULL, &text, &token.n_bytes, error));
    TRY(json_read_int(json, "id", HOB_NO_TOKEN, &id, error));
    TRY(json_read_bool(json, "single_word", false, &token.is_single_word, error));
    TRY(json_read_bool(json, "lstrip", false, &token.strips_left, error));
    TRY(json_read_bool(json, "rstrip", false, &token.strips_right, error));
    TRY(json_read_bool(json, "special", false, &token.is_special, error));
    TRY(json_read_bool(json, "normalized", !token.is_special, ret_is_normalized, error));
    TRY(vocabulary_put(&tokenizer->vocabulary, id, text, token.n_bytes,
                       token.is_special ? TOKEN_CONTROL : TOKEN_USER_DEFINED, error));
    token.id = (int32_t)id;
    token.text = vocabulary_text(&tokenizer->vocabulary, (size_t)id, &token.n_bytes);
    *ret_token = token;
    return HOB_OK;
}

/* The spelling that normalized text would have. */
static hob_status normalize_added(struct tokenizer *tokenizer, struct added_token *token, hob_error *error)
{
    struct encoding encoding = {.tokenizer = tokenizer};
    struct piece piece = {token->text, token->n_bytes, true};
    hob_status status = normalizers_apply(&encoding, &piece, error);
    if (status == HOB_OK && tokenizer->normalizers.n_parts > 0) {
        token->text = arena_copy_string(&tokenizer->arena, piece.text, piece.n_bytes);
        token->n_bytes = piece.n_bytes;
        if (!token->text) status = text_no_memory(error);
    }
    for (size_t i = 0; i < 2; i++) buffer_release(&encoding.normalized[i]);
    regex_scratch_release(&encoding.regex);
    return status;
}

static hob_status load_added(struct tokenizer *tokenizer, const json_t *root, hob_error *error)
{
    const json_t *array = json_read_optional(root, "added_tokens");
    if (array && !json_is_array(array)) FAIL(error, HOB_BAD_FILE, "found %s, expected an array", json_read_kind(array));
    for (size_t i = 0; i < json_array_size(array); i++) {
        struct added_token token;
        bool is_normalized;
        TRY(read_added(tokenizer, json_array_get(array, i), &token, &is_normalized, error));
        if (is_normalized) TRY(normalize_added(tokenizer, &token, error));
        TRY(added_tokens_add(is_normalized ? &tokenizer->added_normalized : &tokenizer->added, token, error));
    }
    TRY(added_tokens_finish(&tokenizer->added, error));
    return added_tokens_finish(&tokenizer->added_normalized, error);
}

static bool has_text(const json_t *object, const char *name)
{
    const json_t *member = json_object_get(object, name);
    return json_is_string(member) && json_string_length(member) > 0;
}

/* A plain BPE right behind a ByteLevel pre-tokenizer may work on the bytes themselves. */
static bool can_work_on_bytes(const struct tokenizer *tokenizer, const json_t *root)
{
    const json_t *model = json_object_get(root, "model"), *last = json_object_get(root, "pre_tokenizer");
    if (tokenizer->def != &tokenizer_bpe || has_text(model, "continuing_subword_prefix") ||
        has_text(model, "end_of_word_suffix"))
        return false;
    for (int depth = 0; depth < MAX_PARTS; depth++) {
        const json_t *parts = json_object_get(last, "pretokenizers");
        if (!json_is_array(parts)) break;
        last = json_array_get(parts, json_array_size(parts) - 1);
    }
    const char *type = json_string_value(json_object_get(last, "type"));
    return type && !strcmp(type, "ByteLevel");
}

static bool is_replacement(const json_t *json, const char *from, const char *to)
{
    const char *type = json_string_value(json_object_get(json, "type"));
    const char *pattern = json_string_value(json_object_get(json_object_get(json, "pattern"), "String"));
    const char *content = json_string_value(json_object_get(json, "content"));
    return type && !strcmp(type, "Replace") && pattern && !strcmp(pattern, from) && content && !strcmp(content, to);
}

/* What Hugging Face's converter of Llama's SentencePiece models writes, and nobody else: spaces become U+2581, one more stands
 * in front, no pre-tokenizer, unknown characters fall back to bytes. */
static bool is_sentencepiece_conversion(const json_t *root)
{
    static const char BLOCK[] = "\xE2\x96\x81";
    const json_t *model = json_object_get(root, "model");
    const json_t *parts = json_object_get(json_object_get(root, "normalizer"), "normalizers");
    const char *prepended = json_string_value(json_object_get(json_array_get(parts, 0), "prepend"));
    return json_is_true(json_object_get(model, "byte_fallback")) && !json_is_object(json_object_get(root, "pre_tokenizer")) &&
           json_array_size(parts) == 2 && prepended && !strcmp(prepended, BLOCK) && is_replacement(json_array_get(parts, 1), " ", BLOCK);
}

static void guess_roles(struct tokenizer *tokenizer)
{
    for (size_t i = 0; i < ARRAY_LENGTH(role_texts); i++) {
        int32_t id = tokenizer_id(tokenizer, role_texts[i].text, strlen(role_texts[i].text));
        bool is_special = tokenizer_type(tokenizer, id) == TOKEN_CONTROL;
        if (is_special && tokenizer->roles[role_texts[i].role] < 0) tokenizer->roles[role_texts[i].role] = id;
    }
}

static hob_status load_root(struct tokenizer *tokenizer, const json_t *root, hob_error *error)
{
    if (!json_is_object(root)) FAIL(error, HOB_BAD_FILE, "found %s, expected an object", json_read_kind(root));
    tokenizer->is_from_sentencepiece = is_sentencepiece_conversion(root);
    TRY(load_model(tokenizer, root, error));
    tokenizer->is_byte_mapped = can_work_on_bytes(tokenizer, root);
    TRY(normalizers_load(tokenizer, json_read_optional(root, "normalizer"), error));
    TRY(pretokenizers_load(tokenizer, json_read_optional(root, "pre_tokenizer"), error));
    TRY(stages_load(tokenizer, json_read_optional(root, "decoder"), error));
    hob_status status = load_added(tokenizer, root, error);
    if (status != HOB_OK) return error_prefix(error, status, "added_tokens");
    guess_roles(tokenizer);
    return template_load(tokenizer, json_read_optional(root, "post_processor"), error);
}

hob_status tokenizer_load_json(const void *bytes, size_t n_bytes, const char *name, struct tokenizer **ret_tokenizer,
                               hob_error *error)
{
    struct tokenizer *tokenizer = memory_new(1, sizeof *tokenizer);
    json_error_t problem;
    json_t *root = NULL;
    hob_status status = HOB_OK;
    if (!tokenizer) return text_no_memory(error);
    arena_init(&tokenizer->arena, 16 * 1024);
    for (size_t i = 0; i < HOB_N_TOKEN_ROLES; i++) tokenizer->roles[i] = HOB_NO_TOKEN;
    root = json_loadb(bytes, n_bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &problem);
    if (!root) FAIL_CLEANUP(error, HOB_BAD_FILE, "line %d: %s", problem.line, problem.text);
    TRY_CLEANUP(load_root(tokenizer, root, error));
    *ret_tokenizer = tokenizer;
cleanup:
    json_decref(root);
    if (status != HOB_OK) {
        tokenizer_free(tokenizer);
        return error_prefix(error, status, "%s", name);
    }
    return HOB_OK;
}

/* From the vocabulary in GGUF metadata. What llama.cpp does when the metadata is silent is done here, too; each family's own
 * parts are put together in its file under tokenizers/. */
#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"
#include "text/parts.h"
#include "text/strip.h"

#include <string.h>

static const struct tokenizer_def *const tokenizer_defs[] = {
#define TOKENIZER(name) &tokenizer_##name,
#include "text/tokenizers.def"
#undef TOKENIZER
};

/* What the roles are when the metadata does not say. */
static const struct {
    const char *kind;
    hob_token_role role;
    int32_t id;
} default_roles[] = {
    {"llama", HOB_TOKEN_BOS, 1},   {"llama", HOB_TOKEN_EOS, 2},     {"llama", HOB_TOKEN_UNKNOWN, 0},
    {"bert", HOB_TOKEN_CLS, 101},  {"bert", HOB_TOKEN_SEP, 102},    {"bert", HOB_TOKEN_UNKNOWN, 100},
    {"bert", HOB_TOKEN_PAD, 0},    {"bert", HOB_TOKEN_MASK, 103},   {"t5", HOB_TOKEN_EOS, 1},
    {"t5", HOB_TOKEN_UNKNOWN, 2},  {"t5", HOB_TOKEN_PAD, 0},        {"gpt2", HOB_TOKEN_BOS, 11},
    {"gpt2", HOB_TOKEN_EOS, 11},
};

void tokenizer_vocabulary_init(struct tokenizer_vocabulary *vocabulary)
{
    *vocabulary = (struct tokenizer_vocabulary){
        .add_bos = -1, .add_eos = -1, .add_sep = -1, .add_space_prefix = -1, .remove_extra_whitespaces = -1};
    for (size_t i = 0; i < HOB_N_TOKEN_ROLES; i++) vocabulary->roles[i] = HOB_NO_TOKEN;
}

static hob_status find_def(const char *kind, const struct tokenizer_def **ret_def, hob_error *error)
{
    for (size_t i = 0; i < ARRAY_LENGTH(tokenizer_defs); i++) {
        if (!tokenizer_defs[i]->gguf_name || strcmp(tokenizer_defs[i]->gguf_name, kind) != 0) continue;
        *ret_def = tokenizer_defs[i];
        return HOB_OK;
    }
    FAIL(error, HOB_UNSUPPORTED, "tokenizer.ggml.model: found \"%.40s\", expected gpt2, llama, bert or t5", kind);
}

static enum token_type type_of(const struct tokenizer_vocabulary *vocabulary, size_t id)
{
    int32_t type = vocabulary->types ? vocabulary->types[id] : TOKEN_NORMAL;
    return type >= TOKEN_NORMAL && type <= TOKEN_BYTE ? (enum token_type)type : TOKEN_UNUSED;
}

static hob_status load_tokens(struct tokenizer *tokenizer, const struct tokenizer_vocabulary *vocabulary,
                              hob_error *error)
{
    if (vocabulary->n_tokens == 0) FAIL(error, HOB_BAD_FILE, "tokenizer.ggml.tokens: found none");
    TRY(vocabulary_reserve(&tokenizer->vocabulary, vocabulary->n_tokens, error));
    for (size_t i = 0; i < vocabulary->n_tokens; i++) {
        const char *text = vocabulary->texts[i];
        size_t n_bytes = vocabulary->text_bytes[i];
        char name[32];
        if (n_bytes == 0) { /* some converters leave holes so */
            n_bytes = (size_t)snprintf(name, sizeof name, "[EMPTY_%zu]", i);
            text = name;
        }
        TRY(vocabulary_add(&tokenizer->vocabulary, (int64_t)i, text, n_bytes, type_of(vocabulary, i), error));
    }
    return HOB_OK;
}

static void load_roles(struct tokenizer *tokenizer, const struct tokenizer_vocabulary *vocabulary)
{
    for (size_t i = 0; i < ARRAY_LENGTH(default_roles); i++)
        if (!strcmp(default_roles[i].kind, vocabulary->kind))
            tokenizer_set_role(tokenizer, default_roles[i].role, default_roles[i].id);
    for (size_t i = 0; i < HOB_N_TOKEN_ROLES; i++)
        tokenizer_set_role(tokenizer, (hob_token_role)i, vocabulary->roles[i]);
}

/* An end token that the converter took for plain text is special all the same. */
static void mark_end_tokens(struct tokenizer *tokenizer)
{
    static const char *const texts[] = {"<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>",
                                        "<|end_of_text|>", "<EOT>", "</s>", "<|eom_id|>"};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        int32_t id = tokenizer_id(tokenizer, texts[i], strlen(texts[i]));
        if (id >= 0) tokenizer->vocabulary.types[id] = TOKEN_CONTROL;
    }
}

static hob_status add_special(struct tokenizer *tokenizer, const struct tokenizer_vocabulary *vocabulary,
                              hob_error *error)
{
    static const char *const not_stripping[] = {"<unk>", "<s>", "<|endoftext|>"};
    for (size_t i = 0; i < tokenizer->vocabulary.n_tokens; i++) {
        enum token_type type = tokenizer->vocabulary.types[i];
        if (type != TOKEN_CONTROL && type != TOKEN_UNKNOWN && type != TOKEN_USER_DEFINED) continue;
        struct added_token token = {.id = (int32_t)i,
                                    .strips_right = vocabulary->is_right_stripping,
                                    .is_special = type != TOKEN_USER_DEFINED};
        token.text = vocabulary_text(&tokenizer->vocabulary, i, &token.n_bytes);
        for (size_t j = 0; j < ARRAY_LENGTH(not_stripping); j++)
            if (!strcmp(not_stripping[j], token.text)) token.strips_right = false;
        TRY(added_tokens_add(&tokenizer->added, token, error));
    }
    return added_tokens_finish(&tokenizer->added, error);
}

static int32_t begin_id(const struct tokenizer *tokenizer)
{
    int32_t id = tokenizer->roles[HOB_TOKEN_BOS];
    return id >= 0 ? id : tokenizer->roles[HOB_TOKEN_CLS];
}

/* The end of the first text of a pair, then what separates, as llama.cpp's rerank does; BERT's vocabulary has the separator alone, and
 * behind the second text too, as the model was trained. */
struct ends {
    int32_t begin, end, separator; /* HOB_NO_TOKEN: none */
    bool is_separator_unsaid;
};

static hob_status add_if_any(struct tokenizer *tokenizer, struct template *template, int32_t id, int type, hob_error *error)
{
    return id < 0 ? HOB_OK : template_add(tokenizer, template, id, type, error);
}

/* One end is enough: roberta-bpe names the same token as separator and end of text. */
static hob_status set_single(struct tokenizer *tokenizer, const struct ends *ends, hob_error *error)
{
    struct template *single = &tokenizer->single;
    TRY(add_if_any(tokenizer, single, ends->begin, 0, error));
    TRY(template_add(tokenizer, single, TEMPLATE_TEXT, 0, error));
    TRY(add_if_any(tokenizer, single, ends->end, 0, error));
    return ends->separator == ends->end ? HOB_OK : add_if_any(tokenizer, single, ends->separator, 0, error);
}

/* Files older than the flag of separators have one between texts all the same. */
static hob_status set_pair(struct tokenizer *tokenizer, const struct ends *ends, bool has_types, hob_error *error)
{
    struct template *pair = &tokenizer->pair;
    int32_t between = ends->separator;
    if (between < 0 && ends->end >= 0 && ends->is_separator_unsaid) between = tokenizer->roles[HOB_TOKEN_SEP];
    TRY(add_if_any(tokenizer, pair, ends->begin, 0, error));
    TRY(template_add(tokenizer, pair, TEMPLATE_TEXT, 0, error));
    TRY(add_if_any(tokenizer, pair, ends->end, 0, error));
    TRY(add_if_any(tokenizer, pair, between, 0, error));
    TRY(template_add(tokenizer, pair, TEMPLATE_SECOND, has_types, error));
    return add_if_any(tokenizer, pair, ends->end >= 0 ? ends->end : ends->separator, has_types, error);
}

hob_status gguf_set_template(struct tokenizer *tokenizer, const struct tokenizer_vocabulary *vocabulary, bool adds_bos,
                             bool adds_eos, bool adds_sep, hob_error *error)
{
    if (vocabulary->add_bos >= 0) adds_bos = vocabulary->add_bos > 0;
    if (vocabulary->add_eos >= 0) adds_eos = vocabulary->add_eos > 0;
    if (vocabulary->add_sep >= 0) adds_sep = vocabulary->add_sep > 0;
    struct ends ends = {.begin = adds_bos ? begin_id(tokenizer) : HOB_NO_TOKEN,
                        .end = adds_eos ? tokenizer->roles[HOB_TOKEN_EOS] : HOB_NO_TOKEN,
                        .separator = adds_sep ? tokenizer->roles[HOB_TOKEN_SEP] : HOB_NO_TOKEN,
                        .is_separator_unsaid = vocabulary->add_sep < 0};
    bool has_types = vocabulary->kind && !strcmp(vocabulary->kind, "bert");
    TRY(set_single(tokenizer, &ends, error));
    return set_pair(tokenizer, &ends, has_types, error);
}

hob_status gguf_strip_space(struct tokenizer *tokenizer, hob_error *error)
{
    struct strip *strip = CONFIG_NEW(tokenizer, struct strip);
    if (!strip) return text_no_memory(error);
    *strip = (struct strip){.character = ' ', .n_start = 1};
    return part_list_append(&tokenizer->stages, &stage_strip, strip, error);
}

static void append_unmapped(const char *text, size_t n_bytes, struct buffer *out)
{
    size_t begin = out->n_bytes;
    for (size_t at = 0, n; at < n_bytes; at += n) {
        n = unicode_char_bytes(text + at, n_bytes - at);
        int byte = n ? unicode_to_byte(unicode_decode(text + at, &n)) : -1;
        if (byte < 0) { /* not of the alphabet: the token stands for itself */
            out->n_bytes = begin;
            buffer_append(out, text, n_bytes);
            return;
        }
        buffer_append_byte(out, (unsigned char)byte);
    }
}

static void append_unescaped(const char *text, size_t n_bytes, struct buffer *out)
{
    for (size_t at = 0; at < n_bytes;) {
        bool is_space = n_bytes - at >= 3 && !memcmp(text + at, "\xE2\x96\x81", 3);
        buffer_append(out, is_space ? " " : text + at, 1);
        at += is_space ? 3 : 1;
    }
}

hob_status gguf_token_text(const struct tokenizer *tokenizer, int32_t id, struct buffer *out, hob_error *error)
{
    size_t n_bytes;
    const char *text = vocabulary_text(&tokenizer->vocabulary, (size_t)id, &n_bytes);
    enum token_type type = tokenizer->vocabulary.types[id];
    int byte = type == TOKEN_BYTE ? vocabulary_byte_of(text, n_bytes) : -1;
    if (byte >= 0)
        buffer_append_byte(out, (unsigned char)byte);
    else if (type == TOKEN_CONTROL || type == TOKEN_UNKNOWN || type == TOKEN_USER_DEFINED)
        buffer_append(out, text, n_bytes);
    else if (tokenizer->is_byte_mapped)
        append_unmapped(text, n_bytes, out);
    else
        append_unescaped(text, n_bytes, out);
    return out->is_failed ? text_no_memory(error) : HOB_OK;
}

hob_status tokenizer_new(const struct tokenizer_vocabulary *vocabulary, const char *name,
                         struct tokenizer **ret_tokenizer, hob_error *error)
{
    struct tokenizer *tokenizer = memory_new(1, sizeof *tokenizer);
    hob_status status = HOB_OK;
    if (!tokenizer) return text_no_memory(error);
    arena_init(&tokenizer->arena, 16 * 1024);
    tokenizer->is_gguf = true;
    for (size_t i = 0; i < HOB_N_TOKEN_ROLES; i++) tokenizer->roles[i] = HOB_NO_TOKEN;
    TRY_CLEANUP(find_def(vocabulary->kind ? vocabulary->kind : "", &tokenizer->def, error));
    TRY_CLEANUP(load_tokens(tokenizer, vocabulary, error));
    load_roles(tokenizer, vocabulary);
    mark_end_tokens(tokenizer);
    TRY_CLEANUP(add_special(tokenizer, vocabulary, error));
    TRY_CLEANUP(tokenizer->def->load_vocabulary(tokenizer, vocabulary, error));
    *ret_tokenizer = tokenizer;
cleanup:
    if (status != HOB_OK) {
        tokenizer_free(tokenizer);
        return error_prefix(error, status, "%s", name);
    }
    return HOB_OK;
}

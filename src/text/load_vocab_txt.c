/* From BERT's vocab.txt: it is turned into the tokenizer.json that Hugging Face would write for it, so that there is one way
 * in. Whether to lower the case is not in the file: a vocabulary with capital letters (other than in its special tokens) was
 * made from cased text. */
#include "base/error.h"
#include "base/memory.h"
#include "text/parts.h"

#include <string.h>

static const char *const special[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};

static bool is_special(const char *token)
{
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
        if (!strcmp(special[i], token)) return true;
    return false;
}

static bool has_capital(const char *token)
{
    if (token[0] == '[') return false; /* [unused1], [PAD], … */
    for (; *token; token++)
        if (*token >= 'A' && *token <= 'Z') return true;
    return false;
}

static hob_status add_line(json_t *vocab, json_t *added, const char *text, size_t n_bytes, size_t id, bool *is_cased,
                           hob_error *error)
{
    json_t *token = json_stringn(text, n_bytes);
    if (!token || memchr(text, '\0', n_bytes))
        return json_decref(token), error_set(error, HOB_BAD_FILE, ERROR_HERE, "line %zu: not valid UTF-8", id + 1);
    const char *name = json_string_value(token);
    hob_status status = HOB_OK;
    if (json_object_get(vocab, name))
        FAIL_CLEANUP(error, HOB_BAD_FILE, "line %zu: token \"%.40s\" found twice", id + 1, name);
    *is_cased = *is_cased || has_capital(name);
    int failed = json_object_set_new(vocab, name, json_integer((json_int_t)id));
    if (is_special(name))
        failed |= json_array_append_new(added, json_pack("{s:s, s:I, s:b, s:b}", "content", name, "id", (json_int_t)id,
                                                         "special", 1, "normalized", 0));
    if (failed) status = text_no_memory(error);
cleanup:
    json_decref(token);
    return status;
}

static hob_status read_lines(const char *text, size_t n_bytes, json_t *vocab, json_t *added, bool *ret_is_cased,
                             hob_error *error)
{
    *ret_is_cased = false;
    for (size_t at = 0, id = 0; at < n_bytes; id++) {
        const char *end = memchr(text + at, '\n', n_bytes - at);
        size_t n_line = end ? (size_t)(end - text) - at : n_bytes - at, n = n_line;
        if (n > 0 && text[at + n - 1] == '\r') n--;
        if (n > 0) TRY(add_line(vocab, added, text + at, n, id, ret_is_cased, error));
        at += n_line + 1;
    }
    return HOB_OK;
}

/* Takes vocab and added over. */
static json_t *make_root(json_t *vocab, json_t *added, bool is_cased)
{
    json_t *cls = json_object_get(vocab, "[CLS]"), *sep = json_object_get(vocab, "[SEP]");
    json_t *root = json_pack("{s:o, s:{s:s, s:b}, s:{s:s}, s:{s:s}, s:{s:s, s:o}}", "added_tokens", added, "normalizer",
                             "type", "BertNormalizer", "lowercase", !is_cased, "pre_tokenizer", "type",
                             "BertPreTokenizer", "decoder", "type", "WordPiece", "model", "type", "WordPiece", "vocab",
                             vocab);
    if (root && cls && sep)
        json_object_set_new(root, "post_processor",
                            json_pack("{s:s, s:[s,O], s:[s,O]}", "type", "BertProcessing", "cls", "[CLS]", cls, "sep",
                                      "[SEP]", sep));
    return root;
}

hob_status tokenizer_load_vocab_txt(const void *bytes, size_t n_bytes, const char *name,
                                    struct tokenizer **ret_tokenizer, hob_error *error)
{
    json_t *vocab = json_object(), *added = json_array(), *root = NULL;
    char *text = NULL;
    bool is_cased;
    hob_status status = HOB_OK;
    if (!vocab || !added) TRY_CLEANUP(text_no_memory(error));
    status = read_lines(bytes, n_bytes, vocab, added, &is_cased, error);
    if (status != HOB_OK) {
        status = error_prefix(error, status, "%s", name);
        goto cleanup;
    }
    root = make_root(vocab, added, is_cased);
    vocab = added = NULL;
    text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    if (!text) TRY_CLEANUP(text_no_memory(error));
    status = tokenizer_load_json(text, strlen(text), name, ret_tokenizer, error);
cleanup:
    json_decref(vocab);
    json_decref(added);
    json_decref(root);
    (free)(text); /* jansson's, not memory.c's */
    return status;
}

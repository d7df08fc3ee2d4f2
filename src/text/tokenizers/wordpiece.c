/* WordPiece: at each point of a word the longest token that fits; a word that cannot be spelt so is unknown as a whole.
 * GGUF spells the other way round: words begin with U+2581, and pieces inside a word bear no mark. */
#include "base/error.h"
#include "base/memory.h"
#include "text/json_read.h"
#include "text/parts.h"

#include <string.h>

struct wordpiece {
    struct trie trie;
    uint32_t inside_node; /* where "##" leads: pieces inside a word go on from here */
    bool has_inside;
    const char *word_prefix; /* put before every word */
    size_t n_word_prefix;
    size_t most_chars; /* a longer word is unknown */
    int32_t unknown_id;
};

static hob_status build_trie(const struct vocabulary *vocabulary, struct wordpiece *wordpiece, const char *inside,
                             size_t n_inside, hob_error *error)
{
    TRY(vocabulary_trie(vocabulary, &wordpiece->trie, error));
    wordpiece->inside_node = TRIE_ROOT;
    wordpiece->has_inside = true;
    for (size_t i = 0; i < n_inside && wordpiece->has_inside; i++)
        wordpiece->has_inside = trie_step(&wordpiece->trie, &wordpiece->inside_node, inside[i]);
    return HOB_OK;
}

static hob_status load_json(struct tokenizer *tokenizer, const json_t *model, hob_error *error)
{
    struct wordpiece *wordpiece = CONFIG_NEW(tokenizer, struct wordpiece);
    const char *unknown, *inside;
    size_t n_unknown, n_inside;
    int64_t most_chars;
    if (!wordpiece) return text_no_memory(error);
    tokenizer->config = wordpiece;
    TRY(vocabulary_load_object(tokenizer, model, error));
    TRY(json_read_string(model, "unk_token", "[UNK]", &unknown, &n_unknown, error));
    TRY(json_read_string(model, "continuing_subword_prefix", "##", &inside, &n_inside, error));
    TRY(json_read_int(model, "max_input_chars_per_word", 100, &most_chars, error));
    wordpiece->most_chars = most_chars < 0 ? 0 : (size_t)most_chars;
    wordpiece->word_prefix = "";
    wordpiece->unknown_id = vocabulary_find(&tokenizer->vocabulary, unknown, n_unknown);
    if (wordpiece->unknown_id < 0)
        FAIL(error, HOB_BAD_FILE, "\"unk_token\": found \"%.40s\", expected a token of \"vocab\"", unknown);
    tokenizer->roles[HOB_TOKEN_UNKNOWN] = wordpiece->unknown_id;
    return build_trie(&tokenizer->vocabulary, wordpiece, inside, n_inside, error);
}

/* BERT's normalizer and pre-tokenizer; lower case, as all GGUF conversions of BERT have been. */
static hob_status load_vocabulary(struct tokenizer *tokenizer, const struct tokenizer_vocabulary *vocabulary,
                                  hob_error *error)
{
    struct wordpiece *wordpiece = CONFIG_NEW(tokenizer, struct wordpiece);
    const void *config;
    if (!wordpiece) return text_no_memory(error);
    tokenizer->config = wordpiece;
    if (tokenizer->roles[HOB_TOKEN_UNKNOWN] < 0) FAIL(error, HOB_BAD_FILE, "bert: the vocabulary has no unknown token");
    *wordpiece = (struct wordpiece){.word_prefix = "\xE2\x96\x81",
                                    .n_word_prefix = 3,
                                    .most_chars = SIZE_MAX,
                                    .unknown_id = tokenizer->roles[HOB_TOKEN_UNKNOWN]};
    TRY(build_trie(&tokenizer->vocabulary, wordpiece, "", 0, error));
    json_t *defaults = json_object();
    if (!defaults) return text_no_memory(error);
    hob_status status = normalizer_bert.load(tokenizer, defaults, &config, error);
    json_decref(defaults);
    TRY(status);
    TRY(part_list_append(&tokenizer->normalizers, &normalizer_bert, config, error));
    TRY(part_list_append(&tokenizer->pretokenizers, &pretokenizer_bert, NULL, error));
    TRY(gguf_set_template(tokenizer, vocabulary, true, false, true, error));
    TRY(part_list_append(&tokenizer->stages, &stage_utf8, NULL, error));
    return gguf_strip_space(tokenizer, error);
}

static hob_status write(const struct tokenizer *tokenizer, struct buffer *bytes, hob_error *error)
{
    const struct wordpiece *wordpiece = tokenizer->config;
    (void)error;
    trie_write(&wordpiece->trie, bytes);
    record_put_u32(bytes, wordpiece->inside_node);
    record_put_u8(bytes, wordpiece->has_inside);
    record_put_text(bytes, wordpiece->word_prefix, wordpiece->n_word_prefix);
    record_put_u64(bytes, wordpiece->most_chars);
    record_put_u32(bytes, (uint32_t)wordpiece->unknown_id);
    return HOB_OK;
}

static hob_status read(struct tokenizer *tokenizer, struct record_reader *reader, hob_error *error)
{
    struct wordpiece *wordpiece = CONFIG_NEW(tokenizer, struct wordpiece);
    if (!wordpiece) return text_no_memory(error);
    tokenizer->config = wordpiece;
    trie_read(&wordpiece->trie, reader, tokenizer->vocabulary.n_tokens);
    wordpiece->inside_node = record_u32(reader);
    wordpiece->has_inside = record_bool(reader);
    wordpiece->word_prefix = record_text(reader, &wordpiece->n_word_prefix);
    wordpiece->most_chars = (size_t)record_u64(reader);
    wordpiece->unknown_id = (int32_t)record_u32(reader);
    if (!wordpiece->word_prefix || wordpiece->inside_node >= wordpiece->trie.n_nodes ||
        !vocabulary_has(&tokenizer->vocabulary, wordpiece->unknown_id))
        record_fail(reader);
    return HOB_OK;
}

static void release(struct tokenizer *tokenizer)
{
    struct wordpiece *wordpiece = tokenizer->config;
    if (wordpiece) trie_release(&wordpiece->trie);
}

/* The longest token at text; ret_n_bytes: how much of the text it covers. HOB_NO_TOKEN: none. */
static int32_t find_longest(const struct wordpiece *wordpiece, uint32_t node, const char *text, size_t n_bytes,
                            size_t *ret_n_bytes)
{
    int32_t longest = HOB_NO_TOKEN;
    for (size_t i = 0; i < n_bytes && trie_step(&wordpiece->trie, &node, text[i]);) {
        i++;
        if (wordpiece->trie.values[node] < 0) continue;
        longest = wordpiece->trie.values[node];
        *ret_n_bytes = i;
    }
    return longest;
}

static bool is_too_long(const struct wordpiece *wordpiece, const struct piece *piece)
{
    size_t n_chars = 0;
    if (piece->n_bytes <= wordpiece->most_chars) return false;
    for (size_t i = 0; i < piece->n_bytes; i++) n_chars += ((unsigned char)piece->text[i] & 0xC0) != 0x80;
    return n_chars > wordpiece->most_chars;
}

static hob_status encode_word(const struct wordpiece *wordpiece, struct encoding *encoding, const char *text,
                              size_t n_bytes, hob_error *error)
{
    size_t n_before = encoding->ids->n_ids;
    for (size_t at = 0, n = 0; at < n_bytes; at += n) {
        int32_t id = HOB_NO_TOKEN;
        if (at == 0 || wordpiece->has_inside)
            id = find_longest(wordpiece, at ? wordpiece->inside_node : TRIE_ROOT, text + at, n_bytes - at, &n);
        if (id < 0) {
            encoding->ids->n_ids = n_before;
            return encoding_append(encoding, wordpiece->unknown_id, error);
        }
        TRY(encoding_append(encoding, id, error));
    }
    return HOB_OK;
}

static hob_status encode(const struct tokenizer *tokenizer, struct encoding *encoding, const struct piece *piece,
                         hob_error *error)
{
    const struct wordpiece *wordpiece = tokenizer->config;
    if (is_too_long(wordpiece, piece)) return encoding_append(encoding, wordpiece->unknown_id, error);
    if (!wordpiece->n_word_prefix) return encode_word(wordpiece, encoding, piece->text, piece->n_bytes, error);
    struct buffer *word = &encoding->model_scratch[0];
    buffer_clear(word);
    buffer_append(word, wordpiece->word_prefix, wordpiece->n_word_prefix);
    if (!buffer_append(word, piece->text, piece->n_bytes)) return text_no_memory(error);
    return encode_word(wordpiece, encoding, word->bytes, word->n_bytes, error);
}

const struct tokenizer_def tokenizer_wordpiece = {
    .json_name = "WordPiece",
    .gguf_name = "bert",
    .load_json = load_json,
    .load_vocabulary = load_vocabulary,
    .encode = encode,
    .release = release,
    .write = write,
    .read = read,
};

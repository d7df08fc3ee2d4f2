/* Byte-pair encoding: of characters (tokenizer.json, with byte fallback perhaps) or of bytes (behind a ByteLevel
 * pre-tokenizer, and all of GGUF's "gpt2"). Merges work on ids; a piece is merged anew each time it occurs, as encoding keeps
 * no cache that threads would have to share. */
#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"
#include "text/bpe_merge.h"
#include "text/json_read.h"
#include "text/presplit.h"

#include <string.h>

enum { MAX_MERGES = 1 << 24, MAX_AFFIX_BYTES = 256 };

struct bpe {
    struct merge_table merges;
    int32_t byte_ids[256];     /* of the byte's character in GPT-2's alphabet */
    int32_t fallback_ids[256]; /* of "<0x0A>" */
    char mapped[256][2];       /* the alphabet as UTF-8 */
    unsigned char mapped_bytes[256];
    int32_t unknown_id; /* HOB_NO_TOKEN: what the vocabulary lacks is dropped */
    bool fuses_unknown, falls_back_to_bytes, ignores_merges;
    bool keeps_apart; /* what is dropped still separates its neighbours: llama.cpp's way */
    const char *prefix, *suffix; /* of symbols but the first; of the last */
    size_t n_prefix, n_suffix;
};

static void fill_alphabet(struct bpe *bpe)
{
    for (int byte = 0; byte < 256; byte++) {
        uint32_t c = unicode_of_byte((unsigned char)byte);
        char text[2] = {(char)c, 0};
        size_t n = 1;
        if (c >= 0x80) {
            text[0] = (char)(0xC0 | c >> 6);
            text[1] = (char)(0x80 | (c & 0x3F));
            n = 2;
        }
        memcpy(bpe->mapped[byte], text, 2);
        bpe->mapped_bytes[byte] = (unsigned char)n;
    }
}

static void fill_byte_ids(const struct vocabulary *vocabulary, struct bpe *bpe)
{
    fill_alphabet(bpe);
    for (int byte = 0; byte < 256; byte++) {
        bpe->byte_ids[byte] = vocabulary_find(vocabulary, bpe->mapped[byte], bpe->mapped_bytes[byte]);
        bpe->fallback_ids[byte] = vocabulary_find_byte(vocabulary, (unsigned char)byte);
    }
}

/* ---- loading ---- */

struct merge_text {
    const char *left, *right;
    size_t n_left, n_right;
};

/* false: left, right or what they make is not in the vocabulary. */
static bool put_merge(struct tokenizer *tokenizer, struct bpe *bpe, const struct merge_text *merge, uint32_t rank,
                      struct buffer *scratch)
{
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    int32_t left = vocabulary_find(vocabulary, merge->left, merge->n_left);
    int32_t right = vocabulary_find(vocabulary, merge->right, merge->n_right);
    if (merge->n_right < bpe->n_prefix) return false;
    buffer_clear(scratch);
    buffer_append(scratch, merge->left, merge->n_left);
    buffer_append(scratch, merge->right + bpe->n_prefix, merge->n_right - bpe->n_prefix);
    int32_t merged = vocabulary_find(vocabulary, buffer_text(scratch), scratch->n_bytes);
    if (left < 0 || right < 0 || merged < 0) return false;
    merge_table_put(&bpe->merges, left, right, rank, merged);
    return true;
}

/* "left right", or ["left", "right"]. */
static hob_status read_merge(const json_t *json, struct merge_text *ret_merge, hob_error *error)
{
    if (json_is_array(json) && json_array_size(json) == 2) {
        const json_t *left = json_array_get(json, 0), *right = json_array_get(json, 1);
        if (json_is_string(left) && json_is_string(right)) {
            *ret_merge = (struct merge_text){json_string_value(left), json_string_value(right),
                                             json_string_length(left), json_string_length(right)};
            return HOB_OK;
        }
    }
    if (!json_is_string(json)) FAIL(error, HOB_BAD_FILE, "found %s, expected two tokens", json_read_kind(json));
    const char *text = json_string_value(json);
    size_t n_bytes = json_string_length(json);
    const char *space = memchr(text, ' ', n_bytes);
    if (!space || memchr(space + 1, ' ', n_bytes - (size_t)(space - text) - 1))
        FAIL(error, HOB_BAD_FILE, "found \"%.40s\", expected two tokens and a space between them", text);
    *ret_merge = (struct merge_text){text, space + 1, (size_t)(space - text), n_bytes - (size_t)(space - text) - 1};
    return HOB_OK;
}

/* SentencePiece joins any two neighbours that together are a token, the token's score being the priority. A conversion lists
 * those pairs as merges; some list only one pair a token. The other ways to split such a token get the rank of the one listed:
 * nothing changes where all are listed. bpe NULL: only counts the ways. */
static size_t add_splits(const struct vocabulary *vocabulary, struct bpe *bpe, int32_t id, uint32_t rank)
{
    size_t n_bytes, n_splits = 0;
    const char *text = vocabulary_text(vocabulary, (size_t)id, &n_bytes);
    for (size_t at = unicode_char_bytes(text, n_bytes); at < n_bytes; at += unicode_char_bytes(text + at, n_bytes - at)) {
        int32_t left = vocabulary_find(vocabulary, text, at), right = vocabulary_find(vocabulary, text + at, n_bytes - at);
        if (left < 0 || right < 0) continue;
        n_splits++;
        if (bpe && !merge_table_has(&bpe->merges, left, right)) merge_table_put(&bpe->merges, left, right, rank, id);
    }
    return n_splits;
}

/* ret_ranks: for each token the lowest rank that makes it, MERGE_NONE when none does. */
static hob_status find_ranks(const struct vocabulary *vocabulary, const struct merge_table *merges, uint32_t **ret_ranks,
                             hob_error *error)
{
    uint32_t *ranks = memory_new(vocabulary->n_tokens, sizeof *ranks);
    if (!ranks) return text_no_memory(error);
    for (size_t i = 0; i < vocabulary->n_tokens; i++) ranks[i] = MERGE_NONE;
    for (size_t i = 0; i < merges->n_slots; i++) {
        const struct merge *merge = merge_table_at(merges, i);
        if (merge && merge->rank < ranks[merge->id]) ranks[merge->id] = merge->rank;
    }
    *ret_ranks = ranks;
    return HOB_OK;
}

/* The listed merges, and for each token that one of them makes all other splits. */
static hob_status complete_merges(const struct tokenizer *tokenizer, struct bpe *bpe, hob_error *error)
{
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    struct merge_table listed = bpe->merges;
    uint32_t *ranks = NULL;
    size_t n_merges = listed.n_merges;
    TRY(find_ranks(vocabulary, &listed, &ranks, error));
    for (size_t i = 0; i < vocabulary->n_tokens; i++)
        if (ranks[i] != MERGE_NONE) n_merges += add_splits(vocabulary, NULL, (int32_t)i, 0);
    hob_status status = merge_table_init(&bpe->merges, n_merges, error);
    if (status != HOB_OK) {
        bpe->merges = listed; /* released with the tokenizer */
        memory_free(ranks);
        return status;
    }
    for (size_t i = 0; i < listed.n_slots; i++) {
        const struct merge *merge = merge_table_at(&listed, i);
        if (merge) merge_table_put(&bpe->merges, merge_left(merge), merge_right(merge), merge->rank, merge->id);
    }
    for (size_t i = 0; i < vocabulary->n_tokens; i++)
        if (ranks[i] != MERGE_NONE) add_splits(vocabulary, bpe, (int32_t)i, ranks[i]);
    merge_table_release(&listed);
    memory_free(ranks);
    return HOB_OK;
}

static hob_status load_merges(struct tokenizer *tokenizer, struct bpe *bpe, const json_t *model, hob_error *error)
{
    const json_t *merges;
    TRY(json_read_array(model, "merges", &merges, error));
    size_t n_merges = json_array_size(merges);
    if (n_merges > MAX_MERGES)
        FAIL(error, HOB_LIMIT, "\"merges\": found %zu, at most %d are taken", n_merges, MAX_MERGES);
    TRY(merge_table_init(&bpe->merges, n_merges, error));
    struct buffer scratch = {0};
    hob_status status = HOB_OK;
    for (size_t i = 0; i < n_merges; i++) {
        struct merge_text merge;
        TRY_CLEANUP(read_merge(json_array_get(merges, i), &merge, error));
        if (!put_merge(tokenizer, bpe, &merge, (uint32_t)i, &scratch))
            FAIL_CLEANUP(error, HOB_BAD_FILE, "found \"%.40s\" and \"%.40s\", expected both and their union in \"vocab\"",
                         merge.left, merge.right);
    }
cleanup:
    buffer_release(&scratch);
    return status == HOB_OK ? status : error_prefix(error, status, "\"merges\"");
}

static hob_status load_affix(struct tokenizer *tokenizer, const json_t *model, const char *name, const char **ret_text,
                             size_t *ret_n_bytes, hob_error *error)
{
    const char *text;
    TRY(json_read_string(model, name, "", &text, ret_n_bytes, error));
    if (*ret_n_bytes > MAX_AFFIX_BYTES)
        FAIL(error, HOB_LIMIT, "\"%s\": found %zu bytes, at most %d are taken", name, *ret_n_bytes, MAX_AFFIX_BYTES);
    *ret_text = arena_copy_string(&tokenizer->arena, text, *ret_n_bytes);
    return *ret_text ? HOB_OK : text_no_memory(error);
}

static hob_status load_json(struct tokenizer *tokenizer, const json_t *model, hob_error *error)
{
    struct bpe *bpe = CONFIG_NEW(tokenizer, struct bpe);
    const char *unknown;
    size_t n_unknown;
    if (!bpe) return text_no_memory(error);
    tokenizer->config = bpe;
    TRY(vocabulary_load_object(tokenizer, model, error));
    TRY(load_affix(tokenizer, model, "continuing_subword_prefix", &bpe->prefix, &bpe->n_prefix, error));
    TRY(load_affix(tokenizer, model, "end_of_word_suffix", &bpe->suffix, &bpe->n_suffix, error));
    TRY(json_read_bool(model, "fuse_unk", false, &bpe->fuses_unknown, error));
    TRY(json_read_bool(model, "byte_fallback", false, &bpe->falls_back_to_bytes, error));
    TRY(json_read_bool(model, "ignore_merges", false, &bpe->ignores_merges, error));
    TRY(json_read_string(model, "unk_token", "", &unknown, &n_unknown, error));
    bpe->unknown_id = n_unknown ? vocabulary_find(&tokenizer->vocabulary, unknown, n_unknown) : HOB_NO_TOKEN;
    tokenizer->roles[HOB_TOKEN_UNKNOWN] = bpe->unknown_id;
    fill_byte_ids(&tokenizer->vocabulary, bpe);
    TRY(load_merges(tokenizer, bpe, model, error));
    return tokenizer->is_from_sentencepiece ? complete_merges(tokenizer, bpe, error) : HOB_OK;
}

/* A merge whose result the vocabulary lacks is passed over: llama.cpp would make it and then fall apart into bytes. */
static hob_status put_vocabulary_merges(struct tokenizer *tokenizer, struct bpe *bpe,
                                        const struct tokenizer_vocabulary *vocabulary, hob_error *error)
{
    if (vocabulary->n_merges > MAX_MERGES)
        FAIL(error, HOB_LIMIT, "merges: found %zu, at most %d are taken", vocabulary->n_merges, MAX_MERGES);
    TRY(merge_table_init(&bpe->merges, vocabulary->n_merges, error));
    struct buffer scratch = {0};
    for (size_t i = vocabulary->n_merges; i-- > 0;) { /* backwards: of equal merges the first counts */
        const char *text = vocabulary->merges[i];
        size_t n_bytes = vocabulary->merge_bytes[i];
        const char *space = n_bytes > 1 ? memchr(text + 1, ' ', n_bytes - 1) : NULL;
        if (!space) continue;
        size_t n_left = (size_t)(space - text);
        struct merge_text merge = {text, space + 1, n_left, n_bytes - n_left - 1};
        (void)put_merge(tokenizer, bpe, &merge, (uint32_t)i, &scratch);
    }
    bool is_failed = scratch.is_failed;
    buffer_release(&scratch);
    return is_failed ? text_no_memory(error) : HOB_OK;
}

static hob_status load_vocabulary(struct tokenizer *tokenizer, const struct tokenizer_vocabulary *vocabulary,
                                  hob_error *error)
{
    struct bpe *bpe = CONFIG_NEW(tokenizer, struct bpe);
    const struct presplit *presplit;
    if (!bpe) return text_no_memory(error);
    tokenizer->config = bpe;
    TRY(presplit_find(vocabulary->pre_split, &presplit, error));
    bpe->ignores_merges = presplit->flags & PRESPLIT_IGNORES_MERGES;
    bpe->keeps_apart = true;
    bpe->unknown_id = HOB_NO_TOKEN;
    bpe->prefix = bpe->suffix = "";
    tokenizer->broken = BROKEN_PER_BYTE;
    tokenizer->is_byte_mapped = true;
    fill_byte_ids(&tokenizer->vocabulary, bpe);
    TRY(put_vocabulary_merges(tokenizer, bpe, vocabulary, error));
    for (size_t i = 0; presplit->patterns[i]; i++)
        TRY(pretokenizer_split_add(tokenizer, presplit->patterns[i], error));
    TRY(gguf_set_template(tokenizer, vocabulary, (presplit->flags & PRESPLIT_ADDS_BOS) != 0, false,
                          (presplit->flags & PRESPLIT_ADDS_SEP) != 0, error));
    return part_list_append(&tokenizer->stages, &stage_utf8, NULL, error);
}

/* ---- records ---- */

static hob_status write(const struct tokenizer *tokenizer, struct buffer *bytes, hob_error *error)
{
    const struct bpe *bpe = tokenizer->config;
    record_put_array(bytes, bpe->byte_ids, ARRAY_LENGTH(bpe->byte_ids), sizeof *bpe->byte_ids);
    record_put_array(bytes, bpe->fallback_ids, ARRAY_LENGTH(bpe->fallback_ids), sizeof *bpe->fallback_ids);
    record_put_u32(bytes, (uint32_t)bpe->unknown_id);
    record_put_u8(bytes, bpe->fuses_unknown);
    record_put_u8(bytes, bpe->falls_back_to_bytes);
    record_put_u8(bytes, bpe->ignores_merges);
    record_put_u8(bytes, bpe->keeps_apart);
    record_put_text(bytes, bpe->prefix, bpe->n_prefix);
    record_put_text(bytes, bpe->suffix, bpe->n_suffix);
    return merge_table_write(&bpe->merges, bytes, error);
}

static hob_status read(struct tokenizer *tokenizer, struct record_reader *reader, hob_error *error)
{
    struct bpe *bpe = CONFIG_NEW(tokenizer, struct bpe);
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    if (!bpe) return text_no_memory(error);
    tokenizer->config = bpe;
    fill_alphabet(bpe);
    vocabulary_read_ids(vocabulary, reader, ARRAY_LENGTH(bpe->byte_ids), bpe->byte_ids);
    vocabulary_read_ids(vocabulary, reader, ARRAY_LENGTH(bpe->fallback_ids), bpe->fallback_ids);
    bpe->unknown_id = (int32_t)record_u32(reader);
    if (bpe->unknown_id < HOB_NO_TOKEN || bpe->unknown_id >= (int64_t)vocabulary->n_tokens) record_fail(reader);
    bpe->fuses_unknown = record_bool(reader);
    bpe->falls_back_to_bytes = record_bool(reader);
    bpe->ignores_merges = record_bool(reader);
    bpe->keeps_apart = record_bool(reader);
    bpe->prefix = record_text(reader, &bpe->n_prefix);
    bpe->suffix = record_text(reader, &bpe->n_suffix);
    if (!bpe->prefix || !bpe->suffix || bpe->n_prefix > MAX_AFFIX_BYTES || bpe->n_suffix > MAX_AFFIX_BYTES) record_fail(reader);
    merge_table_read(&bpe->merges, reader);
    return HOB_OK;
}

static void release(struct tokenizer *tokenizer)
{
    struct bpe *bpe = tokenizer->config;
    if (bpe) merge_table_release(&bpe->merges);
}

/* ---- encoding ---- */

/* Symbols of one piece as they are found. An unknown one waits: it may fuse with the next. */
struct word {
    const struct bpe *bpe;
    struct symbol *symbols;
    size_t n_symbols;
    bool has_unknown;
};

static void add_symbol(struct word *word, int32_t id)
{
    word->symbols[word->n_symbols++].id = id;
}

static void flush_unknown(struct word *word)
{
    if (word->has_unknown) add_symbol(word, word->bpe->unknown_id);
    word->has_unknown = false;
}

static bool add_fallback(struct word *word, const char *text, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++)
        if (word->bpe->fallback_ids[(unsigned char)text[i]] < 0) return false;
    for (size_t i = 0; i < n_bytes; i++) add_symbol(word, word->bpe->fallback_ids[(unsigned char)text[i]]);
    return true;
}

/* id HOB_NO_TOKEN: text is not in the vocabulary. */
static void add_text(struct word *word, int32_t id, const char *text, size_t n_bytes)
{
    const struct bpe *bpe = word->bpe;
    if (id >= 0) {
        flush_unknown(word);
        add_symbol(word, id);
    } else if (bpe->falls_back_to_bytes && add_fallback(word, text, n_bytes)) {
        return; /* an unknown that waits goes on waiting, as in the reference */
    } else if (bpe->unknown_id >= 0) {
        if (!bpe->fuses_unknown) flush_unknown(word);
        word->has_unknown = true;
    } else if (bpe->keeps_apart) {
        add_symbol(word, HOB_NO_TOKEN);
    }
}

static void add_bytes(struct word *word, const struct piece *piece)
{
    const struct bpe *bpe = word->bpe;
    for (size_t i = 0; i < piece->n_bytes; i++) {
        unsigned char byte = (unsigned char)piece->text[i];
        add_text(word, bpe->byte_ids[byte], bpe->mapped[byte], bpe->mapped_bytes[byte]);
    }
}

static bool add_characters(struct word *word, const struct vocabulary *vocabulary, const struct piece *piece)
{
    const struct bpe *bpe = word->bpe;
    bool is_plain = bpe->n_prefix == 0 && bpe->n_suffix == 0;
    struct buffer spelt = {0};
    for (size_t at = 0, n; at < piece->n_bytes; at += n) {
        const char *text = piece->text + at;
        size_t n_text = n = unicode_char_bytes(text, piece->n_bytes - at);
        if (!is_plain) {
            buffer_clear(&spelt);
            if (at > 0) buffer_append(&spelt, bpe->prefix, bpe->n_prefix);
            buffer_append(&spelt, text, n);
            if (at + n == piece->n_bytes) buffer_append(&spelt, bpe->suffix, bpe->n_suffix);
            text = buffer_text(&spelt);
            n_text = spelt.n_bytes;
        }
        add_text(word, vocabulary_find(vocabulary, text, n_text), text, n_text);
    }
    bool is_done = !spelt.is_failed;
    buffer_release(&spelt);
    return is_done;
}

/* The id of the piece as a whole, or HOB_NO_TOKEN. */
static int32_t find_whole(const struct tokenizer *tokenizer, struct encoding *encoding, const struct piece *piece)
{
    const struct bpe *bpe = tokenizer->config;
    if (!tokenizer->is_byte_mapped) return vocabulary_find(&tokenizer->vocabulary, piece->text, piece->n_bytes);
    struct buffer *mapped = &encoding->model_scratch[1];
    buffer_clear(mapped);
    for (size_t i = 0; i < piece->n_bytes; i++) {
        unsigned char byte = (unsigned char)piece->text[i];
        buffer_append(mapped, bpe->mapped[byte], bpe->mapped_bytes[byte]);
    }
    return mapped->is_failed ? HOB_NO_TOKEN
                             : vocabulary_find(&tokenizer->vocabulary, buffer_text(mapped), mapped->n_bytes);
}

/* What a record's merges make is looked at here: looking at them all would take longer than opening the rest. */
static hob_status append_symbols(const struct tokenizer *tokenizer, struct encoding *encoding, const struct symbol *symbols, size_t n,
                                 hob_error *error)
{
    size_t n_tokens = tokenizer->vocabulary.n_tokens;
    for (size_t i = 0; i < n; i++) {
        if (symbols[i].id < 0) continue;
        if ((size_t)symbols[i].id >= n_tokens)
            FAIL(error, HOB_BAD_FILE, "merges: found token %d, expected 0 to %zu", symbols[i].id, n_tokens - 1);
        TRY(encoding_append(encoding, symbols[i].id, error));
    }
    return HOB_OK;
}

static hob_status encode(const struct tokenizer *tokenizer, struct encoding *encoding, const struct piece *piece,
                         hob_error *error)
{
    const struct bpe *bpe = tokenizer->config;
    int32_t whole = bpe->ignores_merges ? find_whole(tokenizer, encoding, piece) : HOB_NO_TOKEN;
    if (whole >= 0) return encoding_append(encoding, whole, error);
    /* Byte fallback takes a symbol for each byte: of an affix too, or of a byte's character in GPT-2's alphabet. */
    size_t n_most = tokenizer->is_byte_mapped ? 2 * piece->n_bytes : piece->n_bytes * (1 + bpe->n_prefix) + bpe->n_suffix;
    struct buffer *symbols = &encoding->model_scratch[0], *heap = &encoding->model_scratch[1];
    buffer_clear(symbols);
    buffer_clear(heap);
    if (!buffer_reserve(symbols, n_most * sizeof(struct symbol))) return text_no_memory(error);
    struct word word = {.bpe = bpe, .symbols = (struct symbol *)(void *)symbols->bytes};
    if (tokenizer->is_byte_mapped)
        add_bytes(&word, piece);
    else if (!add_characters(&word, &tokenizer->vocabulary, piece))
        return text_no_memory(error);
    flush_unknown(&word);
    if (!buffer_reserve(heap, merge_heap_bytes(word.n_symbols))) return text_no_memory(error);
    size_t n = merge_symbols(&bpe->merges, word.symbols, word.n_symbols, heap->bytes);
    return append_symbols(tokenizer, encoding, word.symbols, n, error);
}

const struct tokenizer_def tokenizer_bpe = {
    .json_name = "BPE",
    .gguf_name = "gpt2",
    .load_json = load_json,
    .load_vocabulary = load_vocabulary,
    .encode = encode,
    .release = release,
    .write = write,
    .read = read,
};

/* Unigram language model: of all ways to cut a piece into tokens the one with the highest sum of scores (Viterbi, over byte
 * positions, in double precision as both references do). Ties go to the cut that was found first, from the left. */
#include "base/error.h"
#include "base/memory.h"
#include "text/json_read.h"
#include "text/parts.h"
#include "text/sentencepiece.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { UNKNOWN_PENALTY = 10 };

struct unigram {
    struct trie trie;
    const double *scores;
    double unknown_score;
    int32_t unknown_id; /* HOB_NO_TOKEN: text that needs it is an error */
    bool falls_back_to_bytes, finds_fused; /* a run of unknown characters may be a token after all: tokenizer.json's way */
};

/* The best way to get to a byte position. */
struct cut {
    double score;
    size_t begin; /* of the last token; SIZE_MAX: no way found yet */
    int32_t id;
};

/* The score as the reference reads it. serde_json takes all digits for one integer, rounds that to 53 bits and divides by a power
 * of ten, which may be off by the last bit; and that bit decides between cuts whose sums tie. The digits are those that the
 * number was surely written with: the fewest that give it back. */
static double reference_score(double score)
{
    char text[40];
    int n_digits = 15;
    do snprintf(text, sizeof text, "%.*e", n_digits - 1, fabs(score));
    while (strtod(text, NULL) != fabs(score) && n_digits++ < 17);
    char *exponent_text = strchr(text, 'e');
    if (!exponent_text) return score; /* infinite */
    long exponent = strtol(exponent_text + 1, NULL, 10);
    uint64_t digits = 0;
    long n_behind = 0; /* digits behind the point, trailing zeros left out */
    for (const char *at = text, *end = exponent_text; at < end; at++) {
        if (*at == '.') continue;
        digits = digits * 10 + (uint64_t)(*at - '0');
        n_behind += at > text;
    }
    for (; digits && digits % 10 == 0; n_behind--) digits /= 10;
    long power = n_behind - exponent;
    if (power < -300 || power > 300) return score;
    double value = power > 0 ? (double)digits / pow(10, (double)power) : (double)digits * pow(10, (double)-power);
    return score < 0 ? -value : value;
}

static hob_status load_token(struct tokenizer *tokenizer, const json_t *pair, size_t id, double *ret_score,
                             hob_error *error)
{
    const json_t *text = json_array_get(pair, 0), *score = json_array_get(pair, 1);
    if (!json_is_string(text) || !json_is_number(score))
        FAIL(error, HOB_BAD_FILE, "\"vocab\": token %zu: found %s, expected [text, score]", id, json_read_kind(pair));
    *ret_score = reference_score(json_number_value(score));
    return vocabulary_put(&tokenizer->vocabulary, (int64_t)id, json_string_value(text), json_string_length(text),
                          TOKEN_NORMAL, error);
}

static hob_status load_scores(struct tokenizer *tokenizer, const json_t *vocab, struct unigram *unigram,
                              hob_error *error)
{
    size_t n_tokens = json_array_size(vocab);
    double *scores = ARENA_NEW(&tokenizer->arena, double, n_tokens), least = INFINITY;
    if (!scores) return text_no_memory(error);
    for (size_t i = 0; i < n_tokens; i++) {
        TRY(load_token(tokenizer, json_array_get(vocab, i), i, &scores[i], error));
        if (scores[i] < least) least = scores[i];
    }
    unigram->scores = scores;
    unigram->unknown_score = least - UNKNOWN_PENALTY;
    return vocabulary_trie(&tokenizer->vocabulary, &unigram->trie, error);
}

static hob_status load_json(struct tokenizer *tokenizer, const json_t *model, hob_error *error)
{
    struct unigram *unigram = CONFIG_NEW(tokenizer, struct unigram);
    const json_t *vocab;
    int64_t unknown_id;
    if (!unigram) return text_no_memory(error);
    tokenizer->config = unigram;
    unigram->finds_fused = true;
    TRY(json_read_array(model, "vocab", &vocab, error));
    TRY(vocabulary_reserve(&tokenizer->vocabulary, json_array_size(vocab), error));
    TRY(json_read_bool(model, "byte_fallback", false, &unigram->falls_back_to_bytes, error));
    TRY(json_read_int(model, "unk_id", HOB_NO_TOKEN, &unknown_id, error));
    TRY(load_scores(tokenizer, vocab, unigram, error));
    if (unknown_id != HOB_NO_TOKEN && !vocabulary_has(&tokenizer->vocabulary, unknown_id))
        FAIL(error, HOB_BAD_FILE, "\"unk_id\": found %lld, expected a token of \"vocab\"", (long long)unknown_id);
    unigram->unknown_id = (int32_t)unknown_id;
    tokenizer->roles[HOB_TOKEN_UNKNOWN] = unigram->unknown_id;
    return HOB_OK;
}

static struct trie_key key_of(const struct vocabulary *vocabulary, size_t id)
{
    struct trie_key key = {.value = (int32_t)id};
    key.text = vocabulary_text(vocabulary, id, &key.n_bytes);
    return key;
}

/* Only tokens that stand for text can be found; those the user defined always win. */
static hob_status build_gguf_trie(struct tokenizer *tokenizer, const struct tokenizer_vocabulary *vocabulary,
                                  struct unigram *unigram, double *scores, hob_error *error)
{
    struct trie_key *keys = memory_new(vocabulary->n_tokens, sizeof *keys);
    float least = INFINITY;
    size_t n_keys = 0;
    if (!keys) return text_no_memory(error);
    for (size_t i = 0; i < vocabulary->n_tokens; i++) {
        enum token_type type = tokenizer->vocabulary.types[i];
        float score = vocabulary->scores ? vocabulary->scores[i] : 0;
        scores[i] = type == TOKEN_USER_DEFINED ? 0 : isnan(score) ? -INFINITY : (double)score;
        if (type == TOKEN_NORMAL && score < least) least = score;
        if (type == TOKEN_NORMAL || type == TOKEN_USER_DEFINED || type == TOKEN_UNUSED)
            keys[n_keys++] = key_of(&tokenizer->vocabulary, i);
    }
    unigram->unknown_score = (double)(least - (float)UNKNOWN_PENALTY);
    hob_status status = trie_init(&unigram->trie, keys, n_keys, error);
    memory_free(keys);
    return status;
}

static hob_status load_vocabulary(struct tokenizer *tokenizer, const struct tokenizer_vocabulary *vocabulary,
                                  hob_error *error)
{
    struct unigram *unigram = CONFIG_NEW(tokenizer, struct unigram);
    double *scores = ARENA_NEW(&tokenizer->arena, double, vocabulary->n_tokens);
    if (!unigram || !scores) return text_no_memory(error);
    tokenizer->config = unigram;
    unigram->scores = scores;
    unigram->unknown_id = tokenizer->roles[HOB_TOKEN_UNKNOWN];
    tokenizer->keeps_broken = true; /* the normalizer repairs what is left broken */
    TRY(build_gguf_trie(tokenizer, vocabulary, unigram, scores, error));
    TRY(normalizer_sentencepiece_add(tokenizer, vocabulary, error));
    TRY(gguf_set_template(tokenizer, vocabulary, false, true, false, error));
    TRY(part_list_append(&tokenizer->stages, &stage_utf8, NULL, error));
    return vocabulary->add_space_prefix > 0 ? gguf_strip_space(tokenizer, error) : HOB_OK;
}

static hob_status write(const struct tokenizer *tokenizer, struct buffer *bytes, hob_error *error)
{
    const struct unigram *unigram = tokenizer->config;
    (void)error;
    trie_write(&unigram->trie, bytes);
    record_put_array(bytes, unigram->scores, tokenizer->vocabulary.n_tokens, sizeof *unigram->scores);
    record_put_f64(bytes, unigram->unknown_score);
    record_put_u32(bytes, (uint32_t)unigram->unknown_id);
    record_put_u8(bytes, unigram->falls_back_to_bytes);
    record_put_u8(bytes, unigram->finds_fused);
    return HOB_OK;
}

static hob_status read(struct tokenizer *tokenizer, struct record_reader *reader, hob_error *error)
{
    struct unigram *unigram = CONFIG_NEW(tokenizer, struct unigram);
    size_t n_scores, n_tokens = tokenizer->vocabulary.n_tokens;
    if (!unigram) return text_no_memory(error);
    tokenizer->config = unigram;
    trie_read(&unigram->trie, reader, n_tokens);
    unigram->scores = record_array(reader, sizeof *unigram->scores, &n_scores);
    unigram->unknown_score = record_f64(reader);
    unigram->unknown_id = (int32_t)record_u32(reader);
    unigram->falls_back_to_bytes = record_bool(reader);
    unigram->finds_fused = record_bool(reader);
    if (n_scores != n_tokens || unigram->unknown_id < HOB_NO_TOKEN || unigram->unknown_id >= (int64_t)n_tokens) record_fail(reader);
    return HOB_OK;
}

static void release(struct tokenizer *tokenizer)
{
    struct unigram *unigram = tokenizer->config;
    if (unigram) trie_release(&unigram->trie);
}

static void offer(struct cut *cut, double score, size_t begin, int32_t id)
{
    if (cut->begin == SIZE_MAX || score > cut->score) *cut = (struct cut){score, begin, id};
}

/* All tokens that begin at `at`. */
static hob_status extend(const struct unigram *unigram, const struct piece *piece, struct cut *cuts, size_t at,
                         size_t n_char, hob_error *error)
{
    uint32_t node = TRIE_ROOT;
    bool has_whole_char = false;
    double here = cuts[at].score;
    for (size_t end = at; end < piece->n_bytes && trie_step(&unigram->trie, &node, piece->text[end]);) {
        end++;
        int32_t id = unigram->trie.values[node];
        if (id < 0) continue;
        offer(&cuts[end], here + unigram->scores[id], at, id);
        has_whole_char = has_whole_char || end - at == n_char;
    }
    if (has_whole_char) return HOB_OK;
    if (unigram->unknown_id < 0) FAIL(error, HOB_BAD_FILE, "unigram: the text needs an unknown token, there is none");
    offer(&cuts[at + n_char], here + unigram->unknown_score, at, unigram->unknown_id);
    return HOB_OK;
}

/* Links the best cuts forward: afterwards cuts[position].begin is the END of the token that begins there. */
static void turn_round(struct cut *cuts, size_t n_bytes)
{
    size_t end = n_bytes, next_begin = cuts[n_bytes].begin;
    int32_t id = cuts[n_bytes].id;
    while (end > 0) {
        size_t begin = next_begin;
        int32_t next_id = cuts[begin].id;
        next_begin = cuts[begin].begin;
        cuts[begin] = (struct cut){.begin = end, .id = id};
        end = begin;
        id = next_id;
    }
}

/* A run of unknown characters. */
static hob_status append_unknown(const struct tokenizer *tokenizer, struct encoding *encoding, const char *text,
                                 size_t n_bytes, hob_error *error)
{
    const struct unigram *unigram = tokenizer->config;
    int32_t id = unigram->finds_fused ? vocabulary_find(&tokenizer->vocabulary, text, n_bytes) : HOB_NO_TOKEN;
    if (id >= 0) return encoding_append(encoding, id, error);
    bool can_fall_back = unigram->falls_back_to_bytes;
    for (size_t i = 0; i < n_bytes && can_fall_back; i++)
        can_fall_back = vocabulary_find_byte(&tokenizer->vocabulary, (unsigned char)text[i]) >= 0;
    if (!can_fall_back) return encoding_append(encoding, unigram->unknown_id, error);
    for (size_t i = 0; i < n_bytes; i++)
        TRY(encoding_append(encoding, vocabulary_find_byte(&tokenizer->vocabulary, (unsigned char)text[i]), error));
    return HOB_OK;
}

static hob_status append_cuts(const struct tokenizer *tokenizer, struct encoding *encoding, const struct piece *piece,
                              const struct cut *cuts, hob_error *error)
{
    const struct unigram *unigram = tokenizer->config;
    for (size_t at = 0; at < piece->n_bytes;) {
        size_t begin = at;
        while (at < piece->n_bytes && cuts[at].id == unigram->unknown_id) at = cuts[at].begin;
        if (at > begin) {
            TRY(append_unknown(tokenizer, encoding, piece->text + begin, at - begin, error));
            continue;
        }
        TRY(encoding_append(encoding, cuts[at].id, error));
        at = cuts[at].begin;
    }
    return HOB_OK;
}

static hob_status encode(const struct tokenizer *tokenizer, struct encoding *encoding, const struct piece *piece,
                         hob_error *error)
{
    struct buffer *scratch = &encoding->model_scratch[0];
    buffer_clear(scratch);
    if (!buffer_reserve(scratch, (piece->n_bytes + 1) * sizeof(struct cut))) return text_no_memory(error);
    struct cut *cuts = (struct cut *)(void *)scratch->bytes;
    for (size_t i = 0; i <= piece->n_bytes; i++) cuts[i] = (struct cut){.begin = SIZE_MAX};
    for (size_t at = 0, n; at < piece->n_bytes; at += n) {
        n = unicode_char_bytes(piece->text + at, piece->n_bytes - at);
        TRY(extend(tokenizer->config, piece, cuts, at, n, error));
    }
    turn_round(cuts, piece->n_bytes);
    return append_cuts(tokenizer, encoding, piece, cuts, error);
}

const struct tokenizer_def tokenizer_unigram = {
    .json_name = "Unigram",
    .gguf_name = "t5",
    .load_json = load_json,
    .load_vocabulary = load_vocabulary,
    .encode = encode,
    .release = release,
    .write = write,
    .read = read,
};

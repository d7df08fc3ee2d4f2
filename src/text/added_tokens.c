/* The semantics are those of Hugging Face's AddedVocabulary: a match that is turned down (a special token that is to be
 * ignored, a single word inside a longer one) is skipped as a whole, no shorter token is tried in its place. */
#include "text/added_tokens.h"
#include "base/error.h"
#include "base/memory.h"
#include "text/unicode.h"

#include <string.h>

enum { MAX_ADDED_TOKENS = 1 << 20, MAX_ADDED_BYTES = 1024 };

hob_status added_tokens_add(struct added_tokens *added, struct added_token token, hob_error *error)
{
    if (!unicode_is_valid(token.text, token.n_bytes)) return HOB_OK; /* a match would leave half a character behind */
    if (token.n_bytes == 0) return HOB_OK;
    if (token.n_bytes > MAX_ADDED_BYTES || added->n_tokens == MAX_ADDED_TOKENS)
        FAIL(error, HOB_LIMIT, "added token %d: found %zu bytes, at most %d are taken", token.id, token.n_bytes,
             MAX_ADDED_BYTES);
    if (added->n_tokens == added->n_reserved) {
        size_t n = added->n_reserved * 2 + 16;
        struct added_token *tokens = memory_resize(added->tokens, n, sizeof *tokens);
        if (!tokens) FAIL(error, HOB_NO_MEMORY, "added tokens: no memory for %zu", n);
        added->tokens = tokens;
        added->n_reserved = n;
    }
    added->tokens[added->n_tokens++] = token;
    added->is_first_byte[(unsigned char)token.text[0]] = true;
    return HOB_OK;
}

hob_status added_tokens_finish(struct added_tokens *added, hob_error *error)
{
    if (added->n_tokens == 0) return HOB_OK;
    struct trie_key *keys = memory_new(added->n_tokens, sizeof *keys);
    if (!keys) FAIL(error, HOB_NO_MEMORY, "added tokens: no memory for %zu", added->n_tokens);
    for (size_t i = 0; i < added->n_tokens; i++)
        keys[i] = (struct trie_key){added->tokens[i].text, added->tokens[i].n_bytes, (int32_t)i};
    hob_status status = trie_init(&added->trie, keys, added->n_tokens, error);
    memory_free(keys);
    return status;
}

void added_tokens_release(struct added_tokens *added)
{
    trie_release(&added->trie);
    memory_free(added->tokens);
    *added = (struct added_tokens){0};
}

static bool is_marked(const struct added_rules *rules, size_t begin, size_t end)
{
    if (end > rules->n_marked) end = rules->n_marked;
    return rules->marks && begin < end && memchr(rules->marks + begin, 1, end - begin);
}

/* The longest token at text[begin], or NULL; of special ones only those without marks, so that what a stranger writes behind a token
 * cannot make a longer one of it. */
static const struct added_token *find_longest(const struct added_tokens *added, const char *text, size_t begin, size_t n_bytes,
                                              const struct added_rules *rules)
{
    const struct added_token *longest = NULL, *token;
    uint32_t node = TRIE_ROOT;
    for (size_t at = begin; at < n_bytes && trie_step(&added->trie, &node, text[at++]);) {
        if (added->trie.values[node] < 0) continue;
        token = &added->tokens[added->trie.values[node]];
        if (!token->is_special || !is_marked(rules, begin, at)) longest = token;
    }
    return longest;
}

static bool touches_word(const char *text, size_t begin, size_t end, size_t n_bytes)
{
    size_t ignored, last = begin ? unicode_last(text, begin) : 0;
    if (begin > 0 && unicode_is_word(unicode_next(text + last, begin - last, &ignored))) return true;
    return end < n_bytes && unicode_is_word(unicode_next(text + end, n_bytes - end, &ignored));
}

static size_t strip_left(const char *text, size_t least, size_t begin)
{
    while (begin > least) {
        size_t last = unicode_last(text, begin), ignored;
        if (!unicode_is_whitespace(unicode_next(text + last, begin - last, &ignored))) break;
        begin = last;
    }
    return begin < least ? least : begin;
}

static size_t strip_right(const char *text, size_t end, size_t n_bytes)
{
    for (size_t n; end < n_bytes; end += n)
        if (!unicode_is_whitespace(unicode_next(text + end, n_bytes - end, &n))) break;
    return end;
}

bool added_tokens_next(const struct added_tokens *added, const char *text, size_t n_bytes, const struct added_rules *rules,
                       struct added_match *match)
{
    if (added->n_tokens == 0) return false;
    size_t at = match->n_searched;
    while (at < n_bytes) {
        const struct added_token *token =
            added->is_first_byte[(unsigned char)text[at]] ? find_longest(added, text, at, n_bytes, rules) : NULL;
        if (!token) {
            at++;
            continue;
        }
        size_t begin = at, end = at + token->n_bytes;
        at = end;
        if (rules->ignores_special && token->is_special) continue;
        if (token->is_single_word && touches_word(text, begin, end, n_bytes)) continue;
        if (token->strips_left) begin = strip_left(text, match->end, begin);
        if (token->strips_right) end = strip_right(text, end, n_bytes);
        /* n_searched stays behind the token itself: white space taken along may begin the next one. */
        *match = (struct added_match){.begin = begin < match->end ? match->end : begin,
                                      .end = end < match->end ? match->end : end,
                                      .n_searched = at,
                                      .id = token->id};
        return true;
    }
    match->n_searched = n_bytes;
    return false;
}

/* ---- records ---- */

enum { SINGLE_WORD = 1, STRIPS_LEFT = 2, STRIPS_RIGHT = 4, SPECIAL = 8, LEAST_RECORD_BYTES = 10 };

void added_tokens_write(const struct added_tokens *added, struct buffer *bytes)
{
    record_put_u32(bytes, (uint32_t)added->n_tokens);
    for (size_t i = 0; i < added->n_tokens; i++) {
        const struct added_token *token = &added->tokens[i];
        unsigned flags = (token->is_single_word ? SINGLE_WORD : 0u) | (token->strips_left ? STRIPS_LEFT : 0u) |
                         (token->strips_right ? STRIPS_RIGHT : 0u) | (token->is_special ? SPECIAL : 0u);
        record_put_u32(bytes, (uint32_t)token->id);
        record_put_u8(bytes, (uint8_t)flags);
        record_put_text(bytes, token->text, token->n_bytes);
    }
    if (added->n_tokens) trie_write(&added->trie, bytes);
}

static struct added_token read_token(struct record_reader *reader, size_t n_ids)
{
    struct added_token token = {.id = (int32_t)record_u32(reader)};
    uint8_t flags = record_u8(reader);
    token.is_single_word = flags & SINGLE_WORD;
    token.strips_left = flags & STRIPS_LEFT;
    token.strips_right = flags & STRIPS_RIGHT;
    token.is_special = flags & SPECIAL;
    token.text = record_text(reader, &token.n_bytes);
    if (token.id < 0 || (size_t)token.id >= n_ids || !token.n_bytes) record_fail(reader);
    return token;
}

/* The token whose spelling leads to the same node; NULL: none does. */
static const struct added_token *look_up(const struct added_tokens *added, const struct added_token *token)
{
    uint32_t node = TRIE_ROOT;
    for (size_t i = 0; i < token->n_bytes; i++)
        if (!trie_step(&added->trie, &node, token->text[i])) return NULL;
    return added->trie.values[node] < 0 ? NULL : &added->tokens[added->trie.values[node]];
}

/* Every match is as long as the token that it stands for: each node with a value is the end of that token's own spelling. */
static bool is_sound(const struct added_tokens *added)
{
    size_t n_ends = 0, n_found = 0;
    for (size_t i = 0; i < added->trie.n_nodes; i++) n_ends += added->trie.values[i] >= 0;
    for (size_t i = 0; i < added->n_tokens; i++) n_found += look_up(added, &added->tokens[i]) == &added->tokens[i];
    return n_ends == n_found;
}

hob_status added_tokens_read(struct added_tokens *added, struct record_reader *reader, size_t n_ids, hob_error *error)
{
    uint32_t n_tokens = record_count(reader, LEAST_RECORD_BYTES);
    for (uint32_t i = 0; i < n_tokens; i++) {
        struct added_token token = read_token(reader, n_ids);
        if (reader->is_bad) return HOB_OK;
        TRY(added_tokens_add(added, token, error));
    }
    if (!n_tokens) return HOB_OK;
    trie_read(&added->trie, reader, n_tokens);
    if (added->n_tokens != n_tokens || (!reader->is_bad && !is_sound(added))) record_fail(reader);
    return HOB_OK;
}

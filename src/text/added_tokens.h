/* Tokens that are cut out of the text before anything else looks at it: "<|im_end|>", "<mask>", runs of spaces.
 *
 * Found leftmost, longest first, without overlap. Owns its tables; the spellings are the caller's. Reading is thread-safe.
 *
 *     struct added_tokens added = {0};
 *     TRY(added_tokens_add(&added, (struct added_token){.text = "<s>", .n_bytes = 3, .id = 1}, error));
 *     TRY(added_tokens_finish(&added, error));
 *     struct added_rules rules = {0};
 *     struct added_match match = {0};
 *     while (added_tokens_next(&added, text, n_bytes, &rules, &match)) … text before match.begin, match.id
 *     … text from match.end on
 *     added_tokens_release(&added);
 */
#ifndef TEXT_ADDED_TOKENS_H
#define TEXT_ADDED_TOKENS_H

#include "text/trie.h"

struct added_token {
    const char *text;
    size_t n_bytes;
    int32_t id;
    bool is_single_word; /* only where no word character touches it */
    bool strips_left, strips_right; /* takes the white space beside it along */
    bool is_special;
};

struct added_tokens {
    struct added_token *tokens;
    size_t n_tokens, n_reserved;
    struct trie trie;
    bool is_first_byte[256]; /* some token begins so */
};

HOB_MUST_CHECK hob_status added_tokens_add(struct added_tokens *added, struct added_token token, hob_error *error);
HOB_MUST_CHECK hob_status added_tokens_finish(struct added_tokens *added, hob_error *error); /* after the last add */
/* As a record, and back: spellings stay in the record, which must live as long as the tokens. Every id is below n_ids. A failure to
 * read shows in the reader; fails: HOB_NO_MEMORY. */
void added_tokens_write(const struct added_tokens *added, struct buffer *bytes);
HOB_MUST_CHECK hob_status added_tokens_read(struct added_tokens *added, struct record_reader *reader, size_t n_ids, hob_error *error);
void added_tokens_release(struct added_tokens *added);                                       /* takes a zeroed one */

/* In which texts special tokens are special. */
struct added_rules {
    bool ignores_special; /* nowhere: they count as plain text */
    const char *marks;    /* not where one of a token's bytes has a mark other than 0; NULL: no marks */
    size_t n_marked;      /* bytes that have a mark, from the text's first on */
};

/* begin and end take the stripped white space in. */
struct added_match {
    size_t begin, end, n_searched;
    int32_t id;
};
/* The next one from match->n_searched on. */
bool added_tokens_next(const struct added_tokens *added, const char *text, size_t n_bytes, const struct added_rules *rules,
                       struct added_match *match);

#endif

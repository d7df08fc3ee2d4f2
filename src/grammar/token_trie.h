/* The bytes of all tokens of a vocabulary, sorted into a trie that is walked in one sweep.
 *
 * Nodes lie in the order of a walk that goes down first, so a subtree is a run of nodes and the tokens below a node are a run of
 * ids. Tokens are what they decode to in the middle of a text. A control token, which stands for no text, is its spelling between two
 * bytes that UTF-8 does not have, so that a grammar can name it and no text can be taken for it; tokens with that byte in their text
 * (byte tokens for it: no text of a grammar has it) and those that are unknown or unused are not in it. Built once for a tokenizer, immutable, shared by threads.
 *
 *     TRY(token_trie_new(tokenizer, &trie, error));
 *     token_trie_unref(trie);
 */
#ifndef GRAMMAR_TOKEN_TRIE_H
#define GRAMMAR_TOKEN_TRIE_H

#include "hob/status.h"
#include "text/tokenizer.h"

#include <stdatomic.h>

enum {
    TOKEN_MAX_BYTES = 255,     /* longer tokens are never allowed */
    TOKEN_SPECIAL_BYTE = 0xFF, /* before and behind the spelling of a control token */
};

struct token_trie {
    atomic_uint n_refs;
    uint32_t n_nodes; /* node 0: the root, of no byte */
    uint8_t *bytes;   /* that leads to a node */
    uint8_t *depths;
    uint32_t *ends;     /* the node behind the subtree */
    uint32_t *first_id; /* [n_nodes + 1] into ids: those that end at the node */
    int32_t *ids;
    size_t n_tokens;   /* of the vocabulary: ids are below it */
    uint32_t *offsets; /* [n_tokens + 1] of each token's bytes */
    char *texts;
};

/* Fails: HOB_LIMIT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status token_trie_new(const struct tokenizer *tokenizer, struct token_trie **ret_trie,
                                         hob_error *error);
struct token_trie *token_trie_ref(struct token_trie *trie);
void token_trie_unref(struct token_trie *trie); /* takes NULL */
size_t token_trie_n_bytes(const struct token_trie *trie);
/* NULL: the token is not in the trie. */
const char *token_trie_text(const struct token_trie *trie, int32_t id, size_t *ret_n_bytes);

#endif

/* Which tokens may come next: a bit for each, from a grammar's state and a vocabulary's bytes.
 *
 * A mask is put together from what each head's position allows, whatever it was called from. That is worked out once by a walk of
 * the trie and kept: the tokens within the rule, and the trie's nodes where the rule ended inside a token. From those nodes the walk
 * goes on, at every use, with what lies below the head in the stack; as small rules are written out, there are few. Memory is
 * reserved at the beginning and bounded; when it is used up, what is known is forgotten and worked out again. Thread-safe: one mask
 * at a time. Filling allocates nothing.
 *
 *     TRY(token_masks_new(grammar, trie, &masks, error));
 *     token_masks_fill(masks, &state, bits, n_bits);
 *     token_masks_unref(masks);
 */
#ifndef GRAMMAR_TOKEN_MASKS_H
#define GRAMMAR_TOKEN_MASKS_H

#include "grammar/state.h"
#include "grammar/token_trie.h"

struct token_masks;

HOB_MUST_CHECK hob_status token_masks_new(struct grammar *grammar, struct token_trie *trie,
                                          struct token_masks **ret_masks, hob_error *error);
struct token_masks *token_masks_ref(struct token_masks *masks);
void token_masks_unref(struct token_masks *masks); /* takes NULL */
const struct grammar *token_masks_grammar(const struct token_masks *masks);
const struct token_trie *token_masks_trie(const struct token_masks *masks);

/* bits: (n_bits + 31) / 32 words, bit id % 32 of word id / 32; ids of n_bits and above are left out. Returns how many tokens are
 * allowed. End tokens, which stand for no text, are the caller's. */
size_t token_masks_fill(struct token_masks *masks, const struct grammar_state *state, uint32_t *bits, size_t n_bits);
/* The state behind a token; false: it is not allowed, and the state is as it was. */
bool token_masks_accept(const struct token_masks *masks, struct grammar_state *state, int32_t id);

#endif

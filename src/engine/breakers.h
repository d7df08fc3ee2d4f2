/* Texts that interrupt a repetition (DRY), as tokens: found once for a vocabulary, looked up token by token.
 *
 * A token whose text holds a breaker is one by itself. A token that ends with the beginning of a breaker is one when the tokens
 * behind it spell the rest. Owns its tables; immutable after init, so threads may share it.
 *
 *     struct breakers breakers = {0};
 *     TRY(breakers_init(&breakers, tokenizer, n_vocab, texts, n_texts, error));
 *     size_t n = breakers_n_since(&breakers, ids, n_ids);      tokens behind the last breaker
 *     breakers_release(&breakers);
 */
#ifndef ENGINE_BREAKERS_H
#define ENGINE_BREAKERS_H

#include "hob/tokenizer.h"

/* A token that begins a breaker, and the tokens that must follow: tails[first_tail …], n_tail of them. */
struct breaker_head {
    int32_t id;
    uint32_t first_tail, n_tail;
};

struct breakers {
    uint32_t *is_whole;         /* a bit an id: holds a breaker */
    struct breaker_head *heads; /* by id */
    int32_t *tails;
    size_t n_heads, n_reserved_heads, n_tails, n_reserved_tails;
};

/* Fails: HOB_NO_MEMORY, HOB_BAD_ARGUMENT (an empty text), what the tokenizer reports. */
HOB_MUST_CHECK hob_status breakers_init(struct breakers *breakers, const hob_tokenizer *tokenizer, size_t n_vocab,
                                        const char *const *texts, size_t n_texts, hob_error *error);
void breakers_release(struct breakers *breakers); /* takes a zeroed one */

/* How many of the last tokens come behind the last breaker; n_ids where there is none. */
size_t breakers_n_since(const struct breakers *breakers, const int32_t *ids, size_t n_ids);

#endif

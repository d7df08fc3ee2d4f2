/* Any text up to a mark, and special tokens as symbols of a grammar.
 *
 * A special token stands for no text, so it is spelt between two bytes that no text has: SPECIAL_BYTE, the token, SPECIAL_BYTE. Only the
 * token itself is that to a mask (token_trie.h), so that a grammar can ask for it where a model was taught to write it.
 *
 *     at = grammar_builder_until(&builder, at, "</think>", 8);       any text, then the mark, which is not in the text
 */
#ifndef GRAMMAR_UNTIL_H
#define GRAMMAR_UNTIL_H

#include "grammar/builder.h"
#include "grammar/token_trie.h"

/* mark: ASCII, or a special token between its bytes. Returns the state behind it. */
uint32_t grammar_builder_until(struct grammar_builder *builder, uint32_t from, const char *mark, size_t n_bytes);

#endif

/* What a token stands for in the middle of a text, in bytes that need not be whole characters: "ing" for WordPiece's "##ing",
 * " the" for SentencePiece's "▁the", one byte for "<0x0A>".
 *
 * A reader keeps two decoders between calls, one thread at a time.
 *
 *     struct token_texts *texts;
 *     TRY(token_texts_new(tokenizer, &texts, error));
 *     TRY_CLEANUP(token_texts_append(texts, id, &text, error));      nothing for tokens that stand for no text
 *     token_texts_free(texts);
 */
#ifndef TEXT_TOKEN_TEXT_H
#define TEXT_TOKEN_TEXT_H

#include "text/tokenizer.h"

struct token_texts;

HOB_MUST_CHECK hob_status token_texts_new(const struct tokenizer *tokenizer, struct token_texts **ret_texts,
                                          hob_error *error);
void token_texts_free(struct token_texts *texts); /* takes NULL */
HOB_MUST_CHECK hob_status token_texts_append(struct token_texts *texts, int32_t id, struct buffer *text,
                                             hob_error *error);

#endif

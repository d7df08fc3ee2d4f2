/* SentencePiece's own normalizer, for GGUF's Unigram models (normalizers/sentencepiece.c). */
#ifndef TEXT_SENTENCEPIECE_H
#define TEXT_SENTENCEPIECE_H

#include "text/parts.h"

HOB_MUST_CHECK hob_status normalizer_sentencepiece_add(struct tokenizer *tokenizer,
                                                       const struct tokenizer_vocabulary *vocabulary,
                                                       hob_error *error);

#endif

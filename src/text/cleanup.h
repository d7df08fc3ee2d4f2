/* Spaces that tokenizing English put before punctuation and contractions, taken out again. */
#ifndef TEXT_CLEANUP_H
#define TEXT_CLEANUP_H

#include "base/buffer.h"

/* Every `from` becomes `to`, which is not longer. */
void cleanup_replace(struct buffer *text, const char *from, const char *to);
void cleanup_text(struct buffer *text);

#endif

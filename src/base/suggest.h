/* "Did you mean …?": the known word nearest to one that is not known. */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include <stddef.h>

/* The index of the nearest word, or n_words when none is near. */
size_t suggest_nearest(const char *unknown, const char *const *words, size_t n_words);

#endif

/* Looking up spellings in a vocabulary that lies in a record. Private to text/vocabulary.c. */
#ifndef TEXT_VOCABULARY_TABLES_H
#define TEXT_VOCABULARY_TABLES_H

#include "text/vocabulary.h"

/* The id, or HOB_NO_TOKEN. */
int32_t vocabulary_tables_find(const struct vocabulary *vocabulary, const char *text, size_t n_bytes);

#endif

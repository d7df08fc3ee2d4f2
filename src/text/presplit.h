/* How the byte-level BPEs that GGUF names (tokenizer.ggml.pre) cut text before merging. */
#ifndef TEXT_PRESPLIT_H
#define TEXT_PRESPLIT_H

#include "text/parts.h"

enum presplit_flags {
    PRESPLIT_IGNORES_MERGES = 1, /* a piece that is a token as a whole is that token */
    PRESPLIT_ADDS_BOS = 2,       /* unless the metadata says otherwise */
    PRESPLIT_ADDS_SEP = 4,
};

struct presplit {
    const char *name;
    const char *const *patterns; /* each cuts the pieces of the one before; ends with NULL */
    unsigned flags;
};

/* name NULL: files from before the key existed. Fails: HOB_UNSUPPORTED. */
HOB_MUST_CHECK hob_status presplit_find(const char *name, const struct presplit **ret_presplit, hob_error *error);

/* Appends a pre-tokenizer that isolates all matches (pretokenizers/split.c). */
HOB_MUST_CHECK hob_status pretokenizer_split_add(struct tokenizer *tokenizer, const char *pattern, hob_error *error);

#endif

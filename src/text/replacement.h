/* A pattern and what stands in for its matches: shared by the normalizer and the decoder named "Replace", and by what reads
 * {"String": …} or {"Regex": …} in tokenizer.json. */
#ifndef TEXT_REPLACEMENT_H
#define TEXT_REPLACEMENT_H

#include "text/parts.h"

struct replacement {
    const struct regex *regex;
    const char *literal; /* the pattern if it is plain text, else NULL */
    size_t literal_bytes;
    const char *content;
    size_t content_bytes;
};

/* Reads "pattern" and compiles it; ret_literal NULL for a regular expression. Both belong to the tokenizer. */
HOB_MUST_CHECK hob_status pattern_load(struct tokenizer *tokenizer, const json_t *json, struct regex **ret_regex,
                                       const char **ret_literal, size_t *ret_literal_bytes, hob_error *error);
HOB_MUST_CHECK hob_status replacement_load(struct tokenizer *tokenizer, const json_t *json, const void **ret_config,
                                           hob_error *error);
/* ret_drops_begin: what the text began with left nothing behind. */
HOB_MUST_CHECK hob_status replacement_apply(const struct replacement *replacement, struct regex_scratch *scratch,
                                            const char *text, size_t n_bytes, struct buffer *out,
                                            bool *ret_drops_begin, hob_error *error);

#endif

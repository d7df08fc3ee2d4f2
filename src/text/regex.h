/* Regular expressions as tokenizer.json writes them (Oniguruma's Ruby syntax over Unicode), run by PCRE2 with its JIT.
 *
 * A regex is immutable: threads may share it, each with its own regex_scratch. Matching work per start position is bounded,
 * so a hostile pattern ends in HOB_LIMIT, not in a hang.
 *
 *     struct regex *regex;
 *     TRY(regex_new(pattern, n_bytes, &regex, error));
 *     struct regex_search search = {.text = text, .n_bytes = n};
 *     bool is_found;
 *     TRY(regex_next(regex, &scratch, &search, &is_found, error));
 *     if (is_found) … search.begin, search.end
 *     regex_free(regex);
 */
#ifndef TEXT_REGEX_H
#define TEXT_REGEX_H

#include "base/buffer.h"
#include "hob/status.h"

#include <stdbool.h>
#include <stddef.h>

struct regex;

/* Fails: HOB_BAD_FILE (not a pattern), HOB_UNSUPPORTED (a construct without counterpart), HOB_LIMIT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status regex_new(const char *pattern, size_t n_bytes, struct regex **ret_regex, hob_error *error);
/* A pattern that matches exactly this text. */
HOB_MUST_CHECK hob_status regex_new_literal(const char *text, size_t n_bytes, struct regex **ret_regex,
                                            hob_error *error);
void regex_free(struct regex *regex); /* takes NULL */
/* What it was made from; lives as long as the regex. */
const char *regex_pattern(const struct regex *regex, size_t *ret_n_bytes, bool *ret_is_literal);

/* What a thread needs to match; zeroed to begin with. */
struct regex_scratch {
    void *match_data, *match_context;
};
void regex_scratch_release(struct regex_scratch *scratch);

/* A walk over all matches, left to right, without overlap. An empty match does not count where the match before ended. */
struct regex_search {
    const char *text; /* valid UTF-8 */
    size_t n_bytes;
    size_t begin, end; /* of the match found last */
    bool is_after_match;
};
HOB_MUST_CHECK hob_status regex_next(const struct regex *regex, struct regex_scratch *scratch,
                                     struct regex_search *search, bool *ret_is_found, hob_error *error);

/* Appends the pattern in PCRE2's syntax. */
HOB_MUST_CHECK hob_status regex_translate(const char *pattern, size_t n_bytes, struct buffer *out, hob_error *error);

#endif

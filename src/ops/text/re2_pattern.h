/* Patterns in RE2's syntax (google/re2, doc/syntax.txt), written again for PCRE2.
 *
 * What RE2 refuses is refused: back-references, lookaround, atomic and possessive forms, recursion. What the two read differently (\v, \s,
 * octal codes, scripts, "{,n}") is spelled out. Greediness is dropped: it chooses among matches, and the reader of the result only asks
 * whether the whole text is one. Compile with PCRE2_UTF and PCRE2_ALT_CIRCUMFLEX, newline LF.
 *
 *     struct buffer out = {.cap_bytes = 1 << 20};
 *     const char *why = re2_translate("(?i)ab*", 7, &out);           NULL: it is done
 */
#ifndef OPS_TEXT_RE2_PATTERN_H
#define OPS_TEXT_RE2_PATTERN_H

#include "base/buffer.h"

/* Appends the translation. A failed append shows in out->is_failed. Returns what is wrong with the pattern, or NULL. */
const char *re2_translate(const char *pattern, size_t n_bytes, struct buffer *out);

#endif

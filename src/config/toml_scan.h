/* The letters of TOML: a cursor over the text, and the values that hold no other values. What toml.c builds documents from.
 *
 * Owns nothing; texts it makes live in the arena. Not thread-safe. */
#ifndef CONFIG_TOML_SCAN_H
#define CONFIG_TOML_SCAN_H

#include "base/arena.h"
#include "base/error.h"
#include "config/toml.h"

struct toml_scan {
    const char *name; /* of the document */
    const char *at, *end, *line_start;
    int line;
    struct arena *arena;
    hob_error *error;
};

/* Messages begin with the name, line and column of where the scan stands. */
#define TOML_FAIL(scan, format, ...)                                                                              \
    FAIL((scan)->error, HOB_BAD_FILE, "%s:%d:%d: " format, (scan)->name, (scan)->line, toml_column(scan), ##__VA_ARGS__)

int toml_column(const struct toml_scan *scan);
/* The next byte as a person reads it: "'x'", "byte 0x07", "the end of the line", "the end of the file". */
const char *toml_found(const struct toml_scan *scan, char text[static 32]);

/* The next byte, or '\0' at the end: a NUL in a text has been refused before. */
static inline char toml_peek(const struct toml_scan *scan)
{
    return scan->at < scan->end ? *scan->at : '\0';
}

bool toml_take(struct toml_scan *scan, char wanted); /* false: something else is there, and nothing is taken */
void toml_skip_blanks(struct toml_scan *scan);       /* spaces and tabs */
/* A line end, LF or CR LF; false: there is none. */
bool toml_take_line_end(struct toml_scan *scan);
/* Blanks, comments and line ends, as many as there are. */
HOB_MUST_CHECK hob_status toml_skip_lines(struct toml_scan *scan);
/* Blanks, perhaps a comment, then a line end or the document's. */
HOB_MUST_CHECK hob_status toml_end_line(struct toml_scan *scan);

/* A key's part: bare or quoted. */
HOB_MUST_CHECK hob_status toml_scan_key(struct toml_scan *scan, const char **ret_key, size_t *ret_n_bytes);
/* A string in one of its four forms; the scan stands at its quote. */
HOB_MUST_CHECK hob_status toml_scan_string(struct toml_scan *scan, bool is_one_line, const char **ret_text,
                                           size_t *ret_n_bytes);
/* A boolean, number, date or time. */
HOB_MUST_CHECK hob_status toml_scan_plain(struct toml_scan *scan, struct toml_value *ret_value);

/* Behind a fault, to the beginning of the next line that looks like a header, or like a key with its = where only_headers is false:
 * toml_recover.c. */
void toml_skip_to_statement(struct toml_scan *scan, bool only_headers);

/* A date and time that fills text: toml_time.c. false: it is none. */
bool toml_read_time(const char *text, size_t n_bytes, struct toml_time *ret_time);

#endif

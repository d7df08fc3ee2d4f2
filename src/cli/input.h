/* Text from the command line or from a file descriptor: "-" among the words means standard input.
 *
 *     struct buffer text = {0};
 *     TRY(input_text(line->words, line->n_words, &text, error));
 *
 * A line reader hands out the lines that have come, and never waits for more while it still has one: a batch of all that is
 * there can be made without keeping the writer of a pipe waiting.
 *
 *     struct line_reader reader = {.fd = STDIN_FILENO, .name = "standard input"};
 *     while (line_reader_next(&reader, &line, &n_bytes, error) == HOB_OK && line) …
 *     line_reader_release(&reader);
 */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "base/buffer.h"
#include "hob/status.h"

/* The words joined by spaces, or all of standard input when the only word is "-". */
HOB_MUST_CHECK hob_status input_text(const char *const *words, size_t n_words, struct buffer *text, hob_error *error);
/* All of a file, or of standard input where path is "-". Fails: HOB_NOT_FOUND, HOB_IO, HOB_LIMIT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status input_file(const char *path, struct buffer *text, hob_error *error);
bool input_is_stdin(const char *const *words, size_t n_words);

struct line_reader {
    int fd;
    const char *name; /* for messages */
    struct buffer bytes;
    size_t next; /* where the next line begins */
    bool is_at_end;
};

/* ret_line: the bytes, for the caller to change, without their line end, NUL-terminated; NULL at the end. Valid until a
 * call that must read more. */
HOB_MUST_CHECK hob_status line_reader_next(struct line_reader *reader, char **ret_line, size_t *ret_n_bytes,
                                           hob_error *error);
/* A whole line is there: line_reader_next will not read and leaves the lines before valid. */
bool line_reader_is_ready(const struct line_reader *reader);
void line_reader_release(struct line_reader *reader);

#endif

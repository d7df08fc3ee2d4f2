/* What the person types in hob chat: with line editing and history on a terminal, plain lines from anything else.
 *
 * A message goes over several lines between two """ or with a backslash at a line's end. Not thread-safe.
 *
 *     struct chat_lines *lines;
 *     TRY(chat_lines_open(&lines, error));
 *     while (chat_lines_next(lines, &message, error) == CHAT_LINES_MESSAGE) …
 *     chat_lines_free(lines);                              writes the history
 */
#ifndef CLI_CHAT_LINES_H
#define CLI_CHAT_LINES_H

#include "base/buffer.h"
#include "hob/status.h"

struct chat_lines;

enum chat_lines_result { CHAT_LINES_MESSAGE, CHAT_LINES_END, CHAT_LINES_INTERRUPTED, CHAT_LINES_FAILED };

HOB_MUST_CHECK hob_status chat_lines_open(struct chat_lines **ret_lines, hob_error *error);
void chat_lines_free(struct chat_lines *lines); /* takes NULL */
/* Whether a person types, not a file or pipe. */
bool chat_lines_is_terminal(const struct chat_lines *lines);
/* message: replaced by the next one, without its last line end. INTERRUPTED: Ctrl-C, what was typed is thrown away. error is set
 * where it FAILED. */
enum chat_lines_result chat_lines_next(struct chat_lines *lines, struct buffer *message, hob_error *error);

#endif

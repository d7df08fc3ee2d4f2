/* Messages for the person, on standard error, each one line that begins with "hob: ".
 *
 * Control characters are replaced, because names out of a model file end up in messages and must not steer a terminal.
 *
 *     if (hob_describe(path, false, &text, &error) != HOB_OK) return report_error(&error);
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "hob/status.h"

struct command_line;
struct command_def;

void report(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Says what the library said; returns the exit status that goes with it. */
int report_error(const hob_error *error);
/* Says what is wrong with how the command was called and where help is; returns STATUS_USAGE. */
int report_usage(const struct command_def *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

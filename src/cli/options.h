/* From words on the command line to a command's settings, by the command's rows.
 *
 * Options may stand before, between and behind other words; "--" ends them. Long ones take "--name value" or
 * "--name=value", letters "-n 5" or "-n5", and flags may share a dash. Owns the settings and lists it makes; the texts in
 * them are those of argv.
 *
 *     struct options parsed;
 *     int status = options_parse(command, n_arguments, arguments, &parsed);
 *     … parsed.settings, parsed.words …
 *     options_release(&parsed);
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "cli/command.h"

struct options {
    const struct command_def *command;
    void *settings;
    const char **words;
    size_t n_words;
    bool wants_help;
};

/* Says what is wrong and returns STATUS_USAGE, or STATUS_DONE. parsed is to be released either way. */
int options_parse(const struct command_def *command, size_t n_arguments, const char *const *arguments,
                  struct options *ret_parsed);
void options_release(struct options *parsed);

#endif

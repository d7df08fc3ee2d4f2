/* One option's argument, read as its row says and put into the command's settings. */
#ifndef CLI_OPTION_VALUE_H
#define CLI_OPTION_VALUE_H

#include "cli/command.h"

#include <stdint.h>

/* text is NULL for a flag. A list must have room for one more. Says what is wrong and returns STATUS_USAGE, or
 * STATUS_DONE. */
int option_value_set(const struct command_def *command, const struct option_def *option, const char *text,
                     void *settings);

/* false: not decimal digits alone, or above most. */
bool parse_unsigned(const char *text, uint64_t most, uint64_t *ret_value);

#endif

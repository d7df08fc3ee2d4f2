/* Help, written from the commands' rows. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/command.h"

/* What hob is and its commands. */
void help_overview(struct output *output);
void help_command(struct output *output, const struct command_def *command);
/* Says that there is no such command and which is near; returns STATUS_USAGE. */
int help_unknown_command(const char *name);

#endif

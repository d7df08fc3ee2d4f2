#include "cli/help.h"
#include "cli/report.h"

static int run(const struct command_line *line)
{
    if (line->n_words > 1) return report_usage(line->command, "found %zu words, expected one command", line->n_words);
    if (line->n_words == 0) {
        help_overview(line->output);
        return STATUS_DONE;
    }
    const struct command_def *command = command_find(line->words[0]);
    if (!command) return help_unknown_command(line->words[0]);
    help_command(line->output, command);
    return STATUS_DONE;
}

const struct command_def command_help = {
    .name = "help",
    .synopsis = "[COMMAND]",
    .summary = "Show the commands, or how one is used",
    .run = run,
};

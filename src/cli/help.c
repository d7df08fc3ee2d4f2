#include "cli/help.h"

#include "base/suggest.h"
#include "cli/report.h"

#define COMMAND(verb) extern const struct command_def command_##verb;
#include "cli/commands.def"
#undef COMMAND

const struct command_def *const commands[] = {
#define COMMAND(verb) &command_##verb,
#include "cli/commands.def"
#undef COMMAND
};
const size_t n_commands = sizeof commands / sizeof commands[0];

const struct command_def *command_find(const char *name)
{
    for (size_t i = 0; i < n_commands; i++)
        if (strcmp(commands[i]->name, name) == 0) return commands[i];
    return NULL;
}

int help_unknown_command(const char *name)
{
    const char *names[sizeof commands / sizeof commands[0]];
    for (size_t i = 0; i < n_commands; i++) names[i] = commands[i]->name;
    size_t nearest = suggest_nearest(name, names, n_commands);
    if (nearest == n_commands) return report_usage(NULL, "'%s' is not a command", name);
    return report_usage(NULL, "'%s' is not a command; did you mean '%s'?", name, names[nearest]);
}

void help_overview(struct output *output)
{
    output_printf(output, "Usage: hob COMMAND [OPTION…] …\n\n"
                          "Private AI on this machine: no byte leaves it.\n\nCommands:\n");
    for (size_t i = 0; i < n_commands; i++)
        output_printf(output, "  %-16s %s\n", commands[i]->name, commands[i]->summary);
    output_printf(output,
                  "\nOptions:\n  -h, --help   this text; behind a command, the command's own\n"
                  "      --version\n"
                  "\nMODEL is a file (.onnx, .gguf, .safetensors) or a folder with config.json; without -m the\n"
                  "default model is used, or the one that HOB_MODEL names.\n"
                  "Exit status: 0 done, 1 failed, 2 called wrongly, 130 interrupted.\n");
}

static void help_option(struct output *output, const struct option_def *option)
{
    char left[64];
    snprintf(left, sizeof left, "%c%c%c --%s%s%s", option->letter ? '-' : ' ', option->letter ? option->letter : ' ',
             option->letter ? ',' : ' ', option->name, option->argument ? " " : "",
             option->argument ? option->argument : "");
    output_printf(output, "  %-28s %s\n", left, option->help);
}

void help_command(struct output *output, const struct command_def *command)
{
    output_printf(output, "Usage: hob %s %s\n\n%s.\n", command->name, command->synopsis, command->summary);
    if (command->details) output_printf(output, "%s", command->details);
    output_printf(output, "\nOptions:\n");
    for (size_t i = 0; i < command->n_options; i++) help_option(output, &command->options[i]);
    output_printf(output, "  -h, --help                   this text\n");
}

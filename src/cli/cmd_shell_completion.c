/* Completion scripts for shells, written from the rows of commands.def: what the program knows, the shell offers.
 *
 * Commands, options and an option's words are offered; anywhere else the shell offers file names, because models, tensors
 * and folders are what stands there. */
#include "cli/command.h"
#include "cli/report.h"

static void print_names(struct output *output, const struct command_def *command, const char *separator)
{
    for (size_t i = 0; i < command->n_options; i++) {
        if (command->options[i].letter) output_printf(output, "-%c%s", command->options[i].letter, separator);
        output_printf(output, "--%s%s", command->options[i].name, separator);
    }
    output_printf(output, "--help");
}

static void print_commands(struct output *output)
{
    for (size_t i = 0; i < n_commands; i++) output_printf(output, "%s%s", i ? " " : "", commands[i]->name);
}

static void print_choices(struct output *output, const struct option_def *option)
{
    for (size_t i = 0; option->choices[i]; i++) output_printf(output, "%s%s", i ? " " : "", option->choices[i]);
}

/* What stands behind an option: its words; nothing where a number or a text is wanted. */
static void bash_arguments(struct output *output, const struct command_def *command)
{
    for (size_t i = 0; i < command->n_options; i++) {
        const struct option_def *option = &command->options[i];
        if (option->kind != OPTION_CHOICE) continue;
        output_printf(output, "    '%s --%s') words='", command->name, option->name);
        print_choices(output, option);
        output_printf(output, "' ;;\n");
    }
}

static void print_bash(struct output *output)
{
    output_printf(output, "# bash completion for hob: source it, or put it into bash-completion's folder as \"hob\".\n"
                          "_hob() {\n"
                          "    local word=${COMP_WORDS[COMP_CWORD]} words=\n"
                          "    COMPREPLY=()\n"
                          "    case \"${COMP_WORDS[1]} ${COMP_WORDS[COMP_CWORD-1]}\" in\n");
    for (size_t i = 0; i < n_commands; i++) bash_arguments(output, commands[i]);
    output_printf(output, "    *)\n"
                          "        case \"$COMP_CWORD ${COMP_WORDS[1]}\" in\n"
                          "        1\\ *) words='");
    print_commands(output);
    output_printf(output, " --help --version' ;;\n        *\\ help) words='");
    print_commands(output);
    output_printf(output, "' ;;\n");
    for (size_t i = 0; i < n_commands; i++) {
        output_printf(output, "        *\\ %s) [[ $word == -* ]] && words='", commands[i]->name);
        print_names(output, commands[i], " ");
        output_printf(output, "' ;;\n");
    }
    output_printf(output, "        esac ;;\n"
                          "    esac\n"
                          "    [ -z \"$words\" ] || COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
                          "}\n"
                          "complete -o default -F _hob hob\n");
}

/* The command's help as text in single quotes, for zsh and fish; their brackets and colons mean something to zsh. */
static void print_quoted(struct output *output, const char *text, const char *escaped)
{
    for (; *text; text++) {
        if (*text == '\'') output_printf(output, "'\\''");
        else output_printf(output, strchr(escaped, *text) ? "\\%c" : "%c", *text);
    }
}

static void zsh_option(struct output *output, const struct option_def *option)
{
    const char *repeat = option->kind == OPTION_TEXTS ? "*" : "";
    output_printf(output, " \\\n            '%s--%s%s[", repeat, option->name, option->argument ? "=" : "");
    print_quoted(output, option->help, "[]:");
    output_printf(output, "]");
    if (option->argument) {
        output_printf(output, ":");
        print_quoted(output, option->argument, "[]:");
        output_printf(output, option->kind == OPTION_CHOICE ? ":(" : ":_files");
        if (option->kind == OPTION_CHOICE) print_choices(output, option);
        if (option->kind == OPTION_CHOICE) output_printf(output, ")");
    }
    output_printf(output, "'");
}

static void print_zsh(struct output *output)
{
    output_printf(output, "#compdef hob\n"
                          "_hob() {\n"
                          "    if ((CURRENT == 2)); then\n"
                          "        local -a verbs=(\n");
    for (size_t i = 0; i < n_commands; i++) {
        output_printf(output, "            '%s:", commands[i]->name);
        print_quoted(output, commands[i]->summary, ":");
        output_printf(output, "'\n");
    }
    output_printf(output, "        )\n"
                          "        _describe command verbs\n"
                          "        return\n"
                          "    fi\n"
                          "    local verb=${words[2]}\n"
                          "    shift words\n"
                          "    ((CURRENT--))\n"
                          "    case $verb in\n"
                          "    help) _values command ");
    print_commands(output);
    output_printf(output, " ;;\n");
    for (size_t i = 0; i < n_commands; i++) {
        if (strcmp(commands[i]->name, "help") == 0) continue;
        output_printf(output, "    %s)\n        _arguments", commands[i]->name);
        for (size_t k = 0; k < commands[i]->n_options; k++) zsh_option(output, &commands[i]->options[k]);
        output_printf(output, " \\\n            '--help[this text]' '*:file:_files' ;;\n");
    }
    output_printf(output, "    esac\n"
                          "}\n"
                          "_hob \"$@\"\n");
}

static void fish_option(struct output *output, const struct command_def *command, const struct option_def *option)
{
    output_printf(output, "complete -c hob -n '__fish_seen_subcommand_from %s' -l %s", command->name, option->name);
    if (option->letter) output_printf(output, " -s %c", option->letter);
    if (option->argument) output_printf(output, " -r");
    if (option->kind == OPTION_CHOICE) {
        output_printf(output, " -f -a '");
        print_choices(output, option);
        output_printf(output, "'");
    }
    output_printf(output, " -d '");
    print_quoted(output, option->help, "");
    output_printf(output, "'\n");
}

static void print_fish(struct output *output)
{
    output_printf(output, "# fish completion for hob\n");
    for (size_t i = 0; i < n_commands; i++) {
        output_printf(output, "complete -c hob -n __fish_use_subcommand -f -a %s -d '", commands[i]->name);
        print_quoted(output, commands[i]->summary, "");
        output_printf(output, "'\n");
        for (size_t k = 0; k < commands[i]->n_options; k++) fish_option(output, commands[i], &commands[i]->options[k]);
    }
    output_printf(output, "complete -c hob -n '__fish_seen_subcommand_from help' -f -a '");
    print_commands(output);
    output_printf(output, "'\n");
}

static const struct {
    const char *name;
    void (*print)(struct output *output);
} shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};

static int run(const struct command_line *line)
{
    if (line->n_words != 1)
        return report_usage(line->command, "found %zu words, expected bash, zsh or fish", line->n_words);
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++) {
        if (strcmp(line->words[0], shells[i].name) != 0) continue;
        shells[i].print(line->output);
        return STATUS_DONE;
    }
    return report_usage(line->command, "found '%s', expected bash, zsh or fish", line->words[0]);
}

const struct command_def command_shell_completion = {
    .name = "shell-completion",
    .synopsis = "bash|zsh|fish",
    .summary = "Print a completion script for a shell",
    .details = "For bash: source <(hob shell-completion bash)\n",
    .run = run,
};

#include "cli/options.h"

#include "base/memory.h"
#include "base/suggest.h"
#include "cli/option_value.h"
#include "cli/report.h"

enum { MAX_OPTIONS = 64 };

/* Where the parser stands in the arguments. */
struct cursor {
    const char *const *arguments;
    size_t n_arguments, next;
};

static const struct option_def *find_by_name(const struct command_def *command, const char *name, size_t n_bytes)
{
    for (size_t i = 0; i < command->n_options; i++)
        if (strlen(command->options[i].name) == n_bytes && memcmp(command->options[i].name, name, n_bytes) == 0)
            return &command->options[i];
    return NULL;
}

static const struct option_def *find_by_letter(const struct command_def *command, char letter)
{
    for (size_t i = 0; i < command->n_options; i++)
        if (command->options[i].letter == letter) return &command->options[i];
    return NULL;
}

static int report_unknown(const struct command_def *command, const char *name, size_t n_bytes)
{
    const char *names[MAX_OPTIONS];
    size_t n_names = 0;
    for (; n_names < command->n_options && n_names < MAX_OPTIONS - 1; n_names++)
        names[n_names] = command->options[n_names].name;
    names[n_names++] = "help";
    char unknown[64];
    snprintf(unknown, sizeof unknown, "%.*s", (int)(n_bytes < sizeof unknown ? n_bytes : sizeof unknown - 1), name);
    size_t nearest = suggest_nearest(unknown, names, n_names);
    if (nearest == n_names) return report_usage(command, "unknown option --%s", unknown);
    return report_usage(command, "unknown option --%s; did you mean --%s?", unknown, names[nearest]);
}

static int take_argument(struct options *parsed, const struct option_def *option, const char *attached,
                         struct cursor *cursor)
{
    if (!attached && cursor->next == cursor->n_arguments)
        return report_usage(parsed->command, "--%s: expected %s behind it", option->name, option->argument);
    const char *text = attached ? attached : cursor->arguments[cursor->next++];
    return option_value_set(parsed->command, option, text, parsed->settings);
}

static int parse_long(struct options *parsed, const char *name, struct cursor *cursor)
{
    const char *equals = strchr(name, '=');
    size_t n_bytes = equals ? (size_t)(equals - name) : strlen(name);
    if (strcmp(name, "help") == 0) {
        parsed->wants_help = true;
        return STATUS_DONE;
    }
    const struct option_def *option = find_by_name(parsed->command, name, n_bytes);
    if (!option) return report_unknown(parsed->command, name, n_bytes);
    if (option->kind != OPTION_FLAG) return take_argument(parsed, option, equals ? equals + 1 : NULL, cursor);
    if (equals) return report_usage(parsed->command, "--%s takes no value, found '%s'", option->name, equals + 1);
    return option_value_set(parsed->command, option, NULL, parsed->settings);
}

/* letters: what stands behind one dash; the first that takes an argument takes the rest. */
static int parse_letters(struct options *parsed, const char *letters, struct cursor *cursor)
{
    for (; *letters; letters++) {
        const struct option_def *option = find_by_letter(parsed->command, *letters);
        if (!option && *letters == 'h') {
            parsed->wants_help = true;
            continue;
        }
        if (!option) return report_usage(parsed->command, "unknown option -%c", *letters);
        if (option->kind != OPTION_FLAG) return take_argument(parsed, option, letters[1] ? letters + 1 : NULL, cursor);
        int status = option_value_set(parsed->command, option, NULL, parsed->settings);
        if (status != STATUS_DONE) return status;
    }
    return STATUS_DONE;
}

static int parse_all(struct options *parsed, struct cursor *cursor)
{
    bool is_ended = false;
    while (cursor->next < cursor->n_arguments) {
        const char *argument = cursor->arguments[cursor->next++];
        int status = STATUS_DONE;
        if (is_ended || argument[0] != '-' || !argument[1]) parsed->words[parsed->n_words++] = argument;
        else if (strcmp(argument, "--") == 0) is_ended = true;
        else if (argument[1] == '-') status = parse_long(parsed, argument + 2, cursor);
        else status = parse_letters(parsed, argument + 1, cursor);
        if (status != STATUS_DONE) return status;
    }
    return STATUS_DONE;
}

/* No list can be longer than the arguments are many. */
static bool make_lists(struct options *parsed, size_t n_arguments)
{
    for (size_t i = 0; i < parsed->command->n_options; i++) {
        const struct option_def *option = &parsed->command->options[i];
        if (option->kind != OPTION_TEXTS) continue;
        struct text_list *list = (struct text_list *)((char *)parsed->settings + option->offset);
        list->items = memory_new(n_arguments, sizeof *list->items);
        if (!list->items) return false;
    }
    return true;
}

int options_parse(const struct command_def *command, size_t n_arguments, const char *const *arguments,
                  struct options *ret_parsed)
{
    *ret_parsed = (struct options){.command = command};
    ret_parsed->settings = memory_new(1, command->settings_bytes);
    ret_parsed->words = memory_new(n_arguments, sizeof *ret_parsed->words);
    if (!ret_parsed->settings || !ret_parsed->words) goto no_memory;
    if (command->defaults) memcpy(ret_parsed->settings, command->defaults, command->settings_bytes);
    if (!make_lists(ret_parsed, n_arguments)) goto no_memory;
    return parse_all(ret_parsed, &(struct cursor){.arguments = arguments, .n_arguments = n_arguments});

no_memory:
    report("no memory for the command line");
    return STATUS_FAILED;
}

void options_release(struct options *parsed)
{
    for (size_t i = 0; parsed->settings && i < parsed->command->n_options; i++) {
        const struct option_def *option = &parsed->command->options[i];
        if (option->kind == OPTION_TEXTS)
            memory_free(((struct text_list *)((char *)parsed->settings + option->offset))->items);
    }
    memory_free(parsed->settings);
    memory_free(parsed->words);
    *parsed = (struct options){0};
}

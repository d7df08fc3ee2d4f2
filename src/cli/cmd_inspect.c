#include "cli/command.h"
#include "cli/report.h"
#include "hob/hob.h"

struct settings {
    bool is_json;
};

static const struct option_def options[] = {
    {.name = "json", .help = "one JSON object", .kind = OPTION_FLAG, .offset = offsetof(struct settings, is_json)},
};

static int run(const struct command_line *line)
{
    const struct settings *settings = line->settings;
    if (line->n_words != 1) return report_usage(line->command, "found %zu files, expected one FILE", line->n_words);
    char *text;
    hob_error error;
    if (hob_describe(line->words[0], settings->is_json, &text, &error) != HOB_OK) return report_error(&error);
    size_t n_bytes = strlen(text);
    output_write(line->output, text, n_bytes);
    if (n_bytes > 0 && text[n_bytes - 1] != '\n') output_write(line->output, "\n", 1);
    hob_free(text);
    return STATUS_DONE;
}

const struct command_def command_inspect = {
    .name = "inspect",
    .synopsis = "FILE [--json]",
    .summary = "Show what is inside a model or tensor file",
    .details = "Inputs, outputs, operators with counts, tensors, metadata; which passes fired, the types and shapes that every node\n"
               "makes (with --json) for a sample of input shapes, the memory that takes, and what hob cannot run yet.\n",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_bytes = sizeof(struct settings),
    .run = run,
};

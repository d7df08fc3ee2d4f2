/* hob config: looks at the configuration as the daemon would read it, and changes nothing. */
#include "base/buffer.h"
#include "cli/command.h"
#include "cli/config_flags.h"
#include "cli/config_json.h"
#include "cli/json.h"
#include "cli/report.h"
#include "config/write.h"

struct settings {
    const char *config_path;
    struct text_list set;
    bool is_json;
};

static const struct option_def options[] = {
    OPTION_CONFIG(struct settings),
    OPTION_SET(struct settings),
    OPTION_JSON(struct settings, "one JSON object"),
};

/* What loading told, for --json; without it faults and notes are reported as they come. */
struct findings {
    json_t *faults, *notes; /* NULL: report them */
};

static void hear(void *context, enum config_severity severity, const char *message)
{
    const struct findings *findings = context;
    json_t *list = severity == CONFIG_FAULT ? findings->faults : findings->notes;
    if (list) json_array_append_new(list, json_text(message, strlen(message)));
    else report("%s%s", severity == CONFIG_NOTE ? "note: " : "", message);
}

/* ---- check ---- */

static json_t *files_json(const struct config_files *files)
{
    json_t *list = json_array();
    for (size_t i = 0; i < files->n_items; i++) {
        const struct config_file *file = &files->items[i];
        json_array_append_new(list, json_pack("{s:o, s:s, s:b}", "path", json_text(file->path, strlen(file->path)),
                                              "kind", file->kind, "is_there", file->is_there));
    }
    return list;
}

static int print_check(struct output *output, const struct findings *findings, const struct config_files *files)
{
    return json_print(
        json_pack("{s:o, s:O, s:O}", "files", files_json(files), "faults", findings->faults, "notes", findings->notes),
        output);
}

static void print_files_read(struct output *output, const struct config_files *files)
{
    size_t n_read = 0;
    for (size_t i = 0; i < files->n_items; i++) {
        if (!files->items[i].is_there) continue;
        output_printf(output, "read %s\n", files->items[i].path);
        n_read++;
    }
    if (!n_read) output_printf(output, "no file to read: defaults and the environment\n");
}

static int check(const struct command_line *line, const struct config_sources *sources,
                 const struct config_files *files, struct findings *findings)
{
    const struct settings *settings = line->settings;
    struct config *config = NULL;
    hob_error error;
    if (!settings->is_json) print_files_read(line->output, files);
    hob_status status = config_load(sources, &config, &error);
    config_free(config);
    if (status == HOB_NO_MEMORY) return report_error(&error); /* everything else has been heard */
    int printed = settings->is_json ? print_check(line->output, findings, files) : STATUS_DONE;
    if (status == HOB_OK && !settings->is_json) output_printf(line->output, "nothing wrong\n");
    return status == HOB_OK ? printed : STATUS_FAILED;
}

static int run_check(const struct command_line *line, const struct config_sources *sources)
{
    const struct settings *settings = line->settings;
    struct findings findings = {0};
    struct config_files files;
    hob_error error;
    if (config_files_list(sources, &files, &error) != HOB_OK) return report_error(&error);
    if (settings->is_json) findings = (struct findings){json_array(), json_array()};
    struct config_sources heard = *sources;
    heard.report = hear;
    heard.report_context = &findings;
    int status = check(line, &heard, &files, &findings);
    json_decref(findings.faults);
    json_decref(findings.notes);
    config_files_release(&files);
    return status;
}

/* ---- show and path ---- */

static int print_config(const struct command_line *line, const struct config *config)
{
    const struct settings *settings = line->settings;
    if (settings->is_json) return json_print(config_json(config), line->output);
    struct buffer text = {0};
    config_to_toml(config, &text);
    if (text.is_failed) report("no memory for the configuration's text");
    else output_write(line->output, text.bytes, text.n_bytes);
    int status = text.is_failed ? STATUS_FAILED : STATUS_DONE;
    buffer_release(&text);
    return status;
}

static int run_show(const struct command_line *line, const struct config_sources *sources)
{
    struct config *config;
    hob_error error;
    struct findings reported = {0};
    struct config_sources heard = *sources;
    heard.report = hear;
    heard.report_context = &reported;
    hob_status status = config_load(&heard, &config, &error);
    if (status == HOB_NO_MEMORY) return report_error(&error);
    if (status != HOB_OK) return STATUS_FAILED;
    int printed = print_config(line, config);
    config_free(config);
    return printed;
}

static int run_path(const struct command_line *line, const struct config_sources *sources)
{
    const struct settings *settings = line->settings;
    struct config_files files;
    hob_error error;
    int status = STATUS_DONE;
    if (config_files_list(sources, &files, &error) != HOB_OK) return report_error(&error);
    if (settings->is_json) status = json_print(files_json(&files), line->output);
    for (size_t i = 0; !settings->is_json && i < files.n_items; i++)
        output_printf(line->output, "%s%s\n", files.items[i].path, files.items[i].is_there ? "" : "  (not there)");
    config_files_release(&files);
    return status;
}

/* ---- the command ---- */

static const struct {
    const char *name;
    int (*run)(const struct command_line *line, const struct config_sources *sources);
} verbs[] = {{"check", run_check}, {"show", run_show}, {"path", run_path}};

static int run_verb(const struct command_line *line, size_t verb)
{
    const struct settings *settings = line->settings;
    struct config_sources sources = {.file = settings->config_path, .n_flags = settings->set.n_items};
    struct config_flag *flags;
    if (line->n_words == 2) sources.file = line->words[1];
    int status = config_flags_new(line->command, &settings->set, &flags);
    if (status != STATUS_DONE) return status;
    sources.flags = flags;
    status = verbs[verb].run(line, &sources);
    config_flags_free(flags, settings->set.n_items);
    return status;
}

static int run(const struct command_line *line)
{
    if (line->n_words == 0) return report_usage(line->command, "expected check, show or path");
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(line->words[0], verbs[i].name) != 0) continue;
        size_t n_most = verbs[i].run == run_check ? 2 : 1;
        if (line->n_words > n_most)
            return report_usage(line->command, "%s: found %zu words behind it, expected %s", verbs[i].name,
                                line->n_words - 1, n_most == 2 ? "at most one FILE" : "none");
        return run_verb(line, i);
    }
    return report_usage(line->command, "found '%s', expected check, show or path", line->words[0]);
}

const struct command_def command_config = {
    .name = "config",
    .synopsis = "check [FILE] | show | path [--config FILE] [--set KEY=VALUE] [--json]",
    .summary = "Check or show the configuration, and where each value comes from",
    .details = "  check   tells all that is wrong, with file, line and column; FILE: that one alone\n"
               "  show    prints every key, its value and where that came from, as TOML\n"
               "  path    prints the files in the order in which they are read\n"
               "Of defaults, the system's file, the user's file, the environment and --set the last wins.\n"
               "docs/configuration.md describes the keys.\n",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_bytes = sizeof(struct settings),
    .run = run,
};

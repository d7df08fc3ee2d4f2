/* hob ps: the models and texts of the daemon that runs. */
#include "base/memory.h"
#include "cli/command.h"
#include "cli/daemon_client.h"
#include "cli/json.h"
#include "cli/report.h"

#include <string.h>

struct settings {
    struct daemon_choice daemon;
    bool is_json;
};

static const struct option_def options[] = {
    OPTION_DAEMON_SOCKET(struct settings),
    OPTION_DAEMON_CONFIG(struct settings),
    OPTION_JSON(struct settings, "what GET /hob/status says"),
};

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text && *text ? text : "-";
}

static long long count_of(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

/* "1.2 GiB"; "-" for nothing. */
static void write_bytes(long long n_bytes, char text[static 32])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)n_bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit + 1 < sizeof units / sizeof units[0]; unit++) value /= 1024;
    if (n_bytes == 0) snprintf(text, 32, "-");
    else snprintf(text, 32, "%.*f %s", unit ? 1 : 0, value, units[unit]);
}

static void print_model(struct output *output, const json_t *model)
{
    char memory[32], context[32] = "-";
    write_bytes(count_of(model, "memory_bytes"), memory);
    if (count_of(model, "n_context")) snprintf(context, sizeof context, "%lld", count_of(model, "n_context"));
    output_printf(output, "%-24s  %-8s  %-12s  %-8s  %10s  %8s  %6lld  %s\n", text_of(model, "name"), text_of(model, "state"),
                  text_of(model, "architecture"), text_of(model, "quant"), memory, context, count_of(model, "users"),
                  json_is_true(json_object_get(model, "pinned")) ? "pinned" : text_of(model, "problem"));
}

static void print_slot(struct output *output, const json_t *slot)
{
    output_printf(output, "%-32s  %-24s  %8lld  %8lld  %8.1f  %s\n", text_of(slot, "request"), text_of(slot, "model"),
                  count_of(slot, "prompt_tokens"), count_of(slot, "tokens"), json_number_value(json_object_get(slot, "age_s")),
                  json_is_true(json_object_get(slot, "prefilling")) ? "prompt" : "answer");
}

static void print(struct output *output, const json_t *reply)
{
    size_t i;
    json_t *entry;
    output_printf(output, "hob %s, process %lld, up %.0f s, %lld running, %lld waiting\n", text_of(reply, "version"), count_of(reply, "pid"),
                  json_number_value(json_object_get(reply, "uptime_s")), count_of(reply, "running"), count_of(reply, "queued"));
    json_array_foreach(json_object_get(reply, "addresses"), i, entry) output_printf(output, "listens at %s\n", json_string_value(entry));
    output_printf(output, "%-24s  %-8s  %-12s  %-8s  %10s  %8s  %6s\n", "MODEL", "STATE", "ARCHITECTURE", "QUANT", "MEMORY", "CONTEXT", "USERS");
    json_array_foreach(json_object_get(reply, "models"), i, entry) print_model(output, entry);
    if (json_array_size(json_object_get(reply, "slots")) == 0) return;
    output_printf(output, "%-32s  %-24s  %8s  %8s  %8s\n", "REQUEST", "MODEL", "PROMPT", "TOKENS", "SECONDS");
    json_array_foreach(json_object_get(reply, "slots"), i, entry) print_slot(output, entry);
}

static int run(const struct command_line *line)
{
    const struct settings *settings = line->settings;
    if (line->n_words) return report_usage(line->command, "unexpected '%s'", line->words[0]);
    hob_error error;
    json_t *reply = NULL;
    if (daemon_ask_chosen(&settings->daemon, "GET", "/hob/status", &reply, &error) != HOB_OK) return report_error(&error);
    if (settings->is_json) return json_print(reply, line->output);
    print(line->output, reply);
    json_decref(reply);
    return STATUS_DONE;
}

const struct command_def command_ps = {
    .name = "ps",
    .synopsis = "[--socket PATH] [--json]",
    .summary = "Show the models and texts of the daemon that runs",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_bytes = sizeof(struct settings),
    .run = run,
};

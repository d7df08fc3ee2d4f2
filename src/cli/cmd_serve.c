/* hob serve: the daemon. Its flags are keys of the configuration, in a layer above the file and the environment. */
#include "base/arena.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/config_flags.h"
#include "cli/report.h"
#include "server/daemon.h"

#include <string.h>

struct settings {
    const char *config_path;
    struct text_list set, listen;
    const char *socket, *host, *port, *model_path, *alias, *context, *n_threads, *api_key_file, *log_format, *log_level, *keep_alive, *parallel,
        *idle_exit, *cache_type;
    bool has_no_network;
};

/* A flag that is a key of the configuration: its text is checked there. */
#define FLAG(name_, letter_, argument_, field, help_) \
    {.name = (name_), .letter = (letter_), .argument = (argument_), .kind = OPTION_TEXT, .offset = offsetof(struct settings, field), .help = (help_)}

static const struct option_def options[] = {
    OPTION_CONFIG(struct settings),
    OPTION_SET(struct settings),
    FLAG("socket", 0, "PATH", socket, "the UNIX socket; without it $XDG_RUNTIME_DIR/hob/hob.sock"),
    {.name = "listen", .argument = "ADDRESS", .kind = OPTION_TEXTS, .offset = offsetof(struct settings, listen),
     .help = "another address: tcp://host:port, unix:///path, @name, fd:N; may be repeated"},
    FLAG("host", 0, "HOST", host, "listen there by TCP; 127.0.0.1 with --port alone"),
    FLAG("port", 0, "PORT", port, "listen there by TCP; 8080 with --host alone, 0: any that is free"),
    FLAG("model", 'm', "MODEL", model_path, "the completion model, which stays loaded"),
    FLAG("alias", 0, "NAME", alias, "what requests may call the model"),
    FLAG("ctx-size", 'c', "TOKENS", context, "tokens that a text may have, prompt and answer together"),
    FLAG("threads", 't', "N", n_threads, "threads that compute; 0: all processors"),
    FLAG("api-key-file", 0, "FILE", api_key_file, "keys, one a line, of which TCP clients must show one"),
    {.name = "no-network", .kind = OPTION_FLAG, .offset = offsetof(struct settings, has_no_network),
     .help = "give up the right to open network connections: the UNIX socket alone, by seccomp"},
    FLAG("log-format", 0, "FORMAT", log_format, "text or json"),
    FLAG("log-level", 0, "LEVEL", log_level, "error, warning, info or debug"),
    FLAG("keep-alive", 0, "TIME", keep_alive, "models that are not pinned are unloaded after so long without work"),
    FLAG("parallel", 0, "N", parallel, "texts that are computed at once"),
    FLAG("idle-exit", 0, "TIME", idle_exit, "end after so long without a connection"),
    FLAG("cache-type", 0, "TYPE", cache_type, "how keys and values are kept: f32, f16, q8_0 or q4_0"),
};

static const struct {
    size_t offset;
    const char *key, *shown;
} keys[] = {
    {offsetof(struct settings, socket), "socket_path", "--socket"},
    {offsetof(struct settings, model_path), "model_path", "--model"},
    {offsetof(struct settings, context), "context_window", "--ctx-size"},
    {offsetof(struct settings, n_threads), "threads", "--threads"},
    {offsetof(struct settings, api_key_file), "server.api_key_file", "--api-key-file"},
    {offsetof(struct settings, log_format), "log.format", "--log-format"},
    {offsetof(struct settings, log_level), "log.level", "--log-level"},
    {offsetof(struct settings, keep_alive), "memory.keep_alive_s", "--keep-alive"},
    {offsetof(struct settings, parallel), "scheduler.max_running", "--parallel"},
    {offsetof(struct settings, idle_exit), "server.idle_exit_s", "--idle-exit"},
    {offsetof(struct settings, cache_type), "memory.cache_type", "--cache-type"},
};

enum { N_KEYS = sizeof keys / sizeof keys[0], N_MORE = 4 /* no_network, listen, the alias's two */ };

/* The flags as a layer; texts that were put together live in the arena. */
struct layer {
    struct config_flag *flags;
    size_t n_flags;
    struct arena arena;
};

static void add(struct layer *layer, const char *key, const char *text, const char *shown)
{
    layer->flags[layer->n_flags++] = (struct config_flag){.key = key, .text = text, .shown = shown};
}

/* All addresses as the text of a list; NULL: memory is out. */
static const char *join_addresses(struct arena *arena, const struct settings *settings)
{
    size_t n_bytes = 64 + (settings->host ? strlen(settings->host) : 0) + (settings->port ? strlen(settings->port) : 0);
    for (size_t i = 0; i < settings->listen.n_items; i++) n_bytes += strlen(settings->listen.items[i]) + 1;
    char *text = arena_new(arena, n_bytes, 1, 1);
    size_t n_used = 0;
    for (size_t i = 0; text && i < settings->listen.n_items; i++)
        n_used += (size_t)snprintf(text + n_used, n_bytes - n_used, "%s%s", i ? "," : "", settings->listen.items[i]);
    if (!text || (!settings->host && !settings->port)) return text;
    const char *host = settings->host ? settings->host : "127.0.0.1";
    bool is_path = strchr(host, '/') || (strlen(host) > 5 && strcmp(host + strlen(host) - 5, ".sock") == 0);
    bool needs_brackets = strchr(host, ':') && host[0] != '[' && !strstr(host, "://");
    n_used += (size_t)snprintf(text + n_used, n_bytes - n_used, "%s%s%s%s", n_used ? "," : "", needs_brackets ? "[" : "", host, needs_brackets ? "]" : "");
    if (!is_path) snprintf(text + n_used, n_bytes - n_used, ":%s", settings->port ? settings->port : "8080");
    return text;
}

static const char *join(struct arena *arena, const char *before, const char *name, const char *behind)
{
    size_t n_bytes = strlen(before) + strlen(name) + strlen(behind) + 1;
    char *text = arena_new(arena, n_bytes, 1, 1);
    if (text) snprintf(text, n_bytes, "%s%s%s", before, name, behind);
    return text;
}

/* The model gets a table of its own under the name; that it is pinned and the default follows from model_path. */
static bool add_alias(struct layer *layer, const struct settings *settings)
{
    const char *path = join(&layer->arena, "models.", settings->alias, ".path");
    const char *pinned = join(&layer->arena, "models.", settings->alias, ".pinned");
    if (!path || !pinned) return false;
    add(layer, path, settings->model_path, "--alias");
    add(layer, pinned, "true", "--alias");
    return true;
}

static bool fill(struct layer *layer, const struct settings *settings, const struct config_flag *set)
{
    layer->flags = memory_new(settings->set.n_items + N_KEYS + N_MORE, sizeof *layer->flags);
    if (!layer->flags) return false;
    for (size_t i = 0; i < settings->set.n_items; i++) layer->flags[layer->n_flags++] = set[i];
    for (size_t i = 0; i < N_KEYS; i++) {
        const char *text;
        memcpy(&text, (const char *)settings + keys[i].offset, sizeof text);
        if (text) add(layer, keys[i].key, text, keys[i].shown);
    }
    if (settings->has_no_network) add(layer, "server.no_network", "true", "--no-network");
    if (settings->alias && !add_alias(layer, settings)) return false;
    if (!settings->listen.n_items && !settings->host && !settings->port) return true;
    const char *addresses = join_addresses(&layer->arena, settings);
    if (addresses) add(layer, "server.listen", addresses, settings->listen.n_items ? "--listen" : settings->port ? "--port" : "--host");
    return addresses != NULL;
}

static void hear(void *context, enum config_severity severity, const char *message)
{
    (void)context;
    if (severity == CONFIG_NOTE) report("note: %s", message);
}

/* What is wrong in flags and the environment is wrong usage; what is wrong in a file, the daemon tells. */
static bool is_usage_wrong(const struct config_sources *sources, hob_error *ret_error)
{
    struct config_sources quiet = *sources;
    struct config *config = NULL;
    quiet.report = NULL;
    hob_status status = config_load(&quiet, &config, ret_error);
    config_free(config);
    return status == HOB_BAD_ARGUMENT;
}

static int serve(const struct command_line *line, const struct layer *layer)
{
    const struct settings *settings = line->settings;
    const struct config_sources sources = {.file = settings->config_path, .flags = layer->flags, .n_flags = layer->n_flags, .report = hear};
    hob_error error;
    if (is_usage_wrong(&sources, &error)) return report_usage(line->command, "%s", error.message);
    return daemon_run(&(struct daemon_options){.sources = &sources}, &error) == HOB_OK ? STATUS_DONE : report_error(&error);
}

static int run(const struct command_line *line)
{
    const struct settings *settings = line->settings;
    if (line->n_words) return report_usage(line->command, "unexpected '%s'", line->words[0]);
    if (settings->alias && !settings->model_path) return report_usage(line->command, "--alias names what --model gives: expected it too");
    struct config_flag *set;
    int status = config_flags_new(line->command, &settings->set, &set);
    if (status != STATUS_DONE) return status;
    struct layer layer = {0};
    arena_init(&layer.arena, 256);
    if (fill(&layer, settings, set)) status = serve(line, &layer);
    else {
        report("no memory for the command line");
        status = STATUS_FAILED;
    }
    memory_free(layer.flags);
    arena_release(&layer.arena);
    config_flags_free(set, settings->set.n_items);
    return status;
}

const struct command_def command_serve = {
    .name = "serve",
    .synopsis = "[-m MODEL] [--socket PATH] [--port PORT] [option…]",
    .summary = "Keep models warm and answer editors, shells and programs",
    .details = "Answers HTTP (the APIs of OpenAI, Ollama, llama.cpp, text-embeddings-inference and Anthropic; see /openapi.json) and lines of\n"
               "text on a UNIX socket that only this user may use, and HTTP on TCP where that is asked for. SIGHUP reads the configuration\n"
               "again, SIGTERM finishes what runs and ends.\n",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_bytes = sizeof(struct settings),
    .run = run,
};

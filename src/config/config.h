/* What the person has configured: the keys of options.def as typed fields, and for each where its value came from.
 *
 * Layers, the last wins: defaults, the system's files ($XDG_CONFIG_DIRS), the user's ($XDG_CONFIG_HOME/hob/config.toml), the environment,
 * flags. A struct config owns everything in it, never changes once it is built, and may be read by any thread; loading again makes another
 * one, and a broken file makes none.
 *
 *     struct config *config;
 *     const struct config_flag flags[] = {{.key = "server.listen", .text = "127.0.0.1:8080", .shown = "--host"}};
 *     TRY(config_load(&(struct config_sources){.flags = flags, .n_flags = 1}, &config, error));
 *     listen_at(config->socket_path, config->listen.items, config->listen.n_items);
 *     config_free(config);
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/arena.h"
#include "hob/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config_list {
    const char *const *items;
    size_t n_items;
};

/* What a row's type is in C. Texts and paths that are not set are NULL; paths are absolute, or as the person gave them to the environment or
 * a flag, or begin with @ (abstract sockets). */
#define CONFIG_TYPE_BOOLEAN bool
#define CONFIG_TYPE_COUNT size_t
#define CONFIG_TYPE_BYTES uint64_t
#define CONFIG_TYPE_SECONDS double
#define CONFIG_TYPE_TEXT const char *
#define CONFIG_TYPE_WORD const char *
#define CONFIG_TYPE_CHOICE int /* the index of the word in the row: the enums below */
#define CONFIG_TYPE_PATH const char *
#define CONFIG_TYPE_NAME_OR_PATH const char *
#define CONFIG_TYPE_LIST struct config_list
#define CONFIG_TYPE_QUANTIZATION const char * /* NULL: false; "true", or a format's name: ask config_quant */

enum config_log_format { CONFIG_LOG_TEXT, CONFIG_LOG_JSON };
enum config_log_level {
    CONFIG_LOG_ERROR,
    CONFIG_LOG_WARNING,
    CONFIG_LOG_INFO,
    CONFIG_LOG_DEBUG
}; /* as enum log_level of base/log.h */
enum config_model_kind { CONFIG_MODEL_ANY, CONFIG_MODEL_DECODER, CONFIG_MODEL_ENCODER, CONFIG_MODEL_RERANKER };
enum config_api { CONFIG_API_OPENAI, CONFIG_API_ANTHROPIC };

/* Where a value came from. */
enum config_source { CONFIG_FROM_DEFAULT, CONFIG_FROM_FILE, CONFIG_FROM_ENVIRONMENT, CONFIG_FROM_FLAG };
struct config_origin {
    enum config_source source;
    const char *name; /* of the file, the variable, the flag; NULL for a default */
    int line, column; /* of the value in a file */
};

/* CONFIG_<field>: an option's index among the origins. */
enum {
#define OPTION(section, key, field, ...) CONFIG_##field,
#include "config/options.def"
    N_CONFIG_OPTIONS
};
enum {
#define MODEL_OPTION(key, field, ...) CONFIG_MODEL_##field,
#include "config/options.def"
    N_CONFIG_MODEL_OPTIONS
};
enum {
#define BACKEND_OPTION(key, field, ...) CONFIG_BACKEND_##field,
#include "config/options.def"
    N_CONFIG_BACKEND_OPTIONS
};

/* A table [models.NAME]; what it does not say it has from the top and from [memory]. */
struct config_model {
    const char *name;
#define MODEL_OPTION(key, field, type, ...) CONFIG_TYPE_##type field;
#include "config/options.def"
    struct config_origin origins[N_CONFIG_MODEL_OPTIONS], origin; /* of what it says, and of the first that names it */
};

/* A table [backends.NAME]. */
struct config_backend {
    const char *name;
#define BACKEND_OPTION(key, field, type, ...) CONFIG_TYPE_##type field;
#include "config/options.def"
    struct config_origin origins[N_CONFIG_BACKEND_OPTIONS], origin; /* as a model's */
};

struct config {
#define OPTION(section, key, field, type, ...) CONFIG_TYPE_##type field;
#include "config/options.def"
    struct config_origin origins[N_CONFIG_OPTIONS];
    struct config_model *models; /* in the order in which files name them first */
    size_t n_models;
    struct config_backend *backends;
    size_t n_backends;
    struct config_list files; /* that were read, in that order */
    struct arena arena;       /* owns all of it */
};

/* A value from the command line. */
struct config_flag {
    const char *key;   /* "socket_path", "server.max_body_bytes", "models.NAME.path" */
    const char *text;  /* as in the environment: true, 512MiB, 5m, a,b */
    const char *shown; /* what messages and `hob config show` call it, as "--socket"; NULL: the key */
};

enum config_severity {
    CONFIG_FAULT, /* nothing is loaded */
    CONFIG_NOTE   /* loaded, but perhaps not what the person thinks */
};

/* Where values come from; zeros: the standard files and the process's environment. */
struct config_sources {
    const char *file; /* instead of the standard files; must exist. NULL: what HOB_CONFIG names, else those */
    const struct config_flag *flags;
    size_t n_flags;
    const char *const *environment; /* "NAME=value", NULL behind the last; NULL: the process's */
    /* Told every fault and note, as it is found; NULL: nobody. The message is valid during the call. */
    void (*report)(void *context, enum config_severity severity, const char *message);
    void *report_context;
};

/* Fails with the first fault: HOB_BAD_FILE ("FILE:LINE:COLUMN: key: found …, expected …"), HOB_BAD_ARGUMENT (environment, flags),
 * HOB_NOT_FOUND (sources->file), HOB_IO, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status config_load(const struct config_sources *sources, struct config **ret_config,
                                      hob_error *error);
void config_free(struct config *config); /* takes NULL */

/* What hob_model_options.quant is to be for a quantization of a config: NULL, or a name that lives as long as the config. */
const char *config_quant(const char *quantization, bool is_encoder);
/* The model with this name or alias; NULL: none. */
const struct config_model *config_find_model(const struct config *config, const char *name);

/* socket_path where nobody configures it: for clients that find no configuration. NULL: no folder is known; free with memory_free. */
char *config_default_socket_path(void);

/* A file that may be read. */
struct config_file {
    char *path;
    bool is_there;
    const char *kind; /* "system", "user", "named": static */
};
struct config_files {
    struct config_file *items;
    size_t n_items;
};
/* In the order in which they are read. Fails: HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status config_files_list(const struct config_sources *sources, struct config_files *ret_files,
                                            hob_error *error);
void config_files_release(struct config_files *files);

#endif

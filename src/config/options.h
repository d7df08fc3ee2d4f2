/* The rows of options.def as tables that can be walked: by files, environment and flags on the way in, by `hob config` on the way out.
 * Static; thread-safe. */
#ifndef CONFIG_OPTIONS_H
#define CONFIG_OPTIONS_H

#include "config/config.h"

enum config_type {
    CONFIG_BOOLEAN,
    CONFIG_COUNT,
    CONFIG_BYTES,
    CONFIG_SECONDS,
    CONFIG_TEXT,
    CONFIG_WORD,
    CONFIG_CHOICE,
    CONFIG_PATH,
    CONFIG_NAME_OR_PATH,
    CONFIG_LIST,
    CONFIG_QUANTIZATION
};

struct config_option {
    const char *section; /* "" at the top, "models" and "backends" in tables with names */
    const char *key;
    enum config_type type;
    size_t offset; /* in struct config, config_model or config_backend */
    const char *default_text;
    int64_t least, most;      /* both 0: any */
    const char *const *words; /* NULL behind the last; NULL: any */
    const char *standard;     /* the path that "default" stands for; NULL: the word means nothing */
    const char *environment;  /* NULL in tables with names */
    const char *help;
};

extern const struct config_option config_options[N_CONFIG_OPTIONS];
extern const struct config_option config_model_options[N_CONFIG_MODEL_OPTIONS];
extern const struct config_option config_backend_options[N_CONFIG_BACKEND_OPTIONS];
extern const char *const config_quantizations[]; /* names of formats; NULL behind the last */

/* Variables that are other programs'. */
extern const struct config_foreign {
    const char *name, *ours;
} config_foreign[];
extern const size_t n_config_foreign;

/* The option's index; n_options: none of that section and key. */
size_t config_option_find(const struct config_option *options, size_t n_options, const char *section, const char *key);
bool config_is_section(const char *name); /* server, …; not models and backends */

/* Writes what else might have been meant by an unknown key or section: " ; did you mean …?", or "". */
enum { CONFIG_HINT_BYTES = 128 };
void config_hint_key(const struct config_option *options, size_t n_options, const char *section, const char *key,
                     char hint[static CONFIG_HINT_BYTES]);

#endif

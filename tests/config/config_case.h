/* A configuration for a test: files in a folder of its own, an environment that is not the process's, and all that loading told. */
#ifndef TESTS_CONFIG_CONFIG_CASE_H
#define TESTS_CONFIG_CONFIG_CASE_H

#include "unit.h"

#include "base/buffer.h"
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CASE_MOST_VARIABLES = 16 };

struct config_case {
    char folder[64];
    char *environment[CASE_MOST_VARIABLES + 1];
    size_t n_variables;
    struct buffer told; /* "fault: …\n", "note: …\n", the folder written as DIR */
    hob_error error;
    struct config *config; /* NULL: not loaded */
};

static inline void case_set(struct config_case *c, const char *name, const char *value)
{
    assert_true(c->n_variables < CASE_MOST_VARIABLES);
    assert_true(asprintf(&c->environment[c->n_variables++], "%s=%s", name, value) > 0);
}

/* value: a path below the case's folder. */
static inline void case_set_path(struct config_case *c, const char *name, const char *value)
{
    char path[256];
    snprintf(path, sizeof path, "%s%s", c->folder, value);
    case_set(c, name, path);
}

/* HOME, and the system's and the user's folders below it. */
static inline void case_begin(struct config_case *c)
{
    *c = (struct config_case){.folder = "/tmp/hob-config-XXXXXX"};
    assert_non_null(mkdtemp(c->folder));
    case_set_path(c, "HOME", "/home");
    case_set_path(c, "XDG_CONFIG_DIRS", "/etc");
}

static inline void case_end(struct config_case *c)
{
    char command[128];
    config_free(c->config);
    buffer_release(&c->told);
    for (size_t i = 0; i < c->n_variables; i++) free(c->environment[i]);
    snprintf(command, sizeof command, "rm -rf '%s'", c->folder);
    assert_int_equal(system(command), 0);
}

/* path: below the case's folder, whose folders are made. */
static inline void case_write(const struct config_case *c, const char *path, const char *text)
{
    char whole[256], command[400];
    snprintf(whole, sizeof whole, "%s%s", c->folder, path);
    snprintf(command, sizeof command, "mkdir -p \"$(dirname '%s')\"", whole);
    assert_int_equal(system(command), 0);
    FILE *stream = fopen(whole, "wb");
    assert_non_null(stream);
    fputs(text, stream);
    assert_int_equal(fclose(stream), 0);
}

static inline void case_write_user(const struct config_case *c, const char *text)
{
    case_write(c, "/home/.config/hob/config.toml", text);
}

static inline void case_hear(void *context, enum config_severity severity, const char *message)
{
    struct config_case *c = context;
    buffer_printf(&c->told, "%s: ", severity == CONFIG_FAULT ? "fault" : "note");
    for (const char *at = message; *at; at++) {
        size_t n_folder = strlen(c->folder);
        if (strncmp(at, c->folder, n_folder) != 0) buffer_append_byte(&c->told, (unsigned char)*at);
        else {
            buffer_append_string(&c->told, "DIR");
            at += n_folder - 1;
        }
    }
    buffer_append_string(&c->told, "\n");
}

static inline hob_status case_load_with(struct config_case *c, const char *file, const struct config_flag *flags,
                                        size_t n_flags)
{
    config_free(c->config);
    c->config = NULL;
    buffer_clear(&c->told);
    c->environment[c->n_variables] = NULL;
    const struct config_sources sources = {.file = file,
                                           .flags = flags,
                                           .n_flags = n_flags,
                                           .environment = (const char *const *)c->environment,
                                           .report = case_hear,
                                           .report_context = c};
    return config_load(&sources, &c->config, &c->error);
}

static inline hob_status case_load(struct config_case *c)
{
    return case_load_with(c, NULL, NULL, 0);
}

/* text without the case's folder in front. */
static inline const char *case_below(const struct config_case *c, const char *path)
{
    assert_non_null(path);
    assert_memory_equal(path, c->folder, strlen(c->folder));
    return path + strlen(c->folder);
}

#endif

/* A subcommand: a file cmd_<verb>.c and a row in commands.def.
 *
 * The file exports `const struct command_def command_<verb>`; the parser, the help, the documentation and the shell
 * completions come from its rows. A command writes data to line->output and messages with report(); it returns what the
 * program exits with. Owns nothing; everything lives until run returns.
 *
 *     struct settings { bool is_json; };
 *     static const struct option_def options[] = {
 *         {"json", 0, NULL, "one JSON object", OPTION_FLAG, offsetof(struct settings, is_json)},
 *     };
 *     const struct command_def command_inspect = {.name = "inspect", …, .run = run};
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/output.h"

#include <stdbool.h>
#include <stddef.h>

enum { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_INTERRUPTED = 130 };

/* What an option's argument becomes in the command's settings. */
enum option_kind {
    OPTION_FLAG,   /* bool; no argument */
    OPTION_TEXT,   /* const char * */
    OPTION_TEXTS,  /* struct text_list: may be given several times */
    OPTION_COUNT,  /* size_t, decimal */
    OPTION_SEED,   /* uint64_t, decimal */
    OPTION_NUMBER, /* float between least and most */
    OPTION_CHOICE, /* int: the index of the word among choices */
};

struct text_list {
    const char **items;
    size_t n_items;
};

struct option_def {
    const char *name;     /* without the dashes */
    char letter;          /* 0: none */
    const char *argument; /* what help calls it; NULL for a flag */
    const char *help;
    enum option_kind kind;
    size_t offset; /* in the settings */
    double least, most;
    const char *const *choices; /* ends with NULL */
};

/* Rows that several commands have: of settings with the fields model_path, n_threads, is_json. */
#define OPTION_MODEL(settings, what)                                                                                               \
    {.name = "model", .letter = 'm', .argument = "MODEL", .kind = OPTION_TEXT, .offset = offsetof(settings, model_path), .help = (what)}
#define OPTION_THREADS(settings)                                                                              \
    {.name = "threads", .letter = 't', .argument = "N", .kind = OPTION_COUNT, .offset = offsetof(settings, n_threads), \
     .help = "0, as without it: all processors"}
#define OPTION_JSON(settings, what) {.name = "json", .kind = OPTION_FLAG, .offset = offsetof(settings, is_json), .help = (what)}

struct command_line;

struct command_def {
    const char *name;
    const char *synopsis; /* behind "hob NAME " */
    const char *summary;  /* a few words for the list of commands */
    const char *details;  /* paragraphs for the command's own help; may be NULL */
    const struct option_def *options;
    size_t n_options;
    size_t settings_bytes;
    const void *defaults; /* settings_bytes; NULL: zeros */
    int (*run)(const struct command_line *line);
};

struct command_line {
    const struct command_def *command;
    const void *settings;     /* the command's own struct */
    const char *const *words; /* what is not an option */
    size_t n_words;
    struct output *output;
};

/* The rows of commands.def. */
extern const struct command_def *const commands[];
extern const size_t n_commands;
const struct command_def *command_find(const char *name); /* NULL: none of that name */

#endif

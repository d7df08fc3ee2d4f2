/* The configuration that hob init writes.
 *
 *     struct init_file file = {.machine = &machine, .model_path = "/m/a.gguf"};
 *     TRY(init_file_text(&file, &text, error));
 *     TRY(init_file_write("config.toml", &text, false, error));
 */
#ifndef CLI_INIT_FILE_H
#define CLI_INIT_FILE_H

#include "base/buffer.h"
#include "cli/command.h"
#include "cli/machine.h"

struct init_file {
    const struct machine *machine;
    const char *model_path, *embed_model_path; /* NULL: the default ones */
    int64_t context_tokens;                    /* 0: the model's own */
    const char *const *listen;                 /* addresses beside the socket */
    size_t n_listen;
};

/* Fails: HOB_UNSUPPORTED (a path that is not UTF-8, which TOML cannot hold), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status init_file_text(const struct init_file *file, struct buffer *ret_text, hob_error *error);

/* Refuses where something of that name is there, unless is_forced. Fails: HOB_IO. */
HOB_MUST_CHECK hob_status init_file_check_free(const char *path, bool is_forced, hob_error *error);
/* Makes the folder too. Fails: HOB_IO, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status init_file_write(const char *path, const struct buffer *text, bool is_forced,
                                          hob_error *error);

#endif

/* The options of hob complete that fill in the middle, and the prompt they make. */
#ifndef CLI_INFILL_H
#define CLI_INFILL_H

#include "cli/command.h"
#include "hob/hob.h"

struct infill {
    const char *suffix; /* NULL: a plain continuation */
    const char *repo_name, *file_path;
    struct text_list context_files;
};

/* Returns STATUS_USAGE behind a message when options are missing. */
int infill_check_usage(const struct command_def *command, const struct infill *infill);
/* ret_ids: free with hob_free. Reads the context files. */
HOB_MUST_CHECK hob_status infill_prompt(const struct infill *infill, const hob_tokenizer *tokenizer, const char *prefix,
                                        size_t n_prefix_bytes, int32_t **ret_ids, size_t *ret_n_ids, hob_error *error);

#endif

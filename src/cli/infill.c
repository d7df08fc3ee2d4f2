#include "cli/infill.h"

#include "base/error.h"
#include "base/memory.h"
#include "cli/input.h"
#include "cli/report.h"

#include <string.h>

int infill_check_usage(const struct command_def *command, const struct infill *infill)
{
    bool is_repository = infill->repo_name || infill->file_path || infill->context_files.n_items;
    if (is_repository && !infill->suffix)
        return report_usage(command, "--repo-name, --file-path, --context-file: expected --suffix too");
    if (is_repository && (!infill->repo_name || !infill->file_path))
        return report_usage(command, "a repository: expected both --repo-name and --file-path");
    return STATUS_DONE;
}

static hob_status read_files(const struct infill *infill, struct buffer *texts, hob_fim_file *files, hob_error *error)
{
    for (size_t i = 0; i < infill->context_files.n_items; i++) {
        const char *path = infill->context_files.items[i];
        TRY(input_file(path, &texts[i], error));
        files[i] = (hob_fim_file){path, buffer_text(&texts[i]), texts[i].n_bytes};
    }
    return HOB_OK;
}

hob_status infill_prompt(const struct infill *infill, const hob_tokenizer *tokenizer, const char *prefix,
                         size_t n_prefix_bytes, int32_t **ret_ids, size_t *ret_n_ids, hob_error *error)
{
    size_t n_files = infill->context_files.n_items;
    struct buffer *texts = memory_new(n_files, sizeof *texts);
    hob_fim_file *files = memory_new(n_files, sizeof *files);
    hob_status status = HOB_OK;
    if (!texts || !files) FAIL_CLEANUP(error, HOB_NO_MEMORY, "--context-file: out of memory");
    TRY_CLEANUP(read_files(infill, texts, files, error));
    hob_fim fim = {.prefix = prefix,
                   .n_prefix_bytes = n_prefix_bytes,
                   .suffix = infill->suffix,
                   .n_suffix_bytes = strlen(infill->suffix),
                   .repo_name = infill->repo_name,
                   .path = infill->file_path,
                   .files = files,
                   .n_files = n_files};
    TRY_CLEANUP(hob_fim_prompt(tokenizer, &fim, ret_ids, ret_n_ids, error));
cleanup:
    for (size_t i = 0; texts && i < n_files; i++) buffer_release(&texts[i]);
    memory_free(texts);
    memory_free(files);
    return status;
}

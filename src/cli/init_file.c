#include "cli/init_file.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/output_file.h"
#include "cli/init_report.h"
#include "cli/paths.h"
#include "config/write.h"

#include <sys/stat.h>

static hob_status write_path(const char *key, const char *path, struct buffer *text, hob_error *error)
{
    if (!path) {
        buffer_printf(text, "# %s = \"\"  # the default one\n", key);
        return HOB_OK;
    }
    buffer_printf(text, "%s = ", key);
    if (!config_write_string(path, text))
        FAIL(error, HOB_UNSUPPORTED, "%s: expected a path in UTF-8, as TOML holds no other", path);
    buffer_append_byte(text, '\n');
    return HOB_OK;
}

static void write_listen(const struct init_file *file, struct buffer *text)
{
    buffer_append_string(text, "\n[server]\nlisten = [");
    for (size_t i = 0; i < file->n_listen; i++) {
        if (i) buffer_append_string(text, ", ");
        config_write_string(file->listen[i], text);
    }
    buffer_append_string(text, "]\n");
}

hob_status init_file_text(const struct init_file *file, struct buffer *ret_text, hob_error *error)
{
    char memory[SIZE_TEXT_BYTES];
    init_size_text(file->machine->memory_bytes, memory);
    buffer_printf(ret_text, "# Written by hob init for %zu cores with %s of memory free.\n", file->machine->n_cores,
                  memory);
    buffer_append_string(ret_text,
                         "# hob config show prints all keys; docs/configuration.md tells what they mean.\n\n");
    TRY(write_path("model_path", file->model_path, ret_text, error));
    if (file->context_tokens)
        buffer_printf(ret_text, "context_window = %lld  # what memory has room for\n", (long long)file->context_tokens);
    TRY(write_path("embed_model_path", file->embed_model_path, ret_text, error));
    if (file->n_listen) write_listen(file, ret_text);
    if (ret_text->is_failed) FAIL(error, HOB_NO_MEMORY, "no memory for the configuration");
    return HOB_OK;
}

hob_status init_file_check_free(const char *path, bool is_forced, hob_error *error)
{
    struct stat info;
    if (!is_forced && lstat(path, &info) == 0)
        FAIL(error, HOB_IO, "%s: is there already; --force writes over it, --output FILE elsewhere", path);
    return HOB_OK;
}

static hob_status make_folder_of(const char *path, hob_error *error)
{
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path) return HOB_OK;
    char *folder = memory_copy_string(path);
    if (!folder) FAIL(error, HOB_NO_MEMORY, "%s: no memory for the path", path);
    folder[slash - path] = '\0';
    hob_status status = make_folder(folder, error);
    memory_free(folder);
    return status;
}

hob_status init_file_write(const char *path, const struct buffer *text, bool is_forced, hob_error *error)
{
    struct output_file *file;
    TRY(init_file_check_free(path, is_forced, error));
    TRY(make_folder_of(path, error));
    TRY(output_file_open(path, &file, error));
    output_file_write(file, text->bytes, text->n_bytes);
    return output_file_commit(file, error);
}

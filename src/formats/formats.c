/* The table of formats. The formats themselves look at the path and the first bytes; here a file is only opened and peeked at. */
#include "formats/formats.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"
#include "formats/tensor_file.h"
#include "graph/graph.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PEEKED_BYTES = 64 };

#define FORMAT(name) extern const struct format_def format_##name;
#include "formats/formats.def"
#undef FORMAT

static const struct format_def *const formats[] = {
#define FORMAT(name) &format_##name,
#include "formats/formats.def"
#undef FORMAT
    NULL};

bool format_path_ends_with(const char *path, const char *ending)
{
    size_t n_path = strlen(path), n_ending = strlen(ending);
    return n_path >= n_ending && !strcmp(path + n_path - n_ending, ending);
}

struct peek {
    bool is_folder;
    unsigned char bytes[PEEKED_BYTES];
    size_t n_bytes;
};

static hob_status peek_at(const char *path, struct peek *ret_peek, hob_error *error)
{
    hob_status status = HOB_OK;
    struct peek peek = {0};
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* non-blocking: a FIFO must not hang us */
    if (fd < 0) FAIL(error, errno == ENOENT ? HOB_NOT_FOUND : HOB_IO, "%s: %s", path, strerror(errno));
    if (fstat(fd, &info) != 0) FAIL_CLEANUP(error, HOB_IO, "%s: %s", path, strerror(errno));
    peek.is_folder = S_ISDIR(info.st_mode);
    if (!peek.is_folder) {
        if (!S_ISREG(info.st_mode)) FAIL_CLEANUP(error, HOB_IO, "%s: neither a file nor a folder", path);
        ssize_t n_read = read(fd, peek.bytes, sizeof peek.bytes);
        if (n_read < 0) FAIL_CLEANUP(error, HOB_IO, "%s: %s", path, strerror(errno));
        if (n_read == 0) FAIL_CLEANUP(error, HOB_BAD_FILE, "%s: not a model: the file is empty", path);
        peek.n_bytes = (size_t)n_read;
    }
    *ret_peek = peek;
cleanup:
    close(fd);
    return status;
}

/* Weights that other programs read: named in the message, so that a person sees what is the matter. */
static const char *find_foreign_weights(const char *folder)
{
    static const char *const names[] = {"pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5",
                                        "flax_model.msgpack"};
    const char *found = NULL;
    struct buffer path = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(names) && !found; i++) {
        buffer_clear(&path);
        if (buffer_printf(&path, "%s/%s", folder, names[i]) && access(path.bytes, F_OK) == 0) found = names[i];
    }
    buffer_release(&path);
    return found;
}

static hob_status refuse_folder(const char *path, hob_error *error)
{
    const char *foreign = find_foreign_weights(path);
    if (foreign)
        FAIL(error, HOB_UNSUPPORTED, "%s: found %s, which hob does not read, expected model.safetensors: convert it",
             path, foreign);
    FAIL(error, HOB_BAD_FILE,
         "%s: not a model: found no weights in the folder, expected model.safetensors or model.onnx", path);
}

static hob_status refuse_file(const char *path, const struct peek *peek, hob_error *error)
{
    struct buffer tried = {.cap_bytes = 256};
    for (const struct format_def *const *format = formats; *format; format++)
        buffer_printf(&tried, "%s%s", format == formats ? "" : ", ", (*format)->name);
    error_set(error, HOB_BAD_FILE, ERROR_HERE, "%s: not a model: found %02x %02x at its beginning, expected one of %s",
              path, peek->bytes[0], peek->bytes[1], buffer_text(&tried));
    buffer_release(&tried);
    return HOB_BAD_FILE;
}

/* The folder itself, or where the file lies. */
static char *find_folder(const char *path, bool is_folder)
{
    char *folder = memory_copy_string(path);
    if (!folder || is_folder) return folder;
    char *slash = strrchr(folder, '/');
    if (slash) {
        slash[slash == folder] = '\0'; /* "/model" lies in "/" */
        return folder;
    }
    memory_free(folder);
    return memory_copy_string(".");
}

hob_status format_open(const char *path, struct format_content *ret_content, hob_error *error)
{
    struct peek peek;
    TRY(peek_at(path, &peek, error));
    const struct format_def *const *format = formats;
    while (*format && !(*format)->is_this(path, peek.is_folder, peek.bytes, peek.n_bytes)) format++;
    if (!*format) return peek.is_folder ? refuse_folder(path, error) : refuse_file(path, &peek, error);
    struct format_content content = {.format = *format, .folder = find_folder(path, peek.is_folder)};
    if (!content.folder) FAIL(error, HOB_NO_MEMORY, "%s: out of memory", path);
    hob_status status = (*format)->open(path, &content, error);
    if (status != HOB_OK) {
        memory_free(content.folder);
        return status;
    }
    *ret_content = content;
    return HOB_OK;
}

void format_content_release(struct format_content *content)
{
    graph_free(content->graph);
    tensor_file_free(content->tensors);
    memory_free(content->folder);
    *content = (struct format_content){0};
}

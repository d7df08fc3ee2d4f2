#include "base/output_file.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct output_file {
    char *path, *temporary_path;
    FILE *stream;
    int write_errno; /* of the first write that failed */
};

static void free_memory(struct output_file *file)
{
    memory_free(file->path);
    memory_free(file->temporary_path);
    memory_free(file);
}

/* The process id keeps two programs apart, the counter two writers of one program. */
static char *make_temporary_path(const char *path, unsigned attempt)
{
    struct buffer text = {0};
    buffer_printf(&text, "%s.%ld-%u.tmp", path, (long)getpid(), attempt);
    if (!text.is_failed) return text.bytes;
    buffer_release(&text);
    return NULL;
}

static hob_status open_temporary(struct output_file *file, hob_error *error)
{
    for (unsigned attempt = 0; attempt < 1000; attempt++) {
        memory_free(file->temporary_path);
        file->temporary_path = make_temporary_path(file->path, attempt);
        if (!file->temporary_path) FAIL(error, HOB_NO_MEMORY, "%s: out of memory", file->path);
        int fd = open(file->temporary_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno == EEXIST) continue;
        if (fd < 0) FAIL(error, HOB_IO, "%s: cannot write: %s", file->path, strerror(errno));
        file->stream = fdopen(fd, "wb");
        if (file->stream) return HOB_OK;
        close(fd);
        unlink(file->temporary_path);
        FAIL(error, HOB_NO_MEMORY, "%s: out of memory", file->path);
    }
    FAIL(error, HOB_IO, "%s: cannot write: too many temporary files of that name", file->path);
}

hob_status output_file_open(const char *path, struct output_file **ret_file, hob_error *error)
{
    hob_status status = HOB_OK;
    struct output_file *file = memory_new(1, sizeof *file);
    if (!file) FAIL(error, HOB_NO_MEMORY, "%s: out of memory", path);
    file->path = memory_copy_string(path);
    if (!file->path) FAIL_CLEANUP(error, HOB_NO_MEMORY, "%s: out of memory", path);
    TRY_CLEANUP(open_temporary(file, error));
    *ret_file = file;
cleanup:
    if (status != HOB_OK) free_memory(file);
    return status;
}

void output_file_write(struct output_file *file, const void *bytes, size_t n_bytes)
{
    if (!n_bytes || file->write_errno) return;
    if (fwrite(bytes, 1, n_bytes, file->stream) != n_bytes) file->write_errno = errno ? errno : EIO;
}

hob_status output_file_commit(struct output_file *file, hob_error *error)
{
    hob_status status = HOB_OK;
    int problem = file->write_errno;
    if (fclose(file->stream) != 0 && !problem) problem = errno;
    if (!problem && rename(file->temporary_path, file->path) != 0) problem = errno;
    if (problem) {
        unlink(file->temporary_path);
        status = error_set(error, HOB_IO, ERROR_HERE, "%s: cannot write: %s", file->path, strerror(problem));
    }
    free_memory(file);
    return status;
}

void output_file_discard(struct output_file *file)
{
    if (!file) return;
    fclose(file->stream);
    unlink(file->temporary_path);
    free_memory(file);
}

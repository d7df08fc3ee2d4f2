#include "base/mapped_file.h"
#include "base/error.h"

#include <errno.h>
#include <stdint.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

hob_status mapped_file_open(const char *path, struct mapped_file *ret_file, hob_error *error)
{
    hob_status status = HOB_OK;
    struct mapped_file file = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* non-blocking: a FIFO must not hang us */
    if (fd < 0) FAIL(error, errno == ENOENT ? HOB_NOT_FOUND : HOB_IO, "%s: %s", path, strerror(errno));
    struct stat info;
    if (fstat(fd, &info) != 0) FAIL_CLEANUP(error, HOB_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode)) FAIL_CLEANUP(error, HOB_IO, "%s: not a regular file", path);
    file.n_bytes = (size_t)info.st_size;
    if (file.n_bytes) {
        void *bytes = mmap(NULL, file.n_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED) FAIL_CLEANUP(error, HOB_IO, "%s: cannot map: %s", path, strerror(errno));
        file.bytes = bytes;
    }
    *ret_file = file;
cleanup:
    close(fd);
    return status;
}

void mapped_file_release(struct mapped_file *file)
{
    if (file->bytes) munmap((void *)(uintptr_t)file->bytes, file->n_bytes);
    *file = (struct mapped_file){0};
}

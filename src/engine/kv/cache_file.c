#include "engine/kv/cache_file.h"

#include "base/buffer.h"
#include "base/checksum.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Little endian, as packs are; there is no other machine that hob runs on. */
struct header {
    unsigned char magic[8];
    uint32_t version, n_ids;
    uint64_t n_bytes, checksum; /* of the bytes */
    unsigned char model[SHA256_BYTES], parent[SHA256_BYTES];
    int32_t ids[PAGED_POSITIONS];
    uint64_t reserved[3];
    uint64_t header_checksum; /* of all before it */
};
_Static_assert(sizeof(struct header) == CACHE_FILE_HEADER_BYTES, "the header is written as it lies in memory");

static const unsigned char magic[8] = {'h', 'o', 'b', '-', 'k', 'v', '\r', '\n'};

void cache_file_name(const struct cache_file_block *block, unsigned char ret_name[SHA256_BYTES])
{
    unsigned char text[2 * SHA256_BYTES + PAGED_POSITIONS * sizeof(int32_t)];
    memcpy(text, block->model, SHA256_BYTES);
    memcpy(text + SHA256_BYTES, block->parent, SHA256_BYTES);
    memcpy(text + 2 * SHA256_BYTES, block->ids, PAGED_POSITIONS * sizeof(int32_t));
    sha256_of(text, sizeof text, ret_name);
}

void cache_file_header(const struct cache_file_block *block, const void *bytes,
                       unsigned char ret_header[CACHE_FILE_HEADER_BYTES])
{
    struct header header = {.version = CACHE_FILE_VERSION, .n_ids = PAGED_POSITIONS, .n_bytes = block->n_bytes};
    memcpy(header.magic, magic, sizeof magic);
    memcpy(header.model, block->model, SHA256_BYTES);
    memcpy(header.parent, block->parent, SHA256_BYTES);
    memcpy(header.ids, block->ids, sizeof header.ids);
    header.checksum = checksum_bytes(bytes, block->n_bytes);
    header.header_checksum = checksum_bytes(&header, offsetof(struct header, header_checksum));
    memcpy(ret_header, &header, sizeof header);
}

/* ---- reading ---- */

static hob_status check_header(const struct cache_file_block *block, const struct header *header, hob_error *error)
{
    if (memcmp(header->magic, magic, sizeof magic))
        FAIL(error, HOB_BAD_FILE, "found no block of a KV cache, expected one");
    if (header->version != CACHE_FILE_VERSION)
        FAIL(error, HOB_BAD_FILE, "found version %u, expected %d", header->version, CACHE_FILE_VERSION);
    if (header->header_checksum != checksum_bytes(header, offsetof(struct header, header_checksum)))
        FAIL(error, HOB_BAD_FILE, "found a damaged header: its checksum is another");
    if (header->n_bytes != block->n_bytes || header->n_ids != PAGED_POSITIONS)
        FAIL(error, HOB_BAD_FILE, "found %llu bytes of %u positions, expected %zu of %d",
             (unsigned long long)header->n_bytes, header->n_ids, block->n_bytes, PAGED_POSITIONS);
    if (memcmp(header->model, block->model, SHA256_BYTES)) FAIL(error, HOB_BAD_FILE, "found a block of another model");
    if (memcmp(header->parent, block->parent, SHA256_BYTES) || memcmp(header->ids, block->ids, sizeof header->ids))
        FAIL(error, HOB_BAD_FILE, "found a block of another text");
    return HOB_OK;
}

hob_status cache_file_check(const struct cache_file_block *block, const void *header, const void *bytes,
                            hob_error *error)
{
    struct header copy;
    memcpy(&copy, header, sizeof copy);
    TRY(check_header(block, &copy, error));
    if (copy.checksum != checksum_bytes(bytes, block->n_bytes))
        FAIL(error, HOB_BAD_FILE, "found damaged bytes: their checksum is another");
    return HOB_OK;
}

static hob_status read_exactly(int fd, void *bytes, size_t n_bytes, hob_error *error)
{
    for (size_t n_done = 0; n_done < n_bytes;) {
        ssize_t n = read(fd, (char *)bytes + n_done, n_bytes - n_done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) FAIL(error, HOB_IO, "cannot read: %s", strerror(errno));
        if (n == 0) FAIL(error, HOB_BAD_FILE, "found its end %zu bytes early", n_bytes - n_done);
        n_done += (size_t)n;
    }
    return HOB_OK;
}

static hob_status read_block(int fd, const struct cache_file_block *block, void *ret_bytes, hob_error *error)
{
    unsigned char header[CACHE_FILE_HEADER_BYTES];
    struct stat info;
    if (fstat(fd, &info) != 0) FAIL(error, HOB_IO, "%s", strerror(errno));
    if (!S_ISREG(info.st_mode)) FAIL(error, HOB_BAD_FILE, "found no regular file");
    if (info.st_size < 0 || (uint64_t)info.st_size != CACHE_FILE_HEADER_BYTES + (uint64_t)block->n_bytes)
        FAIL(error, HOB_BAD_FILE, "found %lld bytes, expected %zu", (long long)info.st_size,
             CACHE_FILE_HEADER_BYTES + block->n_bytes);
    TRY(read_exactly(fd, header, sizeof header, error));
    TRY(read_exactly(fd, ret_bytes, block->n_bytes, error));
    return cache_file_check(block, header, ret_bytes, error);
}

static void set_mtime(int fd, int64_t mtime_ns)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                {.tv_sec = mtime_ns / 1000000000, .tv_nsec = mtime_ns % 1000000000}};
    int ignored = futimens(fd, times);
    (void)ignored; /* on a file system that knows no times, which file goes first is chance */
}

hob_status cache_file_read(const char *path, const struct cache_file_block *block, void *ret_bytes, int64_t mtime_ns,
                           hob_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) FAIL(error, errno == ENOENT ? HOB_NOT_FOUND : HOB_IO, "%s: %s", path, strerror(errno));
    hob_status status = read_block(fd, block, ret_bytes, error);
    if (status == HOB_OK) set_mtime(fd, mtime_ns);
    else error_prefix(error, status, "%s", path);
    close(fd);
    return status;
}

/* ---- writing ---- */

static hob_status write_exactly(int fd, const void *bytes, size_t n_bytes, hob_error *error)
{
    for (size_t n_done = 0; n_done < n_bytes;) {
        ssize_t n = write(fd, (const char *)bytes + n_done, n_bytes - n_done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) FAIL(error, HOB_IO, "cannot write: %s", strerror(errno));
        n_done += (size_t)n;
    }
    return HOB_OK;
}

static hob_status write_block(int fd, const struct cache_file_block *block, const void *bytes, int64_t mtime_ns,
                              hob_error *error)
{
    unsigned char header[CACHE_FILE_HEADER_BYTES];
    cache_file_header(block, bytes, header);
    TRY(write_exactly(fd, header, sizeof header, error));
    TRY(write_exactly(fd, bytes, block->n_bytes, error));
    set_mtime(fd, mtime_ns);
    if (fsync(fd) != 0) FAIL(error, HOB_IO, "cannot write: %s", strerror(errno));
    return HOB_OK;
}

/* The temporary name is the thread's own: two that write the same block replace one whole file with another. */
static hob_status write_temporary(const char *temporary, const char *path, const struct cache_file_block *block,
                                  const void *bytes, int64_t mtime_ns, hob_error *error)
{
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) FAIL(error, HOB_IO, "cannot write: %s", strerror(errno));
    hob_status status = write_block(fd, block, bytes, mtime_ns, error);
    if (close(fd) != 0 && status == HOB_OK)
        status = error_set(error, HOB_IO, ERROR_HERE, "cannot write: %s", strerror(errno));
    if (status == HOB_OK && rename(temporary, path) != 0)
        status = error_set(error, HOB_IO, ERROR_HERE, "cannot rename: %s", strerror(errno));
    if (status != HOB_OK) unlink(temporary);
    return status;
}

hob_status cache_file_write(const char *path, const struct cache_file_block *block, const void *bytes, int64_t mtime_ns,
                            hob_error *error)
{
    struct buffer temporary = {0};
    if (!buffer_printf(&temporary, "%s.%ld.tmp", path, (long)gettid()))
        FAIL(error, HOB_NO_MEMORY, "%s: out of memory", path);
    hob_status status = write_temporary(temporary.bytes, path, block, bytes, mtime_ns, error);
    if (status != HOB_OK) error_prefix(error, status, "%s", path);
    buffer_release(&temporary);
    return status;
}

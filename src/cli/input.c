#include "cli/input.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const size_t cap_bytes = (size_t)1 << 30; /* of a text or a line; the tokenizers' own cap is lower */

/* Appends what one read gives. */
static hob_status read_more(int fd, const char *name, struct buffer *bytes, bool *ret_is_at_end, hob_error *error)
{
    enum { CHUNK_BYTES = 64 * 1024 };
    if (bytes->n_bytes >= cap_bytes) FAIL(error, HOB_LIMIT, "%s: found more than %zu bytes", name, cap_bytes);
    if (!buffer_reserve(bytes, CHUNK_BYTES)) FAIL(error, HOB_NO_MEMORY, "%s: no memory for its text", name);
    ssize_t n_read;
    do n_read = read(fd, bytes->bytes + bytes->n_bytes, CHUNK_BYTES);
    while (n_read < 0 && errno == EINTR);
    if (n_read < 0) FAIL(error, HOB_IO, "%s: %s", name, strerror(errno));
    bytes->n_bytes += (size_t)n_read;
    bytes->bytes[bytes->n_bytes] = 0;
    *ret_is_at_end = n_read == 0;
    return HOB_OK;
}

bool input_is_stdin(const char *const *words, size_t n_words)
{
    return n_words == 1 && strcmp(words[0], "-") == 0;
}

static hob_status join_words(const char *const *words, size_t n_words, struct buffer *text, hob_error *error)
{
    for (size_t i = 0; i < n_words; i++) {
        if (i > 0) buffer_append_byte(text, ' ');
        buffer_append_string(text, words[i]);
    }
    if (text->is_failed) FAIL(error, HOB_NO_MEMORY, "no memory for the text");
    return HOB_OK;
}

hob_status input_text(const char *const *words, size_t n_words, struct buffer *text, hob_error *error)
{
    if (!input_is_stdin(words, n_words)) return join_words(words, n_words, text, error);
    for (bool is_at_end = false; !is_at_end;) TRY(read_more(STDIN_FILENO, "standard input", text, &is_at_end, error));
    return HOB_OK;
}

hob_status input_file(const char *path, struct buffer *text, hob_error *error)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) FAIL(error, errno == ENOENT ? HOB_NOT_FOUND : HOB_IO, "%s: %s", path, strerror(errno));
    hob_status status = HOB_OK;
    for (bool is_at_end = false; !is_at_end && status == HOB_OK;)
        status = read_more(fd, is_stdin ? "standard input" : path, text, &is_at_end, error);
    if (!is_stdin) close(fd);
    return status;
}

static char *find_line_end(const struct line_reader *reader)
{
    size_t n_left = reader->bytes.n_bytes - reader->next;
    return n_left ? memchr(reader->bytes.bytes + reader->next, '\n', n_left) : NULL;
}

bool line_reader_is_ready(const struct line_reader *reader)
{
    return find_line_end(reader) || (reader->is_at_end && reader->next < reader->bytes.n_bytes);
}

/* Lines that were handed out make room for new bytes. */
static void drop_old_lines(struct line_reader *reader)
{
    if (reader->next == 0) return;
    reader->bytes.n_bytes -= reader->next;
    memmove(reader->bytes.bytes, reader->bytes.bytes + reader->next, reader->bytes.n_bytes);
    reader->next = 0;
}

hob_status line_reader_next(struct line_reader *reader, char **ret_line, size_t *ret_n_bytes, hob_error *error)
{
    while (!line_reader_is_ready(reader) && !reader->is_at_end) {
        drop_old_lines(reader);
        TRY(read_more(reader->fd, reader->name, &reader->bytes, &reader->is_at_end, error));
    }
    if (!line_reader_is_ready(reader)) {
        *ret_line = NULL;
        *ret_n_bytes = 0;
        return HOB_OK;
    }
    char *line = reader->bytes.bytes + reader->next, *end = find_line_end(reader);
    *ret_line = line;
    *ret_n_bytes = end ? (size_t)(end - line) : reader->bytes.n_bytes - reader->next;
    if (end) *end = 0;
    reader->next += *ret_n_bytes + (end ? 1 : 0);
    return HOB_OK;
}

void line_reader_release(struct line_reader *reader)
{
    buffer_release(&reader->bytes);
}

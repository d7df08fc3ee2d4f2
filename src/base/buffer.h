/* A growable run of bytes with a cap: text being built, a file being read. Always NUL-terminated behind its size.
 *
 * Owns its bytes. Not thread-safe. A failed append sets is_failed and leaves the bytes as they were, so a caller may append
 * many times and check once.
 *
 *     struct buffer text = {.cap_bytes = 1 << 20};
 *     buffer_append(&text, "abc", 3);
 *     buffer_printf(&text, " %d", 7);
 *     if (text.is_failed) …
 *     buffer_release(&text);
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct buffer {
    char *bytes; /* NULL while empty */
    size_t n_bytes, reserved_bytes;
    size_t cap_bytes; /* 0: no cap but memory */
    bool is_failed;
};

void buffer_release(struct buffer *buffer);
void buffer_clear(struct buffer *buffer);
bool buffer_reserve(struct buffer *buffer, size_t n_more_bytes);
bool buffer_append(struct buffer *buffer, const void *bytes, size_t n_bytes);
bool buffer_append_string(struct buffer *buffer, const char *text);
bool buffer_append_byte(struct buffer *buffer, unsigned char byte);
bool buffer_printf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Never NULL: "" while empty. */
const char *buffer_text(const struct buffer *buffer);

#endif

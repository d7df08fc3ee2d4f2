/* A bounds-checked way through bytes in memory, little endian. Owns nothing; every read either fits or is refused and moves
 * nothing. Works at any alignment.
 *
 *     struct byte_cursor cursor = byte_cursor_over(bytes, n_bytes);
 *     uint32_t version;
 *     if (!byte_cursor_u32(&cursor, &version)) FAIL(error, HOB_BAD_FILE, "truncated at byte %zu", byte_cursor_offset(&cursor));
 */
#ifndef FORMATS_BYTE_CURSOR_H
#define FORMATS_BYTE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct byte_cursor {
    const unsigned char *start, *at, *end;
};

static inline struct byte_cursor byte_cursor_over(const void *bytes, size_t n_bytes)
{
    static const unsigned char nothing[1];
    const unsigned char *start = n_bytes ? bytes : nothing; /* an empty file's map is NULL */
    return (struct byte_cursor){.start = start, .at = start, .end = start + n_bytes};
}

static inline size_t byte_cursor_left(const struct byte_cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

static inline size_t byte_cursor_offset(const struct byte_cursor *cursor)
{
    return (size_t)(cursor->at - cursor->start);
}

/* NULL when fewer than n_bytes are left. */
static inline const unsigned char *byte_cursor_take(struct byte_cursor *cursor, uint64_t n_bytes)
{
    if (n_bytes > byte_cursor_left(cursor)) return NULL;
    const unsigned char *taken = cursor->at;
    cursor->at += n_bytes;
    return taken;
}

static inline bool byte_cursor_u32(struct byte_cursor *cursor, uint32_t *ret_number)
{
    const unsigned char *bytes = byte_cursor_take(cursor, sizeof *ret_number);
    if (bytes) memcpy(ret_number, bytes, sizeof *ret_number);
    return bytes;
}

static inline bool byte_cursor_u64(struct byte_cursor *cursor, uint64_t *ret_number)
{
    const unsigned char *bytes = byte_cursor_take(cursor, sizeof *ret_number);
    if (bytes) memcpy(ret_number, bytes, sizeof *ret_number);
    return bytes;
}

#endif

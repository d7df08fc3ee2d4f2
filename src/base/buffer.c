#include "base/buffer.h"
#include "base/memory.h"
#include "base/size.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void buffer_release(struct buffer *buffer)
{
    memory_free(buffer->bytes);
    *buffer = (struct buffer){.cap_bytes = buffer->cap_bytes};
}

void buffer_clear(struct buffer *buffer)
{
    buffer->n_bytes = 0;
    buffer->is_failed = false;
    if (buffer->bytes) buffer->bytes[0] = '\0';
}

bool buffer_reserve(struct buffer *buffer, size_t n_more_bytes)
{
    size_t needed; /* with the NUL */
    if (buffer->is_failed || !size_add(buffer->n_bytes, n_more_bytes, &needed) || !size_add(needed, 1, &needed) ||
        (buffer->cap_bytes && needed - 1 > buffer->cap_bytes))
        return buffer->is_failed = true, false;
    if (needed <= buffer->reserved_bytes) return true;
    size_t grown = buffer->reserved_bytes + buffer->reserved_bytes / 2 + 64;
    if (grown < needed) grown = needed;
    char *bytes = memory_resize(buffer->bytes, grown, 1);
    if (!bytes) return buffer->is_failed = true, false;
    buffer->bytes = bytes;
    buffer->reserved_bytes = grown;
    return true;
}

bool buffer_append(struct buffer *buffer, const void *bytes, size_t n_bytes)
{
    if (!buffer_reserve(buffer, n_bytes)) return false;
    if (n_bytes) memcpy(buffer->bytes + buffer->n_bytes, bytes, n_bytes);
    buffer->n_bytes += n_bytes;
    buffer->bytes[buffer->n_bytes] = '\0';
    return true;
}

bool buffer_append_string(struct buffer *buffer, const char *text)
{
    return buffer_append(buffer, text, strlen(text));
}

bool buffer_append_byte(struct buffer *buffer, unsigned char byte)
{
    return buffer_append(buffer, &byte, 1);
}

bool buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n_bytes = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n_bytes < 0 || !buffer_reserve(buffer, (size_t)n_bytes)) return false;
    va_start(args, format);
    vsnprintf(buffer->bytes + buffer->n_bytes, (size_t)n_bytes + 1, format, args);
    va_end(args);
    buffer->n_bytes += (size_t)n_bytes;
    return true;
}

const char *buffer_text(const struct buffer *buffer)
{
    return buffer->bytes ? buffer->bytes : "";
}

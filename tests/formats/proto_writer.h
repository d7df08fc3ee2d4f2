/* Writes protobuf messages for the tests, field by field, right or wrong as the test wants.
 *
 *     struct buffer tensor = {0}, graph = {0};
 *     proto_int(&tensor, 2, 1);
 *     proto_message(&graph, 5, &tensor);              appends and releases tensor
 */
#ifndef TESTS_FORMATS_PROTO_WRITER_H
#define TESTS_FORMATS_PROTO_WRITER_H

#include "base/buffer.h"

#include <stdint.h>
#include <string.h>

static inline void proto_varint(struct buffer *message, uint64_t number)
{
    for (; number > 127; number >>= 7) buffer_append_byte(message, (unsigned char)(number | 128));
    buffer_append_byte(message, (unsigned char)number);
}

static inline void proto_int(struct buffer *message, uint32_t field, int64_t integer)
{
    proto_varint(message, (uint64_t)field << 3);
    proto_varint(message, (uint64_t)integer);
}

static inline void proto_float(struct buffer *message, uint32_t field, float number)
{
    proto_varint(message, (uint64_t)field << 3 | 5);
    buffer_append(message, &number, sizeof number);
}

static inline void proto_bytes(struct buffer *message, uint32_t field, const void *bytes, size_t n_bytes)
{
    proto_varint(message, (uint64_t)field << 3 | 2);
    proto_varint(message, n_bytes);
    buffer_append(message, bytes, n_bytes);
}

static inline void proto_text(struct buffer *message, uint32_t field, const char *text)
{
    proto_bytes(message, field, text, strlen(text));
}

static inline void proto_message(struct buffer *message, uint32_t field, struct buffer *inner)
{
    proto_bytes(message, field, inner->bytes, inner->n_bytes);
    buffer_release(inner);
}

#endif

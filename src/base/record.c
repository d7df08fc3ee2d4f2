/* The machine is little endian, as everywhere in hob (formats/tensor_file.h), so numbers are copied as they are. */
#include "base/record.h"
#include "base/size.h"

#include <string.h>

#define NO_TEXT UINT32_MAX

static const unsigned char zeros[RECORD_ALIGNMENT];

void record_put_u8(struct buffer *bytes, uint8_t number)
{
    buffer_append(bytes, &number, sizeof number);
}

void record_put_u32(struct buffer *bytes, uint32_t number)
{
    buffer_append(bytes, &number, sizeof number);
}

void record_put_u64(struct buffer *bytes, uint64_t number)
{
    buffer_append(bytes, &number, sizeof number);
}

void record_put_i64(struct buffer *bytes, int64_t number)
{
    buffer_append(bytes, &number, sizeof number);
}

void record_put_f32(struct buffer *bytes, float number)
{
    buffer_append(bytes, &number, sizeof number);
}

void record_put_f64(struct buffer *bytes, double number)
{
    buffer_append(bytes, &number, sizeof number);
}

void record_put_text(struct buffer *bytes, const char *text, size_t n_bytes)
{
    if (n_bytes >= NO_TEXT) bytes->is_failed = true;
    record_put_u32(bytes, text ? (uint32_t)n_bytes : NO_TEXT);
    if (!text) return;
    buffer_append(bytes, text, n_bytes);
    record_put_u8(bytes, 0);
}

void record_put_array(struct buffer *bytes, const void *items, size_t n_items, size_t item_bytes)
{
    size_t n_bytes;
    record_put_u64(bytes, n_items);
    buffer_append(bytes, zeros, size_align(bytes->n_bytes, RECORD_ALIGNMENT) - bytes->n_bytes);
    if (!size_mul(n_items, item_bytes, &n_bytes)) bytes->is_failed = true;
    else if (n_bytes) buffer_append(bytes, items, n_bytes);
}

struct record_reader record_reader_over(const void *bytes, size_t n_bytes)
{
    const unsigned char *start = n_bytes ? bytes : zeros;
    return (struct record_reader){.start = start, .at = start, .end = start + n_bytes};
}

void record_fail(struct record_reader *reader)
{
    reader->is_bad = true;
    reader->at = reader->end;
}

bool record_is_read(const struct record_reader *reader)
{
    return !reader->is_bad && reader->at == reader->end;
}

/* NULL when fewer are left. */
static const unsigned char *take(struct record_reader *reader, uint64_t n_bytes)
{
    if (reader->is_bad || n_bytes > (size_t)(reader->end - reader->at)) {
        record_fail(reader);
        return NULL;
    }
    const unsigned char *taken = reader->at;
    reader->at += n_bytes;
    return taken;
}

static void take_number(struct record_reader *reader, void *number, size_t n_bytes)
{
    const unsigned char *bytes = take(reader, n_bytes);
    if (bytes) memcpy(number, bytes, n_bytes);
    else memset(number, 0, n_bytes);
}

uint8_t record_u8(struct record_reader *reader)
{
    uint8_t number;
    take_number(reader, &number, sizeof number);
    return number;
}

uint32_t record_u32(struct record_reader *reader)
{
    uint32_t number;
    take_number(reader, &number, sizeof number);
    return number;
}

uint64_t record_u64(struct record_reader *reader)
{
    uint64_t number;
    take_number(reader, &number, sizeof number);
    return number;
}

int64_t record_i64(struct record_reader *reader)
{
    int64_t number;
    take_number(reader, &number, sizeof number);
    return number;
}

float record_f32(struct record_reader *reader)
{
    float number;
    take_number(reader, &number, sizeof number);
    return number;
}

double record_f64(struct record_reader *reader)
{
    double number;
    take_number(reader, &number, sizeof number);
    return number;
}

bool record_bool(struct record_reader *reader)
{
    uint8_t byte = record_u8(reader);
    if (byte > 1) record_fail(reader);
    return byte == 1;
}

uint32_t record_count(struct record_reader *reader, size_t least_bytes)
{
    uint32_t n_items = record_u32(reader);
    if (n_items <= (size_t)(reader->end - reader->at) / least_bytes) return n_items;
    record_fail(reader);
    return 0;
}

const char *record_text(struct record_reader *reader, size_t *ret_n_bytes)
{
    uint32_t n_bytes = record_u32(reader);
    const unsigned char *text = NULL;
    if (!reader->is_bad && n_bytes != NO_TEXT) {
        text = take(reader, (uint64_t)n_bytes + 1);
        if (text && text[n_bytes]) record_fail(reader);
        if (reader->is_bad) text = NULL;
    }
    if (ret_n_bytes) *ret_n_bytes = text ? n_bytes : 0;
    return (const char *)text;
}

const char *record_name(struct record_reader *reader)
{
    size_t n_bytes;
    const char *text = record_text(reader, &n_bytes);
    if (text && strlen(text) == n_bytes) return text;
    record_fail(reader);
    return "";
}

const void *record_array(struct record_reader *reader, size_t item_bytes, size_t *ret_n_items)
{
    uint64_t n_items = record_u64(reader);
    size_t offset = (size_t)(reader->at - reader->start), n_bytes;
    take(reader, size_align(offset, RECORD_ALIGNMENT) - offset);
    if (!size_mul((size_t)n_items, item_bytes, &n_bytes)) record_fail(reader);
    const unsigned char *items = reader->is_bad ? NULL : take(reader, n_bytes);
    *ret_n_items = items ? (size_t)n_items : 0;
    return items;
}

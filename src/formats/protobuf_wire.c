#include "formats/protobuf_wire.h"
#include "base/error.h"

#include <inttypes.h>

struct wire wire_over(const void *bytes, size_t n_bytes)
{
    struct byte_cursor cursor = byte_cursor_over(bytes, n_bytes);
    return (struct wire){.cursor = cursor, .origin = cursor.start};
}

struct wire wire_within(const struct wire *outer, struct wire_span message)
{
    return (struct wire){.cursor = byte_cursor_over(message.bytes, message.n_bytes), .origin = outer->origin};
}

bool wire_at_end(const struct wire *wire)
{
    return wire->cursor.at == wire->cursor.end;
}

/* At most ten bytes of seven bits, least significant first; what does not fit 64 bits is refused. */
static bool take_varint(struct byte_cursor *cursor, uint64_t *ret_number)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const unsigned char *byte = byte_cursor_take(cursor, 1);
        if (!byte || (shift == 63 && *byte > 1)) return false;
        number |= (uint64_t)(*byte & 0x7f) << shift;
        if (*byte & 0x80) continue;
        *ret_number = number;
        return true;
    }
    return false;
}

static bool take_payload(struct byte_cursor *cursor, enum wire_type type, struct wire_span *ret_payload)
{
    uint64_t n_bytes = 0;
    const unsigned char *start = cursor->at;
    switch (type) {
    case WIRE_VARINT:
        if (!take_varint(cursor, &n_bytes)) return false;
        *ret_payload = (struct wire_span){start, (size_t)(cursor->at - start)};
        return true;
    case WIRE_FIXED64:
        n_bytes = 8;
        break;
    case WIRE_FIXED32:
        n_bytes = 4;
        break;
    case WIRE_BYTES:
        if (!take_varint(cursor, &n_bytes)) return false;
        break;
    }
    const unsigned char *bytes = byte_cursor_take(cursor, n_bytes);
    if (bytes) *ret_payload = (struct wire_span){bytes, (size_t)n_bytes};
    return bytes;
}

hob_status wire_next(struct wire *wire, struct wire_field *ret_field, hob_error *error)
{
    struct byte_cursor *cursor = &wire->cursor;
    struct wire_field field = {.offset = (size_t)(cursor->at - wire->origin)};
    uint64_t tag;
    if (!take_varint(cursor, &tag) || tag > UINT32_MAX || tag < 8)
        FAIL(error, HOB_BAD_FILE, "byte %zu: expected a field's number and type", field.offset);
    unsigned type = tag & 7;
    if (type != WIRE_VARINT && type != WIRE_FIXED64 && type != WIRE_BYTES && type != WIRE_FIXED32)
        FAIL(error, HOB_BAD_FILE, "byte %zu: found wire type %u, expected 0, 1, 2 or 5", field.offset, type);
    field.number = (uint32_t)(tag >> 3);
    field.type = (enum wire_type)type;
    if (!take_payload(cursor, field.type, &field.payload))
        FAIL(error, HOB_BAD_FILE, "truncated: field %" PRIu32 " at byte %zu is longer than the %zu bytes that are left",
             field.number, field.offset, byte_cursor_left(cursor));
    *ret_field = field;
    return HOB_OK;
}

static hob_status expect_type(const struct wire_field *field, enum wire_type type, hob_error *error)
{
    if (field->type == type) return HOB_OK;
    FAIL(error, HOB_BAD_FILE, "byte %zu: field %" PRIu32 ": found wire type %d, expected %d", field->offset,
         field->number, (int)field->type, (int)type);
}

uint64_t wire_list_take(struct wire_span *items)
{
    struct byte_cursor cursor = byte_cursor_over(items->bytes, items->n_bytes);
    uint64_t number = 0;
    bool is_whole = take_varint(&cursor, &number);
    HOB_ASSERT(is_whole);
    *items = (struct wire_span){cursor.at, byte_cursor_left(&cursor)};
    return number;
}

hob_status wire_as_int(const struct wire_field *field, int64_t *ret_integer, hob_error *error)
{
    TRY(expect_type(field, WIRE_VARINT, error));
    struct wire_span encoded = field->payload;
    *ret_integer = (int64_t)wire_list_take(&encoded);
    return HOB_OK;
}

hob_status wire_as_float(const struct wire_field *field, float *ret_number, hob_error *error)
{
    TRY(expect_type(field, WIRE_FIXED32, error));
    memcpy(ret_number, field->payload.bytes, sizeof *ret_number);
    return HOB_OK;
}

hob_status wire_as_span(const struct wire_field *field, struct wire_span *ret_span, hob_error *error)
{
    TRY(expect_type(field, WIRE_BYTES, error));
    *ret_span = field->payload;
    return HOB_OK;
}

static bool count_varints(struct wire_span items, size_t *ret_n_items)
{
    struct byte_cursor cursor = byte_cursor_over(items.bytes, items.n_bytes);
    size_t n_items = 0;
    uint64_t ignored;
    for (; byte_cursor_left(&cursor); n_items++)
        if (!take_varint(&cursor, &ignored)) return false;
    *ret_n_items = n_items;
    return true;
}

hob_status wire_as_list(const struct wire_field *field, enum wire_type item_type, struct wire_span *ret_items,
                        size_t *ret_n_items, hob_error *error)
{
    if (field->type != WIRE_BYTES) TRY(expect_type(field, item_type, error));
    size_t n_items = 0, item_bytes = item_type == WIRE_FIXED64 ? 8 : 4;
    bool is_whole =
        item_type == WIRE_VARINT ? count_varints(field->payload, &n_items) : field->payload.n_bytes % item_bytes == 0;
    if (!is_whole)
        FAIL(error, HOB_BAD_FILE, "byte %zu: field %" PRIu32 ": a packed list of %zu bytes ends within a number",
             field->offset, field->number, field->payload.n_bytes);
    *ret_items = field->payload;
    *ret_n_items = item_type == WIRE_VARINT ? n_items : field->payload.n_bytes / item_bytes;
    return HOB_OK;
}

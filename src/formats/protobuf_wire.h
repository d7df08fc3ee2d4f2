/* Protocol Buffers' wire format, read in place: fields point into the bytes, nothing is copied or allocated.
 * Groups (deprecated since 2008) are refused; a field that the reader does not name is passed over by wire_next itself.
 *
 *     struct wire wire = wire_over(bytes, n_bytes);
 *     while (!wire_at_end(&wire)) {
 *         struct wire_field field;
 *         TRY(wire_next(&wire, &field, error));
 *         switch (field.number) {
 *         case 1: TRY(wire_as_int(&field, &version, error)); break;
 *         case 7: TRY(wire_as_span(&field, &graph, error)); break;
 *         default: break;
 *         }
 *     }
 */
#ifndef FORMATS_PROTOBUF_WIRE_H
#define FORMATS_PROTOBUF_WIRE_H

#include "formats/byte_cursor.h"
#include "hob/status.h"

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* Bytes of the file: a string, a message within the message, or a list of numbers. */
struct wire_span {
    const unsigned char *bytes;
    size_t n_bytes;
};

struct wire {
    struct byte_cursor cursor;
    const unsigned char *origin; /* of the outermost message: offsets in errors count from here */
};

struct wire_field {
    uint32_t number;
    enum wire_type type;
    struct wire_span payload; /* the encoded number, or the bytes without their length */
    size_t offset;            /* of the field from the origin, for messages */
};

struct wire wire_over(const void *bytes, size_t n_bytes);
/* A message within outer. */
struct wire wire_within(const struct wire *outer, struct wire_span message);
bool wire_at_end(const struct wire *wire);
/* Fails: HOB_BAD_FILE (truncated, field number 0, groups). */
HOB_MUST_CHECK hob_status wire_next(struct wire *wire, struct wire_field *ret_field, hob_error *error);

/* What the field holds. Fails: HOB_BAD_FILE when it is of another wire type. */
HOB_MUST_CHECK hob_status wire_as_int(const struct wire_field *field, int64_t *ret_integer, hob_error *error);
HOB_MUST_CHECK hob_status wire_as_float(const struct wire_field *field, float *ret_number, hob_error *error);
HOB_MUST_CHECK hob_status wire_as_span(const struct wire_field *field, struct wire_span *ret_span, hob_error *error);
/* A repeated number, packed or one of its single occurrences: the encoded items one behind the other, checked, and how many. */
HOB_MUST_CHECK hob_status wire_as_list(const struct wire_field *field, enum wire_type item_type,
                                       struct wire_span *ret_items, size_t *ret_n_items, hob_error *error);
/* The next of a list of varints that wire_as_list has checked; moves the span on. */
uint64_t wire_list_take(struct wire_span *items);

#endif

/* TensorProto and SparseTensorProto. A tensor's bytes stand in one of seven fields or in another file; the first pass over the
 * message finds out which and how many, the second one, for the typed fields, narrows the numbers into the arena. Raw bytes
 * that are aligned for their type stay where they are in the map. */
#include "base/error.h"
#include "base/size.h"
#include "formats/onnx_proto.h"
#include "tensor/sub_byte.h"

#include <inttypes.h>
#include <string.h>

enum { SHOWN_NAME_BYTES = 80, LOCATION_MAX_BYTES = 4096, LOCATION_EXTERNAL = 1 };
/* Zeros cost the file nothing, memory they do. */
static const size_t dense_max_bytes = (size_t)1 << 30;

struct external_range {
    struct wire_span location;
    uint64_t offset, length;
    bool has_length;
};

struct stored_tensor {
    struct wire_span name, raw;
    bool has_raw, is_external;
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
    int64_t data_type;
    uint32_t typed_field; /* 0: none */
    size_t n_typed;       /* numbers or strings in it */
    struct external_range external;
};

/* ---- first pass ---- */

static hob_status read_dims(const struct wire_field *field, int *rank, int64_t *dims, hob_error *error)
{
    struct wire_span items;
    size_t n_items;
    TRY(wire_as_list(field, WIRE_VARINT, &items, &n_items, error));
    if (n_items > (size_t)(TENSOR_MAX_RANK - *rank))
        FAIL(error, HOB_UNSUPPORTED, "found more than %d dimensions", TENSOR_MAX_RANK);
    for (size_t i = 0; i < n_items; i++) dims[(*rank)++] = (int64_t)wire_list_take(&items);
    return HOB_OK;
}

/* Numbers in external_data are decimal texts. */
static hob_status read_decimal(struct wire_span text, const char *what, uint64_t *ret_number, hob_error *error)
{
    uint64_t number = 0;
    bool is_decimal = text.n_bytes > 0;
    for (size_t i = 0; i < text.n_bytes && is_decimal; i++)
        is_decimal = text.bytes[i] >= '0' && text.bytes[i] <= '9' && !__builtin_mul_overflow(number, 10, &number) &&
                     !__builtin_add_overflow(number, (uint64_t)(text.bytes[i] - '0'), &number);
    if (!is_decimal)
        FAIL(error, HOB_BAD_FILE, "external data: %s: found '%.*s', expected a number", what,
             (int)(text.n_bytes < 32 ? text.n_bytes : 32), (const char *)text.bytes);
    *ret_number = number;
    return HOB_OK;
}

static bool is_text(struct wire_span span, const char *text)
{
    return span.n_bytes == strlen(text) && !memcmp(span.bytes, text, span.n_bytes);
}

/* The entry "checksum" is not compared: it covers the whole file, which would have to be read when it is only to be mapped. */
static hob_status read_external_entry(struct wire entry, struct external_range *range, hob_error *error)
{
    struct wire_span key = {0}, value = {0};
    while (!wire_at_end(&entry)) {
        struct wire_field field;
        TRY(wire_next(&entry, &field, error));
        if (field.number == ENTRY_KEY) TRY(wire_as_span(&field, &key, error));
        if (field.number == ENTRY_VALUE) TRY(wire_as_span(&field, &value, error));
    }
    if (is_text(key, "location")) range->location = value;
    if (is_text(key, "offset")) return read_decimal(value, "offset", &range->offset, error);
    if (is_text(key, "length")) {
        range->has_length = true;
        return read_decimal(value, "length", &range->length, error);
    }
    return HOB_OK;
}

static hob_status count_typed(const struct wire_field *field, enum wire_type type, struct stored_tensor *stored,
                              hob_error *error)
{
    struct wire_span items = {0};
    size_t n_items = 1;
    if (type == WIRE_BYTES) TRY(wire_as_span(field, &items, error));
    else TRY(wire_as_list(field, type, &items, &n_items, error));
    if (!n_items) return HOB_OK;
    if (stored->typed_field && stored->typed_field != field->number)
        FAIL(error, HOB_BAD_FILE, "found elements in fields %" PRIu32 " and %" PRIu32 ", expected one of them",
             stored->typed_field, field->number);
    stored->typed_field = field->number;
    stored->n_typed += n_items; /* each takes at least a byte of the file: no overflow */
    return HOB_OK;
}

static hob_status read_location(const struct wire_field *field, struct stored_tensor *stored, hob_error *error)
{
    int64_t location;
    TRY(wire_as_int(field, &location, error));
    stored->is_external = location == LOCATION_EXTERNAL;
    return HOB_OK;
}

static hob_status read_raw(const struct wire_field *field, struct stored_tensor *stored, hob_error *error)
{
    TRY(wire_as_span(field, &stored->raw, error));
    stored->has_raw = true;
    return HOB_OK;
}

static hob_status read_stored_field(const struct wire *message, const struct wire_field *field,
                                    struct stored_tensor *stored, hob_error *error)
{
    switch (field->number) {
    case TENSOR_DIMS:
        return read_dims(field, &stored->rank, stored->dims, error);
    case TENSOR_DATA_TYPE:
        return wire_as_int(field, &stored->data_type, error);
    case TENSOR_SEGMENT:
        FAIL(error, HOB_UNSUPPORTED, "tensors in segments are not supported");
    case TENSOR_FLOAT_DATA:
        return count_typed(field, WIRE_FIXED32, stored, error);
    case TENSOR_INT32_DATA:
    case TENSOR_INT64_DATA:
    case TENSOR_UINT64_DATA:
        return count_typed(field, WIRE_VARINT, stored, error);
    case TENSOR_DOUBLE_DATA:
        return count_typed(field, WIRE_FIXED64, stored, error);
    case TENSOR_STRING_DATA:
        return count_typed(field, WIRE_BYTES, stored, error);
    case TENSOR_NAME:
        return wire_as_span(field, &stored->name, error);
    case TENSOR_RAW_DATA:
        return read_raw(field, stored, error);
    case TENSOR_EXTERNAL_DATA:
        return read_external_entry(wire_within(message, field->payload), &stored->external, error);
    case TENSOR_DATA_LOCATION:
        return read_location(field, stored, error);
    default:
        return HOB_OK;
    }
}

static hob_status read_stored(struct wire message, struct stored_tensor *stored, hob_error *error)
{
    while (!wire_at_end(&message)) {
        struct wire_field field;
        TRY(wire_next(&message, &field, error));
        if (field.number == TENSOR_EXTERNAL_DATA && field.type != WIRE_BYTES)
            FAIL(error, HOB_BAD_FILE, "byte %zu: found external data that is no message", field.offset);
        TRY(read_stored_field(&message, &field, stored, error));
    }
    return HOB_OK;
}

/* ---- second pass ---- */

/* Which field holds the elements of a type, and how large one number of it is in memory (half a complex number). */
static uint32_t typed_field_of(enum dtype dtype, size_t *ret_number_bytes)
{
    *ret_number_bytes = dtype_block_bytes(dtype);
    switch (dtype) {
    case DTYPE_F32:
        return TENSOR_FLOAT_DATA;
    case DTYPE_C64:
        *ret_number_bytes = 4;
        return TENSOR_FLOAT_DATA;
    case DTYPE_F64:
        return TENSOR_DOUBLE_DATA;
    case DTYPE_C128:
        *ret_number_bytes = 8;
        return TENSOR_DOUBLE_DATA;
    case DTYPE_I64:
        return TENSOR_INT64_DATA;
    case DTYPE_U32:
    case DTYPE_U64:
        return TENSOR_UINT64_DATA;
    case DTYPE_STRING:
        return TENSOR_STRING_DATA;
    default:
        return TENSOR_INT32_DATA; /* the small integers, bool, and the bits of the small floats */
    }
}

static hob_status store_string(const struct onnx_memory *memory, struct wire_span text, unsigned char *destination,
                               hob_error *error)
{
    struct tensor_string string = {(const char *)text.bytes, text.n_bytes};
    if (memory->copies_bytes) string.bytes = arena_copy_string(memory->arena, string.bytes, string.n_bytes);
    if (!string.bytes) FAIL(error, HOB_NO_MEMORY, "out of memory");
    memcpy(destination, &string, sizeof string);
    return HOB_OK;
}

/* Returns where the next field's numbers go. */
static unsigned char *store_numbers(struct wire_span items, size_t n_items, bool are_varints, size_t number_bytes,
                                    unsigned char *destination)
{
    if (!are_varints) {
        if (items.n_bytes) memcpy(destination, items.bytes, items.n_bytes);
        return destination + items.n_bytes;
    }
    for (size_t i = 0; i < n_items; i++, destination += number_bytes) {
        uint64_t number = wire_list_take(&items);
        memcpy(destination, &number, number_bytes); /* the low bytes stand first */
    }
    return destination;
}

static hob_status store_typed(const struct onnx_memory *memory, struct wire message, uint32_t typed_field,
                              size_t number_bytes, unsigned char *destination, hob_error *error)
{
    bool are_floats = typed_field == TENSOR_FLOAT_DATA, are_doubles = typed_field == TENSOR_DOUBLE_DATA;
    enum wire_type type = are_floats ? WIRE_FIXED32 : are_doubles ? WIRE_FIXED64 : WIRE_VARINT;
    while (!wire_at_end(&message)) {
        struct wire_field field;
        struct wire_span items;
        size_t n_items;
        TRY(wire_next(&message, &field, error));
        if (field.number != typed_field) continue;
        if (typed_field == TENSOR_STRING_DATA) {
            TRY(store_string(memory, field.payload, destination, error));
            destination += sizeof(struct tensor_string);
        } else {
            TRY(wire_as_list(&field, type, &items, &n_items, error));
            destination = store_numbers(items, n_items, type == WIRE_VARINT, number_bytes, destination);
        }
    }
    return HOB_OK;
}

/* Bytes of the elements in a file. */
static size_t stored_bytes(const struct tensor *tensor)
{
    if (!sub_byte_bits(tensor->dtype)) return tensor_n_bytes(tensor);
    return sub_byte_packed_bytes(tensor->dtype, (size_t)tensor_n_items(tensor));
}

static hob_status allocate(const struct onnx_memory *memory, size_t n_bytes, void **ret_bytes, hob_error *error)
{
    void *bytes = arena_alloc(memory->arena, n_bytes ? n_bytes : 1, 64);
    if (!bytes) FAIL(error, HOB_NO_MEMORY, "no memory for %zu bytes", n_bytes);
    *ret_bytes = bytes;
    return HOB_OK;
}

/* Elements of less than a byte get one each. */
static hob_status unpack(const struct onnx_memory *memory, const void *packed, struct tensor *tensor, hob_error *error)
{
    void *items;
    TRY(allocate(memory, tensor_n_bytes(tensor), &items, error));
    sub_byte_unpack(tensor->dtype, packed, (size_t)tensor_n_items(tensor), items);
    tensor->data = items;
    return HOB_OK;
}

static hob_status read_typed(const struct onnx_memory *memory, struct wire message, const struct stored_tensor *stored,
                             struct tensor *tensor, hob_error *error)
{
    size_t number_bytes, n_bytes = stored_bytes(tensor);
    uint32_t expected_field = typed_field_of(tensor->dtype, &number_bytes);
    size_t n_expected = n_bytes / number_bytes;
    if (stored->typed_field && stored->typed_field != expected_field)
        FAIL(error, HOB_BAD_FILE, "found elements of %s in field %" PRIu32 ", expected field %" PRIu32,
             dtype_name(tensor->dtype), stored->typed_field, expected_field);
    if (stored->n_typed != n_expected)
        FAIL(error, HOB_BAD_FILE, "found %zu elements, expected %zu", stored->n_typed, n_expected);
    void *bytes;
    TRY(allocate(memory, n_bytes, &bytes, error));
    if (n_expected) TRY(store_typed(memory, message, expected_field, number_bytes, bytes, error));
    if (sub_byte_bits(tensor->dtype)) return unpack(memory, bytes, tensor, error);
    tensor->data = bytes;
    return HOB_OK;
}

/* ---- raw bytes, here or elsewhere ---- */

static hob_status use_bytes(const struct onnx_memory *memory, struct wire_span raw, struct tensor *tensor,
                            hob_error *error)
{
    size_t n_bytes = stored_bytes(tensor);
    if (tensor->dtype == DTYPE_STRING) FAIL(error, HOB_BAD_FILE, "found strings as raw data, expected string data");
    if (raw.n_bytes != n_bytes) FAIL(error, HOB_BAD_FILE, "found %zu bytes, expected %zu", raw.n_bytes, n_bytes);
    if (sub_byte_bits(tensor->dtype)) return unpack(memory, raw.bytes, tensor, error);
    if (n_bytes && !memory->copies_bytes && (uintptr_t)raw.bytes % dtype_alignment(tensor->dtype) == 0) {
        tensor->data = (void *)(uintptr_t)raw.bytes;
        return HOB_OK;
    }
    void *copy;
    TRY(allocate(memory, n_bytes, &copy, error));
    if (n_bytes) memcpy(copy, raw.bytes, n_bytes);
    tensor->data = copy;
    return HOB_OK;
}

static hob_status read_external(const struct onnx_memory *memory, const struct external_range *range,
                                struct tensor *tensor, hob_error *error)
{
    char location[LOCATION_MAX_BYTES];
    size_t n_bytes = stored_bytes(tensor), n_location = range->location.n_bytes;
    if (!memory->external) FAIL(error, HOB_UNSUPPORTED, "found external data, which only a model may have");
    if (!n_location || n_location >= sizeof location || memchr(range->location.bytes, '\0', n_location))
        FAIL(error, HOB_BAD_FILE, "external data: found a location of %zu bytes, expected a file name", n_location);
    memcpy(location, range->location.bytes, n_location);
    location[n_location] = '\0';
    if (range->has_length && range->length != n_bytes)
        FAIL(error, HOB_BAD_FILE, "external data: found length %" PRIu64 ", expected %zu", range->length, n_bytes);
    struct wire_span raw = {.n_bytes = n_bytes};
    TRY(onnx_external_find(memory->external, location, range->offset, n_bytes, &raw.bytes, error));
    return use_bytes(memory, raw, tensor, error);
}

static hob_status make_tensor(const struct onnx_memory *memory, struct wire message, const struct stored_tensor *stored,
                              struct tensor *ret_tensor, hob_error *error)
{
    struct tensor tensor;
    if (stored->data_type < 1 || stored->data_type >= DTYPE_SEQUENCE || !dtype_is_known((int)stored->data_type))
        FAIL(error, HOB_BAD_FILE, "found data type %" PRId64 ", expected 1 to %d", stored->data_type, DTYPE_I2);
    TRY(tensor_init(&tensor, (enum dtype)stored->data_type, stored->rank, stored->dims, NULL, error));
    int n_places = stored->is_external + stored->has_raw + (stored->typed_field != 0);
    if (n_places > 1) FAIL(error, HOB_BAD_FILE, "found elements in %d places, expected one", n_places);
    if (stored->is_external) TRY(read_external(memory, &stored->external, &tensor, error));
    else if (stored->has_raw) TRY(use_bytes(memory, stored->raw, &tensor, error));
    else TRY(read_typed(memory, message, stored, &tensor, error));
    *ret_tensor = tensor;
    return HOB_OK;
}

hob_status onnx_read_tensor(const struct onnx_memory *memory, struct wire message, struct tensor *ret_tensor,
                            struct wire_span *ret_name, hob_error *error)
{
    struct stored_tensor stored = {0};
    hob_status status = read_stored(message, &stored, error);
    if (status == HOB_OK) status = make_tensor(memory, message, &stored, ret_tensor, error);
    if (status == HOB_OK) {
        if (ret_name) *ret_name = stored.name;
    } else if (stored.name.n_bytes) {
        size_t n_shown = stored.name.n_bytes < SHOWN_NAME_BYTES ? stored.name.n_bytes : SHOWN_NAME_BYTES;
        error_prefix(error, status, "tensor %.*s", (int)n_shown, (const char *)stored.name.bytes);
    }
    return status;
}

/* ---- sparse ---- */

/* Where entry i of a sparse tensor goes: indices are linear, or one a dimension. */
static bool find_place(const struct tensor *indices, const struct tensor *dense, int64_t i, int64_t *ret_place)
{
    int64_t n_items = tensor_n_items(dense);
    if (indices->rank == 1) {
        *ret_place = tensor_get_int(indices, i);
        return *ret_place >= 0 && *ret_place < n_items;
    }
    int64_t place = 0;
    for (int axis = 0; axis < dense->rank; axis++) {
        int64_t index = tensor_get_int(indices, i * dense->rank + axis);
        if (index < 0 || index >= dense->dims[axis]) return false;
        place = place * dense->dims[axis] + index;
    }
    *ret_place = place;
    return true;
}

static hob_status check_sparse(const struct tensor *values, const struct tensor *indices, const struct tensor *dense,
                               hob_error *error)
{
    if (values->rank != 1 || dtype_block_items(values->dtype) != 1 || values->dtype == DTYPE_STRING)
        FAIL(error, HOB_BAD_FILE, "sparse tensor: found values of rank %d and type %s, expected a list of numbers",
             values->rank, dtype_name(values->dtype));
    bool is_linear = indices->rank == 1 && indices->dims[0] == values->dims[0];
    bool is_by_axis = indices->rank == 2 && indices->dims[0] == values->dims[0] && indices->dims[1] == dense->rank;
    if (indices->dtype != DTYPE_I64 || (!is_linear && !is_by_axis)) {
        char text[TENSOR_SHAPE_TEXT_BYTES];
        FAIL(error, HOB_BAD_FILE,
             "sparse tensor: found indices %s of %s, expected int64 [%" PRId64 "] or [%" PRId64 ",%d]",
             tensor_shape_text(indices->rank, indices->dims, text), dtype_name(indices->dtype), values->dims[0],
             values->dims[0], dense->rank);
    }
    if (tensor_n_bytes(dense) > dense_max_bytes)
        FAIL(error, HOB_LIMIT, "sparse tensor: found %zu bytes when dense, expected at most %zu", tensor_n_bytes(dense),
             dense_max_bytes);
    return HOB_OK;
}

static hob_status fill_dense(const struct onnx_memory *memory, const struct tensor *values,
                             const struct tensor *indices, struct tensor *dense, hob_error *error)
{
    size_t item_bytes = dtype_block_bytes(values->dtype), n_bytes = tensor_n_bytes(dense);
    unsigned char *bytes = arena_new(memory->arena, n_bytes ? n_bytes : 1, 1, 64);
    if (!bytes) FAIL(error, HOB_NO_MEMORY, "no memory for %zu bytes", n_bytes);
    for (int64_t i = 0; i < values->dims[0]; i++) {
        int64_t place;
        if (!find_place(indices, dense, i, &place))
            FAIL(error, HOB_BAD_FILE, "sparse tensor: index %" PRId64 " lies outside the tensor", i);
        memcpy(bytes + (size_t)place * item_bytes, (const unsigned char *)values->data + (size_t)i * item_bytes,
               item_bytes);
    }
    dense->data = bytes;
    return HOB_OK;
}

hob_status onnx_read_sparse(const struct onnx_memory *memory, struct wire message, struct tensor *ret_tensor,
                            struct wire_span *ret_name, hob_error *error)
{
    struct tensor values = {0}, indices = {0}, dense;
    struct wire_span name = {0}, span;
    int rank = 0;
    int64_t dims[TENSOR_MAX_RANK];
    while (!wire_at_end(&message)) {
        struct wire_field field;
        TRY(wire_next(&message, &field, error));
        if (field.number == SPARSE_DIMS) TRY(read_dims(&field, &rank, dims, error));
        if (field.number != SPARSE_VALUES && field.number != SPARSE_INDICES) continue;
        TRY(wire_as_span(&field, &span, error));
        bool are_values = field.number == SPARSE_VALUES;
        TRY(onnx_read_tensor(memory, wire_within(&message, span), are_values ? &values : &indices,
                             are_values ? &name : NULL, error));
    }
    if (!values.data || !indices.data) FAIL(error, HOB_BAD_FILE, "sparse tensor: expected values and indices");
    TRY(tensor_init(&dense, values.dtype, rank, dims, NULL, error));
    TRY(check_sparse(&values, &indices, &dense, error));
    TRY(fill_dense(memory, &values, &indices, &dense, error));
    *ret_tensor = dense;
    if (ret_name) *ret_name = name;
    return HOB_OK;
}

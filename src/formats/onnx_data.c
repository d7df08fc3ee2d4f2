/* .pb files: one TensorProto, SequenceProto or OptionalProto. The elements are copied, the file is not kept. */
#include "base/buffer.h"
#include "base/error.h"
#include "base/mapped_file.h"
#include "base/output_file.h"
#include "formats/onnx_proto.h"
#include "formats/onnx_tensor.h"
#include "tensor/sub_byte.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_NESTING = 16 };
static const size_t proto_max_bytes = INT32_MAX; /* what other readers of protobuf accept */

/* ---- reading ---- */

static hob_status read_collection(const struct onnx_memory *memory, struct wire message, bool is_optional, int depth,
                                  struct tensor *ret_tensor, hob_error *error);

static hob_status read_element(const struct onnx_memory *memory, const struct wire *message,
                               const struct wire_field *field, int depth, struct tensor *ret_tensor, hob_error *error)
{
    struct wire_span span;
    TRY(wire_as_span(field, &span, error));
    struct wire inner = wire_within(message, span);
    switch (field->number) {
    case SEQUENCE_TENSORS:
        return onnx_read_tensor(memory, inner, ret_tensor, NULL, error);
    case SEQUENCE_SPARSE_TENSORS:
        return onnx_read_sparse(memory, inner, ret_tensor, NULL, error);
    case SEQUENCE_SEQUENCES:
        return read_collection(memory, inner, false, depth + 1, ret_tensor, error);
    case SEQUENCE_OPTIONALS:
        return read_collection(memory, inner, true, depth + 1, ret_tensor, error);
    default:
        FAIL(error, HOB_UNSUPPORTED, "maps are not supported");
    }
}

static bool is_element(uint32_t number)
{
    return number >= SEQUENCE_TENSORS && number <= SEQUENCE_OPTIONALS;
}

static hob_status count_elements(struct wire message, size_t *ret_n_elements, hob_error *error)
{
    size_t n_elements = 0;
    while (!wire_at_end(&message)) {
        struct wire_field field;
        TRY(wire_next(&message, &field, error));
        n_elements += is_element(field.number);
    }
    *ret_n_elements = n_elements;
    return HOB_OK;
}

/* A SequenceProto, or an OptionalProto, which looks the same but holds one element at most. */
static hob_status read_collection(const struct onnx_memory *memory, struct wire message, bool is_optional, int depth,
                                  struct tensor *ret_tensor, hob_error *error)
{
    size_t n_elements, n_read = 0;
    if (depth > MAX_NESTING) FAIL(error, HOB_LIMIT, "sequences nested deeper than %d", MAX_NESTING);
    TRY(count_elements(message, &n_elements, error));
    if (is_optional && n_elements > 1)
        FAIL(error, HOB_BAD_FILE, "found an optional of %zu values, expected one", n_elements);
    struct tensor *elements = ARENA_NEW(memory->arena, struct tensor, n_elements);
    if (!elements) FAIL(error, HOB_NO_MEMORY, "out of memory");
    while (!wire_at_end(&message)) {
        struct wire_field field;
        TRY(wire_next(&message, &field, error));
        if (is_element(field.number)) TRY(read_element(memory, &message, &field, depth, &elements[n_read++], error));
    }
    if (!is_optional)
        return tensor_init(ret_tensor, DTYPE_SEQUENCE, 1, (int64_t[]){(int64_t)n_elements}, elements, error);
    *ret_tensor = n_elements ? elements[0] : (struct tensor){.dtype = DTYPE_NONE};
    return HOB_OK;
}

/* A sequence has its tensors in field 3, which no writer of tensors uses; an empty one has a name in field 1, where a tensor has
 * dims, and no elements. */
static hob_status looks_like_sequence(struct wire message, bool *ret_is_sequence, hob_error *error)
{
    bool has_text = false, has_elements = false, has_members = false;
    while (!wire_at_end(&message)) {
        struct wire_field field;
        TRY(wire_next(&message, &field, error));
        has_text |= field.number == SEQUENCE_NAME && field.type == WIRE_BYTES;
        has_members |= field.number == SEQUENCE_TENSORS && field.type == WIRE_BYTES;
        has_elements |= field.number >= TENSOR_FLOAT_DATA && field.number != TENSOR_NAME;
    }
    *ret_is_sequence = has_members || (has_text && !has_elements);
    return HOB_OK;
}

static hob_status parse(const struct onnx_memory *memory, struct wire message, enum onnx_proto proto,
                        struct tensor *ret_tensor, hob_error *error)
{
    bool is_sequence = proto == ONNX_PROTO_SEQUENCE;
    if (proto == ONNX_PROTO_ANY) TRY(looks_like_sequence(message, &is_sequence, error));
    if (is_sequence || proto == ONNX_PROTO_OPTIONAL)
        return read_collection(memory, message, !is_sequence, 0, ret_tensor, error);
    return onnx_read_tensor(memory, message, ret_tensor, NULL, error);
}

hob_status onnx_tensor_parse(const void *bytes, size_t n_bytes, const char *name, enum onnx_proto proto,
                             struct arena *arena, struct tensor *ret_tensor, hob_error *error)
{
    struct onnx_memory memory = {.arena = arena, .copies_bytes = true};
    struct tensor tensor;
    hob_status status = parse(&memory, wire_over(bytes, n_bytes), proto, &tensor, error);
    if (status != HOB_OK) error_prefix(error, status, "%s", name);
    else *ret_tensor = tensor;
    return status;
}

hob_status onnx_tensor_read(const char *path, enum onnx_proto proto, struct arena *arena, struct tensor *ret_tensor,
                            hob_error *error)
{
    struct mapped_file map;
    TRY(mapped_file_open(path, &map, error));
    hob_status status = onnx_tensor_parse(map.bytes, map.n_bytes, path, proto, arena, ret_tensor, error);
    mapped_file_release(&map);
    return status;
}

/* ---- writing ---- */

static void put_varint(struct buffer *text, uint64_t number)
{
    for (; number > 0x7f; number >>= 7) buffer_append_byte(text, (unsigned char)(0x80 | (number & 0x7f)));
    buffer_append_byte(text, (unsigned char)number);
}

static void put_tag(struct buffer *text, uint32_t field, enum wire_type type)
{
    put_varint(text, (uint64_t)field << 3 | (uint64_t)type);
}

static void put_int(struct buffer *text, uint32_t field, int64_t integer)
{
    put_tag(text, field, WIRE_VARINT);
    put_varint(text, (uint64_t)integer);
}

static void put_bytes(struct buffer *text, uint32_t field, const void *bytes, size_t n_bytes)
{
    put_tag(text, field, WIRE_BYTES);
    put_varint(text, n_bytes);
    buffer_append(text, bytes, n_bytes);
}

/* Elements of 2 or 4 bits, a piece that fills whole bytes at a time. */
static void put_packed(struct buffer *text, enum dtype dtype, const unsigned char *items, size_t n_items)
{
    unsigned char packed[64];
    put_tag(text, TENSOR_RAW_DATA, WIRE_BYTES);
    put_varint(text, sub_byte_packed_bytes(dtype, n_items));
    for (size_t begin = 0, n; begin < n_items; begin += n) {
        n = n_items - begin < sizeof packed ? n_items - begin : sizeof packed;
        sub_byte_pack(dtype, items + begin, n, packed);
        buffer_append(text, packed, sub_byte_packed_bytes(dtype, n));
    }
}

static void put_strings(struct buffer *text, const struct tensor_string *strings, int64_t n_strings)
{
    for (int64_t i = 0; i < n_strings; i++)
        put_bytes(text, TENSOR_STRING_DATA, strings[i].bytes, strings[i].n_bytes);
}

static hob_status put_elements(struct buffer *text, const struct tensor *tensor, hob_error *error)
{
    size_t n_bytes = tensor_n_bytes(tensor);
    struct buffer copy = {0};
    const void *elements = tensor->data;
    if (!tensor_is_contiguous(tensor)) {
        if (!buffer_reserve(&copy, n_bytes)) FAIL(error, HOB_NO_MEMORY, "no memory for %zu bytes", n_bytes);
        tensor_copy_contiguous(tensor, copy.bytes);
        elements = copy.bytes;
    }
    if (tensor->dtype == DTYPE_STRING) put_strings(text, elements, tensor_n_items(tensor));
    else if (sub_byte_bits(tensor->dtype)) put_packed(text, tensor->dtype, elements, n_bytes);
    else put_bytes(text, TENSOR_RAW_DATA, elements, n_bytes);
    buffer_release(&copy);
    return HOB_OK;
}

static hob_status put_tensor(struct buffer *text, const char *name, const struct tensor *tensor, hob_error *error)
{
    bool is_onnx_type = tensor->dtype > DTYPE_NONE && tensor->dtype < DTYPE_SEQUENCE;
    if (!is_onnx_type || tensor->layout != LAYOUT_STRIDED)
        FAIL(error, HOB_BAD_TYPE, "ONNX has no type for %s", dtype_name(tensor->dtype));
    for (int i = 0; i < tensor->rank; i++) put_int(text, TENSOR_DIMS, tensor->dims[i]);
    put_int(text, TENSOR_DATA_TYPE, tensor->dtype);
    if (name) put_bytes(text, TENSOR_NAME, name, strlen(name));
    return put_elements(text, tensor, error);
}

static hob_status put_sequence(struct buffer *text, const char *name, const struct tensor *sequence, int depth,
                               hob_error *error);

/* A tensor or sequence as a member of a sequence or optional. */
static hob_status put_member(struct buffer *text, const struct tensor *member, int depth, hob_error *error)
{
    struct buffer inner = {.cap_bytes = proto_max_bytes};
    bool is_sequence = member->dtype == DTYPE_SEQUENCE;
    hob_status status =
        is_sequence ? put_sequence(&inner, NULL, member, depth + 1, error) : put_tensor(&inner, NULL, member, error);
    put_bytes(text, is_sequence ? SEQUENCE_SEQUENCES : SEQUENCE_TENSORS, inner.bytes, inner.n_bytes);
    text->is_failed |= inner.is_failed;
    buffer_release(&inner);
    return status;
}

static hob_status put_sequence(struct buffer *text, const char *name, const struct tensor *sequence, int depth,
                               hob_error *error)
{
    int64_t n_members = tensor_n_items(sequence);
    if (depth > MAX_NESTING) FAIL(error, HOB_LIMIT, "sequences nested deeper than %d", MAX_NESTING);
    const struct tensor *members = sequence->data;
    bool has_sequences = n_members && members[0].dtype == DTYPE_SEQUENCE;
    put_bytes(text, SEQUENCE_NAME, name ? name : "", name ? strlen(name) : 0);
    put_int(text, SEQUENCE_ELEM_TYPE, has_sequences ? ELEM_SEQUENCE : ELEM_TENSOR);
    for (int64_t i = 0; i < n_members; i++) TRY(put_member(text, &members[i * sequence->strides[0]], depth, error));
    return HOB_OK;
}

static hob_status put_optional(struct buffer *text, const char *name, const struct tensor *tensor, hob_error *error)
{
    put_bytes(text, SEQUENCE_NAME, name ? name : "", name ? strlen(name) : 0);
    if (tensor->dtype == DTYPE_NONE) {
        put_int(text, SEQUENCE_ELEM_TYPE, 0);
        return HOB_OK;
    }
    put_int(text, SEQUENCE_ELEM_TYPE, tensor->dtype == DTYPE_SEQUENCE ? ELEM_SEQUENCE : ELEM_TENSOR);
    return put_member(text, tensor, 0, error);
}

static hob_status put_proto(struct buffer *text, const char *name, enum onnx_proto proto, const struct tensor *tensor,
                            hob_error *error)
{
    if (proto == ONNX_PROTO_OPTIONAL) return put_optional(text, name, tensor, error);
    if (tensor->dtype == DTYPE_SEQUENCE) return put_sequence(text, name, tensor, 0, error);
    return put_tensor(text, name, tensor, error);
}

hob_status onnx_tensor_write(const char *path, const char *name, enum onnx_proto proto, const struct tensor *tensor,
                             hob_error *error)
{
    hob_status status = HOB_OK;
    struct buffer text = {.cap_bytes = proto_max_bytes};
    struct output_file *file;
    status = put_proto(&text, name, proto, tensor, error);
    if (status != HOB_OK) {
        error_prefix(error, status, "%s", path);
        goto cleanup;
    }
    if (text.is_failed)
        FAIL_CLEANUP(error, HOB_LIMIT, "%s: more than %zu bytes, or memory is out", path, proto_max_bytes);
    TRY_CLEANUP(output_file_open(path, &file, error));
    output_file_write(file, text.bytes, text.n_bytes);
    TRY_CLEANUP(output_file_commit(file, error));
cleanup:
    buffer_release(&text);
    return status;
}

/* One pass over the header: counts, metadata, tensor descriptions; then the descriptions are placed in the data section,
 * whose start is known only behind them. Counts are compared with the bytes that are left before memory is asked for. */
#include "formats/gguf.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"
#include "formats/byte_cursor.h"
#include "formats/formats.h"

#include <inttypes.h>
#include <string.h>

enum { DEFAULT_ALIGNMENT = 32, MAX_ALIGNMENT = 1 << 16, MAX_ARRAY_DEPTH = 8, SHOWN_NAME_BYTES = 80 };

/* The least a metadata entry and a tensor description can take. */
enum { LEAST_ENTRY_BYTES = 8 + 4 + 1, LEAST_TENSOR_BYTES = 8 + 4 + 4 + 8 };

enum value_type {
    VALUE_U8,
    VALUE_I8,
    VALUE_U16,
    VALUE_I16,
    VALUE_U32,
    VALUE_I32,
    VALUE_F32,
    VALUE_BOOL,
    VALUE_STRING,
    VALUE_ARRAY,
    VALUE_U64,
    VALUE_I64,
    VALUE_F64,
    VALUE_TYPE_COUNT
};

static const struct {
    enum metadata_kind kind;
    size_t least_bytes; /* of one value; all of it for numbers */
} value_types[VALUE_TYPE_COUNT] = {
    [VALUE_U8] = {METADATA_UINT, 1},      [VALUE_I8] = {METADATA_INT, 1},    [VALUE_U16] = {METADATA_UINT, 2},
    [VALUE_I16] = {METADATA_INT, 2},      [VALUE_U32] = {METADATA_UINT, 4},  [VALUE_I32] = {METADATA_INT, 4},
    [VALUE_F32] = {METADATA_FLOAT, 4},    [VALUE_BOOL] = {METADATA_BOOL, 1}, [VALUE_STRING] = {METADATA_STRING, 8},
    [VALUE_ARRAY] = {METADATA_ARRAY, 12}, [VALUE_U64] = {METADATA_UINT, 8},  [VALUE_I64] = {METADATA_INT, 8},
    [VALUE_F64] = {METADATA_FLOAT, 8},
};

/* ggml's numbers of the types that are not block formats; those are 64 + number in dtype.def. */
static enum dtype dtype_of(uint32_t ggml_type)
{
    switch (ggml_type) {
    case 0:
        return DTYPE_F32;
    case 1:
        return DTYPE_F16;
    case 24:
        return DTYPE_I8;
    case 25:
        return DTYPE_I16;
    case 26:
        return DTYPE_I32;
    case 27:
        return DTYPE_I64;
    case 28:
        return DTYPE_F64;
    case 30:
        return DTYPE_BF16;
    default:
        break;
    }
    return ggml_type < DTYPE_END - 64 && dtype_is_known(64 + (int)ggml_type) ? (enum dtype)(64 + ggml_type)
                                                                             : DTYPE_NONE;
}

struct text {
    const char *bytes;
    size_t n_bytes;
};

/* Arguments for "%.*s". */
#define SHOWN(text) (int)((text).n_bytes < SHOWN_NAME_BYTES ? (text).n_bytes : SHOWN_NAME_BYTES), (text).bytes

struct gguf_reader {
    struct tensor_file *file;
    struct byte_cursor cursor;
    hob_error *error;
};

/* ---- primitives ---- */

/* Macros, so that the compiler sees which code each function fails with. */
#define FAIL_TRUNCATED(reader, what)                                                                            \
    FAIL((reader)->error, HOB_BAD_FILE, "truncated: %s at byte %zu does not fit the file of %zu bytes", (what), \
         byte_cursor_offset(&(reader)->cursor), (size_t)((reader)->cursor.end - (reader)->cursor.start))
#define FAIL_NO_MEMORY(reader) \
    FAIL((reader)->error, HOB_NO_MEMORY, "out of memory at byte %zu", byte_cursor_offset(&(reader)->cursor))

static hob_status read_u32(struct gguf_reader *reader, const char *what, uint32_t *ret_number)
{
    if (!byte_cursor_u32(&reader->cursor, ret_number)) FAIL_TRUNCATED(reader, what);
    return HOB_OK;
}

static hob_status read_u64(struct gguf_reader *reader, const char *what, uint64_t *ret_number)
{
    if (!byte_cursor_u64(&reader->cursor, ret_number)) FAIL_TRUNCATED(reader, what);
    return HOB_OK;
}

static hob_status read_text(struct gguf_reader *reader, const char *what, struct text *ret_text)
{
    uint64_t n_bytes;
    TRY(read_u64(reader, what, &n_bytes));
    const unsigned char *bytes = byte_cursor_take(&reader->cursor, n_bytes);
    if (!bytes) FAIL_TRUNCATED(reader, what);
    *ret_text = (struct text){(const char *)bytes, (size_t)n_bytes};
    return HOB_OK;
}

/* A count of things that take at least least_bytes each. */
static hob_status check_count(const struct gguf_reader *reader, const char *what, uint64_t count, size_t least_bytes)
{
    size_t most = byte_cursor_left(&reader->cursor) / least_bytes;
    if (count <= most) return HOB_OK;
    FAIL(reader->error, HOB_BAD_FILE, "found %" PRIu64 " %s, expected at most %zu in the %zu bytes that are left",
         count, what, most, byte_cursor_left(&reader->cursor));
}

/* ---- metadata ---- */

#define LOAD(type, bytes, ret)                   \
    {                                            \
        type loaded;                             \
        memcpy(&loaded, (bytes), sizeof loaded); \
        (ret) = loaded;                          \
        break;                                   \
    }

static int64_t load_integer(enum value_type type, const unsigned char *bytes)
{
    int64_t integer = 0;
    switch (type) {
    case VALUE_I8:
        LOAD(int8_t, bytes, integer)
    case VALUE_U16:
        LOAD(uint16_t, bytes, integer)
    case VALUE_I16:
        LOAD(int16_t, bytes, integer)
    case VALUE_U32:
        LOAD(uint32_t, bytes, integer)
    case VALUE_I32:
        LOAD(int32_t, bytes, integer)
    case VALUE_U64:
    case VALUE_I64:
        LOAD(int64_t, bytes, integer)
    case VALUE_BOOL:
        integer = *bytes != 0;
        break;
    default:
        integer = *bytes;
        break; /* VALUE_U8 */
    }
    return integer;
}

static double load_float(enum value_type type, const unsigned char *bytes)
{
    double number = 0;
    if (type == VALUE_F64) {
        memcpy(&number, bytes, sizeof number);
    } else {
        float single;
        memcpy(&single, bytes, sizeof single);
        number = (double)single;
    }
    return number;
}

static hob_status read_type(struct gguf_reader *reader, enum value_type *ret_type)
{
    uint32_t type;
    TRY(read_u32(reader, "a metadata type", &type));
    if (type >= VALUE_TYPE_COUNT)
        FAIL(reader->error, HOB_BAD_FILE, "found metadata type %" PRIu32 " at byte %zu, expected 0 to %d", type,
             byte_cursor_offset(&reader->cursor) - 4, VALUE_TYPE_COUNT - 1);
    *ret_type = (enum value_type)type;
    return HOB_OK;
}

static hob_status read_numbers(struct gguf_reader *reader, enum value_type type, struct metadata *array)
{
    size_t item_bytes = value_types[type].least_bytes;
    /* check_count saw to it that this does not overflow */
    const unsigned char *bytes = byte_cursor_take(&reader->cursor, array->n_items * item_bytes);
    if (!bytes) FAIL_TRUNCATED(reader, "an array");
    if (array->element_kind == METADATA_FLOAT) {
        double *numbers = ARENA_NEW(&reader->file->arena, double, array->n_items);
        if (!numbers) FAIL_NO_MEMORY(reader);
        for (size_t i = 0; i < array->n_items; i++) numbers[i] = load_float(type, bytes + i * item_bytes);
        array->numbers = numbers;
    } else {
        int64_t *integers = ARENA_NEW(&reader->file->arena, int64_t, array->n_items);
        if (!integers) FAIL_NO_MEMORY(reader);
        for (size_t i = 0; i < array->n_items; i++) integers[i] = load_integer(type, bytes + i * item_bytes);
        array->integers = integers;
    }
    return HOB_OK;
}

static hob_status read_strings(struct gguf_reader *reader, struct metadata *array)
{
    struct tensor_string *strings = ARENA_NEW(&reader->file->arena, struct tensor_string, array->n_items);
    if (!strings) FAIL_NO_MEMORY(reader);
    for (size_t i = 0; i < array->n_items; i++) {
        struct text text;
        TRY(read_text(reader, "a string of an array", &text));
        strings[i] = (struct tensor_string){text.bytes, text.n_bytes};
    }
    array->strings = strings;
    return HOB_OK;
}

static hob_status read_array(struct gguf_reader *reader, int depth, struct metadata *ret_array);

static hob_status read_arrays(struct gguf_reader *reader, int depth, struct metadata *array)
{
    struct metadata *arrays = ARENA_NEW(&reader->file->arena, struct metadata, array->n_items);
    if (!arrays) FAIL_NO_MEMORY(reader);
    for (size_t i = 0; i < array->n_items; i++) {
        TRY(read_array(reader, depth + 1, &arrays[i]));
        arrays[i].key = "";
    }
    array->arrays = arrays;
    return HOB_OK;
}

static hob_status read_array(struct gguf_reader *reader, int depth, struct metadata *ret_array)
{
    enum value_type type;
    uint64_t n_items;
    if (depth > MAX_ARRAY_DEPTH)
        FAIL(reader->error, HOB_LIMIT, "arrays nested deeper than %d at byte %zu", MAX_ARRAY_DEPTH,
             byte_cursor_offset(&reader->cursor));
    TRY(read_type(reader, &type));
    TRY(read_u64(reader, "the length of an array", &n_items));
    TRY(check_count(reader, "array items", n_items, value_types[type].least_bytes));
    *ret_array =
        (struct metadata){.kind = METADATA_ARRAY, .element_kind = value_types[type].kind, .n_items = (size_t)n_items};
    switch (type) {
    case VALUE_STRING:
        return read_strings(reader, ret_array);
    case VALUE_ARRAY:
        return read_arrays(reader, depth, ret_array);
    default:
        return read_numbers(reader, type, ret_array);
    }
}

static hob_status read_string(struct gguf_reader *reader, struct metadata *value)
{
    struct text text;
    TRY(read_text(reader, "a metadata string", &text));
    const char *copy = arena_copy_string(&reader->file->arena, text.bytes, text.n_bytes);
    if (!copy) FAIL_NO_MEMORY(reader);
    value->string = (struct tensor_string){copy, text.n_bytes};
    return HOB_OK;
}

static hob_status read_value(struct gguf_reader *reader, struct metadata *ret_value)
{
    enum value_type type;
    TRY(read_type(reader, &type));
    *ret_value = (struct metadata){.kind = value_types[type].kind, .n_items = 1};
    if (type == VALUE_STRING) return read_string(reader, ret_value);
    if (type == VALUE_ARRAY) return read_array(reader, 1, ret_value);
    const unsigned char *bytes = byte_cursor_take(&reader->cursor, value_types[type].least_bytes);
    if (!bytes) FAIL_TRUNCATED(reader, "a metadata value");
    if (ret_value->kind == METADATA_FLOAT) ret_value->number = load_float(type, bytes);
    else ret_value->integer = load_integer(type, bytes); /* also unsigned_integer: the same eight bytes */
    return HOB_OK;
}

static hob_status read_metadata(struct gguf_reader *reader, uint64_t n_entries)
{
    for (uint64_t i = 0; i < n_entries; i++) {
        struct text key;
        struct metadata value;
        TRY(read_text(reader, "a metadata key", &key));
        hob_status status = read_value(reader, &value);
        if (status != HOB_OK) {
            error_prefix(reader->error, status, "metadata %.*s", SHOWN(key));
            return status;
        }
        TRY(tensor_file_add_metadata(reader->file, key.bytes, key.n_bytes, &value, reader->error));
    }
    return HOB_OK;
}

static hob_status find_alignment(const struct gguf_reader *reader, uint64_t *ret_alignment)
{
    int64_t alignment = DEFAULT_ALIGNMENT;
    const char *key = "general.alignment";
    bool is_stated = tensor_file_get(reader->file, key);
    bool is_int = tensor_file_get_int(reader->file, key, &alignment);
    bool is_power = alignment >= 8 && alignment <= MAX_ALIGNMENT && !(alignment & (alignment - 1));
    if ((is_stated && !is_int) || !is_power)
        FAIL(reader->error, HOB_BAD_FILE, "%s: found %" PRId64 ", expected a power of two from 8 to %d", key, alignment,
             MAX_ALIGNMENT);
    *ret_alignment = (uint64_t)alignment;
    return HOB_OK;
}

/* ---- tensors ---- */

struct description {
    struct text name;
    struct tensor tensor; /* data still NULL */
    uint64_t offset;
};

/* ggml counts dims from the fastest; a row-major shape begins with the slowest. */
static hob_status read_dims(struct gguf_reader *reader, int *ret_rank, int64_t *ret_dims)
{
    uint32_t rank;
    TRY(read_u32(reader, "a rank", &rank));
    if (rank > TENSOR_MAX_RANK)
        FAIL(reader->error, HOB_BAD_FILE, "found rank %" PRIu32 ", expected at most %d", rank, TENSOR_MAX_RANK);
    for (uint32_t i = 0; i < rank; i++) {
        uint64_t dim;
        TRY(read_u64(reader, "a dimension", &dim));
        if (dim > INT64_MAX) FAIL(reader->error, HOB_BAD_FILE, "found dimension %" PRIu64, dim);
        ret_dims[rank - 1 - i] = (int64_t)dim;
    }
    *ret_rank = (int)rank;
    return HOB_OK;
}

static hob_status read_form(struct gguf_reader *reader, struct description *description)
{
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
    uint32_t type;
    TRY(read_dims(reader, &rank, dims));
    TRY(read_u32(reader, "a tensor type", &type));
    enum dtype dtype = dtype_of(type);
    if (dtype == DTYPE_NONE)
        FAIL(reader->error, HOB_UNSUPPORTED, "found ggml type %" PRIu32 ", which is not known", type);
    TRY(tensor_init(&description->tensor, dtype, rank, dims, NULL, reader->error));
    return read_u64(reader, "a tensor offset", &description->offset);
}

static hob_status read_description(struct gguf_reader *reader, struct description *ret_description)
{
    TRY(read_text(reader, "a tensor name", &ret_description->name));
    hob_status status = read_form(reader, ret_description);
    if (status != HOB_OK) error_prefix(reader->error, status, "tensor %.*s", SHOWN(ret_description->name));
    return status;
}

static hob_status place_tensor(struct gguf_reader *reader, const struct description *description, uint64_t alignment,
                               const unsigned char *data, size_t n_data_bytes)
{
    struct tensor tensor = description->tensor;
    size_t n_bytes = tensor_n_bytes(&tensor);
    uint64_t offset = description->offset;
    if (offset % alignment)
        FAIL(reader->error, HOB_BAD_FILE, "tensor %.*s: found offset %" PRIu64 ", expected a multiple of %" PRIu64,
             SHOWN(description->name), offset, alignment);
    if (offset > n_data_bytes || n_bytes > n_data_bytes - offset)
        FAIL(reader->error, HOB_BAD_FILE,
             "truncated: tensor %.*s: found %zu bytes at offset %" PRIu64 ", the data section has %zu bytes",
             SHOWN(description->name), n_bytes, offset, n_data_bytes);
    tensor.data = (void *)(uintptr_t)(data + offset);
    return tensor_file_add_tensor(reader->file, description->name.bytes, description->name.n_bytes, &tensor,
                                  reader->error);
}

static hob_status read_tensors(struct gguf_reader *reader, uint64_t n_tensors)
{
    hob_status status = HOB_OK;
    uint64_t alignment;
    TRY(find_alignment(reader, &alignment));
    struct description *descriptions = memory_new((size_t)n_tensors, sizeof *descriptions);
    if (!descriptions) FAIL_NO_MEMORY(reader);
    for (uint64_t i = 0; i < n_tensors; i++) TRY_CLEANUP(read_description(reader, &descriptions[i]));
    size_t header_bytes = byte_cursor_offset(&reader->cursor);
    size_t padding = size_align(header_bytes, (size_t)alignment) - header_bytes;
    /* A file without tensors may end right behind its header. */
    const unsigned char *data = byte_cursor_take(&reader->cursor, n_tensors ? padding : 0);
    if (!data)
        FAIL_CLEANUP(reader->error, HOB_BAD_FILE, "truncated: found %zu bytes, expected a data section at byte %zu",
                     header_bytes + byte_cursor_left(&reader->cursor), header_bytes + padding);
    data = reader->cursor.at;
    for (uint64_t i = 0; i < n_tensors; i++)
        TRY_CLEANUP(place_tensor(reader, &descriptions[i], alignment, data, byte_cursor_left(&reader->cursor)));
cleanup:
    memory_free(descriptions);
    return status;
}

/* ---- the file ---- */

static hob_status check_version(const struct gguf_reader *reader, uint32_t version)
{
    if (version == 2 || version == 3) return HOB_OK;
    if (version && !(version & 0xffff))
        FAIL(reader->error, HOB_UNSUPPORTED, "found a big-endian GGUF file, expected little endian");
    FAIL(reader->error, HOB_UNSUPPORTED, "found GGUF version %" PRIu32 ", expected 2 or 3", version);
}

static hob_status read_file(struct gguf_reader *reader)
{
    uint32_t version;
    uint64_t n_tensors, n_entries;
    const unsigned char *magic = byte_cursor_take(&reader->cursor, 4);
    if (!magic) FAIL_TRUNCATED(reader, "the magic");
    if (memcmp(magic, "GGUF", 4))
        FAIL(reader->error, HOB_BAD_FILE, "not a GGUF file: found %02x %02x %02x %02x at its beginning, expected GGUF",
             magic[0], magic[1], magic[2], magic[3]);
    TRY(read_u32(reader, "the version", &version));
    TRY(check_version(reader, version));
    reader->file->version = (int)version;
    TRY(read_u64(reader, "the number of tensors", &n_tensors));
    TRY(read_u64(reader, "the number of metadata entries", &n_entries));
    TRY(check_count(reader, "metadata entries", n_entries, LEAST_ENTRY_BYTES));
    TRY(check_count(reader, "tensors", n_tensors, LEAST_TENSOR_BYTES));
    TRY(read_metadata(reader, n_entries));
    TRY(check_count(reader, "tensors", n_tensors, LEAST_TENSOR_BYTES));
    return read_tensors(reader, n_tensors);
}

hob_status gguf_parse(const void *bytes, size_t n_bytes, struct tensor_file *file, hob_error *error)
{
    struct gguf_reader reader = {.file = file, .cursor = byte_cursor_over(bytes, n_bytes), .error = error};
    return read_file(&reader);
}

hob_status gguf_open(const char *path, struct tensor_file **ret_file, hob_error *error)
{
    hob_status status = HOB_OK;
    struct tensor_file *file;
    struct mapped_file map;
    TRY(tensor_file_new(path, "gguf", &file, error));
    TRY_CLEANUP(tensor_file_map(file, path, &map, error));
    status = gguf_parse(map.bytes, map.n_bytes, file, error);
    if (status != HOB_OK) {
        error_prefix(error, status, "%s", path);
        goto cleanup;
    }
    *ret_file = file;
cleanup:
    if (status != HOB_OK) tensor_file_free(file);
    return status;
}

/* ---- the row ---- */

static bool is_gguf(const char *path, bool is_folder, const unsigned char *bytes, size_t n_bytes)
{
    bool has_name = format_path_ends_with(path, ".gguf");
    return !is_folder && (has_name || (n_bytes >= 4 && !memcmp(bytes, "GGUF", 4)));
}

static hob_status open_content(const char *path, struct format_content *ret_content, hob_error *error)
{
    return gguf_open(path, &ret_content->tensors, error);
}

const struct format_def format_gguf = {
    .name = "gguf",
    .summary = "GGUF 2 and 3: weights, metadata and tokenizer in one file",
    .is_this = is_gguf,
    .open = open_content,
};

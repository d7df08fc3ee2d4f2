/* .npy: a magic, a Python dict literal that describes the array, and the elements. The dict is read by a small cursor that
 * takes what NumPy writes and any order of its three keys; structured and object arrays are refused. */
#include "tensor/npy.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/output_file.h"
#include "base/size.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char magic[6] = "\x93NUMPY";
enum { MAGIC_BYTES = 6, DESCR_MAX_BYTES = 16 };

struct header {
    char descr[DESCR_MAX_BYTES];
    size_t descr_bytes;
    bool is_fortran, has_descr, has_order, has_shape;
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
};

/* ---- the dict ---- */

struct cursor {
    const char *at, *end;
    const char *name; /* of the file, for messages */
    hob_error *error;
};

static void skip_blanks(struct cursor *cursor)
{
    while (cursor->at < cursor->end && memchr(" \t\n\r", *cursor->at, 4)) cursor->at++;
}

static bool take(struct cursor *cursor, const char *text)
{
    skip_blanks(cursor);
    size_t n_bytes = strlen(text);
    if ((size_t)(cursor->end - cursor->at) < n_bytes || memcmp(cursor->at, text, n_bytes)) return false;
    cursor->at += n_bytes;
    return true;
}

static hob_status expect(struct cursor *cursor, const char *text)
{
    if (take(cursor, text)) return HOB_OK;
    FAIL(cursor->error, HOB_BAD_FILE, "%s: header: expected %s", cursor->name, text);
}

static hob_status read_quoted(struct cursor *cursor, const char **ret_text, size_t *ret_bytes)
{
    const char *quote = take(cursor, "'") ? "'" : take(cursor, "\"") ? "\"" : NULL;
    if (!quote) FAIL(cursor->error, HOB_BAD_FILE, "%s: header: expected a quoted string", cursor->name);
    const char *close = memchr(cursor->at, *quote, (size_t)(cursor->end - cursor->at));
    if (!close) FAIL(cursor->error, HOB_BAD_FILE, "%s: header: a quoted string has no end", cursor->name);
    *ret_text = cursor->at;
    *ret_bytes = (size_t)(close - cursor->at);
    cursor->at = close + 1;
    return HOB_OK;
}

static hob_status read_dim(struct cursor *cursor, int64_t *ret_dim)
{
    int64_t dim = 0;
    const char *start = cursor->at;
    for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++)
        if (!int64_mul(dim, 10, &dim) || __builtin_add_overflow(dim, *cursor->at - '0', &dim))
            FAIL(cursor->error, HOB_BAD_FILE, "%s: header: a dimension is too large", cursor->name);
    if (cursor->at == start) FAIL(cursor->error, HOB_BAD_FILE, "%s: header: expected a dimension", cursor->name);
    take(cursor, "L"); /* Python 2 wrote long integers so */
    *ret_dim = dim;
    return HOB_OK;
}

static hob_status read_shape(struct cursor *cursor, struct header *header)
{
    TRY(expect(cursor, "("));
    while (!take(cursor, ")")) {
        if (header->rank == TENSOR_MAX_RANK)
            FAIL(cursor->error, HOB_UNSUPPORTED, "%s: found more than %d dimensions", cursor->name, TENSOR_MAX_RANK);
        TRY(read_dim(cursor, &header->dims[header->rank]));
        header->rank++;
        if (take(cursor, ",")) continue;
        return expect(cursor, ")");
    }
    return HOB_OK;
}

static hob_status read_descr(struct cursor *cursor, struct header *header)
{
    const char *text;
    size_t n_bytes;
    skip_blanks(cursor);
    if (cursor->at < cursor->end && *cursor->at == '[')
        FAIL(cursor->error, HOB_BAD_TYPE, "%s: structured arrays are not supported", cursor->name);
    TRY(read_quoted(cursor, &text, &n_bytes));
    if (n_bytes >= DESCR_MAX_BYTES)
        FAIL(cursor->error, HOB_BAD_TYPE, "%s: element type '%.*s...' is not supported", cursor->name, DESCR_MAX_BYTES,
             text);
    memcpy(header->descr, text, n_bytes);
    header->descr_bytes = n_bytes;
    return HOB_OK;
}

static bool is_key(const char *text, size_t n_bytes, const char *key)
{
    return strlen(key) == n_bytes && !memcmp(text, key, n_bytes);
}

static hob_status read_entry(struct cursor *cursor, struct header *header)
{
    const char *key;
    size_t n_bytes;
    TRY(read_quoted(cursor, &key, &n_bytes));
    TRY(expect(cursor, ":"));
    if (is_key(key, n_bytes, "descr") && !header->has_descr) {
        header->has_descr = true;
        return read_descr(cursor, header);
    }
    if (is_key(key, n_bytes, "fortran_order") && !header->has_order) {
        header->has_order = true;
        header->is_fortran = take(cursor, "True");
        return header->is_fortran ? HOB_OK : expect(cursor, "False");
    }
    if (is_key(key, n_bytes, "shape") && !header->has_shape) {
        header->has_shape = true;
        return read_shape(cursor, header);
    }
    FAIL(cursor->error, HOB_BAD_FILE, "%s: header: unexpected key '%.*s'", cursor->name,
         (int)(n_bytes < 32 ? n_bytes : 32), key);
}

static hob_status read_dict(struct cursor *cursor, struct header *header)
{
    TRY(expect(cursor, "{"));
    while (!take(cursor, "}")) {
        TRY(read_entry(cursor, header));
        if (take(cursor, ",")) continue;
        TRY(expect(cursor, "}"));
        break;
    }
    if (!header->has_descr || !header->has_order || !header->has_shape)
        FAIL(cursor->error, HOB_BAD_FILE, "%s: header: expected descr, fortran_order and shape", cursor->name);
    return HOB_OK;
}

/* ---- reading ---- */

/* Finds the dict behind the magic; ret_data_at is where the elements begin. */
static hob_status find_dict(const unsigned char *bytes, size_t n_bytes, const char *name, struct cursor *ret_cursor,
                            size_t *ret_data_at, hob_error *error)
{
    if (n_bytes < MAGIC_BYTES + 4 || memcmp(bytes, magic, MAGIC_BYTES))
        FAIL(error, HOB_BAD_FILE, "%s: not a .npy file: expected it to begin with \\x93NUMPY", name);
    int major = bytes[6];
    if (major < 1 || major > 3) FAIL(error, HOB_UNSUPPORTED, "%s: found .npy version %d, expected 1 to 3", name, major);
    size_t start = major == 1 ? 10 : 12;
    size_t dict_bytes = bytes[8] | (size_t)bytes[9] << 8;
    if (n_bytes < start) FAIL(error, HOB_BAD_FILE, "%s: truncated header", name);
    if (major > 1) dict_bytes |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (dict_bytes > n_bytes - start)
        FAIL(error, HOB_BAD_FILE, "%s: truncated header: found %zu bytes, expected %zu", name, n_bytes - start,
             dict_bytes);
    const char *text = (const char *)bytes + start;
    *ret_cursor = (struct cursor){.at = text, .end = text + dict_bytes, .name = name, .error = error};
    *ret_data_at = start + dict_bytes;
    return HOB_OK;
}

static hob_status check_dtype(const struct header *header, const char *name, enum dtype *ret_dtype,
                              bool *ret_is_swapped, hob_error *error)
{
    char little[DESCR_MAX_BYTES];
    memcpy(little, header->descr, sizeof little);
    bool is_big = little[0] == '>';
    if (is_big) little[0] = '<';
    enum dtype dtype = dtype_from_npy(little, header->descr_bytes);
    if (dtype == DTYPE_NONE) FAIL(error, HOB_BAD_TYPE, "%s: element type '%s' is not supported", name, header->descr);
    *ret_dtype = dtype;
    *ret_is_swapped = is_big;
    return HOB_OK;
}

static void swap_bytes(unsigned char *bytes, size_t n_bytes, size_t number_bytes)
{
    for (unsigned char *end = bytes + n_bytes; bytes < end; bytes += number_bytes)
        for (size_t i = 0; i < number_bytes / 2; i++) {
            unsigned char kept = bytes[i];
            bytes[i] = bytes[number_bytes - 1 - i];
            bytes[number_bytes - 1 - i] = kept;
        }
}

/* Fortran order is the C order of the transposed array. */
static hob_status file_view(const struct header *header, enum dtype dtype, const unsigned char *data,
                            struct tensor *ret_view, hob_error *error)
{
    int64_t dims[TENSOR_MAX_RANK] = {0};
    int reversed[TENSOR_MAX_RANK] = {0};
    for (int i = 0; i < header->rank; i++) {
        int from = header->is_fortran ? header->rank - 1 - i : i;
        dims[i] = header->dims[from];
        reversed[i] = from;
    }
    struct tensor view;
    TRY(tensor_init(&view, dtype, header->rank, dims, (void *)(uintptr_t)data, error));
    *ret_view = tensor_transpose(&view, reversed);
    return HOB_OK;
}

hob_status npy_read(const void *bytes, size_t n_bytes, const char *name, struct arena *arena, struct tensor *ret_tensor,
                    hob_error *error)
{
    struct cursor cursor;
    struct header header = {0};
    size_t data_at;
    enum dtype dtype;
    bool is_swapped;
    struct tensor view, tensor;
    TRY(find_dict(bytes, n_bytes, name, &cursor, &data_at, error));
    TRY(read_dict(&cursor, &header));
    TRY(check_dtype(&header, name, &dtype, &is_swapped, error));
    hob_status status = file_view(&header, dtype, (const unsigned char *)bytes + data_at, &view, error);
    if (status != HOB_OK) return error_prefix(error, status, "%s", name);
    size_t data_bytes = tensor_n_bytes(&view);
    if (data_bytes > n_bytes - data_at)
        FAIL(error, HOB_BAD_FILE, "%s: truncated: found %zu bytes of elements, expected %zu", name, n_bytes - data_at,
             data_bytes);
    void *data = arena_alloc(arena, data_bytes ? data_bytes : 1, 64);
    if (!data) FAIL(error, HOB_NO_MEMORY, "%s: no memory for %zu bytes", name, data_bytes);
    tensor_copy_contiguous(&view, data);
    bool is_complex = dtype == DTYPE_C64 || dtype == DTYPE_C128;
    if (is_swapped) swap_bytes(data, data_bytes, dtype_block_bytes(dtype) / (is_complex ? 2 : 1));
    TRY(tensor_init(&tensor, dtype, view.rank, view.dims, data, error));
    *ret_tensor = tensor;
    return HOB_OK;
}

/* ---- writing ---- */

static void format_header(struct buffer *text, const struct tensor *tensor, const char *descr)
{
    buffer_append(text, magic, MAGIC_BYTES);
    buffer_append(text, "\x01\x00\x00\x00", 4); /* version 1.0; the length is filled in below */
    buffer_printf(text, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (int i = 0; i < tensor->rank; i++)
        buffer_printf(text, "%s%" PRId64 "%s", i ? " " : "", tensor->dims[i],
                      tensor->rank == 1 || i + 1 < tensor->rank ? "," : "");
    buffer_append_string(text, "), }");
    size_t n_bytes = size_align(text->n_bytes + 1, 64); /* the specification wants the elements aligned to 64 */
    while (text->n_bytes + 1 < n_bytes && buffer_append_byte(text, ' ')) continue;
    buffer_append_byte(text, '\n');
    if (text->is_failed) return;
    size_t dict_bytes = text->n_bytes - MAGIC_BYTES - 4;
    text->bytes[8] = (char)(dict_bytes & 0xff);
    text->bytes[9] = (char)(dict_bytes >> 8);
}

static void write_widened(struct output_file *file, const unsigned char *bf16, size_t n_items)
{
    for (size_t i = 0; i < n_items; i++) { /* a bf16 is the upper half of an f32 */
        unsigned char f32[4] = {0, 0, bf16[2 * i], bf16[2 * i + 1]};
        output_file_write(file, f32, sizeof f32);
    }
}

static hob_status write_elements(struct output_file *file, const struct tensor *tensor, struct buffer *scratch,
                                 hob_error *error)
{
    size_t n_bytes = tensor_n_bytes(tensor);
    const void *elements = tensor->data;
    if (!tensor_is_contiguous(tensor)) {
        if (!buffer_reserve(scratch, n_bytes)) FAIL(error, HOB_NO_MEMORY, "no memory for %zu bytes", n_bytes);
        tensor_copy_contiguous(tensor, scratch->bytes);
        elements = scratch->bytes;
    }
    if (tensor->dtype == DTYPE_BF16) write_widened(file, elements, n_bytes / 2);
    else output_file_write(file, elements, n_bytes);
    return HOB_OK;
}

hob_status npy_write(const char *path, const struct tensor *tensor, hob_error *error)
{
    hob_status status = HOB_OK;
    struct buffer header = {0}, scratch = {0};
    struct output_file *file = NULL;
    const char *descr = tensor->dtype == DTYPE_BF16 ? dtype_npy(DTYPE_F32) : dtype_npy(tensor->dtype);
    if (!*descr) FAIL(error, HOB_BAD_TYPE, "%s: NumPy has no type for %s", path, dtype_name(tensor->dtype));
    format_header(&header, tensor, descr);
    if (header.is_failed) FAIL_CLEANUP(error, HOB_NO_MEMORY, "%s: out of memory", path);
    TRY_CLEANUP(output_file_open(path, &file, error));
    output_file_write(file, header.bytes, header.n_bytes);
    TRY_CLEANUP(write_elements(file, tensor, &scratch, error));
    status = output_file_commit(file, error);
    file = NULL;
cleanup:
    output_file_discard(file);
    buffer_release(&header);
    buffer_release(&scratch);
    return status;
}

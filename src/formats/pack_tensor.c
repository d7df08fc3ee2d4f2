/* Tensors in a pack: type, layout, shape, and where the elements are. Strides are kept where they reach no more than the tensor's
 * own items (transposes, broadcasts); anything else that is not contiguous is copied out. */
#include "formats/pack_tensor.h"
#include "base/error.h"
#include "base/size.h"
#include "kernels/panel.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_ELEMENTS = 1 << 20, MAX_ELEMENT_DEPTH = 4 };

bool pack_panel_bytes(const struct tensor *weight, size_t *ret_n_bytes)
{
    size_t n_matrix_bytes;
    if (weight->rank == 2) return panel_bytes(weight->dtype, weight->dims[0], weight->dims[1], ret_n_bytes);
    return weight->rank == 3 && panel_bytes(weight->dtype, weight->dims[1], weight->dims[2], &n_matrix_bytes) &&
           size_mul((size_t)weight->dims[0], n_matrix_bytes, ret_n_bytes);
}

bool pack_find_extent(const struct tensor *tensor, int64_t *ret_first, int64_t *ret_last)
{
    int64_t first = 0, last = 0, span;
    for (int i = 0; i < tensor->rank; i++) {
        if (!int64_mul(tensor->dims[i] - 1, tensor->strides[i], &span)) return false;
        if (__builtin_add_overflow(span < 0 ? first : last, span, span < 0 ? &first : &last)) return false;
    }
    if (__builtin_sub_overflow(last, first, &span) || span == INT64_MAX || first == INT64_MIN) return false;
    *ret_first = first;
    *ret_last = last;
    return true;
}

/* ---- writing ---- */

static hob_status no_memory(hob_error *error)
{
    FAIL(error, HOB_NO_MEMORY, "a pack's weights: out of memory");
}

/* Room for one blob more: doubles when their number is a power of two or zero. */
static bool grow_blobs(struct pack_weights *weights)
{
    size_t n_blobs = weights->n_blobs;
    if (n_blobs & (n_blobs - 1)) return true;
    struct pack_blob *grown = arena_new(&weights->arena, n_blobs ? 2 * n_blobs : 64, sizeof *grown, _Alignof(struct pack_blob));
    if (!grown) return false;
    if (n_blobs) memcpy(grown, weights->blobs, n_blobs * sizeof *grown);
    weights->blobs = grown;
    return true;
}

/* ret_offset: in the weights section. */
static hob_status add_blob(struct pack_weights *weights, const void *bytes, size_t n_bytes, uint64_t *ret_offset, hob_error *error)
{
    struct key { /* compared as bytes: no padding */
        uint64_t address, n_bytes;
    } key = {(uintptr_t)bytes, n_bytes};
    if (string_map_get(&weights->blob_by_key, &key, sizeof key, ret_offset)) return HOB_OK;
    void *kept = arena_copy(&weights->arena, &key, sizeof key, _Alignof(struct key));
    uint64_t offset = size_align(weights->n_bytes, PACK_ALIGNMENT);
    if (!kept || !grow_blobs(weights) || !string_map_put(&weights->blob_by_key, kept, sizeof key, offset)) return no_memory(error);
    weights->blobs[weights->n_blobs++] = (struct pack_blob){bytes, n_bytes, offset};
    weights->n_bytes = offset + n_bytes;
    *ret_offset = offset;
    return HOB_OK;
}

static hob_status write_plain(const void *data, size_t n_bytes, bool is_weight, struct pack_weights *weights, struct buffer *bytes,
                              hob_error *error)
{
    uint64_t offset;
    if (n_bytes <= PACK_INLINE_BYTES && !is_weight) {
        record_put_u8(bytes, PACK_INLINE);
        record_put_array(bytes, data, n_bytes, 1);
        return HOB_OK;
    }
    TRY(add_blob(weights, data, n_bytes, &offset, error));
    record_put_u8(bytes, PACK_IN_WEIGHTS);
    record_put_u64(bytes, offset);
    record_put_u64(bytes, n_bytes);
    return HOB_OK;
}

static hob_status write_strings(const struct tensor *tensor, struct buffer *bytes, hob_error *error)
{
    if (!tensor_is_contiguous(tensor)) FAIL(error, HOB_UNSUPPORTED, "found texts that are not contiguous, expected contiguous ones");
    const struct tensor_string *strings = tensor->data;
    record_put_u8(bytes, PACK_STRINGS);
    for (int64_t i = 0, n = tensor_n_items(tensor); i < n; i++)
        record_put_text(bytes, strings[i].bytes ? strings[i].bytes : "", strings[i].n_bytes);
    return HOB_OK;
}

static hob_status write_elements(const struct tensor *sequence, struct pack_weights *weights, struct buffer *bytes, hob_error *error)
{
    const struct tensor *elements = sequence->data;
    record_put_u8(bytes, PACK_ELEMENTS);
    for (int64_t i = 0; i < sequence->dims[0]; i++) TRY(pack_tensor_write(&elements[i], weights, bytes, error));
    return HOB_OK;
}

static hob_status write_panels(const struct tensor *tensor, struct pack_weights *weights, struct buffer *bytes, hob_error *error)
{
    char text[TENSOR_SHAPE_TEXT_BYTES];
    size_t n_bytes;
    if (!pack_panel_bytes(tensor, &n_bytes))
        FAIL(error, HOB_UNSUPPORTED, "found panels of %s %s, which have no known size", dtype_name(tensor->dtype),
             tensor_shape_text(tensor->rank, tensor->dims, text));
    return write_plain(tensor->data, n_bytes, true, weights, bytes, error);
}

static bool keeps_strides(const struct tensor *tensor, int64_t *ret_first, int64_t *ret_last)
{
    return dtype_block_items(tensor->dtype) == 1 && pack_find_extent(tensor, ret_first, ret_last) &&
           *ret_last - *ret_first < tensor_n_items(tensor);
}

static hob_status write_strided(const struct tensor *tensor, struct pack_weights *weights, struct buffer *bytes, hob_error *error)
{
    int64_t first, last;
    size_t n_bytes = tensor_n_bytes(tensor), item_bytes = dtype_block_bytes(tensor->dtype);
    const char *data = tensor->data;
    bool is_contiguous = tensor_is_contiguous(tensor), has_strides = !is_contiguous && keeps_strides(tensor, &first, &last);
    record_put_u8(bytes, has_strides);
    if (has_strides) {
        for (int i = 0; i < tensor->rank; i++) record_put_i64(bytes, tensor->strides[i]);
        record_put_i64(bytes, -first);
        return write_plain(data + first * (int64_t)item_bytes, (size_t)(last - first + 1) * item_bytes, false, weights, bytes, error);
    }
    if (is_contiguous) return write_plain(data, n_bytes, false, weights, bytes, error);
    if (dtype_block_items(tensor->dtype) > 1)
        FAIL(error, HOB_UNSUPPORTED, "found rows of %s with gaps, expected contiguous ones", dtype_name(tensor->dtype));
    void *copy = arena_alloc(&weights->arena, n_bytes, 16);
    if (!copy) return no_memory(error);
    tensor_copy_contiguous(tensor, copy);
    return write_plain(copy, n_bytes, false, weights, bytes, error);
}

hob_status pack_tensor_write(const struct tensor *tensor, struct pack_weights *weights, struct buffer *bytes, hob_error *error)
{
    record_put_u8(bytes, (uint8_t)tensor->dtype);
    record_put_u8(bytes, tensor->layout);
    record_put_u8(bytes, tensor->rank);
    for (int i = 0; i < tensor->rank; i++) record_put_i64(bytes, tensor->dims[i]);
    if (tensor->dtype == DTYPE_NONE) {
        record_put_u8(bytes, PACK_NOWHERE);
        return HOB_OK;
    }
    if (tensor->dtype == DTYPE_STRING) return write_strings(tensor, bytes, error);
    if (tensor->dtype == DTYPE_SEQUENCE) return write_elements(tensor, weights, bytes, error);
    if (tensor->layout == LAYOUT_PANELS) return write_panels(tensor, weights, bytes, error);
    return write_strided(tensor, weights, bytes, error);
}

/* ---- reading ---- */

static hob_status read_bytes(const struct pack_tensor_source *source, struct tensor *tensor, uint8_t place, size_t n_expected, hob_error *error)
{
    size_t n_found;
    const unsigned char *bytes;
    if (place == PACK_INLINE) {
        bytes = record_array(source->reader, 1, &n_found);
    } else if (place == PACK_IN_WEIGHTS) {
        uint64_t offset = record_u64(source->reader);
        n_found = (size_t)record_u64(source->reader);
        if (offset % PACK_ALIGNMENT || offset > source->n_weight_bytes || n_found > source->n_weight_bytes - offset)
            FAIL(error, HOB_BAD_FILE, "found %zu bytes of weights at %" PRIu64 ", expected them inside the section's %zu", n_found, offset,
                 source->n_weight_bytes);
        bytes = source->weights + offset;
    } else {
        FAIL(error, HOB_BAD_FILE, "found elements of kind %u, expected plain bytes", place);
    }
    if (source->reader->is_bad || n_found < n_expected)
        FAIL(error, HOB_BAD_FILE, "found %zu bytes of elements, expected %zu", n_found, n_expected);
    tensor->data = (void *)(uintptr_t)bytes; /* constants are never written to */
    return HOB_OK;
}

/* In order: strides, where element 0 stands, how many bytes that takes. */
static hob_status read_strides(struct record_reader *reader, struct tensor *tensor, int64_t *ret_origin, size_t *ret_n_bytes,
                               hob_error *error)
{
    int64_t first = 0, last = -1, n_items = tensor_n_items(tensor);
    for (int i = 0; i < tensor->rank; i++) tensor->strides[i] = record_i64(reader);
    *ret_origin = record_i64(reader);
    bool has_extent = dtype_block_items(tensor->dtype) == 1 && (!n_items || pack_find_extent(tensor, &first, &last));
    if (!has_extent || *ret_origin != -first || last - first >= (n_items ? n_items : 1))
        FAIL(error, HOB_BAD_FILE, "found strides that reach beyond the tensor");
    if (!n_items) tensor_set_contiguous(tensor); /* of no items: any strides would do, but not in sums */
    *ret_n_bytes = (size_t)(last - first + 1) * dtype_block_bytes(tensor->dtype);
    return HOB_OK;
}

static hob_status read_strided(const struct pack_tensor_source *source, struct tensor *tensor, hob_error *error)
{
    int64_t origin = 0;
    size_t n_bytes = tensor_n_bytes(tensor);
    bool has_strides = record_bool(source->reader);
    if (has_strides) TRY(read_strides(source->reader, tensor, &origin, &n_bytes, error));
    TRY(read_bytes(source, tensor, record_u8(source->reader), n_bytes, error));
    tensor->data = (char *)tensor->data + origin * (int64_t)dtype_block_bytes(tensor->dtype);
    return HOB_OK;
}

static hob_status read_panels(const struct pack_tensor_source *source, struct tensor *tensor, hob_error *error)
{
    char text[TENSOR_SHAPE_TEXT_BYTES];
    size_t n_bytes;
    if (!pack_panel_bytes(tensor, &n_bytes))
        FAIL(error, HOB_BAD_FILE, "found panels of %s %s, of which there are none", dtype_name(tensor->dtype),
             tensor_shape_text(tensor->rank, tensor->dims, text));
    tensor->layout = LAYOUT_PANELS;
    return read_bytes(source, tensor, record_u8(source->reader), n_bytes, error);
}

static hob_status read_strings(const struct pack_tensor_source *source, struct tensor *tensor, hob_error *error)
{
    enum { LEAST_BYTES = 5 };
    size_t n_items = (size_t)tensor_n_items(tensor), n_left = (size_t)(source->reader->end - source->reader->at);
    if (record_u8(source->reader) != PACK_STRINGS || n_items > n_left / LEAST_BYTES)
        FAIL(error, HOB_BAD_FILE, "found %zu bytes, expected %zu texts", n_left, n_items);
    struct tensor_string *strings = ARENA_NEW(source->arena, struct tensor_string, n_items);
    if (!strings) return no_memory(error);
    for (size_t i = 0; i < n_items; i++) {
        strings[i].bytes = record_text(source->reader, &strings[i].n_bytes);
        if (!strings[i].bytes) FAIL(error, HOB_BAD_FILE, "text %zu is damaged", i);
    }
    tensor->data = strings;
    return HOB_OK;
}

hob_status pack_check_plain(const struct tensor *tensor, hob_error *error)
{
    if (tensor->layout != LAYOUT_STRIDED || dtype_block_items(tensor->dtype) > 1)
        FAIL(error, HOB_BAD_FILE, "found a packed weight of %s, expected plain items", dtype_name(tensor->dtype));
    return HOB_OK;
}

static hob_status read_tensor(const struct pack_tensor_source *source, int depth, struct tensor *ret_tensor, hob_error *error);

static hob_status read_elements(const struct pack_tensor_source *source, int depth, struct tensor *sequence, hob_error *error)
{
    enum { LEAST_BYTES = 4 };
    size_t n_left = (size_t)(source->reader->end - source->reader->at);
    if (sequence->rank != 1 || sequence->dims[0] > MAX_ELEMENTS || depth == MAX_ELEMENT_DEPTH || record_u8(source->reader) != PACK_ELEMENTS)
        FAIL(error, HOB_BAD_FILE, "found a sequence that is none");
    if ((size_t)sequence->dims[0] > n_left / LEAST_BYTES)
        FAIL(error, HOB_BAD_FILE, "found %zu bytes, expected a sequence of %lld", n_left, (long long)sequence->dims[0]);
    struct tensor *elements = ARENA_NEW(source->arena, struct tensor, (size_t)sequence->dims[0]);
    if (!elements) return no_memory(error);
    for (int64_t i = 0; i < sequence->dims[0]; i++) {
        TRY(read_tensor(source, depth + 1, &elements[i], error));
        TRY(pack_check_plain(&elements[i], error));
    }
    sequence->data = elements;
    return HOB_OK;
}

static hob_status read_tensor(const struct pack_tensor_source *source, int depth, struct tensor *ret_tensor, hob_error *error)
{
    struct record_reader *reader = source->reader;
    struct tensor tensor = {0};
    int64_t dims[TENSOR_MAX_RANK] = {0};
    uint8_t dtype = record_u8(reader), layout = record_u8(reader), rank = record_u8(reader);
    if (reader->is_bad || (dtype && !dtype_is_known(dtype)) || layout > LAYOUT_PANELS || rank > TENSOR_MAX_RANK)
        FAIL(error, HOB_BAD_FILE, "found type %u, layout %u, rank %u", dtype, layout, rank);
    for (int i = 0; i < rank; i++) dims[i] = record_i64(reader);
    if (!dtype) {
        if (rank || record_u8(reader) != PACK_NOWHERE) FAIL(error, HOB_BAD_FILE, "found elements without a type");
        *ret_tensor = tensor;
        return HOB_OK;
    }
    TRY(tensor_init(&tensor, (enum dtype)dtype, rank, dims, NULL, error));
    if (dtype == DTYPE_STRING) TRY(read_strings(source, &tensor, error));
    else if (dtype == DTYPE_SEQUENCE) TRY(read_elements(source, depth, &tensor, error));
    else if (layout == LAYOUT_PANELS) TRY(read_panels(source, &tensor, error));
    else TRY(read_strided(source, &tensor, error));
    *ret_tensor = tensor;
    return HOB_OK;
}

hob_status pack_tensor_read(const struct pack_tensor_source *source, struct tensor *ret_tensor, hob_error *error)
{
    return read_tensor(source, 0, ret_tensor, error);
}

/* ---- the weights section ---- */

void pack_weights_init(struct pack_weights *weights)
{
    *weights = (struct pack_weights){0};
    arena_init(&weights->arena, 64 * 1024);
}

void pack_weights_release(struct pack_weights *weights)
{
    arena_release(&weights->arena);
    string_map_release(&weights->blob_by_key);
    *weights = (struct pack_weights){0};
}

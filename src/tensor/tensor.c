/* Making tensors and reading single elements. */
#include "tensor/tensor.h"
#include "base/error.h"
#include "base/size.h"

#include <inttypes.h>
#include <string.h>

void tensor_set_contiguous(struct tensor *tensor)
{
    int64_t stride = 1;
    for (int i = tensor->rank - 1; i >= 0; i--) {
        tensor->strides[i] = stride;
        stride *= tensor->dims[i] > 1 ? tensor->dims[i] : 1;
    }
    tensor->layout = LAYOUT_STRIDED;
}

/* Dims of 0 count as 1 here, so that an empty tensor's strides cannot overflow either. */
static bool bytes_fit(enum dtype dtype, int rank, const int64_t *dims)
{
    int64_t n_items = 1, n_bytes;
    for (int i = 0; i < rank; i++)
        if (dims[i] > 1 && !int64_mul(n_items, dims[i], &n_items)) return false;
    return int64_mul(n_items, (int64_t)dtype_block_bytes(dtype), &n_bytes);
}

hob_status tensor_init(struct tensor *ret_tensor, enum dtype dtype, int rank, const int64_t *dims, void *data,
                       hob_error *error)
{
    char text[TENSOR_SHAPE_TEXT_BYTES];
    if (rank < 0 || rank > TENSOR_MAX_RANK)
        FAIL(error, HOB_BAD_SHAPE, "found rank %d, expected at most %d", rank, TENSOR_MAX_RANK);
    for (int i = 0; i < rank; i++)
        if (dims[i] < 0) FAIL(error, HOB_BAD_SHAPE, "dimension %d: found %" PRId64 ", expected 0 or more", i, dims[i]);
    if (!bytes_fit(dtype, rank, dims))
        FAIL(error, HOB_BAD_SHAPE, "found shape %s of %s: larger than memory can be",
             tensor_shape_text(rank, dims, text), dtype_name(dtype));
    size_t block_items = dtype_block_items(dtype);
    if (block_items > 1 && (!rank || dims[rank - 1] % (int64_t)block_items))
        FAIL(error, HOB_BAD_SHAPE, "found shape %s, expected rows of whole %s blocks (%zu items)",
             tensor_shape_text(rank, dims, text), dtype_name(dtype), block_items);
    /* Field by field: dims and strides beyond rank mean nothing, and this runs for every output of every step. */
    ret_tensor->data = data;
    ret_tensor->dtype = dtype;
    ret_tensor->rank = (uint8_t)rank;
    ret_tensor->is_view = false;
    for (int i = 0; i < rank; i++) ret_tensor->dims[i] = dims[i];
    tensor_set_contiguous(ret_tensor);
    return HOB_OK;
}

int64_t tensor_n_items(const struct tensor *tensor)
{
    int64_t n_items = 1;
    for (int i = 0; i < tensor->rank; i++) {
        if (!tensor->dims[i]) return 0;
        n_items *= tensor->dims[i];
    }
    return n_items;
}

size_t tensor_n_bytes(const struct tensor *tensor)
{
    size_t block_items = dtype_block_items(tensor->dtype), n_items = (size_t)tensor_n_items(tensor);
    size_t n_blocks = block_items == 1 ? n_items : (n_items + block_items - 1) / block_items;
    return n_blocks * dtype_block_bytes(tensor->dtype);
}

bool tensor_is_contiguous(const struct tensor *tensor)
{
    if (tensor->layout != LAYOUT_STRIDED) return false;
    if (!tensor_n_items(tensor)) return true;
    int64_t expected = 1;
    for (int i = tensor->rank - 1; i >= 0; i--) {
        if (tensor->dims[i] == 1) continue;
        if (tensor->strides[i] != expected) return false;
        expected *= tensor->dims[i];
    }
    return true;
}

static const unsigned char *element_at(const struct tensor *tensor, int64_t index)
{
    int64_t offset = 0;
    for (int i = tensor->rank - 1; i >= 0; i--) {
        offset += index % tensor->dims[i] * tensor->strides[i];
        index /= tensor->dims[i];
    }
    return (const unsigned char *)tensor->data + offset * (int64_t)dtype_block_bytes(tensor->dtype);
}

/* Elements may lie unaligned in a file map, hence memcpy. */
#define READ_AS(type, bytes)                   \
    {                                          \
        type number;                           \
        memcpy(&number, bytes, sizeof number); \
        return (int64_t)number;                \
    }

int64_t tensor_get_int(const struct tensor *tensor, int64_t index)
{
    const unsigned char *bytes = element_at(tensor, index);
    switch (tensor->dtype) {
    case DTYPE_BOOL:
        return *bytes != 0;
    case DTYPE_U8:
    case DTYPE_U4:
    case DTYPE_U2:
        return *bytes;
    case DTYPE_I8:
    case DTYPE_I4:
    case DTYPE_I2:
        READ_AS(int8_t, bytes)
    case DTYPE_U16:
        READ_AS(uint16_t, bytes)
    case DTYPE_I16:
        READ_AS(int16_t, bytes)
    case DTYPE_U32:
        READ_AS(uint32_t, bytes)
    case DTYPE_I32:
        READ_AS(int32_t, bytes)
    case DTYPE_I64:
        READ_AS(int64_t, bytes)
    default:
        error_assert_failed("an integer tensor", ERROR_HERE);
    }
}

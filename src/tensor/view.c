/* Views (other dims and strides on the same memory), and gathering one into contiguous memory. */
#include "tensor/tensor.h"
#include "base/error.h"

#include <string.h>

struct tensor tensor_transpose(const struct tensor *tensor, const int *permutation)
{
    struct tensor view = *tensor;
    for (int i = 0; i < tensor->rank; i++) {
        view.dims[i] = tensor->dims[permutation[i]];
        view.strides[i] = tensor->strides[permutation[i]];
    }
    return view;
}

static struct tensor with_dims(const struct tensor *tensor, int rank, const int64_t *dims)
{
    struct tensor view = *tensor;
    view.rank = (uint8_t)rank;
    if (rank) memcpy(view.dims, dims, (size_t)rank * sizeof *dims);
    tensor_set_contiguous(&view);
    return view;
}

/* Dims of more than one element, neighbours that lie one behind the other merged. Returns how many are left. */
static int merge_dims(const struct tensor *tensor, int64_t *ret_dims, int64_t *ret_strides)
{
    int n_merged = 0;
    for (int i = 0; i < tensor->rank; i++) {
        int64_t dim = tensor->dims[i], stride = tensor->strides[i];
        if (dim == 1) continue;
        if (n_merged && ret_strides[n_merged - 1] == stride * dim) {
            ret_dims[n_merged - 1] *= dim;
            ret_strides[n_merged - 1] = stride;
            continue;
        }
        ret_dims[n_merged] = dim;
        ret_strides[n_merged++] = stride;
    }
    return n_merged;
}

/* Each merged run of the old shape must be cut into whole new dims: walks both from the back. */
static bool split_runs(int n_runs, const int64_t *run_dims, const int64_t *run_strides, struct tensor *view)
{
    int run = n_runs - 1;
    int64_t left = n_runs ? run_dims[run] : 1, stride = n_runs ? run_strides[run] : 1;
    for (int i = view->rank - 1; i >= 0; i--) {
        if (left == 1 && run > 0 && view->dims[i] != 1) {
            left = run_dims[--run];
            stride = run_strides[run];
        }
        if (left % view->dims[i]) return false;
        view->strides[i] = stride;
        stride *= view->dims[i];
        left /= view->dims[i];
    }
    return true;
}

bool tensor_reshape(const struct tensor *tensor, int rank, const int64_t *dims, struct tensor *ret_view)
{
    struct tensor view = with_dims(tensor, rank, dims);
    if (tensor->layout != LAYOUT_STRIDED) {
        if (!tensor_has_shape(tensor, rank, dims)) return false;
        view = *tensor;
    } else if (!tensor_is_contiguous(tensor)) {
        int64_t run_dims[TENSOR_MAX_RANK], run_strides[TENSOR_MAX_RANK];
        int n_runs = merge_dims(tensor, run_dims, run_strides);
        if (!split_runs(n_runs, run_dims, run_strides, &view)) return false;
    }
    *ret_view = view;
    return true;
}

struct tensor tensor_broadcast(const struct tensor *tensor, int rank, const int64_t *dims)
{
    struct tensor view = with_dims(tensor, rank, dims);
    for (int i = 0; i < rank; i++) {
        int from = i - (rank - tensor->rank);
        bool is_same = from >= 0 && tensor->dims[from] == dims[i];
        view.strides[i] = is_same ? tensor->strides[from] : 0;
    }
    return view;
}

struct tensor tensor_slice(const struct tensor *tensor, int axis, int64_t start, int64_t n_items, int64_t step)
{
    struct tensor view = *tensor;
    int64_t block_items = (int64_t)dtype_block_items(tensor->dtype);
    int64_t offset = n_items ? start * tensor->strides[axis] : 0; /* of nothing, `start` may lie behind the end */
    HOB_ASSERT(offset % block_items == 0);
    if (view.data)
        view.data = (unsigned char *)view.data + offset / block_items * (int64_t)dtype_block_bytes(tensor->dtype);
    view.dims[axis] = n_items;
    view.strides[axis] = n_items > 1 ? tensor->strides[axis] * step : tensor->strides[axis];
    return view;
}

/* Fixed sizes let the compiler turn each memcpy into one load and one store. */
#define COPY_STEPS(size) \
    for (int64_t i = 0; i < n_items; i++) memcpy(destination + i * (size), source + i * stride * (size), (size_t)(size))

static void copy_row(unsigned char *destination, const unsigned char *source, int64_t n_items, int64_t stride,
                     size_t item_bytes)
{
    if (stride == 1) {
        memcpy(destination, source, (size_t)n_items * item_bytes);
        return;
    }
    switch (item_bytes) {
    case 1:
        COPY_STEPS(1);
        break;
    case 2:
        COPY_STEPS(2);
        break;
    case 4:
        COPY_STEPS(4);
        break;
    case 8:
        COPY_STEPS(8);
        break;
    case 16:
        COPY_STEPS(16);
        break;
    default:
        COPY_STEPS((int64_t)item_bytes);
        break;
    }
}

void tensor_copy_contiguous(const struct tensor *source, void *destination)
{
    int64_t n_items = tensor_n_items(source);
    if (!n_items || source->dtype == DTYPE_NONE) return;
    if (tensor_is_contiguous(source)) {
        memcpy(destination, source->data, tensor_n_bytes(source));
        return;
    }
    HOB_ASSERT(source->layout == LAYOUT_STRIDED && dtype_block_items(source->dtype) == 1);
    int64_t dims[TENSOR_MAX_RANK], strides[TENSOR_MAX_RANK], index[TENSOR_MAX_RANK] = {0};
    int last = merge_dims(source, dims, strides) - 1; /* at least one dim: all of size 1 would be contiguous */
    int64_t item_bytes = (int64_t)dtype_block_bytes(source->dtype), row_bytes = dims[last] * item_bytes;
    const unsigned char *row = source->data;
    unsigned char *out = destination;
    for (int64_t left = n_items / dims[last]; left; left--, out += row_bytes) {
        copy_row(out, row, dims[last], strides[last], (size_t)item_bytes);
        for (int i = last - 1; i >= 0; i--) { /* the odometer of the outer dims */
            row += strides[i] * item_bytes;
            if (++index[i] < dims[i]) break;
            row -= dims[i] * strides[i] * item_bytes;
            index[i] = 0;
        }
    }
}

/* Arithmetic on shapes alone. */
#include "tensor/tensor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *tensor_shape_text(int rank, const int64_t *dims, char text[TENSOR_SHAPE_TEXT_BYTES])
{
    if (rank < 0) {
        snprintf(text, TENSOR_SHAPE_TEXT_BYTES, "[...]");
        return text;
    }
    int n_shown = rank < TENSOR_MAX_RANK ? rank : TENSOR_MAX_RANK; /* 8 dims of 20 digits fit the text */
    size_t used = 0;
    text[used++] = '[';
    for (int i = 0; i < n_shown; i++) {
        const char *comma = i ? "," : "";
        size_t room = TENSOR_SHAPE_TEXT_BYTES - used;
        int n_bytes = dims[i] < 0 ? snprintf(text + used, room, "%s?", comma)
                                  : snprintf(text + used, room, "%s%" PRId64, comma, dims[i]);
        used += (size_t)n_bytes;
    }
    snprintf(text + used, TENSOR_SHAPE_TEXT_BYTES - used, rank > n_shown ? ",...]" : "]");
    return text;
}

bool shape_broadcast(int a_rank, const int64_t *a_dims, int b_rank, const int64_t *b_dims, int *ret_rank,
                     int64_t *ret_dims)
{
    int rank = a_rank > b_rank ? a_rank : b_rank;
    if (rank > TENSOR_MAX_RANK) return false;
    int64_t dims[TENSOR_MAX_RANK] = {0}; /* ret_dims may be one of the inputs */
    for (int back = 1; back <= rank; back++) {
        int64_t a = back <= a_rank ? a_dims[a_rank - back] : 1;
        int64_t b = back <= b_rank ? b_dims[b_rank - back] : 1;
        if (a != b && a != 1 && b != 1) return false;
        dims[rank - back] = a == 1 ? b : a;
    }
    memcpy(ret_dims, dims, (size_t)rank * sizeof *dims);
    *ret_rank = rank;
    return true;
}

bool shape_normalize_axis(int64_t axis, int rank, int *ret_axis)
{
    if (axis < -rank || axis >= rank) return false;
    *ret_axis = (int)(axis < 0 ? axis + rank : axis);
    return true;
}

bool tensor_has_shape(const struct tensor *tensor, int rank, const int64_t *dims)
{
    return tensor->rank == rank && (!rank || !memcmp(tensor->dims, dims, (size_t)rank * sizeof *dims));
}

bool tensor_same_shape(const struct tensor *a, const struct tensor *b)
{
    return tensor_has_shape(a, b->rank, b->dims);
}

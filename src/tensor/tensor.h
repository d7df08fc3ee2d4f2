/* Tensors: a typed, shaped, strided look at memory that somebody else owns.
 *
 * A struct tensor is a plain value: copying it copies the look, not the elements. It owns nothing; whoever made the memory
 * (a mapped file, an arena, a session) keeps it alive. Views (a transpose, a slice, a broadcast) are tensors with other
 * dims and strides on the same memory: they cost nothing. A stride is counted in elements, may be 0 (broadcast) or negative.
 *
 * A sequence is a tensor of DTYPE_SEQUENCE and rank 1 whose elements are struct tensor. An optional is what it holds; an empty
 * one is a tensor of DTYPE_NONE, rank 0, no data.
 *
 * data is NULL while only the shape is known (planning). A tensor of rank 0 is a scalar and has one element.
 *
 *     struct tensor x;
 *     TRY(tensor_init(&x, DTYPE_F32, 2, (const int64_t[]){2, 3}, data, error));       contiguous
 *     float *row = (float *)x.data + i * x.strides[0];
 */
#ifndef TENSOR_TENSOR_H
#define TENSOR_TENSOR_H

#include "hob/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dtype {
    DTYPE_NONE = 0,
#define DTYPE(NAME, id, name, npy, block_items, block_bytes) DTYPE_##NAME = (id),
#include "tensor/dtype.def"
#undef DTYPE
    DTYPE_END = 128
};

enum { TENSOR_MAX_RANK = 8 };

enum tensor_layout {
    LAYOUT_STRIDED, /* element (i,j,…) at data[i*strides[0] + j*strides[1] + …] */
    LAYOUT_PANELS,  /* a [N,K] weight in the order the matrix kernels read (kernels/panel.h); strides mean nothing */
    LAYOUT_PAGED    /* positions in blocks (ops/paged_state.h): data is no array, strides mean nothing */
};

struct tensor {
    void *data;
    enum dtype dtype;
    uint8_t rank;
    uint8_t layout; /* enum tensor_layout */
    bool is_view;   /* memory belongs to another tensor of the same run */
    int64_t dims[TENSOR_MAX_RANK];
    int64_t strides[TENSOR_MAX_RANK];
};

/* One element of a DTYPE_STRING tensor: bytes that live as long as the tensor's memory; not NUL-terminated. */
struct tensor_string {
    const char *bytes;
    size_t n_bytes;
};

/* ---- types ---- */
bool dtype_is_known(int id);
const char *dtype_name(enum dtype dtype);   /* "float32"; "undefined" for others; never NULL */
const char *dtype_npy(enum dtype dtype);    /* "<f4"; "" where NumPy has none */
/* Facts of each type; inline because every shape of every step asks for them. */
struct dtype_facts {
    const char *name, *npy;
    size_t block_items, block_bytes;
};
extern const struct dtype_facts dtype_facts[DTYPE_END];

/* 1 but for block formats. */
static inline size_t dtype_block_items(enum dtype dtype)
{
    size_t block_items = (unsigned)dtype < DTYPE_END ? dtype_facts[dtype].block_items : 1;
    return block_items ? block_items : 1;
}

/* Bytes of one block; the element's size where block_items is 1; 0 for an unknown type. */
static inline size_t dtype_block_bytes(enum dtype dtype)
{
    return (unsigned)dtype < DTYPE_END ? dtype_facts[dtype].block_bytes : 0;
}

enum dtype dtype_from_npy(const char *npy, size_t n_bytes); /* DTYPE_NONE when unknown */
size_t dtype_alignment(enum dtype dtype);                   /* bytes: what typed loads of an element or block need */
bool dtype_is_float(enum dtype dtype);                      /* f16 bf16 f32 f64 f8* f4 */
bool dtype_is_integer(enum dtype dtype);                    /* signed and unsigned, 2 to 64 bits; not bool */

/* ---- shapes ---- */
/* Contiguous tensor over data (may be NULL). Fails: HOB_BAD_SHAPE on rank > 8, a negative dim or a byte size that overflows. */
HOB_MUST_CHECK hob_status tensor_init(struct tensor *ret_tensor, enum dtype dtype, int rank, const int64_t *dims,
                                      void *data, hob_error *error);
/* Sets contiguous (row-major) strides from dims. */
void tensor_set_contiguous(struct tensor *tensor);
/* Product of dims; dims were checked when the tensor was made. */
int64_t tensor_n_items(const struct tensor *tensor);
/* Bytes of the elements if they were stored contiguously (whole blocks for block formats). */
size_t tensor_n_bytes(const struct tensor *tensor);
/* Row-major without gaps. Strides of dims of size 1 do not matter; an empty tensor is contiguous. */
bool tensor_is_contiguous(const struct tensor *tensor);
bool tensor_has_shape(const struct tensor *tensor, int rank, const int64_t *dims);
bool tensor_same_shape(const struct tensor *a, const struct tensor *b);
/* "[2,3]" into text, always NUL-terminated; returns text. */
enum { TENSOR_SHAPE_TEXT_BYTES = 192 };
const char *tensor_shape_text(int rank, const int64_t *dims, char text[TENSOR_SHAPE_TEXT_BYTES]);

/* NumPy broadcasting of two shapes into ret_rank/ret_dims (room for TENSOR_MAX_RANK). false: they do not fit. */
bool shape_broadcast(int a_rank, const int64_t *a_dims, int b_rank, const int64_t *b_dims, int *ret_rank,
                     int64_t *ret_dims);
/* axis in [-rank, rank-1] to [0, rank-1]. false: outside. */
bool shape_normalize_axis(int64_t axis, int rank, int *ret_axis);

/* ---- views: all share memory, none fails unless it says so ---- */
/* ret->dims[i] = tensor->dims[permutation[i]]. */
struct tensor tensor_transpose(const struct tensor *tensor, const int *permutation);
/* Same elements under other dims, if strides allow it without a copy. false: a copy is needed. n_items must agree. */
bool tensor_reshape(const struct tensor *tensor, int rank, const int64_t *dims, struct tensor *ret_view);
/* Broadcast to dims (stride 0 where a dim of 1 grows). Shapes must be compatible. */
struct tensor tensor_broadcast(const struct tensor *tensor, int rank, const int64_t *dims);
/* n_items of `axis` starting at `start` with `step` (may be negative). The range must lie inside. */
struct tensor tensor_slice(const struct tensor *tensor, int axis, int64_t start, int64_t n_items, int64_t step);

/* Copies all elements of source (any strides) into contiguous destination memory of tensor_n_bytes(source) bytes.
 * Not for block formats with strides. */
void tensor_copy_contiguous(const struct tensor *source, void *destination);

/* Reads element `index` (row-major order) of an integer tensor (i2…i64, u2…u32, bool) as int64; any strides. */
int64_t tensor_get_int(const struct tensor *tensor, int64_t index);

#endif

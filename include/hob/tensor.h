/* Tensors at the library's edge: what goes into a graph and comes out of it.
 *
 * A hob_tensor owns its elements, contiguous and row-major. Reading one from several threads is fine.
 *
 *     hob_tensor *x;
 *     if (hob_tensor_new(HOB_FLOAT32, 2, (int64_t[]){2, 3}, values, &x, &error) != HOB_OK) …
 *     hob_tensor_free(x);
 */
#ifndef HOB_TENSOR_H
#define HOB_TENSOR_H

#include "hob/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct hob_tensor hob_tensor;

/* ONNX's TensorProto.DataType. */
typedef enum hob_type {
    HOB_FLOAT32 = 1,
    HOB_UINT8 = 2,
    HOB_INT8 = 3,
    HOB_UINT16 = 4,
    HOB_INT16 = 5,
    HOB_INT32 = 6,
    HOB_INT64 = 7,
    HOB_STRING = 8, /* elements are read with hob_tensor_string */
    HOB_BOOL = 9,
    HOB_FLOAT16 = 10,
    HOB_FLOAT64 = 11,
    HOB_UINT32 = 12,
    HOB_UINT64 = 13,
    HOB_COMPLEX64 = 14,
    HOB_COMPLEX128 = 15,
    HOB_BFLOAT16 = 16,
    HOB_FLOAT8E4M3FN = 17,
    HOB_FLOAT8E4M3FNUZ = 18,
    HOB_FLOAT8E5M2 = 19,
    HOB_FLOAT8E5M2FNUZ = 20,
    HOB_UINT4 = 21, /* a byte each here; packed in files */
    HOB_INT4 = 22
} hob_type;

#define HOB_MAX_RANK 8

/* Copies data (n bytes as dims and type say; NULL: zeros). Fails: HOB_BAD_SHAPE, HOB_BAD_TYPE (strings), HOB_NO_MEMORY. */
HOB_API HOB_MUST_CHECK hob_status hob_tensor_new(hob_type type, int rank, const int64_t *dims, const void *data,
                                                 hob_tensor **ret_tensor, hob_error *error);
HOB_API void hob_tensor_free(hob_tensor *tensor); /* takes NULL */

/* path ends in .npy (NumPy) or .pb (ONNX TensorProto or SequenceProto; hob_model_read_input knows more). NumPy has no type for
 * strings of any length, bfloat16, 8-bit floats, 4-bit integers and sequences: writing those to .npy fails with HOB_BAD_TYPE. */
HOB_API HOB_MUST_CHECK hob_status hob_tensor_read(const char *path, hob_tensor **ret_tensor, hob_error *error);
HOB_API HOB_MUST_CHECK hob_status hob_tensor_write(const hob_tensor *tensor, const char *path, hob_error *error);

HOB_API hob_type hob_tensor_type(const hob_tensor *tensor);
HOB_API const char *hob_tensor_type_name(const hob_tensor *tensor); /* "float32"; static */
HOB_API int hob_tensor_rank(const hob_tensor *tensor);
HOB_API const int64_t *hob_tensor_dims(const hob_tensor *tensor); /* rank of them */
HOB_API size_t hob_tensor_n_items(const hob_tensor *tensor);
HOB_API size_t hob_tensor_n_bytes(const hob_tensor *tensor);
/* Plain elements; for strings see hob_tensor_string. */
HOB_API const void *hob_tensor_data(const hob_tensor *tensor);
/* Element i of a tensor of strings, NUL-terminated, owned by the tensor; NULL outside and for other types. ret_n_bytes may be NULL. */
HOB_API const char *hob_tensor_string(const hob_tensor *tensor, size_t i, size_t *ret_n_bytes);

#endif

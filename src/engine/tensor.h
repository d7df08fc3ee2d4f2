/* Inside of hob_tensor: an owned, contiguous tensor. */
#ifndef ENGINE_TENSOR_H
#define ENGINE_TENSOR_H

#include "base/arena.h"
#include "formats/onnx_tensor.h"
#include "hob/tensor.h"
#include "tensor/tensor.h"

struct hob_tensor {
    struct arena arena; /* elements */
    struct tensor tensor;
    bool is_optional; /* of an input or output declared optional(…): written as such; absent when the dtype is DTYPE_NONE */
};

/* A contiguous copy of any strided tensor, with all its strings and members. Fails: HOB_BAD_TYPE (packed weights),
 * HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status hob_tensor_from(const struct tensor *source, hob_tensor **ret_tensor, hob_error *error);
/* hob_tensor_read of a .pb file that holds what proto says. */
HOB_MUST_CHECK hob_status tensor_read_as(const char *path, enum onnx_proto proto, hob_tensor **ret_tensor, hob_error *error);

#endif

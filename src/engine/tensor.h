/* Inside of hob_tensor: an owned, contiguous tensor. */
#ifndef ENGINE_TENSOR_H
#define ENGINE_TENSOR_H

#include "base/arena.h"
#include "hob/tensor.h"
#include "tensor/tensor.h"

struct hob_tensor {
    struct arena arena; /* elements */
    struct tensor tensor;
};

/* A contiguous copy of any strided tensor. Fails: HOB_BAD_TYPE (sequences, packed weights), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status hob_tensor_from(const struct tensor *source, hob_tensor **ret_tensor, hob_error *error);

#endif

/* NumPy's .npy files (format versions 1.0 to 3.0; numpy/lib/format.py is the specification).
 * Read: C or Fortran order (turned into C order), little endian or byte-swapped big endian, every dtype dtype.def has a
 * type string for. Write: version 1.0, C order, little endian; f16 as <f2, bf16 widened to <f4. */
#ifndef TENSOR_NPY_H
#define TENSOR_NPY_H

#include "base/arena.h"
#include "tensor/tensor.h"

/* Elements are copied into arena. name is for messages. Fails: HOB_BAD_FILE, HOB_BAD_TYPE, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status npy_read(const void *bytes, size_t n_bytes, const char *name, struct arena *arena,
                                   struct tensor *ret_tensor, hob_error *error);
/* Any strides. Written to a temporary name beside path and renamed, so that a full disk leaves no half file. */
HOB_MUST_CHECK hob_status npy_write(const char *path, const struct tensor *tensor, hob_error *error);

#endif

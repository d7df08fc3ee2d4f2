/* .npy files. */
#include "base/error.h"
#include "tensor/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct arena arena;
    struct tensor tensor;
    hob_error error;
    arena_init(&arena, 4096);
    if (npy_read(bytes, n_bytes, "fuzz.npy", &arena, &tensor, &error) == HOB_OK && dtype_is_integer(tensor.dtype) &&
        tensor.dtype != DTYPE_U64 && tensor_n_items(&tensor))
        tensor_get_int(&tensor, tensor_n_items(&tensor) - 1);
    arena_release(&arena);
    return 0;
}

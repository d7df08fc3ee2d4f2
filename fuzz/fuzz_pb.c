/* .pb tensors: the first byte chooses the kind of message. */
#include "base/error.h"
#include "formats/onnx_tensor.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static volatile uint64_t sink; /* volatile: reading what was parsed must not be optimised away */

static uint64_t walk(const struct tensor *tensor)
{
    uint64_t sum = 0;
    if (tensor->dtype == DTYPE_NONE) return 0;
    int64_t n_items = tensor_n_items(tensor);
    const struct tensor *members = tensor->data;
    const struct tensor_string *strings = tensor->data;
    for (int64_t i = 0; tensor->dtype == DTYPE_SEQUENCE && i < n_items; i++) sum += walk(&members[i]);
    for (int64_t i = 0; tensor->dtype == DTYPE_STRING && i < n_items; i++)
        for (size_t b = 0; b < strings[i].n_bytes; b++) sum += (uint8_t)strings[i].bytes[b];
    for (size_t b = 0; b < tensor_n_bytes(tensor); b++) sum += ((const uint8_t *)tensor->data)[b];
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    if (!n_bytes) return 0;
    struct arena arena;
    struct tensor tensor;
    hob_error error;
    arena_init(&arena, 4096);
    if (onnx_tensor_parse(bytes + 1, n_bytes - 1, "fuzz.pb", (enum onnx_proto)(bytes[0] % 4), &arena, &tensor,
                          &error) == HOB_OK)
        sink += walk(&tensor);
    arena_release(&arena);
    return 0;
}

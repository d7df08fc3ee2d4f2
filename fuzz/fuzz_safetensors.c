/* safetensors files; the tensors' bytes are read, so that the sanitizers see each place checked. */
#include "base/error.h"
#include "formats/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static volatile uint64_t sink; /* volatile: reading what was parsed must not be optimised away */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct tensor_file *file;
    if (tensor_file_new("fuzz.safetensors", "safetensors", &file, NULL) != HOB_OK) return 0;
    hob_error error;
    if (safetensors_parse(bytes, n_bytes, "fuzz.safetensors", file, &error) == HOB_OK) {
        for (size_t i = 0; i < file->n_tensors; i++) {
            const struct tensor *tensor = &file->tensors[i].tensor;
            for (size_t b = 0; b < tensor_n_bytes(tensor); b++) sink += ((const uint8_t *)tensor->data)[b];
        }
    }
    tensor_file_free(file);
    return 0;
}

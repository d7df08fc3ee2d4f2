/* GGUF files; what was read is walked through, so that the sanitizers see every pointer used. */
#include "base/error.h"
#include "formats/gguf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static volatile uint64_t sink; /* volatile: reading what was parsed must not be optimised away */

static uint64_t sum_bytes(const void *bytes, size_t n_bytes)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n_bytes; i++) sum += ((const uint8_t *)bytes)[i];
    return sum;
}

static uint64_t walk_metadata(const struct metadata *value)
{
    uint64_t sum = 0;
    if (value->kind == METADATA_STRING) return sum_bytes(value->string.bytes, value->string.n_bytes + 1);
    if (value->kind != METADATA_ARRAY) return 0;
    for (size_t i = 0; i < value->n_items; i++) {
        switch (value->element_kind) {
        case METADATA_STRING:
            sum += sum_bytes(value->strings[i].bytes, value->strings[i].n_bytes);
            break;
        case METADATA_ARRAY:
            sum += walk_metadata(&value->arrays[i]);
            break;
        case METADATA_FLOAT:
            sum += value->numbers[i] > 0;
            break;
        default:
            sum += (uint64_t)value->integers[i];
            break;
        }
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct tensor_file *file;
    if (tensor_file_new("fuzz.gguf", "gguf", &file, NULL) != HOB_OK) return 0;
    hob_error error;
    if (gguf_parse(bytes, n_bytes, file, &error) == HOB_OK) {
        for (size_t i = 0; i < file->n_metadata; i++) sink += walk_metadata(&file->metadata[i]);
        for (size_t i = 0; i < file->n_tensors; i++)
            sink += sum_bytes(file->tensors[i].tensor.data, tensor_n_bytes(&file->tensors[i].tensor));
    }
    tensor_file_free(file);
    return 0;
}

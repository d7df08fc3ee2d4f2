/* safetensors: eight bytes of header length, a JSON header, the tensors' bytes. Also sharded: a model.safetensors.index.json
 * whose weight_map says which file holds which tensor.
 * Specification: huggingface/safetensors, README "Format". */
#ifndef FORMATS_SAFETENSORS_H
#define FORMATS_SAFETENSORS_H

#include "formats/tensor_file.h"

/* path: a .safetensors file, an index (….safetensors.index.json), or a folder that holds model.safetensors, its index, or one
 * .safetensors file. `__metadata__` becomes the file's metadata.
 * Fails: HOB_NOT_FOUND, HOB_IO, HOB_BAD_FILE, HOB_BAD_SHAPE, HOB_BAD_TYPE, HOB_LIMIT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status safetensors_open(const char *path, struct tensor_file **ret_file, hob_error *error);
/* Adds the tensors of one file in memory, which must live as long as file; path is for messages. */
HOB_MUST_CHECK hob_status safetensors_parse(const void *bytes, size_t n_bytes, const char *path,
                                            struct tensor_file *file, hob_error *error);

#endif

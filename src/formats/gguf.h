/* GGUF, versions 2 and 3, little endian (ggml's docs/gguf.md is the specification).
 *
 * Every metadata type, nested arrays included. Tensors of every ggml type are listed; whether one can be computed with is for
 * quant/ and the operators to say. Dims are turned round to row-major order.
 *
 *     struct tensor_file *file;
 *     TRY(gguf_open("model.gguf", &file, error));
 *     tensor_file_free(file);
 */
#ifndef FORMATS_GGUF_H
#define FORMATS_GGUF_H

#include "formats/tensor_file.h"

/* Fails: HOB_NOT_FOUND, HOB_IO, HOB_BAD_FILE, HOB_UNSUPPORTED (version 1, big endian, an unknown tensor type), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status gguf_open(const char *path, struct tensor_file **ret_file, hob_error *error);
/* The same for bytes in memory, which must live as long as the file: fills a new tensor_file. The message names no file. */
HOB_MUST_CHECK hob_status gguf_parse(const void *bytes, size_t n_bytes, struct tensor_file *file, hob_error *error);

#endif

/* Finding and opening a tokenizer: beside a model, in a folder, in a GGUF file. */
#ifndef ENGINE_TOKENIZER_OPEN_H
#define ENGINE_TOKENIZER_OPEN_H

#include "text/tokenizer.h"

/* As hob_tokenizer_open. A hob_tokenizer is a struct tokenizer under its public name. */
HOB_MUST_CHECK hob_status tokenizer_open(const char *path, struct tokenizer **ret_tokenizer, hob_error *error);
/* From tokenizer.ggml.* of a GGUF file. Copies what it needs. */
struct tensor_file;
HOB_MUST_CHECK hob_status tokenizer_from_gguf(const struct tensor_file *file, struct tokenizer **ret_tokenizer,
                                              hob_error *error);

#endif

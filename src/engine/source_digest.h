/* What a model was made from, as one SHA-256.
 *
 * Of a model that is one file: that file's own, what sha256sum prints. Of any other: that of the lines which sha256sum prints for all of
 * its files, called where the model lies and by the names from there, in the order of the names' bytes. The files are those that weights
 * were read from (shards, external data), and of a folder also *.json *.onnx* *.safetensors *.txt in it.
 */
#ifndef ENGINE_SOURCE_DIGEST_H
#define ENGINE_SOURCE_DIGEST_H

#include "base/sha256.h"
#include "hob/status.h"

#include <stdint.h>

/* folder: where the model lies, or the folder that it is. files: those that weights were read from, as they were opened.
 * ret_n_bytes: of all that was read. Fails: HOB_NOT_FOUND, HOB_IO, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status source_digest(const char *path, const char *folder, const char *const *files, size_t n_files,
                                        unsigned char ret_digest[SHA256_BYTES], uint64_t *ret_n_bytes, hob_error *error);

#endif

/* What a model was made from, as one SHA-256.
 *
 * Of a file: its own, what sha256sum prints. Of a folder: that of the lines which `sha256sum *.json *.onnx* *.safetensors *.txt` prints
 * there, names in the order of their bytes.
 */
#ifndef ENGINE_SOURCE_DIGEST_H
#define ENGINE_SOURCE_DIGEST_H

#include "base/sha256.h"
#include "hob/status.h"

#include <stdint.h>

/* ret_n_bytes: of all that was read. Fails: HOB_NOT_FOUND, HOB_IO, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status source_digest(const char *path, unsigned char ret_digest[SHA256_BYTES], uint64_t *ret_n_bytes, hob_error *error);

#endif

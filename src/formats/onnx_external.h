/* Tensor data that a model keeps in other files. The files must lie in the model's folder or below: a location that is
 * absolute, climbs with "..", or leads out through a symbolic link is refused. (A model that is itself a symbolic link, as in
 * a download cache, may also have its data beside what it points to.)
 *
 * Owns the maps of the files; each is mapped once. Not thread-safe.
 *
 *     struct onnx_external *external;
 *     TRY(onnx_external_new(model_path, &external, error));
 *     TRY(onnx_external_find(external, "model.onnx_data", offset, n_bytes, &bytes, error));
 */
#ifndef FORMATS_ONNX_EXTERNAL_H
#define FORMATS_ONNX_EXTERNAL_H

#include "hob/status.h"

#include <stddef.h>
#include <stdint.h>

struct onnx_external;

HOB_MUST_CHECK hob_status onnx_external_new(const char *model_path, struct onnx_external **ret_external,
                                            hob_error *error);
void onnx_external_free(struct onnx_external *external); /* takes NULL */
/* Fails: HOB_BAD_FILE (the location leads out, the range is outside the file), HOB_NOT_FOUND, HOB_IO, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status onnx_external_find(struct onnx_external *external, const char *location, uint64_t offset,
                                             size_t n_bytes, const unsigned char **ret_bytes, hob_error *error);

/* The files that were found so far, joined to the model's folder, last first; NULL behind them. */
const char *onnx_external_path(const struct onnx_external *external, size_t index);

#endif

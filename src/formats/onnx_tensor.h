/* Tensors as ONNX writes them: TensorProto in every encoding, SparseTensorProto (made dense), SequenceProto, OptionalProto;
 * within a model, and as .pb files of their own (the data sets of ONNX's conformance tests).
 *
 * A sequence becomes a tensor of DTYPE_SEQUENCE, rank 1, whose elements are struct tensor. An optional becomes what it holds;
 * an empty one a tensor of DTYPE_NONE.
 *
 *     struct tensor tensor;
 *     TRY(onnx_tensor_read("input_0.pb", ONNX_PROTO_TENSOR, &arena, &tensor, error));
 *     TRY(onnx_tensor_write("output_0.pb", "y", ONNX_PROTO_TENSOR, &tensor, error));
 */
#ifndef FORMATS_ONNX_TENSOR_H
#define FORMATS_ONNX_TENSOR_H

#include "base/arena.h"
#include "tensor/tensor.h"

/* A .pb file does not say which of them it holds; the model's declaration of the input does. */
enum onnx_proto {
    ONNX_PROTO_ANY, /* reading: a tensor or a sequence, told apart by their fields. Writing: as the dtype says */
    ONNX_PROTO_TENSOR,
    ONNX_PROTO_SEQUENCE,
    ONNX_PROTO_OPTIONAL
};

/* All memory comes from arena. Fails: HOB_NOT_FOUND, HOB_IO, HOB_BAD_FILE, HOB_UNSUPPORTED (maps, external data), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status onnx_tensor_read(const char *path, enum onnx_proto proto, struct arena *arena,
                                           struct tensor *ret_tensor, hob_error *error);
/* As above, for bytes in memory; name is for messages. */
HOB_MUST_CHECK hob_status onnx_tensor_parse(const void *bytes, size_t n_bytes, const char *name, enum onnx_proto proto,
                                            struct arena *arena, struct tensor *ret_tensor, hob_error *error);
/* Any strides. name (may be NULL) is noted in the file. Fails: HOB_BAD_TYPE (block formats, packed layouts), HOB_LIMIT (2 GiB,
 * protobuf's own), HOB_IO, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status onnx_tensor_write(const char *path, const char *name, enum onnx_proto proto,
                                            const struct tensor *tensor, hob_error *error);

#endif

/* ONNX messages as the readers of formats/onnx*.c share them: field numbers (onnx.proto3 is the specification) and the
 * functions that turn one message into what hob keeps. Not for other rooms. */
#ifndef FORMATS_ONNX_PROTO_H
#define FORMATS_ONNX_PROTO_H

#include "formats/onnx_external.h"
#include "formats/onnx_function.h"
#include "formats/protobuf_wire.h"
#include "graph/graph.h"

enum {
    MODEL_IR_VERSION = 1,
    MODEL_PRODUCER_NAME = 2,
    MODEL_PRODUCER_VERSION = 3,
    MODEL_GRAPH = 7,
    MODEL_OPSET_IMPORT = 8,
    MODEL_METADATA_PROPS = 14,
    MODEL_FUNCTIONS = 25,
    OPSET_DOMAIN = 1,
    OPSET_VERSION = 2,
    ENTRY_KEY = 1,
    ENTRY_VALUE = 2,
    GRAPH_NODE = 1,
    GRAPH_NAME = 2,
    GRAPH_INITIALIZER = 5,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,
    GRAPH_VALUE_INFO = 13,
    GRAPH_SPARSE_INITIALIZER = 15,
    NODE_INPUT = 1,
    NODE_OUTPUT = 2,
    NODE_NAME = 3,
    NODE_OP_TYPE = 4,
    NODE_ATTRIBUTE = 5,
    NODE_DOMAIN = 7,
    NODE_OVERLOAD = 8,
    FUNCTION_NAME = 1,
    FUNCTION_INPUT = 4,
    FUNCTION_OUTPUT = 5,
    FUNCTION_NODE = 7,
    FUNCTION_OPSET_IMPORT = 9,
    FUNCTION_DOMAIN = 10,
    FUNCTION_ATTRIBUTE_PROTO = 11,
    FUNCTION_OVERLOAD = 13,
    ATTRIBUTE_NAME_FIELD = 1,
    ATTRIBUTE_F = 2,
    ATTRIBUTE_I = 3,
    ATTRIBUTE_S = 4,
    ATTRIBUTE_T = 5,
    ATTRIBUTE_G = 6,
    ATTRIBUTE_FLOATS_FIELD = 7,
    ATTRIBUTE_INTS_FIELD = 8,
    ATTRIBUTE_STRINGS_FIELD = 9,
    ATTRIBUTE_TENSORS_FIELD = 10,
    ATTRIBUTE_GRAPHS_FIELD = 11,
    ATTRIBUTE_TYPE = 20,
    ATTRIBUTE_REFERENCE = 21,
    ATTRIBUTE_SPARSE_TENSOR = 22,
    ATTRIBUTE_SPARSE_TENSORS = 23,
    TENSOR_DIMS = 1,
    TENSOR_DATA_TYPE = 2,
    TENSOR_SEGMENT = 3,
    TENSOR_FLOAT_DATA = 4,
    TENSOR_INT32_DATA = 5,
    TENSOR_STRING_DATA = 6,
    TENSOR_INT64_DATA = 7,
    TENSOR_NAME = 8,
    TENSOR_RAW_DATA = 9,
    TENSOR_DOUBLE_DATA = 10,
    TENSOR_UINT64_DATA = 11,
    TENSOR_EXTERNAL_DATA = 13,
    TENSOR_DATA_LOCATION = 14,
    SPARSE_VALUES = 1,
    SPARSE_INDICES = 2,
    SPARSE_DIMS = 3,
    SEQUENCE_NAME = 1,
    SEQUENCE_ELEM_TYPE = 2,
    SEQUENCE_TENSORS = 3,
    SEQUENCE_SPARSE_TENSORS = 4,
    SEQUENCE_SEQUENCES = 5,
    SEQUENCE_MAPS = 6,
    SEQUENCE_OPTIONALS = 7, /* OptionalProto has the same numbers, each at most once */
    VALUE_NAME = 1,
    VALUE_TYPE = 2,
    TYPE_TENSOR = 1,
    TYPE_SEQUENCE_FIELD = 4,
    TYPE_SPARSE_TENSOR = 8,
    TYPE_OPTIONAL = 9,
    TYPE_ELEM = 1,
    TYPE_SHAPE = 2,
    SHAPE_DIM = 1,
    DIM_VALUE = 1,
    DIM_PARAM = 2
};

/* What TensorProto.DataType and the two DataTypes of SequenceProto call a tensor and a sequence. */
enum { ELEM_TENSOR = 1, ELEM_SEQUENCE = 3 };

/* Errors name the nodes of the outermost graphs only: more names would push the cause out of the message. */
enum { NAMED_DEPTH = 3 };

/* Where tensors go to. */
struct onnx_memory {
    struct arena *arena;
    bool copies_bytes;              /* the file's bytes will not outlive the reader: copy raw data and strings */
    struct onnx_external *external; /* NULL: tensors in other files are refused */
};

/* message is a TensorProto; ret_name (may be NULL) points into it. */
HOB_MUST_CHECK hob_status onnx_read_tensor(const struct onnx_memory *memory, struct wire message,
                                           struct tensor *ret_tensor, struct wire_span *ret_name, hob_error *error);
/* message is a SparseTensorProto. */
HOB_MUST_CHECK hob_status onnx_read_sparse(const struct onnx_memory *memory, struct wire message,
                                           struct tensor *ret_tensor, struct wire_span *ret_name, hob_error *error);

/* What the readers of a graph carry along. */
struct onnx_reader {
    struct onnx_memory memory; /* of the top graph's arena */
    struct graph *graph;       /* the one being read: the model's or a subgraph */
    int depth;                 /* of graphs and calls of functions around this: 0 for the model's graph */
    struct onnx_functions *functions;
    const struct onnx_scope *scope; /* the call being expanded; NULL: none */
    struct arena *scratch;     /* of one top-level node */
    hob_error *error;
    /* Nodes have attributes, attributes hold graphs, graphs hold nodes: the circle is closed here. onnx_read_graph. */
    hob_status (*read_graph)(const struct onnx_reader *reader, struct wire message);
};

/* message is a GraphProto; fills reader->graph. */
HOB_MUST_CHECK hob_status onnx_read_graph(const struct onnx_reader *reader, struct wire message);
/* message is a NodeProto; ret_attributes lie in the reader's arena, subgraphs become children of reader->graph. */
HOB_MUST_CHECK hob_status onnx_read_attributes(const struct onnx_reader *reader, struct wire message,
                                               struct attributes *ret_attributes);
/* NUL-terminated copy. Fails: HOB_BAD_FILE when span holds a NUL, HOB_LIMIT above GRAPH_MAX_NAME_BYTES. */
HOB_MUST_CHECK hob_status onnx_copy_name(const struct onnx_reader *reader, struct arena *arena, struct wire_span span,
                                         const char **ret_name);

#endif

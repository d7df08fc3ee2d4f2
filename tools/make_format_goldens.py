#!/usr/bin/python3
"""Goldens of the format readers' tests, made with Debian's python3-onnx and python3-numpy:

    tools/make_format_goldens.py            run in the repository's root

tests/data/formats/encodings.onnx   a model whose initialisers use every encoding that ONNX knows
tests/data/formats/tensors.txt      file, tensor, type, shape and CRC-32 of the elements, of that model and those of ../shared
"""
import glob
import json
import struct
import zlib

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = "tests/data/formats"


def typed(name, data_type, values, shape=(2,)):
    return helper.make_tensor(name, data_type, shape, values)


def raw(name, dtype, values):
    return numpy_helper.from_array(numpy.array(values, dtype=dtype), name)


def sparse(name, values, indices, dims):
    tensor = onnx.SparseTensorProto()
    tensor.values.CopyFrom(raw(name, numpy.float32, values))
    tensor.indices.CopyFrom(raw(name + "_indices", numpy.int64, indices))
    tensor.dims.extend(dims)
    return tensor


def encodings():
    tensors = [
        typed("float_data", TensorProto.FLOAT, [1.5, -2.25]),
        typed("float_data_complex", TensorProto.COMPLEX64, [1 + 2j, -3 - 4j]),
        typed("double_data", TensorProto.DOUBLE, [1.5, -1e300]),
        typed("double_data_complex", TensorProto.COMPLEX128, [1 + 2j, -3 - 4j]),
        typed("int32_data", TensorProto.INT32, [-1, 2**31 - 1]),
        typed("int32_data_int8", TensorProto.INT8, [-128, 127]),
        typed("int32_data_uint8", TensorProto.UINT8, [0, 255]),
        typed("int32_data_int16", TensorProto.INT16, [-32768, 32767]),
        typed("int32_data_uint16", TensorProto.UINT16, [0, 65535]),
        typed("int32_data_bool", TensorProto.BOOL, [True, False]),
        typed("int32_data_float16", TensorProto.FLOAT16, [1.5, -65504.0]),
        typed("int64_data", TensorProto.INT64, [-(2**63), 2**63 - 1]),
        typed("uint64_data", TensorProto.UINT64, [0, 2**64 - 1]),
        typed("uint64_data_uint32", TensorProto.UINT32, [0, 2**32 - 1]),
        typed("string_data", TensorProto.STRING, [b"caf\xc3\xa9", b""]),
        typed("scalar", TensorProto.FLOAT, [7.0], ()),
        typed("empty", TensorProto.FLOAT, [], (0, 3)),
        raw("raw_empty", numpy.int64, numpy.zeros((2, 0))),
    ]
    for dtype in "float32 float64 float16 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool complex64 complex128".split():
        tensors.append(raw("raw_" + dtype, dtype, [[0, 1, 2], [3, 4, 5]]))
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])
    graph = helper.make_graph([helper.make_node("Neg", ["float_data"], ["y"])], "encodings", [], [output], tensors)
    graph.sparse_initializer.append(sparse("sparse_linear", [1.0, 2.0], [1, 5], [2, 3]))
    graph.sparse_initializer.append(sparse("sparse_by_axis", [1.0, 2.0], [[0, 1], [1, 2]], [2, 3]))
    model = helper.make_model(graph, producer_name="make_format_goldens", opset_imports=[helper.make_opsetid("", 15)])
    onnx.save(model, FOLDER + "/encodings.onnx")


def describe(path, name, array, type_name=None):
    array = numpy.ascontiguousarray(array).reshape(numpy.shape(array))
    is_text = array.dtype == object
    elements = b"".join(item.encode() + b"\0" for item in array.reshape(-1)) if is_text else array.tobytes()
    shape = "[" + ",".join(str(dim) for dim in array.shape) + "]"
    return f"{path}\t{name}\t{type_name or ('string' if is_text else str(array.dtype))}\t{shape}\t{zlib.crc32(elements):08x}\n"


def dense(tensor):
    values, indices = numpy_helper.to_array(tensor.values), numpy_helper.to_array(tensor.indices)
    array = numpy.zeros(tuple(tensor.dims), values.dtype)
    for value, index in zip(values, indices):
        array[numpy.unravel_index(index, array.shape) if indices.ndim == 1 else tuple(index)] = value
    return array


def to_array(tensor):
    """numpy_helper.to_array, which in onnx 1.12 cannot read typed complex numbers."""
    if tensor.data_type == TensorProto.COMPLEX64 and tensor.float_data:
        return numpy.array(tensor.float_data, numpy.float32).view(numpy.complex64).reshape(tensor.dims)
    if tensor.data_type == TensorProto.COMPLEX128 and tensor.double_data:
        return numpy.array(tensor.double_data, numpy.float64).view(numpy.complex128).reshape(tensor.dims)
    return numpy_helper.to_array(tensor)


def describe_onnx(path):
    graph = onnx.load(path).graph
    lines = [describe(path, tensor.name, to_array(tensor)) for tensor in graph.initializer]
    return lines + [describe(path, tensor.values.name, dense(tensor)) for tensor in graph.sparse_initializer]


SAFETENSORS_TYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "I64": "int64", "I32": "int32", "U8": "uint8"}


def describe_safetensors(path):
    content = open(path, "rb").read()
    header_bytes = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + header_bytes])
    lines = []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + header_bytes + offset for offset in entry["data_offsets"])
        shape = "[" + ",".join(str(dim) for dim in entry["shape"]) + "]"
        type_name = SAFETENSORS_TYPES[entry["dtype"]]
        lines.append(f"{path}\t{name}\t{type_name}\t{shape}\t{zlib.crc32(content[begin:end]):08x}\n")
    return lines


def main():
    encodings()
    lines = describe_onnx(FOLDER + "/encodings.onnx")
    for path in sorted(glob.glob("../shared/models/*/model.onnx")):
        lines += describe_onnx(path)
    for path in sorted(glob.glob("../shared/models/*/model.safetensors")):
        lines += describe_safetensors(path)
    with open(FOLDER + "/tensors.txt", "w", encoding="utf-8") as file:
        file.writelines(lines)


main()

#!/usr/bin/python3
"""Writes tests/data/bad/: ONNX files of a few hundred bytes, each wrong in one way. tests/engine/test_bad_models.c says how each is refused.

    tools/make_bad_models.py tests/data/bad

Needs Debian's python3-onnx. Running it again changes nothing.
"""
import os
import sys

from onnx import TensorProto, helper

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
HUGE = 1 << 40  # two of them overflow 64 bits; one is more than any machine has


def value(name, dims, kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, dims)


def node(op_type, inputs, outputs, **attributes):
    return helper.make_node(op_type, inputs, outputs, name="the_" + op_type.lower(), **attributes)


def ints(name, items):
    return helper.make_tensor(name, INT64, [len(items)], items)


def model(nodes, inputs, outputs, initializers=(), opset=17, domain=""):
    graph = helper.make_graph(nodes, "bad", inputs, outputs, list(initializers))
    opsets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(graph, ir_version=8, opset_imports=opsets)


def wrong_weight(dims, raw_bytes):
    weight = TensorProto(name="weight", data_type=FLOAT, dims=dims, raw_data=bytes(raw_bytes))
    return model([node("Add", ["x", "weight"], ["y"])], [value("x", [1])], [value("y", [1])], [weight])


x, y = value("x", [2, 3]), value("y", None)
numbers = value("x", [2, 3], INT64)
relu = node("Relu", ["x"], ["y"])
no_graph = model([relu], [x], [y])
no_graph.ClearField("graph")

MODELS = {
    "cycle": model([node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"])], [x], [value("b", None)]),
    "two_makers": model([relu, node("Exp", ["x"], ["y"])], [x], [y]),
    "value_from_nowhere": model([node("Add", ["x", "nowhere"], ["y"])], [x], [y]),
    "output_from_nowhere": model([relu], [x], [y, value("z", None)]),
    "unknown_operator": model([node("Frobnicate", ["x"], ["y"])], [x], [y]),
    "unknown_domain": model([node("Frobnicate", ["x"], ["y"], domain="org.example")], [x], [y], domain="org.example"),
    "domain_without_opset": model([node("Frobnicate", ["x"], ["y"], domain="org.example")], [x], [y]),
    "no_graph": no_graph,
    "missing_operand": model([node("MatMul", ["x"], ["y"])], [x], [y]),
    "missing_attribute": model([node("Concat", ["x", "x"], ["y"])], [x], [y]),
    "attribute_of_wrong_type": model([node("Concat", ["x", "x"], ["y"], axis="one")], [x], [y]),
    "types_differ": model([node("Add", ["x", "n"], ["y"])], [x, value("n", [2, 3], INT64)], [y]),
    "type_not_taken": model([node("Softmax", ["x"], ["y"])], [numbers], [y]),
    "shapes_differ": model([node("MatMul", ["x", "z"], ["y"])], [x, value("z", [2, 3])], [y]),
    "axis_outside": model([node("Concat", ["x", "x"], ["y"], axis=5)], [x], [y]),
    "index_outside": model([node("Gather", ["x", "i"], ["y"])], [x], [y], [ints("i", [7])]),
    "reshape_does_not_fit": model([node("Reshape", ["x", "shape"], ["y"])], [x], [y], [ints("shape", [4, 2])]),
    "shape_overflows": model([node("ConstantOfShape", ["x"], ["y"])], [value("x", [2], INT64)], [y]),
    "constant_shape_overflows": model([node("ConstantOfShape", ["shape"], ["y"])], [], [y], [ints("shape", [HUGE, HUGE])]),
    "expand_overflows": model([node("Expand", ["x", "shape"], ["y"])], [value("x", [1, 1])], [y], [ints("shape", [HUGE, HUGE])]),
    "more_than_any_machine_has": model([node("Expand", ["x", "shape"], ["z"]), node("Exp", ["z"], ["y"])], [value("x", [1])], [y],
                                       [ints("shape", [HUGE])]),
    "weight_overflows": wrong_weight([HUGE, HUGE], 4),
    "weight_is_negative": wrong_weight([-1], 4),
    "weight_is_short": wrong_weight([4], 12),
    "weight_is_long": wrong_weight([4], 20),
}

for name, proto in MODELS.items():
    with open(os.path.join(sys.argv[1], name + ".onnx"), "wb") as file:
        file.write(proto.SerializeToString(deterministic=True))

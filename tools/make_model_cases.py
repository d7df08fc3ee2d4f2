#!/usr/bin/python3
"""Writes tests/data/cases/: models of ours in the layout of ONNX's conformance cases, for what those do not reach: functions that a
model defines for itself, and sequences that live through loops. Expected outputs are plain numpy. tests/formats/test_model_cases.c
runs them; the names that begin with bad_ are models only, which it expects to be refused.

    tools/make_model_cases.py tests/data/cases

Needs Debian's python3-onnx (1.12, which knows neither overloads nor defaults of attributes: those are put in as raw fields).
Running it again changes nothing.
"""
import os
import sys

import numpy as np
from onnx import AttributeProto, TensorProto, helper, numpy_helper

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
OURS = "org.example"
x = np.array([[1.5, -2, 3], [-0.5, 0.25, 8]], np.float32)
X = helper.make_tensor_value_info("x", FLOAT, [2, 3])
node = helper.make_node


def out(name, dims=None, kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, dims)


def raw_bytes_field(number, payload):
    length, size = len(payload), b""
    while length > 127:
        size, length = size + bytes([length & 127 | 128]), length >> 7
    tag = number << 3 | 2
    return (bytes([tag]) if tag < 128 else bytes([tag & 127 | 128, tag >> 7])) + size + bytes([length]) + payload


def call(name, inputs, outputs, overload=None, domain=OURS, **attributes):
    made = node(name, inputs, outputs, domain=domain, **attributes)
    if overload:
        made.MergeFromString(raw_bytes_field(8, overload.encode()))
    return made


def function(name, inputs, outputs, nodes, attributes=(), defaults=(), overload=None, opset=17, domain=OURS):
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(OURS, 1)]
    made = helper.make_function(domain, name, inputs, outputs, nodes, imports, list(attributes))
    for default in defaults:
        made.MergeFromString(raw_bytes_field(11, default.SerializeToString()))
    if overload:
        made.MergeFromString(raw_bytes_field(13, overload.encode()))
    return made


def ref(made, name, function_attribute, kind):
    made.attribute.append(AttributeProto(name=name, ref_attr_name=function_attribute, type=kind))
    return made


def model(nodes, outputs, functions=(), inputs=(X,), initializers=(), opset=17):
    graph = helper.make_graph(nodes, "case", list(inputs), outputs, list(initializers))
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(OURS, 1), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, ir_version=8, opset_imports=imports, functions=list(functions), producer_name="cases")


def number(name, value, dtype=np.float32):
    return numpy_helper.from_array(np.array(value, dtype), name)


def graph(nodes, outputs, name="body", inputs=()):
    return helper.make_graph(nodes, name, list(inputs), outputs)


CASES = {}  # name: (model, inputs, outputs)
BAD = {}


def case(name, made, outputs, inputs=(x,)):
    CASES["test_" + name] = (made, inputs, outputs)


# ---- functions ----

# t is a name of the model too
scale = function("Scale", ["a", "b"], ["c"], [node("Mul", ["a", "b"], ["t"]), node("Add", ["t", "a"], ["c"])])
case("function_names", model([node("Neg", ["x"], ["t"]), call("Scale", ["x", "t"], ["u"]), call("Scale", ["u", "x"], ["y"])],
                             [out("y"), out("t")], [scale]), [(x * -x + x) * x + (x * -x + x), -x])

leaky = function("Leaky", ["a"], ["c"], [ref(node("LeakyRelu", ["a"], ["c"]), "alpha", "slope", AttributeProto.FLOAT)], ["slope"])
with_default = function("Default", ["a"], ["c"], [ref(node("LeakyRelu", ["a"], ["c"]), "alpha", "slope", AttributeProto.FLOAT)],
                        defaults=[helper.make_attribute("slope", 0.5)])
outer = function("Outer", ["a"], ["c"], [ref(call("Leaky", ["a"], ["t"]), "slope", "steep", AttributeProto.FLOAT),
                                         call("Default", ["t"], ["c"])], ["steep"])
slope = lambda a, alpha: np.where(a < 0, np.float32(alpha) * a, a).astype(np.float32)
case("function_attributes",
     model([call("Leaky", ["x"], ["p"], slope=0.25), call("Leaky", ["x"], ["q"]), call("Default", ["x"], ["r"]),
            call("Default", ["x"], ["s"], slope=0.125), call("Outer", ["x"], ["t"], steep=0.25), call("Outer", ["x"], ["u"])],
           [out(n) for n in "pqrstu"], [outer, leaky, with_default]),
     [slope(x, a) for a in (0.25, 0.01, 0.5, 0.125, 0.125, 0.005)])

value = ref(node("Constant", [], ["k"]), "value", "k", AttributeProto.TENSOR)
case("function_tensor_attribute",
     model([call("Plus", ["x"], ["y"], k=number("k", [1, 2, 3]))], [out("y")],
           [function("Plus", ["a"], ["c"], [value, node("Add", ["a", "k"], ["c"])], ["k"])]), [x + np.float32([1, 2, 3])])

old_squeeze = function("OldSum", ["a"], ["c"], [node("Unsqueeze", ["a"], ["t"], axes=[0]), node("Squeeze", ["t"], ["u"], axes=[0]),
                                               node("ReduceSum", ["u"], ["c"], axes=[1], keepdims=0)], opset=11)
case("function_opset", model([call("OldSum", ["x"], ["y"])], [out("y")], [old_squeeze]), [x.sum(1)])

clip = function("Limit", ["a", "low", "high"], ["c", "d"], [node("Clip", ["a", "low", "high"], ["c"]), node("Neg", ["c"], ["d"])])
case("function_absent",
     model([call("Limit", ["x", "", "one"], ["p"]), call("Limit", ["x", "one"], ["", "q"]), call("Limit", ["x"], ["r", ""])],
           [out("p"), out("q"), out("r")], [clip], initializers=[number("one", 1)]), [np.minimum(x, 1), -np.maximum(x, 1), x])

case("function_overload",
     model([call("F", ["x"], ["p"], overload="up"), call("F", ["x"], ["q"], overload="down"), call("F", ["x"], ["r"])],
           [out("p"), out("q"), out("r")],
           [function("F", ["a"], ["c"], [node("Ceil", ["a"], ["c"])], overload="up"),
            function("F", ["a"], ["c"], [node("Floor", ["a"], ["c"])], overload="down"),
            function("F", ["a"], ["c"], [node("Abs", ["a"], ["c"])])]), [np.ceil(x), np.floor(x), np.abs(x)])

case("function_passes_through",
     model([call("Same", ["x"], ["p", "q", "r"])], [out("p"), out("q"), out("r")],
           [function("Same", ["a"], ["a", "c", "c"], [node("Neg", ["a"], ["c"])])]), [x, -x, -x])

flag = helper.make_tensor_value_info("flag", BOOL, [])
both = [np.array(True), np.array(False)]
branches = dict(then_branch=graph([call("Scale", ["x", "t"], ["y1"])], [out("y1")]),
                else_branch=graph([call("Scale", ["t", "t"], ["y2"])], [out("y2")]))
for which in both:
    case("function_in_subgraph_%s" % bool(which),
         model([node("Neg", ["x"], ["t"]), node("If", ["flag"], ["y"], **branches)], [out("y")], [scale], inputs=[X, flag]),
         [x * -x + x if which else x * x - x], [x, which])

# The branches read an input of the function, a value of it, and have names of their own.
choose = function("Choose", ["a", "cond"], ["c"], [
    node("Neg", ["a"], ["t"]),
    node("If", ["cond"], ["c"], then_branch=graph([node("Add", ["a", "t"], ["u"]), node("Add", ["u", "a"], ["v"])], [out("v")]),
         else_branch=graph([node("Mul", ["t", "t"], ["u"]), node("Sub", ["u", "a"], ["v"])], [out("v")]))])
case("function_with_subgraph",
     model([node("Not", ["flag"], ["not_flag"]), call("Choose", ["x", "flag"], ["p"]), call("Choose", ["p", "not_flag"], ["q"])],
           [out("p"), out("q")], [choose], inputs=[X, flag]), [x, x * x - x], [x, both[0]])

either = node("If", ["cond"], ["c"], else_branch=graph([node("Neg", ["a"], ["v"])], [out("v")]))
either = function("Either", ["a", "cond"], ["c"], [ref(either, "then_branch", "branch", AttributeProto.GRAPH)], ["branch"])
case("function_graph_attribute",
     model([node("Exp", ["x"], ["a"]), call("Either", ["x", "flag"], ["y"], branch=graph([node("Add", ["a", "x"], ["v"])], [out("v")]))],
           [out("y")], [either], inputs=[X, flag]), [np.exp(x) + x], [x, both[0]])

# Hob's own operators go before functions of their name; elsewhere a name means what the model says.
wrong = [node("Mul", ["a", "a"], ["c"])]
case("function_of_known_operator",
     model([node("Relu", ["x"], ["p"]), call("Relu", ["x"], ["q"], domain="pkg.torch"), call("QuickGelu", ["x"], ["r"], domain="com.microsoft")],
           [out("p"), out("q"), out("r")],
           [function("Relu", ["a"], ["c"], wrong, domain=""), function("Relu", ["a"], ["c"], wrong, domain="pkg.torch"),
            function("QuickGelu", ["a"], ["c"], wrong, domain="com.microsoft")]),
     [np.maximum(x, 0), x * x, (x / (1 + np.exp(-1.702 * x))).astype(np.float32)])

one = [function("F", ["a"], ["c"], [call("F", ["a"], ["c"])])]
two = [function("F", ["a"], ["c"], [call("G", ["a"], ["c"])]), function("G", ["a"], ["c"], [call("F", ["a"], ["c"])])]
BAD["function_calls_itself"] = model([call("F", ["x"], ["y"])], [out("y")], one)
BAD["functions_call_each_other"] = model([call("F", ["x"], ["y"])], [out("y")], two)


def laughs(leaf):
    made = [function("L0", ["a"], ["c"], leaf)]
    for level in range(1, 12):
        chain = [call("L%d" % (level - 1), ["a" if i == 0 else "t%d" % i], ["c" if i == 9 else "t%d" % (i + 1)]) for i in range(10)]
        made.append(function("L%d" % level, ["a"], ["c"], chain))
    return model([call("L11", ["x"], ["y"])], [out("y")], made)


BAD["functions_laugh"] = laughs([node("Neg", ["a"], ["c"])])
BAD["functions_laugh_at_nothing"] = laughs([])
BAD["function_twice"] = model([call("Scale", ["x", "x"], ["y"])], [out("y")], [scale, scale])
BAD["function_too_many_inputs"] = model([call("Scale", ["x", "x", "x"], ["y"])], [out("y")], [scale])
BAD["function_makes_no_output"] = model([call("F", ["x"], ["y"])], [out("y")], [function("F", ["a"], ["c"], [node("Neg", ["a"], ["d"])])])
BAD["function_misses_input"] = model([call("Scale", ["x"], ["y"])], [out("y")], [scale])
BAD["function_two_inputs_of_a_name"] = model([call("F", ["x", "x"], ["y"])], [out("y")],
                                             [function("F", ["a", "a"], ["c"], [node("Neg", ["a"], ["c"])])])
BAD["reference_outside"] = model([ref(node("LeakyRelu", ["x"], ["y"]), "alpha", "slope", AttributeProto.FLOAT)], [out("y")])

# ---- sequences ----


def sequence(name, kind=FLOAT):
    return helper.make_tensor_sequence_value_info(name, kind, None)


N = 1000
trip = numpy_helper.from_array(np.array(N, np.int64), "trip")
true = numpy_helper.from_array(np.array(True), "true")
i_in, c_in = helper.make_tensor_value_info("i", INT64, []), helper.make_tensor_value_info("c", BOOL, [])
step = [node("Identity", ["c"], ["go"]), node("Cast", ["i"], ["f"], to=FLOAT), node("Mul", ["x", "f"], ["row"])]
grow = graph(step + [node("SequenceInsert", ["s", "row"], ["t"])], [out("go", [], BOOL), sequence("t")],
             inputs=[i_in, c_in, sequence("s")])
rows = np.stack([x * np.float32(i) for i in range(N)])
case("sequence_loop",
     model([node("SequenceEmpty", [], ["empty"]), node("Loop", ["trip", "true", "empty"], ["all"], body=grow),
            node("SequenceLength", ["all"], ["n"]), node("ConcatFromSequence", ["all"], ["stacked"], axis=0, new_axis=1),
            node("ReduceSum", ["stacked"], ["y"], keepdims=0), node("SequenceAt", ["all", "last"], ["z"])],
           [out("n", [], INT64), out("y", []), out("z")], initializers=[trip, true, number("last", -2, np.int64)]),
     [np.array(N), rows.astype(np.float64).sum().astype(np.float32), rows[-2]])

texts = helper.make_tensor_value_info("s", TensorProto.STRING, [2])
spell = graph([node("Identity", ["c"], ["go"]), node("Cast", ["i"], ["text"], to=TensorProto.STRING),
               node("Unsqueeze", ["text", "zero"], ["row"]), node("Concat", ["tail", "row"], ["t"], axis=0),
               node("Slice", ["s", "one", "two"], ["tail"]), node("SequenceInsert", ["q", "row"], ["r"])],
              [out("go", [], BOOL), out("t", [2], TensorProto.STRING), sequence("r", TensorProto.STRING)],
              inputs=[i_in, c_in, texts, sequence("q", TensorProto.STRING)])
ints = [numpy_helper.from_array(np.array([i], np.int64), name) for i, name in enumerate(("zero", "one", "two"))]
case("sequence_strings",
     model([node("SequenceEmpty", [], ["none"], dtype=TensorProto.STRING),
            node("Loop", ["five", "true", "start", "none"], ["y", "q"], body=spell),
            node("ConcatFromSequence", ["q"], ["z"], axis=0)],
           [out("y", [2], TensorProto.STRING), out("z", None, TensorProto.STRING)], inputs=[],
           initializers=[true, number("five", 5, np.int64), helper.make_tensor("start", TensorProto.STRING, [2], [b"a", b"b"])] + ints),
     [np.array(["3", "4"], object), np.array(list("01234"), object)], [])

# The plan gives the memory of a to later values: the sequence must not see it.
chain = [node("Relu", ["x"], ["a"]), node("SequenceConstruct", ["a", "x"], ["s"]), node("Exp", ["a"], ["b"]), node("Neg", ["b"], ["d"]),
         node("Exp", ["d"], ["e"]), node("Add", ["e", "d"], ["f"])]
case("sequence_outlives_its_tensors",
     model(chain + [node("Identity", ["s"], ["s2"]), node("SequenceErase", ["s2", "at"], ["s3"]), node("SequenceAt", ["s3", "at"], ["y"]),
                    node("SequenceAt", ["s2", "back"], ["z"])],
           [out("f"), out("y"), out("z"), sequence("s3")], initializers=[number("at", 0, np.int64), number("back", -2, np.int64)]),
     [np.exp(-np.exp(np.maximum(x, 0))) - np.exp(np.maximum(x, 0)), x, np.maximum(x, 0), [x]])

splits = [("scalar", ["x", "two"], dict(axis=1), number("two", 2, np.int64), [x[:, :2], x[:, 2:]]),
          ("vector", ["x", "sizes"], dict(axis=-1, keepdims=0), number("sizes", [1, 0, 2], np.int32), [x[:, :1], x[:, 1:1], x[:, 1:]]),
          ("rows", ["x"], dict(keepdims=0), None, [x[0], x[1]]), ("kept_rows", ["x"], {}, None, [x[:1], x[1:]])]
for name, inputs, attributes, sizes, parts in splits:
    case("sequence_split_" + name, model([node("SplitToSequence", inputs, ["s"], **attributes)], [sequence("s")],
                                         initializers=[sizes] if sizes else []), [parts])

# The body reads a value around it, a second sequence and a tensor; it gives a sequence of another type.
mapped = graph([node("Add", ["a", "b"], ["p"]), node("Mul", ["p", "w"], ["q"]), node("Add", ["q", "k"], ["r"]), node("Shape", ["a"], ["h"])],
               [out("r"), out("h", None, INT64)], inputs=[out("a"), out("b"), out("w")])
case("sequence_map",
     model([node("Exp", ["x"], ["k"]), node("SplitToSequence", ["x"], ["s"]), node("SequenceConstruct", ["x", "k"], ["t"]),
            node("SequenceMap", ["s", "t", "x"], ["y", "z"], body=mapped)], [sequence("y"), sequence("z", INT64)]),
     [[(x[:1] + x) * x + np.exp(x), (x[1:] + np.exp(x)) * x + np.exp(x)], [np.array([1, 3]), np.array([1, 3])]])

optional = helper.make_value_info("o", helper.make_optional_type_proto(helper.make_sequence_type_proto(helper.make_tensor_type_proto(FLOAT, None))))
full = graph([node("SequenceConstruct", ["x", "x"], ["s"]), node("Optional", ["s"], ["o"])], [optional])
empty_type = helper.make_sequence_type_proto(helper.make_tensor_type_proto(FLOAT, None))
empty_node = node("Optional", [], ["o"])
empty_node.attribute.append(AttributeProto(name="type", type=AttributeProto.TYPE_PROTO, tp=empty_type))
read = graph([node("OptionalGetElement", ["held"], ["got"]), node("SequenceAt", ["got", "one"], ["y1"])], [out("y1")])
fallback = graph([node("Neg", ["x"], ["y2"])], [out("y2")])
for which in both:
    case("optional_sequence_%s" % bool(which),
         model([node("If", ["flag"], ["held"], then_branch=full, else_branch=graph([empty_node], [optional])),
                node("OptionalHasElement", ["held"], ["has"]), node("If", ["has"], ["y"], then_branch=read, else_branch=fallback),
                node("OptionalHasElement", [], ["never"])],
               [out("has", [], BOOL), out("y"), out("never", [], BOOL)], inputs=[X, flag], initializers=[number("one", 1, np.int64)], opset=18),
         [which, x if which else -x, np.array(False)], [x, which])

# Planning looks at the branch that is taken once for each If, not twice: 2^28 times for the innermost would take minutes.
inner = node("Neg", ["x"], ["v"])
for depth in range(28):
    inner = node("If", ["yes"], ["v"], then_branch=graph([inner], [out("v")]), else_branch=graph([node("Abs", ["x"], ["v"])], [out("v")]))
inner.output[0] = "y"
case("ifs_in_ifs", model([inner], [out("y")], inputs=[X], initializers=[number("yes", True, bool)]), [-x], [x])

# Opset 8's batch may be empty; what a step would have made is known by shape.
nobody = np.zeros((0, 2, 3), np.float32)
step = graph([node("Add", ["s", "e"], ["t"]), node("Neg", ["t"], ["n"])], [out("t", [3]), out("n")],
             inputs=[out("s", [3]), out("e", [3])])
case("scan_of_an_empty_batch",
     model([node("Scan", ["", "s0", "es"], ["last", "all"], body=step, num_scan_inputs=1)], [out("last"), out("all")],
           inputs=[out("s0", [0, 3]), out("es", [0, 2, 3])], opset=8), [nobody[:, 0], nobody], [nobody[:, 0], nobody])


# ---- writing ----


def write(path, message):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(message.SerializeToString(deterministic=True))


def write_value(path, value):
    write(path, numpy_helper.from_list([np.asarray(v) for v in value], "s") if isinstance(value, list) else numpy_helper.from_array(np.asarray(value)))


def main(folder):
    for name, (made, inputs, outputs) in CASES.items():
        write("%s/%s/model.onnx" % (folder, name), made)
        for kind, values in ("input", inputs), ("output", outputs):
            for i, v in enumerate(values):
                write_value("%s/%s/test_data_set_0/%s_%d.pb" % (folder, name, kind, i), v)
    for name, made in BAD.items():
        write("%s/bad_%s.onnx" % (folder, name), made)


if __name__ == "__main__":
    main(sys.argv[1])

#!/usr/bin/python3
"""Writes tests/data/models/gqa/model.onnx, model_f16.onnx and model_bf16.onnx: a language model as onnxruntime-genai's builder exports them, tiny and random.

Two layers of SimplifiedLayerNormalization, GroupQueryAttention (rotary embedding inside, 4 heads over 2), a Sigmoid-and-Mul
feed-forward layer and SkipSimplifiedLayerNormalization; lengths come from attention_mask. The other two differ in their last
node only, a Cast of the logits. Run from the repository root with
Debian's python3-onnx. tools/make-ort-goldens.mjs computes what it must give.
"""
import os

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

FOLDER = "tests/data/models/gqa/"
VOCABULARY, WIDTH, HEADS, KV_HEADS, HEAD, FEED, LAYERS, POSITIONS = 48, 16, 4, 2, 16, 24, 2, 64
random = np.random.RandomState(20240301)
nodes, constants, inputs, outputs = [], [], [], []


def constant(name, array):
    constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
    return name


def weight(name, *shape):
    return constant(name, (random.randn(*shape) / np.sqrt(shape[0])).astype(np.float32))


def ones(name, n):
    return constant(name, (1 + 0.1 * random.randn(n)).astype(np.float32))


def node(op, ins, outs, domain="", **attributes):
    nodes.append(helper.make_node(op, ins, outs, name=outs[0], domain=domain, **attributes))
    return outs[0]


def product(x, name, rows, columns):
    return node("MatMul", [x, weight(name + ".weight", rows, columns)], [name])


def lengths():
    node("ReduceSum", ["attention_mask", constant("one_axis", np.array([1], np.int64))], ["n_seen"], keepdims=0)
    node("Sub", ["n_seen", constant("one", np.array(1, np.int64))], ["last"])
    node("Cast", ["last"], ["seqlens_k"], to=TensorProto.INT32)
    node("Shape", ["attention_mask"], ["mask_shape"])
    node("Gather", ["mask_shape", constant("second", np.array(1, np.int64))], ["n_total"])
    node("Cast", ["n_total"], ["total"], to=TensorProto.INT32)


def attention(i, x):
    p = f"layer{i}"
    q, k = product(x, p + ".q", WIDTH, HEADS * HEAD), product(x, p + ".k", WIDTH, KV_HEADS * HEAD)
    v = product(x, p + ".v", WIDTH, KV_HEADS * HEAD)
    past = [f"past_key_values.{i}.key", f"past_key_values.{i}.value"]
    present = [f"present.{i}.key", f"present.{i}.value"]
    y = node("GroupQueryAttention", [q, k, v, *past, "seqlens_k", "total", "cos", "sin"], [p + ".attention", *present],
             domain="com.microsoft", num_heads=HEADS, kv_num_heads=KV_HEADS, do_rotary=1, local_window_size=-1)
    shape = ["batch_size", KV_HEADS, "past_sequence_length", HEAD]
    inputs.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in past)
    shape = ["batch_size", KV_HEADS, "total_sequence_length", HEAD]
    outputs.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in present)
    return product(y, p + ".o", HEADS * HEAD, WIDTH)


def feed_forward(i, x):
    p = f"layer{i}"
    gate, up = product(x, p + ".gate", WIDTH, FEED), product(x, p + ".up", WIDTH, FEED)
    swish = node("Mul", [gate, node("Sigmoid", [gate], [p + ".sigmoid"])], [p + ".swish"])
    return product(node("Mul", [swish, up], [p + ".gated"]), p + ".down", FEED, WIDTH)


def skip_norm(name, x, skip):
    node("SkipSimplifiedLayerNormalization", [x, skip, ones(name + ".weight", WIDTH)], [name, "", "", name + ".sum"],
         domain="com.microsoft", epsilon=1e-6)
    return name, name + ".sum"


for name, shape in (("input_ids", ["batch_size", "sequence_length"]), ("attention_mask", ["batch_size", "total_sequence_length"])):
    inputs.append(helper.make_tensor_value_info(name, TensorProto.INT64, shape))
angles = np.outer(np.arange(POSITIONS), 10000.0 ** (-np.arange(HEAD // 2) * 2.0 / HEAD))
constant("cos", np.cos(angles).astype(np.float32))
constant("sin", np.sin(angles).astype(np.float32))
lengths()
residual = node("Gather", [weight("embedding", VOCABULARY, WIDTH), "input_ids"], ["embedded"])
x = node("SimplifiedLayerNormalization", [residual, ones("first.weight", WIDTH)], ["first"], axis=-1, epsilon=1e-6)
for layer in range(LAYERS):
    x, residual = skip_norm(f"layer{layer}.middle", residual, attention(layer, x))
    x, residual = skip_norm(f"layer{layer}.end", residual, feed_forward(layer, x))
product(x, "logits", WIDTH, VOCABULARY)
outputs.insert(0, helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch_size", "sequence_length", VOCABULARY]))


def write(file, opset):
    graph = helper.make_graph(nodes, "gqa", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)])
    model.ir_version = 8
    save(model, FOLDER + file)


os.makedirs(FOLDER, exist_ok=True)
write("model.onnx", 17)
nodes[-1].output[0] = "wide"
node("Cast", ["wide"], ["logits"], to=TensorProto.FLOAT16)
for half, file in ((TensorProto.FLOAT16, "model_f16.onnx"), (TensorProto.BFLOAT16, "model_bf16.onnx")):
    nodes[-1].attribute[0].i = half
    outputs[0].type.tensor_type.elem_type = half
    write(file, 19)  # up to 17 a Cast to bfloat16 cuts

#!/usr/bin/python3
"""Encoders of a few nodes for tests/engine/test_embed.c, for what whole models do not show.

    tools/make_encoder_models.py tests/data/encoders

Needs Debian's python3-onnx. Running it again changes nothing.
  mean_and_bias   a sentence's vector with something added behind pooling: not zero even where there is nothing to pool
  first_left_out  hidden states of all tokens but the first
  two_hidden      two outputs that may be taken for the hidden states
"""
import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def constant(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


table = constant("table", (np.arange(32, dtype=np.float32) % 7 - 3).reshape(8, 4))
words = helper.make_node("Gather", ["table", "input_ids"], ["words"])


def model(nodes, outputs, dims, initializers):
    ids = helper.make_tensor_value_info("input_ids", INT64, ["B", "S"])
    graph = helper.make_graph([words, *nodes], "encoder", [ids], [helper.make_tensor_value_info(output, FLOAT, dims) for output in outputs], [table, *initializers])
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


MODELS = {
    "mean_and_bias": model(
        [helper.make_node("ReduceMean", ["words"], ["mean"], axes=[1], keepdims=0), helper.make_node("Add", ["mean", "bias"], ["sentence_embedding"])],
        ["sentence_embedding"], ["B", 4], [constant("bias", np.float32([1, 2, 3, 4]))]),
    "first_left_out": model(
        [helper.make_node("Slice", ["words", "one", "end", "one"], ["last_hidden_state"])],
        ["last_hidden_state"], ["B", None, 4], [constant("one", np.int64([1])), constant("end", np.int64([2**63 - 1]))]),
    "two_hidden": model(
        [helper.make_node("Identity", ["words"], ["last_hidden_state"]), helper.make_node("Exp", ["words"], ["token_embeddings"])],
        ["last_hidden_state", "token_embeddings"], ["B", "S", 4], []),
}

for name, made in MODELS.items():
    with open(f"{sys.argv[1]}/{name}.onnx", "wb") as file:
        file.write(made.SerializeToString())

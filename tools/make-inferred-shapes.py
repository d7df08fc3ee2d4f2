#!/usr/bin/python3
"""What ONNX's own inference tells of each conformance case's outputs, from its inputs and constants alone.

    tools/make-inferred-shapes.py > tests/data/onnx_inferred.txt

Needs Debian's python3-onnx and libonnx-testdata. Declarations of outputs and of values in between are dropped first. A line is
"folder/case<TAB>output<TAB>type[dims]". Outputs whose shape depends on values that only a run knows (NonZero, a Reshape to a shape
that is fed) are left out.
"""
import glob
import os

import onnx
from onnx import TensorProto, shape_inference

ROOT = "/usr/share/libonnx-testdata/data"
FOLDERS = ("node", "simple", "pytorch-operator", "pytorch-converted")


def drop_declarations(graph):
    del graph.value_info[:]
    for output in graph.output:
        output.ClearField("type")


def type_text(value_type):
    """None when it is no tensor or not all of it is known."""
    tensor = value_type.tensor_type
    if value_type.WhichOneof("value") != "tensor_type" or not tensor.elem_type or not tensor.HasField("shape"):
        return None
    if not all(dim.HasField("dim_value") for dim in tensor.shape.dim):
        return None
    name = TensorProto.DataType.Name(tensor.elem_type).lower()
    name = {"float": "float32", "double": "float64"}.get(name, name)
    return f"{name}[{','.join(str(dim.dim_value) for dim in tensor.shape.dim)}]"


def infer(model):
    """The model's outputs as inference sees them: in a model without declared outputs it tells them as value_info."""
    names = [output.name for output in model.graph.output]
    drop_declarations(model.graph)
    inferred = shape_inference.infer_shapes(model, data_prop=True)
    known = {value.name: value.type for value in (*inferred.graph.value_info, *inferred.graph.output)}
    return [type_text(known[name]) if name in known else None for name in names]


def main():
    for folder in FOLDERS:
        for path in sorted(glob.glob(os.path.join(ROOT, folder, "*", "model.onnx"))):
            case = f"{folder}/{os.path.basename(os.path.dirname(path))}"
            for i, text in enumerate(infer(onnx.load(path))):
                if text:
                    print(case, i, text, sep="\t")


if __name__ == "__main__":
    main()

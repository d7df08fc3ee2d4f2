#!/usr/bin/python3
"""Writes tests/data/ops/ml_VERSION.onnx: random nodes of ai.onnx.ml with what ONNX Runtime makes of them, a file for each version of the
operator set. Inputs are initializers; outputs come in pairs, a node's and what is expected of it.

    tools/make-ml-goldens.py NODE_MODULES

NODE_MODULES is a folder where npm has installed onnxruntime-node. Run from the repository root with Debian's python3-onnx.
"""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = "tests/data/ops"
rng = np.random.default_rng(20240229)
cases = []
TYPES = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE, "int64": TensorProto.INT64, "int32": TensorProto.INT32, "object": TensorProto.STRING}


def case(name, op, x, n_outputs=1, opset=1, **attributes):
    outputs = [f"y{i}" for i in range(n_outputs)]
    inputs = x if isinstance(x, list) else [x]
    names = [f"x{i}" for i in range(len(inputs))]
    node = helper.make_node(op, names, outputs, domain="ai.onnx.ml", **attributes)
    graph = helper.make_graph([node], name, [helper.make_tensor_value_info(n, TYPES[str(v.dtype)], v.shape) for n, v in zip(names, inputs)],
                              [onnx.ValueInfoProto(name=n) for n in outputs])
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", opset)])
    cases.append((name, model, inputs, opset))


def f32(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def words(*items):
    return np.array(items, dtype=object)


def trees(prefix, n_trees, n_features, targets, modes, tie_values=False, positive=False, nan=False, as_tensor=False):
    """Random trees of depth up to 3."""
    a = {k: [] for k in "treeids nodeids featureids modes values truenodeids falsenodeids missing_value_tracks_true".split()}
    v = {k: [] for k in "treeids nodeids ids weights".split()}
    for tree in range(n_trees):
        size = [0]

        def grow(depth, tree=tree, size=size):
            me = size[0]
            size[0] += 1
            at = len(a["treeids"])
            for k in a:
                a[k].append(0)
            a["treeids"][at], a["nodeids"][at] = tree, me
            if depth == 3 or (depth and rng.random() < 0.2):
                a["modes"][at] = "LEAF"
                for target in targets if rng.random() < 0.7 else targets[:1]:
                    w = rng.random() if positive else rng.standard_normal()
                    for k, item in zip(("treeids", "nodeids", "ids", "weights"), (tree, me, int(target), float(np.float32(w)))):
                        v[k].append(item)
                return me
            a["modes"][at] = str(rng.choice(modes))
            a["featureids"][at] = int(rng.integers(n_features))
            a["values"][at] = float(rng.integers(-2, 3)) if tie_values else float(np.float32(rng.standard_normal()))
            a["missing_value_tracks_true"][at] = int(rng.integers(2)) if nan else 0
            a["truenodeids"][at] = grow(depth + 1)
            a["falsenodeids"][at] = grow(depth + 1)
            return me

        grow(0)
    attributes = {"nodes_" + k: x for k, x in a.items()}
    attributes.update({prefix + k: x for k, x in v.items()})
    if as_tensor:
        for k in ("nodes_values", prefix + "weights"):
            attributes[k + "_as_tensor"] = helper.make_tensor(k, TensorProto.DOUBLE, [len(attributes[k])], attributes.pop(k))
    return attributes


LEQ = ["BRANCH_LEQ"]
ALL = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]


def regressors():
    for aggregate in ("SUM", "AVERAGE", "MIN", "MAX"):
        case(f"tree_regressor_{aggregate.lower()}", "TreeEnsembleRegressor", f32(7, 4), n_targets=3, aggregate_function=aggregate,
             base_values=[0.5, -0.25, 1.0], **trees("target_", 5, 4, [0, 1, 2], LEQ))
    x = rng.integers(-2, 3, (20, 3))
    case("tree_regressor_modes", "TreeEnsembleRegressor", x.astype(np.float32), n_targets=1, **trees("target_", 8, 3, [0], ALL, True))
    x = x.astype(np.float32)
    x[rng.random(x.shape) < 0.3] = np.nan
    case("tree_regressor_nan", "TreeEnsembleRegressor", x, n_targets=1, **trees("target_", 8, 3, [0], ALL[:4], True, nan=True))
    case("tree_regressor_double", "TreeEnsembleRegressor", rng.standard_normal((6, 3)), n_targets=2, opset=3,
         **trees("target_", 4, 3, [0, 1], LEQ, as_tensor=True))
    for transform in ("SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"):
        case(f"tree_regressor_{transform.lower()}", "TreeEnsembleRegressor", f32(5, 3), n_targets=3, post_transform=transform,
             **trees("target_", 3, 3, [0, 1, 2], LEQ))


def classifiers():
    """Not two classes that both get votes: ONNX Runtime 1.30 takes the second whenever its sum is above 0, though the first's be larger."""
    for transform in ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"):
        for positive in (False, True):
            sign = "positive" if positive else "mixed"
            for only in (0, 1):
                case(f"tree_classifier_two_{only}_{sign}_{transform.lower()}", "TreeEnsembleClassifier", f32(6, 3), 2,
                     classlabels_int64s=[3, 7], post_transform=transform, **trees("class_", 2, 3, [only], LEQ, positive=positive))
        case(f"tree_classifier_three_{transform.lower()}", "TreeEnsembleClassifier", f32(6, 3), 2, classlabels_strings=["a", "b", "c"],
             post_transform=transform, base_values=[0.1, 0.2, -0.5], **trees("class_", 4, 3, [0, 1, 2], LEQ))
    case("tree_classifier_two_base", "TreeEnsembleClassifier", f32(6, 3), 2, classlabels_int64s=[0, 1], base_values=[0.3], post_transform="LOGISTIC",
         **trees("class_", 3, 3, [0], LEQ))
    case("tree_classifier_int64", "TreeEnsembleClassifier", rng.integers(-2, 3, (9, 3)), 2, classlabels_int64s=[0, 1, 2],
         **trees("class_", 4, 3, [0, 1, 2], ALL, True))
    case("tree_classifier_one_label", "TreeEnsembleClassifier", f32(6, 3), 2, classlabels_int64s=[1], **trees("class_", 3, 3, [0], LEQ))


def linear():
    for transform in ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"):
        c = [0.05, -0.02, 0.03, 0.04, 0.01, -0.03, 0.02, 0.02, 0.03] if transform == "PROBIT" else f32(9).tolist()
        i = [0.4, 0.5, 0.6] if transform == "PROBIT" else f32(3).tolist()
        case(f"linear_classifier_{transform.lower()}", "LinearClassifier", f32(5, 3), 2, classlabels_ints=[5, 6, 7], coefficients=c, intercepts=i,
             post_transform=transform)
        case(f"linear_regressor_{transform.lower()}", "LinearRegressor", f32(5, 3), targets=3, coefficients=c, intercepts=i, post_transform=transform)
        if transform != "PROBIT":
            case(f"linear_classifier_two_{transform.lower()}", "LinearClassifier", f32(8, 3), 2, classlabels_strings=["n", "p"], coefficients=c[:3],
                 intercepts=i[:1], post_transform=transform)
    case("linear_classifier_int", "LinearClassifier", rng.integers(-3, 4, (4, 2)), 2, classlabels_ints=[0, 1], coefficients=f32(4).tolist(),
         intercepts=[0.0, 0.1])
    case("linear_regressor_row", "LinearRegressor", f32(1, 4), coefficients=f32(4).tolist())


def svm():
    none = {"kernel_params": [0.0, 0.0, 0.0]}  # which ONNX Runtime wants even where nothing reads them
    for kernel, params in (("LINEAR", None), ("POLY", [0.5, 1.0, 3.0]), ("RBF", [0.7, 0.0, 0.0]), ("SIGMOID", [0.3, 0.1, 0.0])):
        extra = {"kernel_params": params or [0.0, 0.0, 0.0]}
        case(f"svm_regressor_{kernel.lower()}", "SVMRegressor", f32(5, 3), coefficients=f32(4).tolist(), support_vectors=f32(12).tolist(), n_supports=4,
             rho=[0.2], kernel_type=kernel, **extra)
        case(f"svm_classifier_{kernel.lower()}", "SVMClassifier", f32(8, 3), 2, classlabels_ints=[1, 2, 3], coefficients=f32(12).tolist(),
             support_vectors=f32(18).tolist(), vectors_per_class=[2, 1, 3], rho=f32(3).tolist(), kernel_type=kernel, **extra)
        case(f"svm_classifier_proba_{kernel.lower()}", "SVMClassifier", f32(8, 3), 2, classlabels_strings=["a", "b", "c", "d"],
             coefficients=f32(24).tolist(), support_vectors=f32(24).tolist(), vectors_per_class=[2, 1, 3, 2], rho=f32(6).tolist(), kernel_type=kernel,
             prob_a=(-np.abs(f32(6))).tolist(), prob_b=f32(6).tolist(), **extra)
    for proba in (False, True):
        extra = {"prob_a": [-1.3], "prob_b": [0.2]} if proba else {}
        for sign in ("mixed", "positive"):
            c = f32(5)
            case(f"svm_classifier_two_{sign}{'_proba' if proba else ''}", "SVMClassifier", f32(8, 2), 2, classlabels_ints=[0, 1],
                 coefficients=(np.abs(c) if sign == "positive" else c).tolist(), support_vectors=f32(10).tolist(), vectors_per_class=[2, 3],
                 rho=[-0.3], kernel_type="RBF", kernel_params=[0.5, 0, 0], **extra)
    for transform in ("SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"):
        case(f"svm_classifier_{transform.lower()}", "SVMClassifier", f32(5, 3), 2, classlabels_ints=[1, 2, 3], coefficients=f32(12).tolist(),
             support_vectors=f32(18).tolist(), vectors_per_class=[2, 1, 3], rho=f32(3).tolist(), post_transform=transform, **none)
        case(f"svm_classifier_two_{transform.lower()}", "SVMClassifier", f32(8, 2), 2, classlabels_ints=[0, 1], coefficients=f32(5).tolist(),
             support_vectors=f32(10).tolist(), vectors_per_class=[2, 3], rho=[-0.3], post_transform=transform, **none)
    case("svm_classifier_liblinear", "SVMClassifier", f32(5, 3), 2, classlabels_ints=[1, 2, 3], coefficients=f32(9).tolist(), rho=[0.3], **none)
    case("svm_regressor_liblinear", "SVMRegressor", f32(5, 3), coefficients=f32(3).tolist(), rho=[0.3], **none)
    case("svm_regressor_one_class", "SVMRegressor", f32(8, 3), coefficients=f32(4).tolist(), support_vectors=f32(12).tolist(), n_supports=4, rho=[0.0],
         kernel_type="RBF", kernel_params=[0.7, 0, 0], one_class=1)


def features():
    x, whole = f32(3, 4), rng.integers(0, 4, (3, 4))
    for dtype in (np.float32, np.float64, np.int64, np.int32):
        y = (x * 2).astype(dtype)
        case(f"binarizer_{y.dtype}", "Binarizer", y, threshold=0.5) if dtype == np.float32 else None
        case(f"scaler_{y.dtype}", "Scaler", y, offset=[0.5, 1, 2, -1], scale=[2.0, 0.5, 3, 1])
        for norm in ("MAX", "L1", "L2"):
            case(f"normalizer_{norm.lower()}_{y.dtype}", "Normalizer", y, norm=norm)
    case("scaler_one", "Scaler", x, offset=[0.5], scale=[2.0])
    case("normalizer_vector", "Normalizer", f32(5), norm="L1")
    case("array_feature_extractor", "ArrayFeatureExtractor", [x, np.array([2, 0, 2])])
    case("array_feature_extractor_vector", "ArrayFeatureExtractor", [f32(5), np.array([[4, 1]])])
    case("array_feature_extractor_strings", "ArrayFeatureExtractor", [words("a", "b", "c", "d").reshape(2, 2), np.array([1])])
    case("feature_vectorizer", "FeatureVectorizer", [x, f32(3, 2)], inputdimensions=[4, 2])
    with_nan = x.copy()
    with_nan[0, 1] = with_nan[2, 3] = np.nan
    case("imputer_nan", "Imputer", with_nan, imputed_value_floats=[1.0, 2, 3, 4], replaced_value_float=float("nan"))
    case("imputer_int", "Imputer", whole, imputed_value_int64s=[9], replaced_value_int64=2)
    case("one_hot_int", "OneHotEncoder", whole, cats_int64s=[0, 3, 2])
    case("one_hot_float", "OneHotEncoder", np.array([1.9, 0.2, 3.0], dtype=np.float32), cats_int64s=[0, 3, 1])
    case("one_hot_strings", "OneHotEncoder", words("b", "x", "a"), cats_strings=["a", "b"])
    case("category_mapper_strings", "CategoryMapper", words("b", "x", "a"), cats_strings=["a", "b"], cats_int64s=[10, 20], default_int64=-5)
    case("category_mapper_ints", "CategoryMapper", np.array([20, 10, 3]), cats_strings=["a", "b"], cats_int64s=[10, 20], default_string="?")
    case("label_encoder_1_strings", "LabelEncoder", words("b", "x", "a"), classes_strings=["a", "b"], default_int64=-3)
    case("label_encoder_1_ints", "LabelEncoder", np.array([1, 5, 0]), classes_strings=["a", "b"], default_string="?")
    keys = {"floats": [1.5, 3.5, 2.0], "int64s": [1, 2, 3], "strings": ["a", "b", "c"]}
    inputs = {"floats": np.array([2.0, 0.0, 7.0, 1.5], dtype=np.float32), "int64s": np.array([3, 9, 1]), "strings": words("c", "", "a")}
    values = {"floats": [0.5, 0.25, 0.125], "int64s": [7, 8, 9], "strings": ["x", "yy", ""]}
    for k in keys:
        for v in values:
            case(f"label_encoder_2_{k}_{v}", "LabelEncoder", inputs[k], opset=2, **{"keys_" + k: keys[k], "values_" + v: values[v]})


def to_tensor(array, name):
    if array.dtype == object:
        return helper.make_tensor(name, TensorProto.STRING, array.shape, [s.encode() for s in array.ravel()])
    return numpy_helper.from_array(np.ascontiguousarray(array), name)


def to_json(array):
    items = [str(x) for x in array.ravel()] if array.dtype != object else list(array.ravel())
    return {"type": {"object": "string"}.get(str(array.dtype), str(array.dtype)), "dims": list(array.shape), "items": items}


def from_json(tensor):
    if tensor["type"] == "string":
        return np.array(tensor["items"], dtype=object).reshape(tensor["dims"])
    return np.array([float(x) if "float" in tensor["type"] else int(x) for x in tensor["items"]], dtype=tensor["type"]).reshape(tensor["dims"])


def run_all(folder):
    """What ONNX Runtime answers, a list of outputs for each case."""
    job = []
    for name, model, inputs, _ in cases:
        path = os.path.join(folder, name + ".onnx")
        onnx.save(model, path)
        job.append({"model": path, "inputs": [to_json(x) for x in inputs]})
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ort-outputs.mjs")
    done = subprocess.run(["node", script, sys.argv[1]], input=json.dumps(job), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main():
    regressors(), classifiers(), linear(), svm(), features()
    with tempfile.TemporaryDirectory() as folder:
        results = run_all(folder)
    graphs = {}
    for (name, model, inputs, opset), result in zip(cases, results):
        if "error" in result:
            sys.exit(f"{name}: {result['error']}")
        graph = graphs.setdefault(opset, onnx.GraphProto(name="cases"))
        node = graph.node.add()
        node.CopyFrom(model.graph.node[0])
        node.name = name
        node.input[:] = [f"{name}/{x}" for x in node.input]
        node.output[:] = [f"{name}/{y}" for y in node.output]
        graph.initializer.extend(to_tensor(x, n) for x, n in zip(inputs, node.input))
        for y, expected in zip(node.output, result["outputs"]):
            graph.initializer.append(to_tensor(from_json(expected), y + "/expected"))
            graph.node.append(helper.make_node("Identity", [y + "/expected"], [y + "/copy"]))
            graph.output.extend([onnx.ValueInfoProto(name=y), onnx.ValueInfoProto(name=y + "/copy")])
    for opset, graph in graphs.items():
        imports = [helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", opset)]
        onnx.save(helper.make_model(graph, ir_version=8, opset_imports=imports), os.path.join(FOLDER, f"ml_{opset}.onnx"))


main()

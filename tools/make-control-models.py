#!/usr/bin/env python3
"""Small models with bodies in bodies for tests/engine/test_control_flow.c, and what they give, worked out with NumPy.
Writes tests/data/control/CASE.onnx and CASE.in.NAME.npy, CASE.out.NAME.npy.

    tools/make-control-models.py        (Debian's python3-onnx and python3-numpy)
"""
import pathlib

import numpy as np
import onnx
import onnx.numpy_helper
from onnx import TensorProto, helper

FOLDER = pathlib.Path(__file__).parent.parent / "tests/data/control"
F, I, B = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
node, value = helper.make_node, helper.make_tensor_value_info


def graph(nodes, inputs, outputs, initializers=()):
    return helper.make_graph(nodes, "g", inputs, outputs, list(initializers))


def constant(name, array):
    return onnx.numpy_helper.from_array(np.asarray(array), name)


def write(name, opset, main, inputs, outputs):
    model = helper.make_model(main, opset_imports=[helper.make_opsetid("", opset)], producer_name="")
    model.ir_version = 8
    onnx.save(model, str(FOLDER / f"{name}.onnx"))
    for kind, arrays in (("in", inputs), ("out", outputs)):
        for key, array in arrays.items():
            np.save(FOLDER / f"{name}.{kind}.{key}.npy", array)


def loop_body():
    """carried += weight * i (weight of the main graph); scans [2,3] of it; goes on while i < last."""
    return graph(
        [node("Cast", ["i"], ["f"], to=F), node("Mul", ["f", "weight"], ["step"]), node("Add", ["v", "step"], ["w"]),
         node("Less", ["i", "last"], ["go_on"]), node("Identity", ["w"], ["scanned"])],
        [value("i", I, []), value("go", B, []), value("v", F, [2, None])],
        [value("go_on", B, []), value("w", F, [2, None]), value("scanned", F, [2, 3])])


def loops(name, m, last):
    weight = np.array([[1, 2, 3]], np.float32)
    v = np.arange(6, dtype=np.float32).reshape(2, 3)
    main = graph([node("Loop", ["m", "", "v"], ["y", "all"], body=loop_body())],
                 [value("m", I, []), value("v", F, [2, 3]), value("last", I, [])],
                 [value("y", F, None), value("all", F, None)], [constant("weight", weight)])
    y, rows = v, []
    for i in range(m):
        y = y + weight * i
        rows.append(y)
        if not i < last:
            break
    write(name, 16, main, {"m": np.int64(m), "v": v, "last": np.int64(last)},
          {"y": y, "all": np.array(rows, np.float32).reshape(-1, 2, 3)})


def nested_loops():
    """sum over i < m, j < i of x[j] * i, where x and one are the main graph's, two bodies up."""
    inner = graph([node("Gather", ["x", "j"], ["g"]), node("Cast", ["i"], ["f"], to=F), node("Mul", ["g", "f"], ["p"]),
                   node("Add", ["b", "p"], ["b_next"]), node("Identity", ["inner_go"], ["inner_on"])],
                  [value("j", I, []), value("inner_go", B, []), value("b", F, [])],
                  [value("inner_on", B, []), value("b_next", F, [])])
    outer = graph([node("Loop", ["i", "", "a"], ["c"], body=inner), node("If", ["is_double"], ["d"], then_branch=graph(
        [node("Add", ["c", "c"], ["t"])], [], [value("t", F, [])]), else_branch=graph(
            [node("Mul", ["c", "one"], ["e"])], [], [value("e", F, [])])), node("Identity", ["go"], ["on"])],
        [value("i", I, []), value("go", B, []), value("a", F, [])], [value("on", B, []), value("d", F, [])])
    x = np.array([0.5, -1, 2, 0.25], np.float32)
    main = graph([node("Loop", ["m", "", "start"], ["y"], body=outer)],
                 [value("m", I, []), value("x", F, [4]), value("start", F, []), value("is_double", B, [])],
                 [value("y", F, [])], [constant("one", np.float32(1))])
    a = np.float32(1)
    for i in range(5):
        for j in range(i):
            a = np.float32(a + x[j] * i)
        a = np.float32(a + a)
    write("nested_loops", 13, main, {"m": np.int64(5), "x": x, "start": np.float32(1), "is_double": np.array(True)}, {"y": a})


def if_shapes(name, which):
    """Branches of different ranks; weights that only the branch reads, made from constants of the main graph."""
    then = graph([node("Transpose", ["w"], ["wt"], perm=[1, 0]), node("MatMul", ["x", "wt"], ["t"])], [], [value("t", F, None)])
    other = graph([node("ReduceSum", ["x"], ["r"], keepdims=0)], [], [value("r", F, None)])
    w, x = np.arange(12, dtype=np.float32).reshape(4, 3), np.ones((2, 3), np.float32)
    main = graph([node("If", ["which"], ["y"], then_branch=then, else_branch=other)], [value("which", B, [1]), value("x", F, [2, 3])],
                 [value("y", F, None)], [constant("w", w)])
    write(name, 13, main, {"which": np.array([which]), "x": x}, {"y": x @ w.T if which else x.sum()})


def scan_body(width):
    """state' = state * decay + a; elements state' + b and a - b. decay is the main graph's."""
    shape = [width] if width else []
    return graph([node("Mul", ["s", "decay"], ["m"]), node("Add", ["m", "a"], ["s_next"]), node("Add", ["s_next", "b"], ["p"]),
                  node("Sub", ["a", "b"], ["q"])],
                 [value("s", F, shape), value("a", F, shape), value("b", F, shape)],
                 [value("s_next", F, shape), value("p", F, shape), value("q", F, shape)])


def run_scan(state, a_steps, b_steps):
    p, q = [], []
    for a, b in zip(a_steps, b_steps):
        state = state * np.float32(0.5) + a
        p.append(state + b)
        q.append(a - b)
    return state, p, q


def scans(name, n_steps):
    rng = np.random.default_rng(5)
    a = rng.standard_normal((3, n_steps)).astype(np.float32)  # scanned along axis -1
    b = rng.standard_normal((n_steps, 3)).astype(np.float32)  # along axis 0, backwards
    s = np.ones(3, np.float32)
    main = graph([node("Scan", ["s", "a", "b"], ["last", "p", "q"], body=scan_body(3), num_scan_inputs=2, scan_input_axes=[-1, 0],
                       scan_input_directions=[0, 1], scan_output_axes=[1, -2], scan_output_directions=[1, 0])],
                 [value("s", F, [3]), value("a", F, [3, n_steps]), value("b", F, [n_steps, 3])],
                 [value("last", F, None), value("p", F, None), value("q", F, None)], [constant("decay", np.float32(0.5))])
    last, p, q = run_scan(s, a.T, b[::-1])
    write(name, 16, main, {"s": s, "a": a, "b": b},
          {"last": last, "p": np.array(p[::-1], np.float32).reshape(-1, 3).T, "q": np.array(q, np.float32).reshape(-1, 3)})


def scan_8():
    rng = np.random.default_rng(6)
    a, b = (rng.standard_normal((3, 4, 2)).astype(np.float32) for _ in range(2))
    s, lengths = rng.standard_normal((3, 2)).astype(np.float32), np.array([4, 0, 2], np.int64)
    main = graph([node("Scan", ["n", "s", "a", "b"], ["last", "p", "q"], body=scan_body(2), num_scan_inputs=2, directions=[1, 0])],
                 [value("n", I, [3]), value("s", F, [3, 2]), value("a", F, [3, 4, 2]), value("b", F, [3, 4, 2])],
                 [value("last", F, None), value("p", F, None), value("q", F, None)], [constant("decay", np.float32(0.5))])
    last, p, q = s.copy(), np.zeros((3, 4, 2), np.float32), np.zeros((3, 4, 2), np.float32)
    for i, n in enumerate(lengths):
        last[i], rows, others = run_scan(s[i], a[i, :n][::-1], b[i, :n])
        for t in range(n):
            p[i, t], q[i, t] = rows[t], others[t]
    write("scan_8", 8, main, {"n": lengths, "s": s, "a": a, "b": b}, {"last": last, "p": p, "q": q})


def main():
    FOLDER.mkdir(exist_ok=True)
    loops("loop_none", 0, 9)
    loops("loop_stops", 9, 3)
    loops("loop_many", 100, 1000)
    nested_loops()
    if_shapes("if_then", True)
    if_shapes("if_else", False)
    scans("scan", 6)
    scans("scan_none", 0)
    scan_8()


if __name__ == "__main__":
    main()

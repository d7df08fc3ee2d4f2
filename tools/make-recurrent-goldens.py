#!/usr/bin/env python3
"""Goldens for RNN, GRU and LSTM: what PyTorch's layers give, in ONNX's order of gates. Writes tests/data/ops/recurrent_*.npy.

    tools/make-recurrent-goldens.py        (Debian's python3-torch and python3-numpy)
"""
import pathlib

import numpy
import torch

FOLDER = pathlib.Path(__file__).parent.parent / "tests/data/ops"
STEPS, BATCH, INPUTS, HIDDEN = 7, 4, 5, 18
LENGTHS = [5, 7, 1, 6]
# PyTorch's order of gates to ONNX's: i f g o -> i o f c; r z n -> z r h
ORDER = {"LSTM": [0, 3, 1, 2], "GRU": [1, 0, 2], "RNN": [0]}


def write(name, tensor):
    numpy.save(FOLDER / f"recurrent_{name}.npy", tensor.detach().numpy().astype(numpy.float32))


def gates(kind, tensor):
    """Rows in ONNX's order."""
    parts = tensor.chunk(len(ORDER[kind]))
    return torch.cat([parts[i] for i in ORDER[kind]])


def parameters(kind, layer):
    weights = {"w": [], "r": [], "b": []}
    for suffix in ("", "_reverse"):
        weights["w"].append(gates(kind, getattr(layer, "weight_ih_l0" + suffix)))
        weights["r"].append(gates(kind, getattr(layer, "weight_hh_l0" + suffix)))
        weights["b"].append(torch.cat([gates(kind, getattr(layer, f"bias_{part}_l0" + suffix)) for part in ("ih", "hh")]))
    return {name: torch.stack(parts) for name, parts in weights.items()}


def main():
    torch.manual_seed(7)
    x = torch.randn(STEPS, BATCH, INPUTS)
    h, c = torch.randn(2, BATCH, HIDDEN), torch.randn(2, BATCH, HIDDEN)
    write("x", x)
    write("h", h)
    write("c", c)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x.double(), LENGTHS, enforce_sorted=False)
    for kind in ORDER:
        layer = getattr(torch.nn, kind)(INPUTS, HIDDEN, bidirectional=True).double()
        state = (h.double(), c.double()) if kind == "LSTM" else h.double()
        y, last = layer(packed, state)
        y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, total_length=STEPS)
        for name, tensor in parameters(kind, layer).items():
            write(f"{kind.lower()}_{name}", tensor)
        write(f"{kind.lower()}_y", y.view(STEPS, BATCH, 2, HIDDEN).permute(0, 2, 1, 3).contiguous())
        for name, tensor in zip(("h", "c"), last if kind == "LSTM" else (last,)):
            write(f"{kind.lower()}_y_{name}", tensor)


if __name__ == "__main__":
    main()

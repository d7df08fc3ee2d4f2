#!/usr/bin/python3
"""Writes tests/data/quant/*.bin: what ggml itself makes of numbers and of blocks.

usage, from the repository root:  tools/make-ggml-goldens.py .../libggml-base.so

The library is llama.cpp's, as npm's @node-llama-cpp/linux-x64 3.22.1 brings it; its quantize_row_*_ref and dequantize_row_* are
called through ctypes. items.bin holds float32 numbers; FORMAT.bin the blocks that the reference makes of them, then N_BLOCKS blocks
of random bytes, then what the latter stand for in float32. For formats that hob only reads the first part is left out.
"""
import ctypes
import os
import sys

import numpy as np

FOLDER = "tests/data/quant"
N_ITEMS, N_BLOCKS = 1024, 3
# name in ggml, items and bytes of a block, where f16 numbers stand, whether hob encodes it
FORMATS = [
    ("q4_0", 32, 18, (0,), True), ("q4_1", 32, 20, (0, 2), True), ("q5_0", 32, 22, (0,), True), ("q5_1", 32, 24, (0, 2), True),
    ("q8_0", 32, 34, (0,), True), ("q4_K", 256, 144, (0, 2), False), ("q5_K", 256, 176, (0, 2), False), ("q6_K", 256, 210, (208,), False),
]
random = np.random.RandomState(4)


def items():
    """Blocks of different sizes; ties, zeros, one sign only, subnormal halves."""
    x = random.randn(N_ITEMS // 32, 32) * 2.0 ** random.randint(-12, 6, (N_ITEMS // 32, 1))
    x[3] = 0
    x[4] = np.abs(x[4])
    x[5] = -np.abs(x[5])
    x[6] = np.arange(32) - 16
    x[7] = 0.5
    x[8, 1:] = 0
    x[9] *= 1e-7
    return x.astype(np.float32).reshape(-1)


def random_blocks(n_bytes, halves):
    blocks = random.randint(0, 256, (N_BLOCKS, n_bytes)).astype(np.uint8)
    for at in halves:
        blocks[:, at:at + 2] = random.randn(N_BLOCKS).astype(np.float16).view(np.uint8).reshape(N_BLOCKS, 2)
    return blocks


def main():
    ggml = ctypes.CDLL(sys.argv[1])
    os.makedirs(FOLDER, exist_ok=True)
    x = items()
    x.tofile(os.path.join(FOLDER, "items.bin"))
    for name, n_items, n_bytes, halves, is_encoded in FORMATS:
        with open(os.path.join(FOLDER, name.lower() + ".bin"), "wb") as file:
            if is_encoded:
                encoded = np.zeros(N_ITEMS // n_items * n_bytes, np.uint8)
                getattr(ggml, "quantize_row_%s_ref" % name)(x.ctypes.data_as(ctypes.c_void_p), encoded.ctypes.data_as(ctypes.c_void_p),
                                                            ctypes.c_int64(N_ITEMS))
                encoded.tofile(file)
            blocks = random_blocks(n_bytes, halves)
            decoded = np.zeros(N_BLOCKS * n_items, np.float32)
            getattr(ggml, "dequantize_row_%s" % name)(blocks.ctypes.data_as(ctypes.c_void_p), decoded.ctypes.data_as(ctypes.c_void_p),
                                                      ctypes.c_int64(N_BLOCKS * n_items))
            blocks.tofile(file)
            decoded.tofile(file)


main()

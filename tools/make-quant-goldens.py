#!/usr/bin/python3
"""Writes tests/data/ops/quant_*.npy: inputs, and outputs by plain numpy formulas, for the quantised operators of ai.onnx and
com.microsoft.

Run from the repository root with Debian's python3-numpy. Formulas are in f64 and rounded once; quotients are rounded to
nearest, ties to even. com.microsoft's semantics: microsoft/onnxruntime docs/ContribOperators.md.
"""
import os

import numpy as np

FOLDER = "tests/data/ops"
random = np.random.RandomState(20240601)


def write(case, **tensors):
    for name, array in tensors.items():
        array = np.asarray(array)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        np.save(os.path.join(FOLDER, "quant_%s_%s.npy" % (case, name)), np.ascontiguousarray(array))


def bytes_of(dtype, *shape):
    info = np.iinfo(dtype)
    return random.randint(info.min, info.max + 1, shape).astype(dtype)


def quantize(x, scale, zero, dtype):
    info = np.iinfo(dtype)
    return np.clip(np.rint(np.asarray(x) / np.float64(np.float32(scale))) + float(zero), info.min, info.max).astype(dtype)


def real(x, scale, zero):
    return (x.astype(np.float64) - np.float64(zero)) * np.float64(np.float32(scale))


def floats(*shape):
    return random.randn(*shape).astype(np.float32)


# ---- weights in blocks ----

def pack(q, bits):
    """The last axis, low bits first, padded with zeros to whole bytes."""
    per_byte = 8 // bits
    width = -(-q.shape[-1] // per_byte) * per_byte
    padded = np.zeros(q.shape[:-1] + (width,), np.uint32)
    padded[..., :q.shape[-1]] = q
    groups = padded.reshape(q.shape[:-1] + (-1, per_byte))
    return sum(groups[..., i] << (bits * i) for i in range(per_byte)).astype(np.uint8)


def nbits(case, bits, n, k, block, zeros=None, groups=False):
    blocks = -(-k // block)
    q = random.randint(0, 1 << bits, (n, blocks * block))
    scales = random.uniform(0.01, 0.1, (n, blocks)).astype(np.float32)
    a, bias = floats(2, 3, k), floats(n)
    packed = pack(q.reshape(n, blocks, block), bits)
    extra = {}
    zero = np.full((n, blocks), float(1 << (bits - 1)))
    if zeros == "packed":
        integers = random.randint(0, 1 << bits, (n, blocks))
        extra["zeros"], zero = pack(integers, bits), integers.astype(float)
    elif zeros == "float":
        zero = floats(n, blocks).astype(np.float64)
        extra["zeros"] = zero
    which = np.arange(k) // block
    if groups:
        which = random.randint(0, blocks, k)
        extra["groups"] = which.astype(np.int32)
    w = (q[:, :k] - zero[:, which]) * scales.astype(np.float64)[:, which]
    write(case, a=a, b=packed, scales=scales, bias=bias, y=a.astype(np.float64) @ w.T + bias, **extra)


def bnb4(case, table):
    n, k, block = 6, 19, 16
    codes = random.randint(0, 16, n * k)
    absmax = random.uniform(0.5, 2, -(-n * k // block)).astype(np.float32)
    padded = np.pad(codes, (0, n * k % 2)).reshape(-1, 2)
    w = (np.array(table)[codes] * absmax.astype(np.float64)[np.arange(n * k) // block]).reshape(n, k)
    a = floats(3, k)
    write(case, a=a, b=(padded[:, 0] << 4 | padded[:, 1]).astype(np.uint8), absmax=absmax, y=a.astype(np.float64) @ w.T)


def fp4():
    sizes = [0, 1 / 192, 2 / 3, 1, 1 / 3, 1 / 2, 1 / 6, 1 / 4]
    return sizes + [-size for size in sizes]


NF4 = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
       -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
       0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0]


def gathers():
    rows, width, block = 7, 40, 16
    blocks = -(-width // block)
    q, zeros = random.randint(0, 16, (rows, width)), random.randint(0, 16, (rows, blocks))
    scales = random.uniform(0.1, 1, (rows, blocks)).astype(np.float32)
    indices = np.array([[0, 6, -1], [3, 3, -7]])
    which = np.arange(width) // block
    w = (q - zeros[:, which]) * scales.astype(np.float64)[:, which]
    middle = (q - 8) * scales.astype(np.float64)[:, which]
    plain = q * scales.astype(np.float64)[:, which]
    write("gather", data=pack(q, 4), bytes=q.astype(np.uint8), indices=indices, scales=scales, zeros=pack(zeros, 4),
          y=w[indices], y_middle=middle[indices], y_plain=plain[indices])


# ---- products of bytes ----

def dynamic(x):
    low, high = min(x.min(), np.float32(0)), max(x.max(), np.float32(0))
    scale = np.float32(high - low) / np.float32(255)
    zero = np.rint(np.clip(-low / scale, 0, 255))
    return np.clip(np.rint(x / scale) + zero, 0, 255).astype(np.int64), scale, zero


def products():
    a, b = floats(2, 3, 20), bytes_of(np.int8, 20, 5)
    b_scale, b_zero, bias = random.uniform(0.01, 0.1, 5).astype(np.float32), bytes_of(np.int8, 5), floats(5)
    q, scale, zero = dynamic(a)
    y = (q - zero) @ (b.astype(float) - b_zero) * float(scale) * b_scale.astype(float) + bias
    write("dynamic", a=a, b=b, b_scale=b_scale, b_zero=b_zero, bias=bias, y=y)

    a = bytes_of(np.uint8, 2, 3, 20)
    y = (a.astype(float) - 117) @ (b.astype(float) - b_zero) * 0.02 * b_scale.astype(float)
    write("to_float", a=a, y=y, y_bias=y + bias)

    a, b, c = bytes_of(np.uint8, 4, 30), bytes_of(np.int8, 7, 30), random.randint(-9999, 9999, 7).astype(np.int32)
    b_scale, b_zero = random.uniform(0.001, 0.01, 7).astype(np.float32), bytes_of(np.int8, 7)
    y = ((a.astype(float) - 130) @ (b.T.astype(float) - b_zero) + c) * 1.5 * 0.0517 * b_scale.astype(float)
    write("qgemm", a=a, b=b, c=c, b_scale=b_scale, b_zero=b_zero, y=y, y_bytes=quantize(y, 0.5119, 3, np.uint8))

    a, b = bytes_of(np.uint8, 2, 4, 40), bytes_of(np.int8, 2, 40, 18)
    a_scale, b_scale = (random.uniform(0.01, 0.1, n).astype(np.float32) for n in (4, 18))
    a_zero, b_zero = bytes_of(np.uint8, 4), bytes_of(np.int8, 18)
    sums = (a.astype(np.int64) - a_zero[:, None].astype(np.int64)) @ (b.astype(np.int64) - b_zero.astype(np.int64))
    y = sums * a_scale.astype(float)[:, None] * b_scale.astype(float)
    write("matmul", a=a, b=b, a_scale=a_scale, b_scale=b_scale, a_zero=a_zero, b_zero=b_zero, sums=sums.astype(np.int32),
          y=quantize(y, 2.0113, -4, np.int8))


def convolve(x, w, group, strides, pads, dilations):
    """x less its zero point [B,C,H,W], so that pads are 0."""
    x = np.pad(x, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])))
    extent = [(w.shape[2 + i] - 1) * dilations[i] + 1 for i in (0, 1)]
    out = [(x.shape[2 + i] - extent[i]) // strides[i] + 1 for i in (0, 1)]
    y = np.zeros((x.shape[0], w.shape[0], *out), np.int64)
    per_group = w.shape[0] // group
    for m in range(w.shape[0]):
        first = m // per_group * w.shape[1]
        for row in range(out[0]):
            for column in range(out[1]):
                top, left = row * strides[0], column * strides[1]
                seen = x[:, first:first + w.shape[1], top:top + extent[0]:dilations[0], left:left + extent[1]:dilations[1]]
                y[:, m, row, column] = (seen * w[m]).sum((1, 2, 3))
    return y


def convolutions():
    x, w = bytes_of(np.uint8, 2, 4, 9, 11), bytes_of(np.int8, 6, 2, 3, 2)
    w_zero, w_scale = bytes_of(np.int8, 6), random.uniform(0.001, 0.01, 6).astype(np.float32)
    bias = random.randint(-5000, 5000, 6).astype(np.int32)
    wide = w.astype(np.int64) - w_zero.astype(np.int64)[:, None, None, None]
    sums = convolve(x.astype(np.int64) - 77, wide, 2, (2, 1), (1, 2, 0, 1), (1, 2))
    y = (sums + bias[:, None, None]) * 0.0307 * w_scale.astype(float)[:, None, None]
    write("conv", x=x, w=w, w_zero=w_zero, w_scale=w_scale, bias=bias, sums=sums.astype(np.int32),
          y=quantize(y, 0.4021, 100, np.uint8))
    x, w = bytes_of(np.int8, 1, 5, 6, 7), bytes_of(np.uint8, 3, 5, 1, 1)
    wide = w.astype(np.int64) - 128
    write("conv_1x1", x=x, w=w, sums=convolve(x.astype(np.int64) + 5, wide, 1, (1, 1), (0, 0, 0, 0), (1, 1)).astype(np.int32))


# ---- element by element and the rest ----

def elements():
    a, b = bytes_of(np.int8, 3, 1, 70), bytes_of(np.int8, 4, 70)
    ra, rb = real(a, 0.0517, 3), real(b, 0.0223, -9)
    write("binary", a=a, b=b, add=quantize(ra + rb, 0.0619, 1, np.int8), mul=quantize(ra * rb, 0.0731, 2, np.int8))
    x = np.arange(256).astype(np.uint8)
    r = real(x, 0.0411, 120)
    write("unary", x=x, sigmoid=quantize(1 / (1 + np.exp(-r)), 1 / 256, 0, np.uint8),
          leaky=quantize(np.where(r < 0, np.float64(np.float32(0.2)) * r, r), 0.0307, 90, np.uint8))
    condition = random.rand(3, 4, 70) < 0.5
    write("where", condition=condition, y=quantize(np.where(condition, ra, rb), 0.0413, 5, np.int8))
    parts = [bytes_of(np.uint8, 2, n, 3) for n in (1, 4, 2)]
    scales, zeros = (0.1, 0.0517, 0.2113), (128, 100, 7)
    y = np.concatenate([quantize(real(p, s, z), 0.1, 128, np.uint8) for p, s, z in zip(parts, scales, zeros)], 1)
    write("concat", x0=parts[0], x1=parts[1], x2=parts[2], y=y)
    x = bytes_of(np.uint8, 2, 5, 3)
    r = real(x, 0.0311, 128)
    e = np.exp(r - r.max(1, keepdims=True))
    flat = np.exp(r - r.max((1, 2), keepdims=True))
    write("softmax", x=x, y=quantize(e / e.sum(1, keepdims=True), 1 / 256, 0, np.uint8),
          y_flat=quantize(flat / flat.sum((1, 2), keepdims=True), 1 / 256, 0, np.uint8))


def pools():
    x = bytes_of(np.uint8, 2, 3, 5, 6)
    r = real(x, 0.1037, 100)
    y, counted = np.zeros((2, 3, 3, 4)), np.zeros((2, 3, 3, 4))
    for row in range(3):
        for column in range(4):
            top, left = row * 2 - 1, column * 2 - 1
            seen = r[:, :, max(top, 0):top + 3, max(left, 0):left + 2]
            y[:, :, row, column] = seen.mean((2, 3))
            counted[:, :, row, column] = seen.sum((2, 3)) / 6
    write("pool", x=x, x_last=x.transpose(0, 2, 3, 1), y=quantize(y, 0.0819, 110, np.uint8),
          y_last=quantize(y, 0.0819, 110, np.uint8).transpose(0, 2, 3, 1), y_counted=quantize(counted, 0.0819, 110, np.uint8),
          y_global=quantize(r.mean((2, 3), keepdims=True), 0.0819, 110, np.uint8))


nbits("nbits4", 4, 18, 80, 32, zeros="packed")
nbits("nbits8", 8, 5, 48, 16)
nbits("nbits2", 2, 33, 70, 32, zeros="float")
nbits("nbits_groups", 4, 17, 64, 16, zeros="packed", groups=True)
bnb4("fp4", fp4())
bnb4("nf4", NF4)
gathers()
products()
convolutions()
elements()
pools()

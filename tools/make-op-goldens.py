#!/usr/bin/python3
"""Writes tests/data/ops/*.npy: inputs and PyTorch's outputs for the operators of the domains hob and com.microsoft.

Run from the repository root with Debian's python3-torch (1.13). Rotary embedding is computed in f32 step by step as
transformers' LlamaRotaryEmbedding does; everything else in f64 and rounded once.
com.microsoft's semantics: microsoft/onnxruntime docs/ContribOperators.md.
"""
import math
import os

import numpy as np
import torch

FOLDER = "tests/data/ops"
torch.manual_seed(20240229)


def write(name, tensor):
    array = tensor.detach().numpy() if isinstance(tensor, torch.Tensor) else np.asarray(tensor)
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    np.save(os.path.join(FOLDER, name + ".npy"), np.ascontiguousarray(array))


def rotate(x, positions, base, n_dims, interleaved, factors=None):
    pairs = n_dims // 2
    inv_freq = 1.0 / (torch.tensor(base) ** (torch.arange(0, n_dims, 2).float() / n_dims))
    if factors is not None:
        inv_freq = inv_freq / factors
    angle = positions.float()[:, None] * inv_freq[None, :]
    cos, sin = angle.cos()[:, None, :], angle.sin()[:, None, :]
    turned, rest = x[..., :n_dims], x[..., n_dims:]
    if interleaved:
        a, b = turned[..., 0::2], turned[..., 1::2]
        turned = torch.stack((a * cos - b * sin, b * cos + a * sin), -1).flatten(-2)
    else:
        a, b = turned[..., :pairs], turned[..., pairs:]
        turned = torch.cat((a * cos - b * sin, b * cos + a * sin), -1)
    return torch.cat((turned, rest), -1)


def rotary():
    x = torch.randn(5, 3, 8)
    positions = torch.tensor([0, 1, 7, 100, 4095])
    factors = torch.tensor([1.0, 2.5, 4.0, 8.0])
    write("rotary_x", x)
    write("rotary_positions", positions)
    write("rotary_factors", factors)
    write("rotary_halves", rotate(x, positions, 10000.0, 8, False))
    write("rotary_interleaved", rotate(x, positions, 10000.0, 8, True))
    write("rotary_partial", rotate(x, positions, 500000.0, 4, False))
    write("rotary_factors_y", rotate(x, positions, 10000.0, 8, False, factors))


def attend(q, k, v, mask=None, causal=False, scale=None, segments=None):
    group = q.shape[1] // k.shape[1]
    q, k, v = q.double(), k.double().repeat_interleave(group, 1), v.double().repeat_interleave(group, 1)
    scores = q @ k.transpose(-1, -2) * (scale or 1 / math.sqrt(q.shape[-1]))
    n_queries, n_keys = scores.shape[-2:]
    if mask is not None:
        scores = scores + mask.double()
    if causal:
        allowed = torch.ones(n_queries, n_keys).tril(n_keys - n_queries).bool()
        scores = scores.masked_fill(~allowed, -math.inf)
    if segments is not None:
        owner = torch.bucketize(torch.arange(n_queries), torch.tensor(segments[1:]), right=True)
        scores = scores.masked_fill(owner[:, None] != owner[None, :], -math.inf)
    return scores.softmax(-1) @ v


def attention():
    q, k, v = torch.randn(2, 6, 5, 8), torch.randn(2, 2, 9, 8), torch.randn(2, 2, 9, 12)
    mask = torch.randn(2, 1, 5, 9)
    for name, tensor in (("q", q), ("k", k), ("v", v), ("mask", mask)):
        write("attention_" + name, tensor)
    write("attention_plain", attend(q, k, v))
    write("attention_causal", attend(q, k, v, causal=True))
    write("attention_masked", attend(q, k, v, mask=mask, scale=0.5))
    packed = [torch.randn(1, 3, 11, 8) for _ in range(3)]
    for name, tensor in zip("qkv", packed):
        write("attention_packed_" + name, tensor)
    write("attention_packed_y", attend(*packed, segments=[0, 4, 5, 11]))


def rows():
    x, up, weight, bias = torch.randn(3, 4, 40), torch.randn(3, 4, 40), torch.randn(40), torch.randn(40)
    linear, linear_bias = torch.randn(37, 40) / 6, torch.randn(37)
    for name, tensor in (("x", x), ("up", up), ("weight", weight), ("bias", bias), ("linear", linear), ("linear_bias", linear_bias)):
        write("rows_" + name, tensor)
    x, up, weight, bias = x.double(), up.double(), weight.double(), bias.double()
    functional = torch.nn.functional
    write("rows_rms", x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * weight)
    write("rows_swiglu", functional.silu(x) * up)
    write("rows_gelu", functional.gelu(x))
    write("rows_gelu_tanh", functional.gelu(x, approximate="tanh"))
    write("rows_fast_gelu", functional.gelu(x + bias, approximate="tanh"))
    write("rows_quick_gelu", x * torch.sigmoid(1.702 * x))
    write("rows_linear_y", functional.linear(x, linear.double(), linear_bias.double()))
    write("rows_skip", functional.layer_norm(x + up + bias, (40,), weight, bias, 1e-12))
    total = x + up + bias
    write("rows_skip_rms", total / (total.pow(2).mean(-1, keepdim=True) + 1e-12).sqrt() * weight)
    write("rows_skip_sum", total)


def embed_layer_norm():
    ids, segments = torch.randint(0, 10, (2, 5)), torch.randint(0, 2, (2, 5))
    words, positions, types = torch.randn(10, 16), torch.randn(6, 16), torch.randn(2, 16)
    weight, bias = torch.randn(16), torch.randn(16)
    for name, tensor in (("words", words), ("positions", positions), ("types", types), ("weight", weight), ("bias", bias)):
        write("embed_" + name, tensor)
    write("embed_ids", ids.int())
    write("embed_segments", segments.int())
    total = (words[ids] + positions[:5] + types[segments]).double()
    write("embed_y", torch.nn.functional.layer_norm(total, (16,), weight.double(), bias.double(), 1e-12))


def ms_attention():
    heads, width, n_past = 2, 8, 3
    x, weight, bias = torch.randn(2, 4, 16), torch.randn(16, 48) / 4, torch.randn(48)
    past = torch.randn(2, 2, heads, n_past, width)
    mask = torch.tensor([[0, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0, 1]])
    for name, tensor in (("x", x), ("weight", weight), ("bias", bias), ("past", past)):
        write("ms_attention_" + name, tensor)
    write("ms_attention_mask", mask.int())
    q, k, v = (x.double() @ weight.double() + bias.double()).chunk(3, -1)
    q, k, v = (part.reshape(2, 4, heads, width).transpose(1, 2) for part in (q, k, v))
    merge = lambda y: y.transpose(1, 2).reshape(2, 4, 16)
    write("ms_attention_plain", merge(attend(q, k, v)))
    k, v = torch.cat((past[0].double(), k), 2), torch.cat((past[1].double(), v), 2)
    added = ((1 - mask) * -10000.0)[:, None, None, :]
    write("ms_attention_y", merge(attend(q, k, v, mask=added, causal=True)))
    write("ms_attention_present", torch.stack((k, v)))


os.makedirs(FOLDER, exist_ok=True)
for make in (rotary, attention, rows, embed_layer_norm, ms_attention):
    make()

#!/usr/bin/python3
"""Writes tests/data/ops/attn_*.npy: what the attention operators of com.microsoft must give for tests/ops/test_attention_ops.c.

Plain numpy in f64, one formula after the other, rounded once; it knows nothing of how hob computes. A case's file holds its
outputs, flattened, one behind the other. Inputs are not stored: input i of a case is what tests/ops/run_op.h's
random_f32 makes of seed i + 1. Run from the repository root with Debian's python3-numpy.
Semantics: microsoft/onnxruntime docs/ContribOperators.md.
"""
import os

import numpy as np

FOLDER = "tests/data/ops"


def numbers(i, *dims):
    """random_f32(dims, seed i + 1)"""
    seed, items = i + 1, []
    for _ in range(int(np.prod(dims))):
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        items.append(np.float32(seed >> 40) / np.float32(2**23) - np.float32(1))
    return np.array(items, np.float32).reshape(dims).astype(np.float64)


def write(name, *outputs):
    flat = np.concatenate([np.asarray(x, np.float64).ravel() for x in outputs]).astype(np.float32)
    np.save(os.path.join(FOLDER, f"attn_{name}.npy"), flat)


def heads(x, n):
    b, t, d = x.shape
    return x.reshape(b, t, n, d // n).transpose(0, 2, 1, 3)


def packed(x):
    b, n, t, k = x.shape
    return x.transpose(0, 2, 1, 3).reshape(b, t, n * k)


def attend(q, k, v, allowed=None, bias=0.0, scale=None, cap=0.0, sinks=None):
    """q [B,H,T,K], k and v [B,Hkv,S,K]; gives y, the scores before the softmax (0 where not allowed) and the probabilities."""
    group = q.shape[1] // k.shape[1]
    k, v = np.repeat(k, group, 1), np.repeat(v, group, 1)
    scores = np.einsum("bhtk,bhsk->bhts", q, k) * (scale or 1 / np.sqrt(q.shape[3]))
    if cap:
        scores = cap * np.tanh(scores / cap)
    scores = scores + bias
    allowed = np.broadcast_to(True if allowed is None else allowed, scores.shape)
    powers = np.where(allowed, np.exp(scores), 0)
    total = powers.sum(-1, keepdims=True)
    if sinks is not None:
        total = total + np.exp(sinks)[None, :, None, None]
    probabilities = powers / total
    return np.einsum("bhts,bhsk->bhtk", probabilities, v), np.where(allowed, scores, 0), probabilities


def rotate(x, cos, sin, positions, interleaved=False):
    """x [B,H,T,K]; positions [B,T]; turns the first 2 * cos.shape[1] numbers of a head."""
    n = cos.shape[1]
    c, s = cos[positions][:, None], sin[positions][:, None]
    a, b = (x[..., 0 : 2 * n : 2], x[..., 1 : 2 * n : 2]) if interleaved else (x[..., :n], x[..., n : 2 * n])
    first, second = a * c - b * s, b * c + a * s
    y = x.copy()
    if interleaved:
        y[..., 0 : 2 * n : 2], y[..., 1 : 2 * n : 2] = first, second
    else:
        y[..., :n], y[..., n : 2 * n] = first, second
    return y


def rms(x, weight, epsilon):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * weight


# ---- GroupQueryAttention: B 2, 4 heads over 2 of 8 ----


def gqa(name, t, room, last_keys, total, window=0, causal=True, rotary=None, norms=False, bias=False, sinks=None, cap=0.0,
        scale=None, together=False, shown=0, smooth=False):
    b, h, hkv, k = 2, 4, 2, 8
    if together:
        q, key, v = np.split(numbers(0, b, t, (h + 2 * hkv) * k), [h * k, (h + hkv) * k], axis=2)
    else:
        q, key, v = numbers(0, b, t, h * k), numbers(1, b, t, hkv * k), numbers(2, b, t, hkv * k)
    q, key, v = heads(q, h), heads(key, hkv), heads(v, hkv)
    past_k, past_v = numbers(3, b, hkv, room, k), numbers(4, b, hkv, room, k)
    n_keys = np.array(last_keys) + 1
    before = np.zeros(b, int) if t == total else n_keys - t
    if norms:
        q, key = rms(q, numbers(14, k), 1e-6), rms(key, numbers(15, k), 1e-6)
    if rotary is not None:
        cos, sin = numbers(7, 16, k // 2), numbers(8, 16, k // 2)
        positions = before[:, None] + np.arange(t)
        q, key = (rotate(x, cos, sin, positions, rotary) for x in (q, key))
    size = max(room, total)
    present_k, present_v = np.zeros((b, hkv, size, k)), np.zeros((b, hkv, size, k))
    for row in range(b):
        for present, past, fresh in ((present_k, past_k, key), (present_v, past_v, v)):
            present[row, :, : before[row]] = past[row, :, : before[row]]
            present[row, :, before[row] : before[row] + t] = fresh[row]
    at, s = (before[:, None] + np.arange(t))[:, None, :, None], np.arange(total)
    allowed = s < n_keys[:, None, None, None]
    if causal:
        allowed = allowed & (s <= at)
    if window:
        allowed = allowed & (s > at - window)
    if smooth:
        sinks = np.zeros(h)
    y, scores, probabilities = attend(q, present_k[:, :, :total], present_v[:, :, :total], allowed,
                                      numbers(10, 1, h, t, total) if bias else 0.0, scale, cap, sinks)
    write("gqa_" + name, packed(y), present_k, present_v, *([scores, probabilities][shown - 1 : shown] if shown else []))


gqa("prompt", 5, 0, [4, 4], 5)
gqa("prompt_padded", 5, 9, [4, 2], 5, rotary=False)
gqa("decode_rows", 1, 6, [6, 3], 7, rotary=False)
gqa("decode_buffer", 1, 12, [5, 2], 6, rotary=True, together=True)
gqa("chunk_rows", 3, 6, [8, 5], 9, rotary=False, scale=0.4)
gqa("window", 6, 0, [5, 5], 6, window=3)
gqa("window_decode", 1, 8, [8, 4], 9, window=4, rotary=False)
gqa("everything", 3, 6, [8, 5], 9, window=4, bias=True, sinks=numbers(11, 4), cap=1.5, rotary=False)
gqa("sinks", 4, 0, [3, 3], 4, sinks=numbers(11, 4))
gqa("smooth", 4, 0, [3, 3], 4, smooth=True)
gqa("cap", 4, 0, [3, 3], 4, cap=0.5)
gqa("both_ways", 4, 0, [3, 3], 4, causal=False)
gqa("norms", 2, 5, [6, 4], 7, norms=True, rotary=False)
gqa("scores", 3, 2, [4, 4], 5, shown=1, cap=2.0)
gqa("probabilities", 3, 2, [4, 3], 5, shown=2)

# ---- MultiHeadAttention: B 2, 2 heads of 4 ----


def mha(name, t=3, s=3, form="packed", width=4, bias=False, allowed=None, filter_value=-10000.0, score_bias=False, past=0,
        filled=None, causal=False, scale=None, present=False, shown=False):
    b, h, k = 2, 2, 4
    if form == "qkv":
        q, key, v = (numbers(0, b, t, h, 3, k)[:, :, :, i].transpose(0, 2, 1, 3) for i in range(3))
    else:
        q = heads(numbers(0, b, t, h * k), h)
    if form == "kv":
        key, v = (numbers(1, b, s, h, 2, k)[:, :, :, i].transpose(0, 2, 1, 3) for i in range(2))
    elif form == "heads":
        key, v = numbers(1, b, h, s, k), numbers(2, b, h, s, width)
    elif form == "packed":
        key, v = heads(numbers(1, b, s, h * k), h), heads(numbers(2, b, s, h * width), h)
    if bias:
        all_bias = numbers(3, h * (2 * k + width))
        q = q + all_bias[: h * k].reshape(1, h, 1, k)
        if form != "heads":
            key = key + all_bias[h * k : 2 * h * k].reshape(1, h, 1, k)
            v = v + all_bias[2 * h * k :].reshape(1, h, 1, width)
    n_past = past if filled is None else filled
    shown_k, shown_v = key, v
    if past:
        past_k, past_v = numbers(6, b, h, past, k), numbers(7, b, h, past, width)
        shown_k, shown_v = (np.concatenate((x[:, :, :n_past], y), 2) for x, y in ((past_k, key), (past_v, v)))
    key, v = shown_k, shown_v
    if filled is not None:
        shown_k, shown_v = (np.concatenate((x, y[:, :, x.shape[2] :]), 2) for x, y in ((key, past_k), (v, past_v)))
    total = key.shape[2]
    extra = np.zeros((1, 1, 1, 1))
    if allowed is not None:
        extra = extra + np.where(np.array(allowed, bool), 0, filter_value)
    if score_bias:
        extra = extra + numbers(5, 1, h, t, total)
    seen = np.arange(total) <= n_past + np.arange(t)[:, None] if causal else None
    y, scores, _ = attend(q, key, v, seen, extra, scale)
    write("mha_" + name, packed(y), *([shown_k, shown_v] if present or shown else []), *([scores] if shown else []))


flat = np.array([[1, 0, 1], [0, 1, 1]])
mha("self")
mha("cross", s=5, width=6)
mha("heads", s=5, form="heads", bias=True)
mha("kv", s=4, form="kv")
mha("qkv", form="qkv", bias=True)
mha("counts", allowed=np.arange(3) < np.array([2, 3])[:, None, None, None], bias=True)
mha("truths", allowed=flat[:, None, None, :], filter_value=-5.0)
mha("square", allowed=np.array([[1, 0, 1, 0, 1, 1, 1, 1, 1], [0, 1, 0, 1, 1, 0, 1, 0, 0]]).reshape(2, 1, 3, 3))
mha("bias_and_truths", allowed=flat[:, None, None, :], score_bias=True)
mha("past", t=2, s=2, past=3, bias=True, causal=True, present=True)
mha("buffer", t=1, s=1, past=6, filled=3, present=True)
mha("scores", score_bias=True, scale=0.3, shown=True)

# ---- Attention and QAttention: B 2, T 3, D 6, 2 heads of 4 ----


def project(x, weight, bias, sizes=(8, 8, 8)):
    y = x @ weight + bias
    return [heads(part, 2) for part in np.split(y, np.cumsum(sizes)[:2], axis=2)]


def ms_attention(name, sizes=(8, 8, 8), allowed=None, past=0, filled=None, causal=False, rotary=0, scale=None, score_bias=False,
                 present=False):
    q, k, v = project(numbers(0, 2, 3, 6), numbers(1, 6, sum(sizes)), numbers(2, sum(sizes)), sizes)
    n_past = past if filled is None else filled
    if rotary:
        angles = np.outer(np.arange(16), 10000.0 ** (-np.arange(rotary // 2) * 2.0 / rotary))
        positions = np.broadcast_to(n_past + np.arange(3), (2, 3))
        q, k = (rotate(x, np.cos(angles), np.sin(angles), positions) for x in (q, k))
    pair = np.stack((k, v)) if sizes[0] == sizes[2] else None
    if past:
        old = numbers(4, 2, 2, 2, past, 4)
        pair = np.concatenate((old[:, :, :, :n_past], pair), 3)
        k, v = pair
        if filled is not None:
            pair = np.concatenate((pair, old[:, :, :, pair.shape[3] :]), 3)
    total = k.shape[2]
    extra = np.zeros((1, 1, 1, 1))
    if allowed is not None:
        extra = extra + np.where(np.array(allowed, bool), 0, -10000.0)
    if score_bias:
        extra = extra + numbers(5, 2, 1, 3, total)
    seen = np.arange(total) <= n_past + np.arange(3)[:, None] if causal else None
    write("ms_" + name, packed(attend(q, k, v, seen, extra, scale)[0]), *([pair] if present else []))


ms_attention("sizes", sizes=(8, 8, 12), scale=0.7)
ms_attention("rotary", rotary=4, causal=True, past=2, present=True)
ms_attention("partial_rotary", rotary=2, present=True)
ms_attention("buffer", past=7, filled=2, causal=True, present=True)
ms_attention("ranges", allowed=((np.arange(3) < np.array([[3], [2]])) & (np.arange(3) >= np.array([[1], [0]])))[:, None, None, :])
triangle = np.tril(np.ones((8, 8)))
ms_attention("square_of_all", allowed=triangle[2:5, :5], past=2, present=True)
ms_attention("bias_and_counts", allowed=np.arange(3) < np.array([2, 3])[:, None, None, None], score_bias=True)


def q_attention(name, by_column, causal=False, past=0):
    x = np.arange(36).reshape(2, 3, 6) * 7 % 255
    weight = np.arange(6 * 24).reshape(6, 24) * 5 % 251 - 125
    zeros = np.arange(24) % 5 - 2 if by_column else 3
    scales = (1 + np.arange(24)) * 0.0005 if by_column else 0.004
    y = (x - 120) @ (weight - zeros) * 0.01 * np.float32(scales) + numbers(2, 24)
    q, k, v = (heads(part, 2) for part in np.split(y, 3, axis=2))
    if past:
        old = numbers(8, 2, 2, 2, past, 4)
        k, v = np.concatenate((old[0], k), 2), np.concatenate((old[1], v), 2)
    seen = np.arange(k.shape[2]) <= past + np.arange(3)[:, None] if causal else None
    write("q_" + name, packed(attend(q, k, v, seen)[0]), np.stack((k, v)))


q_attention("tensor", False)
q_attention("columns", True, causal=True, past=2)

# ---- RotaryEmbedding, LinearAttention and what stands around it ----

positions = np.array([[1, 2, 3], [7, 0, 7]])
cos, sin = numbers(2, 9, 4), numbers(3, 9, 4)
write("rotary_packed", packed(rotate(heads(numbers(0, 2, 3, 16), 2), cos, sin, positions)))
write("rotary_offset", packed(rotate(heads(numbers(0, 2, 3, 16), 2), cos, sin, np.broadcast_to(5 + np.arange(3), (2, 3)), True)))
write("rotary_heads", rotate(numbers(0, 2, 2, 3, 8), cos, sin, positions))
write("rotary_partial", packed(rotate(heads(numbers(0, 2, 3, 24), 2), cos, sin, positions, True)))


def linear(name, gated, delta, per_key, shared_beta=False):
    b, t, h, hkv, k, kv = 2, 4, 4, 2, 3, 5
    q, key, v = heads(numbers(0, b, t, h * k), h), heads(numbers(1, b, t, hkv * k), hkv), heads(numbers(2, b, t, hkv * kv), hkv)
    state, y = numbers(3, b, hkv, k, kv), np.zeros((b, h, t, kv))
    decay = numbers(4, b, t, hkv * (k if per_key else 1)).reshape(b, t, hkv, -1)
    beta = numbers(5, b, t, 1 if shared_beta else hkv)
    for row in range(b):
        for head in range(h):
            one = state[row, head // 2].copy()
            for i in range(t):
                old_key, value = key[row, head // 2, i], v[row, head // 2, i]
                if gated:
                    one = np.exp(decay[row, i, head // 2])[:, None] * one
                if delta:
                    value = beta[row, i, 0 if shared_beta else head // 2] * (value - one.T @ old_key)
                one = one + np.outer(old_key, value)
                y[row, head, i] = one.T @ q[row, head, i] / np.sqrt(k)
            if head % 2:
                state[row, head // 2] = one
    write("linear_" + name, packed(y), state)


linear("plain", False, False, False)
linear("gated", True, False, True)
linear("delta", False, True, False, shared_beta=True)
linear("gated_delta", True, True, False)
x, weight, bias, past = numbers(0, 2, 3, 5), numbers(1, 3, 1, 4), numbers(2, 3), numbers(3, 2, 3, 3)
whole = np.concatenate((past, x), 2)
y = np.stack([(whole[:, :, i : i + 4] * weight[:, 0]).sum(-1) + bias for i in range(5)], -1)
write("conv", y / (1 + np.exp(-y)), whole[:, :, 5:])
b = numbers(3, 2, 3, 4)
write("gate", numbers(2, 4) * np.log1p(np.exp(numbers(0, 2, 3, 4) + numbers(1, 4))), 1 / (1 + np.exp(-b)))
gate = numbers(2, 2, 3, 8)
normed = rms(numbers(0, 2, 3, 2, 4), numbers(1, 4), 1e-3).reshape(2, 3, 8)
write("gated_norm_silu", normed * gate / (1 + np.exp(-gate)))
write("gated_norm_sigmoid", normed / (1 + np.exp(-gate)))

# ---- MoE and QMoE: 5 tokens of 8, 4 experts of 6 ----


def experts(x, logits, fc1, fc2, act, k=2, normalised=False):
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    y = np.zeros_like(x)
    for t in range(len(x)):
        best = np.argsort(-logits[t], kind="stable")[:k]
        total = shares[t, best].sum() if normalised else 1.0
        for e in best:
            y[t] += shares[t, e] / total * fc2(e, act(e, fc1(e, x[t])))
    return y


def dense(weight, bias):
    return lambda e, x: weight[e] @ x + bias[e]


def silu(x, alpha=1.0):
    return x / (1 + np.exp(-alpha * x))


x, logits = numbers(0, 5, 8), numbers(1, 5, 4)
plain = dense(numbers(2, 4, 6, 8), numbers(3, 4, 6)), dense(numbers(4, 4, 8, 6), numbers(5, 4, 8))
third = dense(numbers(6, 4, 6, 8), numbers(7, 4, 6))
twice = dense(numbers(2, 4, 12, 8), numbers(3, 4, 12))
write("moe_relu", experts(x, logits, *plain, lambda e, h: np.maximum(h, 0)))
gelu = lambda h: h / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3)))
write("moe_gelu", experts(x, logits, *plain, lambda e, h: gelu(h), normalised=True))
write("moe_gated", np.stack([experts(x[t : t + 1], logits[t : t + 1], *plain, lambda e, h, t=t: silu(h) * third(e, x[t]))[0] for t in range(5)]))
clamped = lambda g, l: silu(np.minimum(g, 0.7), 1.702) * (np.clip(l, -0.7, 0.7) + 1)
write("moe_interleaved", experts(x, logits, twice, plain[1], lambda e, h: clamped(h[::2], h[1::2])))
write("moe_halves", experts(x, logits, twice, plain[1], lambda e, h: silu(h[:6]) * h[6:], k=1))


def integers(shape, factor, bits):
    """The bytes first + i * factor % 256 unpacked along the last dim, low bits first."""
    count = int(np.prod(shape))
    flat = np.arange(count) * factor % 256
    return np.stack([flat >> (i * bits) & (2**bits - 1) for i in range(8 // bits)], -1).reshape(*shape[:-1], -1).astype(float)


def decoded(weight, scales, zeros):
    block = weight.shape[-1] // scales.shape[-1]
    return (weight - np.repeat(zeros, block, -1)) * np.repeat(scales, block, -1)


x, logits = numbers(0, 5, 16), numbers(1, 5, 4)
first = decoded(integers((4, 6, 8), 7, 4), numbers(3, 4, 6, 1), 8 * np.ones((4, 6, 1)))
second = decoded(integers((4, 16, 3), 11, 4), numbers(6, 4, 16, 1), 8 * np.ones((4, 16, 1)))
write("qmoe_rows", experts(x, logits, dense(first, numbers(4, 4, 6)), dense(second, np.zeros((4, 16))), lambda e, h: silu(h)))
first = decoded(integers((4, 32, 16), 7, 8), numbers(3, 4, 32, 2), integers((4, 32, 2), 5, 8))
second = decoded(integers((4, 16, 16), 11, 8), numbers(6, 4, 16, 2), integers((4, 16, 2), 3, 8))
write("qmoe_blocks", experts(x, logits, dense(first, np.zeros((4, 32))), dense(second, np.zeros((4, 16))),
                             lambda e, h: silu(h[::2]) * h[1::2], normalised=True))

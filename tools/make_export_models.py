#!/usr/bin/python3
"""Small models as torch.onnx writes the attention of well-known libraries, for tests/engine/test_exports.c.

    tools/make_export_models.py tests/data/exports

Needs python3-torch and python3-onnx. Each model is NAME.onnx with NAME.json: its inputs and what PyTorch computes for them, and how many
attentions are in it. Weights are random. The attention of each is written as its library does:
  distilbert  q / sqrt(K), masked_fill(mask == 0, lowest)                             (transformers, torch 1.x)
  bart        heads in the batch axis, bmm, the mask added to the scores shown with heads; a decoder with cross-attention
  neox        rotary embedding of a part of each head, and scaled_dot_product_attention as torch 2.x decomposes it
  t5          unscaled scores with a learned bias by distance
  whisper     convolutions before an encoder, q scaled before the product, no mask
  gqa         grouped queries repeated by expand, causal and padding masks joined (Llama, transformers 4.40)
"""
import json
import math
import os
import sys

import torch
from torch import nn
from torch.nn import functional as F

D, H, V, LAYERS = 32, 4, 48, 1
K = D // H


def heads(x, n_heads=H):
    return x.view(x.shape[0], -1, n_heads, K).transpose(1, 2)


def unheads(x):
    return x.transpose(1, 2).contiguous().view(x.shape[0], -1, D)


class Layer(nn.Module):
    """Projections, residuals, norms and the feed-forward part that all of them share."""

    def __init__(self, n_kv=H, activation=F.gelu):
        super().__init__()
        self.q, self.out = nn.Linear(D, D), nn.Linear(D, D)
        self.k, self.v = nn.Linear(D, n_kv * K), nn.Linear(D, n_kv * K)
        self.norm1, self.norm2 = nn.LayerNorm(D), nn.LayerNorm(D)
        self.up, self.down = nn.Linear(D, 2 * D), nn.Linear(2 * D, D)
        self.activation = activation

    def finish(self, x, attended):
        x = self.norm1(x + self.out(attended))
        return self.norm2(x + self.down(self.activation(self.up(x))))


class DistilLayer(Layer):
    def forward(self, x, mask):
        q, k, v = heads(self.q(x)), heads(self.k(x)), heads(self.v(x))
        scores = torch.matmul(q / math.sqrt(K), k.transpose(2, 3))
        drop = (mask == 0).view(x.shape[0], 1, 1, x.shape[1]).expand_as(scores)
        weights = F.softmax(scores.masked_fill(drop, torch.finfo(torch.float32).min), dim=-1)
        return self.finish(x, unheads(torch.matmul(weights, v)))


class DistilBert(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.positions, self.norm = nn.Embedding(V, D), nn.Embedding(64, D), nn.LayerNorm(D)
        self.layers = nn.ModuleList(DistilLayer() for _ in range(LAYERS))
        self.register_buffer("ids", torch.arange(64)[None])

    def forward(self, input_ids, attention_mask):
        x = self.norm(self.words(input_ids) + self.positions(self.ids[:, :input_ids.shape[1]]))
        for layer in self.layers:
            x = layer(x, attention_mask)
        return x


class BartAttention(Layer):
    def attend(self, x, source, mask):
        batch, n_new, _ = x.shape
        q = heads(self.q(x) * K ** -0.5).reshape(batch * H, -1, K)
        k, v = heads(self.k(source)).reshape(batch * H, -1, K), heads(self.v(source)).reshape(batch * H, -1, K)
        scores = torch.bmm(q, k.transpose(1, 2))
        if mask is not None:
            scores = (scores.view(batch, H, n_new, -1) + mask).view(batch * H, n_new, -1)
        attended = torch.bmm(F.softmax(scores, dim=-1), v)
        return attended.view(batch, H, n_new, K).transpose(1, 2).reshape(batch, n_new, D)

    def forward(self, x, source, mask):
        return self.finish(x, self.attend(x, source, mask))


class Bart(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(V, D)
        self.encoder, self.decoder, self.cross = BartAttention(), BartAttention(), BartAttention()

    def forward(self, input_ids, decoder_ids):
        source, x = self.words(input_ids), self.words(decoder_ids)
        n_new = decoder_ids.shape[1]
        source = self.encoder(source, source, None)
        causal = torch.full((n_new, n_new), float("-inf")).triu(1)[None, None].expand(x.shape[0], 1, n_new, n_new)
        return self.cross(self.decoder(x, x, causal), source, None)


def rotate_half(x):
    first, second = x[..., :x.shape[-1] // 2], x[..., x.shape[-1] // 2:]
    return torch.cat((-second, first), dim=-1)


def rotary_tables(n_positions, width):
    angles = torch.arange(n_positions).float()[:, None] * (10000 ** (-torch.arange(0, width, 2).float() / width))[None]
    both = torch.cat((angles, angles), dim=-1)
    return both.cos()[None, None], both.sin()[None, None]


class NeoxLayer(Layer):
    R = K // 2

    def turn(self, x):
        cos, sin = rotary_tables(64, self.R)
        cos, sin = cos[:, :, :x.shape[2]], sin[:, :, :x.shape[2]]
        part, rest = x[..., :self.R], x[..., self.R:]
        return torch.cat((part * cos + rotate_half(part) * sin, rest), dim=-1)

    def forward(self, x, causal):
        q, k, v = self.turn(heads(self.q(x))), self.turn(heads(self.k(x))), heads(self.v(x))
        scale = math.sqrt(1 / math.sqrt(K))
        weights = F.softmax(torch.matmul(q * scale, k.transpose(-1, -2) * scale) + causal, dim=-1)
        return self.finish(x, unheads(torch.matmul(weights, v)))


class Neox(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(V, D)
        self.layers = nn.ModuleList(NeoxLayer() for _ in range(LAYERS))
        self.head = nn.Linear(D, V, bias=False)

    def forward(self, input_ids):
        n = input_ids.shape[1]
        causal = torch.where(torch.ones(n, n).tril() > 0, torch.zeros(()), torch.full((), float("-inf")))
        x = self.words(input_ids)
        for layer in self.layers:
            x = layer(x, causal)
        return self.head(x)


class T5Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(D) + 0.5)

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


class T5Layer(Layer):
    def __init__(self):
        super().__init__(activation=F.relu)
        self.norm1, self.norm2 = T5Norm(), T5Norm()

    def forward(self, x, bias):
        normed = self.norm1(x)
        q, k, v = heads(self.q(normed)), heads(self.k(normed)), heads(self.v(normed))
        scores = torch.matmul(q, k.transpose(3, 2))
        scores += bias
        weights = F.softmax(scores.float(), dim=-1).type_as(scores)
        x = x + self.out(unheads(torch.matmul(weights, v)))
        return x + self.down(self.activation(self.up(self.norm2(x))))


class T5(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.distances = nn.Embedding(V, D), nn.Embedding(32, H)
        self.layers = nn.ModuleList(T5Layer() for _ in range(LAYERS))

    def forward(self, input_ids, attention_mask):
        n = input_ids.shape[1]
        positions = torch.arange(n)
        bias = self.distances((positions[None] - positions[:, None]).clamp(-15, 15) + 15).permute(2, 0, 1)[None]
        bias = bias + (1.0 - attention_mask[:, None, None].float()) * torch.finfo(torch.float32).min
        x = self.words(input_ids)
        for layer in self.layers:
            x = layer(x, bias)
        return x


class WhisperLayer(BartAttention):
    def forward(self, x):
        normed = self.norm1(x)
        x = x + self.out(self.attend(normed, normed, None))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Whisper(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv1d(8, D, 3, padding=1), nn.Conv1d(D, D, 3, stride=2, padding=1)
        self.positions = nn.Parameter(torch.randn(20, D) * 0.1)
        self.layers = nn.ModuleList(WhisperLayer() for _ in range(LAYERS))

    def forward(self, features):
        x = F.gelu(self.conv2(F.gelu(self.conv1(features)))).permute(0, 2, 1) + self.positions
        for layer in self.layers:
            x = layer(x)
        return x


class GroupedLayer(Layer):
    def __init__(self):
        super().__init__(n_kv=2, activation=F.silu)
        self.gate = nn.Linear(D, 2 * D)

    def repeat(self, x):
        batch, n_kv, n, width = x.shape
        return x[:, :, None].expand(batch, n_kv, H // 2, n, width).reshape(batch, H, n, width)

    def forward(self, x, mask, cos, sin):
        q, k, v = heads(self.q(x)), heads(self.k(x), 2), heads(self.v(x), 2)
        q, k = q * cos + rotate_half(q) * sin, k * cos + rotate_half(k) * sin
        scores = torch.matmul(q, self.repeat(k).transpose(2, 3)) / math.sqrt(K) + mask
        weights = F.softmax(scores, dim=-1, dtype=torch.float32).to(q.dtype)
        x = self.norm1(x + self.out(unheads(torch.matmul(weights, self.repeat(v)))))
        return self.norm2(x + self.down(self.activation(self.gate(x)) * self.up(x)))


class Grouped(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(V, D)
        self.layers = nn.ModuleList(GroupedLayer() for _ in range(LAYERS))

    def forward(self, input_ids, attention_mask):
        n = input_ids.shape[1]
        lowest = torch.finfo(torch.float32).min
        causal = torch.full((n, n), lowest).triu(1)[None, None]
        padding = (1.0 - attention_mask[:, None, None].float()) * lowest
        mask = torch.clamp(causal + padding, min=lowest)
        cos, sin = rotary_tables(64, K)
        x = self.words(input_ids)
        for layer in self.layers:
            x = layer(x, mask, cos[:, :, :n], sin[:, :, :n])
        return x


def ids(batch, n):
    return torch.randint(0, V, (batch, n))


def padding_mask():
    return torch.tensor([[1] * 7, [1] * 5 + [0] * 2])


def cases():
    text = {0: "batch", 1: "sequence"}
    both = {"input_ids": text, "attention_mask": text}
    yield "distilbert", DistilBert(), {"input_ids": ids(2, 7), "attention_mask": padding_mask()}, both, LAYERS
    yield "bart", Bart(), {"input_ids": ids(2, 7), "decoder_ids": ids(2, 5)}, {"input_ids": text, "decoder_ids": {0: "batch", 1: "new"}}, 3
    yield "neox", Neox(), {"input_ids": ids(2, 7)}, {"input_ids": text}, LAYERS
    yield "t5", T5(), {"input_ids": ids(2, 7), "attention_mask": padding_mask()}, both, LAYERS
    yield "whisper", Whisper(), {"features": torch.randn(2, 8, 40)}, {"features": {0: "batch"}}, LAYERS
    yield "gqa", Grouped(), {"input_ids": ids(2, 7), "attention_mask": padding_mask()}, both, LAYERS


def as_json(tensor):
    kind = "int64" if tensor.dtype == torch.int64 else "float32"
    return {"type": kind, "dims": list(tensor.shape), "items": [float("%.8g" % x) if kind == "float32" else x for x in tensor.flatten().tolist()]}


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for name, model, inputs, axes, n_attentions in cases():
        torch.manual_seed(len(name))
        model.eval()
        with torch.no_grad():
            output = model(*inputs.values())
        torch.onnx.export(model, tuple(inputs.values()), os.path.join(folder, name + ".onnx"), input_names=list(inputs), output_names=["y"],
                          dynamic_axes=axes, opset_version=14)
        golden = {"n_attentions": n_attentions, "inputs": {key: as_json(value) for key, value in inputs.items()}, "output": as_json(output)}
        with open(os.path.join(folder, name + ".json"), "w") as file:
            json.dump(golden, file, separators=(",", ":"))


if __name__ == "__main__":
    main()

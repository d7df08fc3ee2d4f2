#!/usr/bin/python3
"""Writes tests/data/encoders/: one tiny random sentence encoder an architecture, as safetensors and as GGUF, with expected outputs.

    tools/make_tiny_encoders.py tests/data/encoders

As tools/make_tiny_models.py, which lends it writers and random weights: forward passes from the papers in float64 PyTorch, a text at a
time, with the matrix of scores written out. Seeds are fixed: running it again changes nothing. tools/make_tiny_classifiers.py puts heads on
the same encoders.
"""
import math
import os
import sys

import torch

from make_tiny_models import (EPSILON, Weights, gelu, layer_norm, linear, rotate, save, to_numpy, write_gguf, write_json,
                              write_safetensors)

N_VOCAB, N_POSITIONS = 24, 24
BORDERS = torch.tensor([0, 7, 8, 30])  # texts of 7, 1 and 22 tokens
BASE = {"vocab_size": N_VOCAB, "max_position_embeddings": N_POSITIONS, "hidden_size": 16, "num_hidden_layers": 2,
        "num_attention_heads": 2, "intermediate_size": 12, "layer_norm_eps": EPSILON, "hidden_act": "gelu"}


# ---- weights by a list of shapes ----

class Builder:
    def __init__(self, seed):
        self.make, self.w = Weights(seed), {}

    def matrix(self, name, n, k, has_bias=True, scale=0.25):
        self.w[name + ".weight"] = self.make(n, k, scale=scale)
        if has_bias:
            self.w[name + ".bias"] = self.make(n)

    def norm(self, name, width, has_bias=True):
        self.w[name + ".weight"] = self.make.norm(width)
        if has_bias:
            self.w[name + ".bias"] = self.make(width)

    def table(self, name, n, width, scale=0.5):
        self.w[name + ".weight"] = self.make(n, width, scale=scale)


# ---- what the papers say ----

def mix(q, k, v, n_heads, bias=0.0):
    """q, k and v [T,D]; bias broadcast to [H,T,T]."""
    q, k, v = (x.unflatten(1, (n_heads, -1)).transpose(0, 1) for x in (q, k, v))
    scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1]) + bias
    return (torch.softmax(scores, -1) @ v).transpose(0, 1).flatten(1)


def turn(x, n_heads, frequencies):
    return rotate(x.unflatten(1, (n_heads, -1)), frequencies).flatten(1)


def frequencies(base, width):
    return base ** (-torch.arange(0, width, 2).double() / width)


def normed(w, name, x):
    bias = w.get(name + ".bias")
    return layer_norm(x, w[name + ".weight"], 0 if bias is None else bias, EPSILON)


def distances(n):
    """[query, key]: position of the key minus that of the query."""
    return torch.arange(n)[None, :] - torch.arange(n)[:, None]


# ---- RoBERTa, DistilBERT, MPNet ----

def relative_buckets(n, n_buckets=32, farthest=128):
    far = distances(n)
    side = (far > 0).long() * (n_buckets // 2)
    far, n_near = far.abs(), n_buckets // 4
    log = n_near + (torch.log(far.clamp(min=1).double() / n_near) / math.log(farthest / n_near) * n_near).long()
    return side + torch.where(far < n_near, far, log.clamp(max=n_buckets // 2 - 1))


ROBERTA = {"layer": "encoder.layer.{}.", "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
           "o": "attention.output.dense", "o_norm": "attention.output.LayerNorm", "up": "intermediate.dense",
           "down": "output.dense", "norm": "output.LayerNorm"}
MPNET = ROBERTA | {"q": "attention.attn.q", "k": "attention.attn.k", "v": "attention.attn.v", "o": "attention.attn.o",
                   "o_norm": "attention.LayerNorm"}
DISTILBERT = {"layer": "transformer.layer.{}.", "q": "attention.q_lin", "k": "attention.k_lin", "v": "attention.v_lin",
              "o": "attention.out_lin", "o_norm": "sa_layer_norm", "up": "ffn.lin1", "down": "ffn.lin2", "norm": "output_layer_norm"}


def post_norm_weights(seed, names, n_positions, n_types):
    b = Builder(seed)
    b.table("embeddings.word_embeddings", N_VOCAB, 16, 1.0)
    b.table("embeddings.position_embeddings", n_positions, 16)
    if n_types:
        b.table("embeddings.token_type_embeddings", n_types, 16)
    b.norm("embeddings.LayerNorm", 16)
    for i in range(2):
        layer = names["layer"].format(i)
        for part in "qkvo":
            b.matrix(layer + names[part], 16, 16)
        b.matrix(layer + names["up"], 12, 16)
        b.matrix(layer + names["down"], 16, 12)
        b.norm(layer + names["o_norm"], 16)
        b.norm(layer + names["norm"], 16)
    return b


def post_norm_forward(w, names, ids, first_position, bias=0.0, types=0):
    x = w["embeddings.word_embeddings.weight"][ids]
    x = x + w["embeddings.position_embeddings.weight"][first_position:first_position + len(ids)]
    if "embeddings.token_type_embeddings.weight" in w:
        x = x + w["embeddings.token_type_embeddings.weight"][types]
    x = normed(w, "embeddings.LayerNorm", x)
    for i in range(2):
        name = {part: names["layer"].format(i) + names[part] for part in names}
        mixed = mix(*(linear(x, w, name[part]) for part in "qkv"), 2, bias)
        x = normed(w, name["o_norm"], x + linear(mixed, w, name["o"]))
        x = normed(w, name["norm"], x + linear(gelu(linear(x, w, name["up"])), w, name["down"]))
    return x


BERT_GGUF = {"embeddings.word_embeddings": "token_embd", "embeddings.position_embeddings": "position_embd",
             "embeddings.token_type_embeddings": "token_types", "embeddings.LayerNorm": "token_embd_norm", "q": "attn_q",
             "k": "attn_k", "v": "attn_v", "o": "attn_output", "o_norm": "attn_output_norm", "up": "ffn_up", "down": "ffn_down",
             "norm": "layer_output_norm"}


def post_norm_gguf(w, names, first_position):
    back, tensors = {names[part]: BERT_GGUF[part] for part in names if part != "layer"}, {}
    for name, x in w.items():
        module, part = name.rsplit(".", 1)
        if module.startswith(names["layer"].split("{")[0]):
            i, inner = module[len(names["layer"].split("{")[0]):].split(".", 1)
            tensors[f"blk.{i}.{back[inner]}.{part}"] = x
        else:
            tensors[f"{BERT_GGUF[module]}.{part}"] = x[first_position:] if "position" in module else x
    return tensors


def make_roberta(folder, head=None):
    n_rows = N_POSITIONS + 4  # the padding token is 3
    b = post_norm_weights(21, ROBERTA, n_rows, 1)
    config = BASE | {"model_type": "xlm-roberta", "max_position_embeddings": n_rows, "type_vocab_size": 1, "pad_token_id": 3,
                     "position_embedding_type": "absolute"}
    finish(folder, config, b, lambda ids: post_norm_forward(b.w, ROBERTA, ids, 4), "mean", prefix="roberta.", head=head)
    gguf(folder, "bert", post_norm_gguf(b.w, ROBERTA, 4), {"pooling_type": 1}, {"tokenizer.ggml.token_type_count": 1}, head=head)


def make_distilbert(folder, head=None):
    b = post_norm_weights(22, DISTILBERT, N_POSITIONS, 0)
    config = {"model_type": "distilbert", "dim": 16, "hidden_dim": 12, "n_layers": 2, "n_heads": 2, "vocab_size": N_VOCAB,
              "max_position_embeddings": N_POSITIONS, "activation": "gelu", "sinusoidal_pos_embds": False}
    # Its epsilon is not in its configuration.
    global EPSILON
    kept, EPSILON = EPSILON, 1e-12
    finish(folder, config, b, lambda ids: post_norm_forward(b.w, DISTILBERT, ids, 0), "cls", prefix="distilbert.", head=head)
    EPSILON = kept


def make_mpnet(folder, head=None):
    b = post_norm_weights(23, MPNET, N_POSITIONS + 2, 0)
    b.table("encoder.relative_attention_bias", 32, 2, 1.0)
    config = BASE | {"model_type": "mpnet", "max_position_embeddings": N_POSITIONS + 2, "pad_token_id": 1,
                     "relative_attention_num_buckets": 32}

    def forward(ids):
        bias = b.w["encoder.relative_attention_bias.weight"][relative_buckets(len(ids))].permute(2, 0, 1)
        return post_norm_forward(b.w, MPNET, ids, 2, bias)

    finish(folder, config, b, forward, "mean", head=head)


# ---- Nomic ----

def make_nomic(folder, head=None):
    b = Builder(24)
    b.table("embeddings.word_embeddings", N_VOCAB, 16, 1.0)
    b.table("embeddings.token_type_embeddings", 2, 16)
    b.norm("emb_ln", 16)
    for i in range(2):
        layer = f"encoder.layers.{i}."
        b.matrix(layer + "attn.Wqkv", 48, 16, False)
        b.matrix(layer + "attn.out_proj", 16, 16, False)
        b.matrix(layer + "mlp.fc11", 12, 16, False)
        b.matrix(layer + "mlp.fc12", 12, 16, False)
        b.matrix(layer + "mlp.fc2", 16, 12, False)
        b.norm(layer + "norm1", 16)
        b.norm(layer + "norm2", 16)
    w = b.w

    def forward(ids):
        x = normed(w, "emb_ln", w["embeddings.word_embeddings.weight"][ids] + w["embeddings.token_type_embeddings.weight"][0])
        for i in range(2):
            layer = f"encoder.layers.{i}."
            q, k, v = linear(x, w, layer + "attn.Wqkv").chunk(3, -1)
            turns = frequencies(1000.0, 8)
            mixed = mix(turn(q, 2, turns), turn(k, 2, turns), v, 2)
            x = normed(w, layer + "norm1", x + linear(mixed, w, layer + "attn.out_proj"))
            gate = linear(x, w, layer + "mlp.fc12")
            h = linear(x, w, layer + "mlp.fc11") * gate * torch.sigmoid(gate)
            x = normed(w, layer + "norm2", x + linear(h, w, layer + "mlp.fc2"))
        return x

    config = {"model_type": "nomic_bert", "n_embd": 16, "n_head": 2, "n_inner": 12, "n_layer": 2, "n_positions": 64,
              "vocab_size": N_VOCAB, "type_vocab_size": 2, "layer_norm_epsilon": EPSILON, "activation_function": "swiglu",
              "rotary_emb_base": 1000, "rotary_emb_fraction": 1.0, "rotary_emb_interleaved": False, "rotary_emb_scale_base": None,
              "rotary_scaling_factor": 2, "max_trained_positions": N_POSITIONS, "prenorm": False, "qkv_proj_bias": False,
              "mlp_fc1_bias": False, "mlp_fc2_bias": False, "causal": False, "use_rms_norm": False, "parallel_block": False,
              "scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False}
    finish(folder, config, b, forward, "mean", head=head)
    names = {"embeddings.word_embeddings": "token_embd", "embeddings.token_type_embeddings": "token_types",
             "emb_ln": "token_embd_norm", "attn.Wqkv": "attn_qkv", "attn.out_proj": "attn_output", "norm1": "attn_output_norm",
             "mlp.fc11": "ffn_up", "mlp.fc12": "ffn_gate", "mlp.fc2": "ffn_down", "norm2": "layer_output_norm"}
    gguf(folder, "nomic-bert", by_layer(w, "encoder.layers.", names), {"rope.freq_base": 1000.0, "pooling_type": 1},
         {"tokenizer.ggml.token_type_count": 2}, head=head)


# ---- Jina ----

def alibi_slopes(n_heads):
    """As the paper puts it: 2^(-8/n), 2^(-16/n) … for a power of two."""
    n = 2 ** int(math.log2(n_heads))
    slopes = [2 ** (-8 * (i + 1) / n) for i in range(n)]
    between = [2 ** (-8 * (i + 1) / (2 * n)) for i in range(2 * n)][0::2]
    return torch.tensor((slopes + between)[:n_heads])


def make_jina(folder, head=None):
    width, n_heads = 12, 3
    b = Builder(25)
    b.table("embeddings.word_embeddings", N_VOCAB, width, 1.0)
    b.table("embeddings.token_type_embeddings", 2, width)
    b.norm("embeddings.LayerNorm", width)
    for i in range(2):
        layer = f"encoder.layer.{i}."
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            b.matrix(layer + "attention." + name, width, width)
        b.norm(layer + "attention.output.LayerNorm", width)
        b.matrix(layer + "mlp.gated_layers", 2 * 12, width, False)
        b.matrix(layer + "mlp.wo", width, 12)
        b.norm(layer + "mlp.layernorm", width)
    w = b.w

    def forward(ids):
        x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.token_type_embeddings.weight"][0]
        x = normed(w, "embeddings.LayerNorm", x)
        bias = -alibi_slopes(n_heads)[:, None, None] * distances(len(ids)).abs()
        for i in range(2):
            layer = f"encoder.layer.{i}."
            mixed = mix(*(linear(x, w, layer + "attention.self." + name) for name in ("query", "key", "value")), n_heads, bias)
            x = normed(w, layer + "attention.output.LayerNorm", x + linear(mixed, w, layer + "attention.output.dense"))
            gate, up = linear(x, w, layer + "mlp.gated_layers").chunk(2, -1)
            x = normed(w, layer + "mlp.layernorm", x + linear(gelu(gate) * up, w, layer + "mlp.wo"))
        return x

    config = BASE | {"model_type": "bert", "hidden_size": width, "num_attention_heads": n_heads, "type_vocab_size": 2,
                     "position_embedding_type": "alibi", "feed_forward_type": "geglu", "emb_pooler": "mean"}
    finish(folder, config, b, forward, "mean", head=head)
    names = {"embeddings.word_embeddings": "token_embd", "embeddings.token_type_embeddings": "token_types",
             "embeddings.LayerNorm": "token_embd_norm", "attention.self.query": "attn_q", "attention.self.key": "attn_k",
             "attention.self.value": "attn_v", "attention.output.dense": "attn_output",
             "attention.output.LayerNorm": "attn_output_norm", "mlp.gated_layers": "ffn_up", "mlp.wo": "ffn_down",
             "mlp.layernorm": "layer_output_norm"}
    gguf(folder, "jina-bert-v2", by_layer(w, "encoder.layer.", names),
         {"pooling_type": 1, "embedding_length": width, "attention.head_count": n_heads}, {"tokenizer.ggml.token_type_count": 2}, head=head)


# ---- GTE ----

def make_gte(folder, head=None):
    b = Builder(26)
    b.table("embeddings.word_embeddings", N_VOCAB, 16, 1.0)
    b.table("embeddings.token_type_embeddings", 1, 16)
    b.norm("embeddings.LayerNorm", 16)
    for i in range(2):
        layer = f"encoder.layer.{i}."
        b.matrix(layer + "attention.qkv_proj", 48, 16)
        b.matrix(layer + "attention.o_proj", 16, 16)
        b.matrix(layer + "mlp.up_gate_proj", 24, 16, False)
        b.matrix(layer + "mlp.down_proj", 16, 12)
        b.norm(layer + "attn_ln", 16)
        b.norm(layer + "mlp_ln", 16)
    w = b.w

    def forward(ids):
        x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.token_type_embeddings.weight"][0]
        x = normed(w, "embeddings.LayerNorm", x)
        turns = frequencies(5000.0 * 2.0, 8) / 2.0 ** (2 / 8)
        for i in range(2):
            layer = f"encoder.layer.{i}."
            q, k, v = linear(x, w, layer + "attention.qkv_proj").chunk(3, -1)
            mixed = mix(turn(q, 2, turns), turn(k, 2, turns), v, 2)
            x = normed(w, layer + "attn_ln", x + linear(mixed, w, layer + "attention.o_proj"))
            up, gate = linear(x, w, layer + "mlp.up_gate_proj").chunk(2, -1)
            x = normed(w, layer + "mlp_ln", x + linear(up * gelu(gate), w, layer + "mlp.down_proj"))
        return x

    config = BASE | {"model_type": "new", "type_vocab_size": 1, "position_embedding_type": "rope", "rope_theta": 5000,
                     "rope_scaling": {"type": "ntk", "factor": 2.0}, "layer_norm_type": "layer_norm", "logn_attention_scale": False,
                     "pack_qkv": True}
    finish(folder, config, b, forward, "cls", prefix="new.", head=head)


# ---- ModernBERT ----

def make_modernbert(folder, head=None):
    b = Builder(27)
    b.table("embeddings.tok_embeddings", N_VOCAB, 16, 1.0)
    b.norm("embeddings.norm", 16, False)
    for i in range(3):
        if i:
            b.norm(f"layers.{i}.attn_norm", 16, False)
        b.matrix(f"layers.{i}.attn.Wqkv", 48, 16, False)
        b.matrix(f"layers.{i}.attn.Wo", 16, 16, False)
        b.norm(f"layers.{i}.mlp_norm", 16, False)
        b.matrix(f"layers.{i}.mlp.Wi", 24, 16, False)
        b.matrix(f"layers.{i}.mlp.Wo", 16, 12, False)
    b.norm("final_norm", 16, False)
    w = b.w

    def forward(ids):
        x = normed(w, "embeddings.norm", w["embeddings.tok_embeddings.weight"][ids])
        for i in range(3):
            is_local = i % 2 == 1
            turns = frequencies(1000.0 if is_local else 20000.0, 8)
            bias = torch.zeros(len(ids), len(ids))
            if is_local:
                bias = bias.masked_fill(distances(len(ids)).abs() > 8 // 2, -math.inf)
            h = normed(w, f"layers.{i}.attn_norm", x) if i else x
            q, k, v = linear(h, w, f"layers.{i}.attn.Wqkv").chunk(3, -1)
            x = x + linear(mix(turn(q, 2, turns), turn(k, 2, turns), v, 2, bias), w, f"layers.{i}.attn.Wo")
            gate, up = linear(normed(w, f"layers.{i}.mlp_norm", x), w, f"layers.{i}.mlp.Wi").chunk(2, -1)
            x = x + linear(gelu(gate) * up, w, f"layers.{i}.mlp.Wo")
        return normed(w, "final_norm", x)

    config = BASE | {"model_type": "modernbert", "num_hidden_layers": 3, "norm_eps": EPSILON, "hidden_activation": "gelu",
                     "global_rope_theta": 20000.0, "local_rope_theta": 1000.0, "local_attention": 8, "global_attn_every_n_layers": 2,
                     "attention_bias": False, "mlp_bias": False, "norm_bias": False}
    del config["layer_norm_eps"], config["hidden_act"]
    finish(folder, config, b, forward, "mean", prefix="model.", head=head)
    names = {"embeddings.tok_embeddings": "token_embd", "embeddings.norm": "token_embd_norm", "final_norm": "output_norm",
             "attn_norm": "attn_norm", "attn.Wqkv": "attn_qkv", "attn.Wo": "attn_output", "mlp_norm": "ffn_norm",
             "mlp.Wi": "ffn_up", "mlp.Wo": "ffn_down"}
    gguf(folder, "modern-bert", by_layer(w, "layers.", names),
         {"block_count": 3, "rope.freq_base": 20000.0, "rope.freq_base_swa": 1000.0, "attention.sliding_window": 8,
          "attention.sliding_window_pattern": 2, "pooling_type": 1}, head=head)


# ---- a language model that embeds ----

def make_qwen2(folder, head=None):
    b = Builder(28)
    b.table("embed_tokens", N_VOCAB, 16, 1.0)
    b.norm("layers.0.input_layernorm", 16, False)
    b.norm("layers.0.post_attention_layernorm", 16, False)
    for name, n in (("q", 16), ("k", 8), ("v", 8)):
        b.matrix(f"layers.0.self_attn.{name}_proj", n, 16)
    b.matrix("layers.0.self_attn.o_proj", 16, 16, False)
    b.matrix("layers.0.mlp.gate_proj", 12, 16, False)
    b.matrix("layers.0.mlp.up_proj", 12, 16, False)
    b.matrix("layers.0.mlp.down_proj", 16, 12, False)
    b.norm("norm", 16, False)
    w = b.w

    def forward(ids):
        def normed_by_rms(name, x):
            return x / torch.sqrt((x * x).mean(-1, keepdim=True) + EPSILON) * w[name + ".weight"]

        x = w["embed_tokens.weight"][ids]
        h = normed_by_rms("layers.0.input_layernorm", x)
        turns = frequencies(10000.0, 8)
        q = turn(linear(h, w, "layers.0.self_attn.q_proj"), 2, turns)
        k = turn(linear(h, w, "layers.0.self_attn.k_proj"), 1, turns).repeat(1, 2)
        v = linear(h, w, "layers.0.self_attn.v_proj").repeat(1, 2)
        later = torch.zeros(len(ids), len(ids)).masked_fill(distances(len(ids)) > 0, -math.inf)
        x = x + linear(mix(q, k, v, 2, later), w, "layers.0.self_attn.o_proj")
        h = normed_by_rms("layers.0.post_attention_layernorm", x)
        gate = linear(h, w, "layers.0.mlp.gate_proj")
        x = x + linear(gate * torch.sigmoid(gate) * linear(h, w, "layers.0.mlp.up_proj"), w, "layers.0.mlp.down_proj")
        return normed_by_rms("norm", x)

    config = BASE | {"model_type": "qwen2", "num_hidden_layers": 1, "num_key_value_heads": 1, "rms_norm_eps": EPSILON,
                     "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": True}
    finish(folder, config, b, forward, "lasttoken", head=head)
    names = {"embed_tokens": "token_embd", "norm": "output_norm", "input_layernorm": "attn_norm",
             "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
             "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate",
             "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
    gguf(folder, "qwen2", by_layer(w, "layers.", names),
         {"block_count": 1, "attention.head_count_kv": 1, "attention.layer_norm_rms_epsilon": EPSILON, "rope.freq_base": 10000.0,
          "attention.causal": True, "pooling_type": 3}, head=head)


# ---- files ----

def by_layer(w, prefix, names):
    tensors = {}
    for name, x in w.items():
        module, part = name.rsplit(".", 1)
        layer = ""
        if module.startswith(prefix):
            i, module = module[len(prefix):].split(".", 1)
            layer = f"blk.{i}."
        tensors[f"{layer}{names[module]}.{part}"] = x
    return tensors


def gguf(folder, architecture, tensors, values, others=None, head=None):
    values = {"block_count": 2, "embedding_length": 16, "context_length": N_POSITIONS, "feed_forward_length": 12,
              "attention.head_count": 2, "attention.layer_norm_epsilon": EPSILON, "attention.causal": False} | values
    if head and not head.has_gguf:
        return
    if head:
        tensors, values = tensors | head.gguf_tensors(), values | head.gguf_values()
    metadata = {"general.architecture": architecture} | (others or {})
    metadata |= {f"{architecture}.{key}": value for key, value in values.items()}
    write_gguf(folder + "/model.gguf", metadata, to_numpy(tensors), "F16")


def pool(hidden, mode):
    borders = list(zip(BORDERS[:-1], BORDERS[1:]))
    pick = {"mean": lambda x: x.mean(0), "cls": lambda x: x[0], "lasttoken": lambda x: x[-1]}[mode]
    pooled = torch.stack([pick(hidden[a:b]) for a, b in borders])
    return pooled / pooled.norm(dim=1, keepdim=True)


def finish(folder, config, builder, forward, mode, prefix="", head=None):
    if head:
        return head.finish(folder, config, builder, forward, prefix)
    os.makedirs(folder + "/1_Pooling", exist_ok=True)
    module = "sentence_transformers.models."
    write_json(folder + "/config.json", config)
    write_json(folder + "/modules.json", [{"idx": 0, "path": "", "type": module + "Transformer"},
                                          {"idx": 1, "path": "1_Pooling", "type": module + "Pooling"},
                                          {"idx": 2, "path": "2_Normalize", "type": module + "Normalize"}])
    write_json(folder + "/1_Pooling/config.json", {"pooling_mode_cls_token": mode == "cls",
                                                   "pooling_mode_mean_tokens": mode == "mean",
                                                   "pooling_mode_lasttoken": mode == "lasttoken"})
    write_safetensors(folder + "/model.safetensors", {prefix + k: v for k, v in to_numpy(builder.w).items()}, "BF16")
    ids = builder.make.ids(int(BORDERS[-1]), N_VOCAB)
    hidden = torch.cat([forward(ids[a:b]) for a, b in zip(BORDERS[:-1], BORDERS[1:])])
    save(folder, ids=ids, segments=BORDERS, hidden=hidden, embeddings=pool(hidden, mode))


def main(root):
    make_roberta(root + "/xlm-roberta")
    make_distilbert(root + "/distilbert")
    make_mpnet(root + "/mpnet")
    make_nomic(root + "/nomic-bert")
    make_jina(root + "/jina-bert-v2")
    make_gte(root + "/gte")
    make_modernbert(root + "/modernbert")
    make_qwen2(root + "/qwen2")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])

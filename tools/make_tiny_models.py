#!/usr/bin/python3
"""Writes tests/data/models/: one tiny random model an architecture, as safetensors and as GGUF, with expected outputs.

    tools/make_tiny_models.py tests/data/models

The forward passes below are written from the papers, in float64 PyTorch, in forms that differ from hob's where they can
(rotary positions as complex products, attention with a full score matrix). Weights are rounded so that float16 and bfloat16
hold them exactly: every file of a model must give the same numbers. Seeds are fixed: running it again changes nothing.
"""
import json
import math
import os
import struct
import sys

import numpy as np
import torch

torch.set_default_dtype(torch.float64)
GGUF_ALIGNMENT = 32
EPSILON = 2.0 ** -10  # far above the usual 1e-5, so that a norm that ignores it shows


# ---- writers ----

def bf16_bytes(array):
    bits = array.astype(np.float32).view(np.uint32)
    assert not (bits & 0xFFFF).any(), "weights were rounded to bfloat16"
    return (bits >> 16).astype(np.uint16).tobytes()


ENCODERS = {
    "F32": lambda a: a.astype(np.float32).tobytes(),
    "F16": lambda a: a.astype(np.float16).tobytes(),
    "F64": lambda a: a.astype(np.float64).tobytes(),
    "BF16": bf16_bytes,
    "I32": lambda a: a.astype(np.int32).tobytes(),
}


def write_safetensors(path, tensors, dtype):
    """tensors: {name: array or (array, dtype)}"""
    header, data = {}, b""
    for name, array in tensors.items():
        array, kind = array if isinstance(array, tuple) else (array, dtype)
        encoded = ENCODERS[kind](array)
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(encoded)]}
        data += encoded
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def gguf_string(text):
    return struct.pack("<Q", len(text.encode())) + text.encode()


def gguf_value(value):
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, list) and isinstance(value[0], str):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(gguf_string, value))
    if isinstance(value, list):  # of flags
        return struct.pack("<IIQ", 9, 7, len(value)) + bytes(value)
    return struct.pack("<I", 8) + gguf_string(value)


def write_gguf(path, metadata, tensors, dtype):
    """Vectors are F32 as llama.cpp's converters write them, matrices dtype."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    for key, value in metadata.items():
        head += gguf_string(key) + gguf_value(value)
    data = b""
    for name, array in tensors.items():
        kind = "F32" if array.ndim == 1 else dtype
        data += bytes(-len(data) % GGUF_ALIGNMENT)
        head += gguf_string(name) + struct.pack("<I", array.ndim)
        head += b"".join(struct.pack("<Q", n) for n in reversed(array.shape))
        head += struct.pack("<IQ", {"F32": 0, "F16": 1, "BF16": 30}[kind], len(data))
        data += ENCODERS[kind](array)
    with open(path, "wb") as file:
        file.write(head + bytes(-len(head) % GGUF_ALIGNMENT) + data)


def write_json(path, value):
    with open(path, "w") as file:
        json.dump(value, file, indent=1)
        file.write("\n")


# ---- random weights ----

class Weights:
    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, *shape, scale=0.25, centre=0.0):
        x = torch.randn(*shape, generator=self.generator) * scale + centre
        x = x.to(torch.bfloat16).double()
        return torch.where(x.abs() < 2.0 ** -13, torch.zeros_like(x), x)

    def norm(self, width):
        return self(width, scale=0.2, centre=1.0)

    def ids(self, n, n_vocab):
        return torch.randint(0, n_vocab, (n,), generator=self.generator)


def to_numpy(tensors):
    return {name: x.numpy() for name, x in tensors.items()}


# ---- what the papers say ----

def rms_norm(x, weight, epsilon):
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + epsilon) * weight


def layer_norm(x, weight, bias, epsilon):
    mean = x.mean(-1, keepdim=True)
    return (x - mean) / torch.sqrt(((x - mean) ** 2).mean(-1, keepdim=True) + epsilon) * weight + bias


def gelu(x):
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def gelu_tanh(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def rotate(x, frequencies):
    """x [T,H,K]: pair (i, i + K/2) is a complex number that turns by position * frequency i."""
    half = x.shape[-1] // 2
    angles = torch.arange(x.shape[0])[:, None].double() * frequencies[None, :]
    turned = torch.complex(x[..., :half], x[..., half:]) * torch.polar(torch.ones_like(angles), angles)[:, None, :]
    return torch.cat([turned.real, turned.imag], -1)


def attention(q, k, v, is_causal):
    """q [T,H,K], k and v [T,Hkv,K]"""
    n_groups = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(n_groups, 1), v.repeat_interleave(n_groups, 1)
    scores = torch.einsum("thk,shk->hts", q, k) / math.sqrt(q.shape[-1])
    if is_causal:
        scores = scores.masked_fill(torch.triu(torch.ones(scores.shape[1:]), 1).bool(), -math.inf)
    return torch.einsum("hts,shk->thk", torch.softmax(scores, -1), v).flatten(1)


def linear(x, w, name):
    bias = w.get(name + ".bias")
    y = x @ w[name + ".weight"].T
    return y if bias is None else y + bias


# ---- Llama and Qwen2 ----

def rope_frequencies(config, head_width):
    base = config["rope_theta"]
    frequencies = base ** (-torch.arange(0, head_width, 2).double() / head_width)
    scaling = config.get("rope_scaling")
    if not scaling:
        return frequencies
    if scaling.get("type") == "linear":
        return frequencies / scaling["factor"]
    wavelengths = 2 * math.pi / frequencies
    context = scaling["original_max_position_embeddings"]
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    smooth = ((context / wavelengths - low) / (high - low)).clamp(0, 1)
    return (1 - smooth) * frequencies / scaling["factor"] + smooth * frequencies


def make_rotary_weights(seed, config, has_qkv_bias, has_output_bias):
    w, make = {}, Weights(seed)
    width, ff = config["hidden_size"], config["intermediate_size"]
    n_heads, n_kv = config["num_attention_heads"], config["num_key_value_heads"]
    head = config.get("head_dim") or width // n_heads
    w["model.embed_tokens.weight"] = make(config["vocab_size"], width, scale=1.0)
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        w[layer + "input_layernorm.weight"] = make.norm(width)
        w[layer + "post_attention_layernorm.weight"] = make.norm(width)
        for name, n, k in (("q", n_heads * head, width), ("k", n_kv * head, width), ("v", n_kv * head, width),
                           ("o", width, n_heads * head)):
            w[f"{layer}self_attn.{name}_proj.weight"] = make(n, k)
            if has_output_bias if name == "o" else has_qkv_bias:
                w[f"{layer}self_attn.{name}_proj.bias"] = make(n)
        for name, n, k in (("gate", ff, width), ("up", ff, width), ("down", width, ff)):
            w[f"{layer}mlp.{name}_proj.weight"] = make(n, k)
    w["model.norm.weight"] = make.norm(width)
    if not config["tie_word_embeddings"]:
        w["lm_head.weight"] = make(config["vocab_size"], width)
    return w, make


def rotary_forward(w, config, ids):
    n_heads, n_kv = config["num_attention_heads"], config["num_key_value_heads"]
    head = config.get("head_dim") or config["hidden_size"] // n_heads
    frequencies, epsilon = rope_frequencies(config, head), config["rms_norm_eps"]
    x = w["model.embed_tokens.weight"][ids]
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        h = rms_norm(x, w[layer + "input_layernorm.weight"], epsilon)
        q, k, v = (linear(h, w, f"{layer}self_attn.{name}_proj").unflatten(1, (n, head))
                   for name, n in (("q", n_heads), ("k", n_kv), ("v", n_kv)))
        mixed = attention(rotate(q, frequencies), rotate(k, frequencies), v, True)
        x = x + linear(mixed, w, layer + "self_attn.o_proj")
        h = rms_norm(x, w[layer + "post_attention_layernorm.weight"], epsilon)
        gate, up = linear(h, w, layer + "mlp.gate_proj"), linear(h, w, layer + "mlp.up_proj")
        x = x + linear(gate * torch.sigmoid(gate) * up, w, layer + "mlp.down_proj")
    x = rms_norm(x, w["model.norm.weight"], epsilon)
    return x @ w.get("lm_head.weight", w["model.embed_tokens.weight"]).T


def interleave(x, n_heads):
    """Rows (i, i + K/2) of each head become neighbours, as GGUF has Llama's q and k."""
    half = x.shape[0] // n_heads // 2
    order = [h * 2 * half + part * half + i for h in range(n_heads) for i in range(half) for part in (0, 1)]
    return x[order]


ROTARY_GGUF = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
               "self_attn.o_proj": "attn_output", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
               "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}


def rotary_gguf(w, config, architecture):
    tensors = {}
    for name, x in w.items():
        module, part = name.removeprefix("model.").rsplit(".", 1)
        if module.startswith("layers."):
            _, i, module = module.split(".", 2)
            if architecture == "llama" and module.endswith(("q_proj", "k_proj")):
                heads = "num_attention_heads" if module.endswith("q_proj") else "num_key_value_heads"
                x = interleave(x, config[heads])
            tensors[f"blk.{i}.{ROTARY_GGUF[module]}.{part}"] = x
        else:
            top = {"embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output"}[module]
            tensors[f"{top}.{part}"] = x
    head = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    metadata = {"general.architecture": architecture}
    values = {"block_count": config["num_hidden_layers"], "embedding_length": config["hidden_size"],
              "context_length": config["max_position_embeddings"], "feed_forward_length": config["intermediate_size"],
              "attention.head_count": config["num_attention_heads"],
              "attention.head_count_kv": config["num_key_value_heads"], "attention.key_length": head,
              "attention.value_length": head, "rope.dimension_count": head, "rope.freq_base": config["rope_theta"],
              "attention.layer_norm_rms_epsilon": config["rms_norm_eps"]}
    scaling = config.get("rope_scaling") or {}
    if scaling.get("type") == "linear":
        values |= {"rope.scaling.type": "linear", "rope.scaling.factor": scaling["factor"]}
    elif scaling:
        plain = rope_frequencies(config | {"rope_scaling": None}, head)
        tensors["rope_freqs.weight"] = plain / rope_frequencies(config, head)
    metadata |= {f"{architecture}.{key}": value for key, value in values.items()}
    return metadata | {"tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2}, tensors


def make_rotary(folder, seed, config, has_qkv_bias=False, has_output_bias=False, kinds=("BF16", "F16"), prefix="model."):
    os.makedirs(folder, exist_ok=True)
    w, make = make_rotary_weights(seed, config, has_qkv_bias, has_output_bias)
    ids = make.ids(20, config["vocab_size"])
    config |= {"bos_token_id": 1, "eos_token_id": 2}
    write_json(folder + "/config.json", config)
    named = {name.replace("model.", prefix, 1): x for name, x in to_numpy(w).items()}
    write_safetensors(folder + "/model.safetensors", named, kinds[0])
    metadata, tensors = rotary_gguf(w, config, config["model_type"])
    write_gguf(folder + "/model.gguf", metadata, to_numpy(tensors), kinds[1])
    save(folder, ids=ids, logits=rotary_forward(w, config, ids))


# ---- GPT-2 ----

def make_gpt2(folder, seed):
    os.makedirs(folder, exist_ok=True)
    width, n_heads, n_layers, n_vocab, n_positions = 32, 4, 2, 64, 24
    config = {"model_type": "gpt2", "n_embd": width, "n_head": n_heads, "n_layer": n_layers, "n_positions": n_positions,
              "vocab_size": n_vocab, "n_inner": None, "layer_norm_epsilon": EPSILON, "activation_function": "gelu_new",
              "bos_token_id": 63, "eos_token_id": 63}
    make = Weights(seed)
    w = {"wte.weight": make(n_vocab, width, scale=1.0), "wpe.weight": make(n_positions, width, scale=0.5)}
    for i in range(n_layers):
        for norm in ("ln_1", "ln_2"):
            w[f"h.{i}.{norm}.weight"], w[f"h.{i}.{norm}.bias"] = make.norm(width), make(width)
        for name, k, n in (("attn.c_attn", width, 3 * width), ("attn.c_proj", width, width),
                           ("mlp.c_fc", width, 4 * width), ("mlp.c_proj", 4 * width, width)):
            w[f"h.{i}.{name}.weight"], w[f"h.{i}.{name}.bias"] = make(k, n), make(n)
    w["ln_f.weight"], w["ln_f.bias"] = make.norm(width), make(width)
    ids = make.ids(20, n_vocab)
    write_json(folder + "/config.json", config)
    write_safetensors(folder + "/model.safetensors", {"transformer." + k: v for k, v in to_numpy(w).items()}, "BF16")
    write_gguf(folder + "/model.gguf", *gpt2_gguf(w, config), "F16")
    save(folder, ids=ids, logits=gpt2_forward(w, config, ids))


def gpt2_forward(w, config, ids):
    def conv1d(x, name):
        return x @ w[name + ".weight"] + w[name + ".bias"]

    def norm(x, name):
        return layer_norm(x, w[name + ".weight"], w[name + ".bias"], config["layer_norm_epsilon"])

    width, n_heads = config["n_embd"], config["n_head"]
    x = w["wte.weight"][ids] + w["wpe.weight"][:len(ids)]
    for i in range(config["n_layer"]):
        q, k, v = conv1d(norm(x, f"h.{i}.ln_1"), f"h.{i}.attn.c_attn").split(width, 1)
        mixed = attention(*(t.unflatten(1, (n_heads, -1)) for t in (q, k, v)), True)
        x = x + conv1d(mixed, f"h.{i}.attn.c_proj")
        x = x + conv1d(gelu_tanh(conv1d(norm(x, f"h.{i}.ln_2"), f"h.{i}.mlp.c_fc")), f"h.{i}.mlp.c_proj")
    return norm(x, "ln_f") @ w["wte.weight"].T


def gpt2_gguf(w, config):
    names = {"wte": "token_embd", "wpe": "position_embd", "ln_f": "output_norm", "ln_1": "attn_norm", "ln_2": "ffn_norm",
             "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"}
    tensors = {}
    for name, x in w.items():
        module, part = name.rsplit(".", 1)
        _, i, inner = module.split(".", 2) if module.startswith("h.") else ("", "", module)
        if ".c_" in name and part == "weight":
            x = x.T
        tensors[f"{f'blk.{i}.' if i else ''}{names[inner]}.{part}"] = np.ascontiguousarray(x.numpy())
    values = {"block_count": config["n_layer"], "embedding_length": config["n_embd"], "context_length": config["n_positions"],
              "feed_forward_length": 4 * config["n_embd"], "attention.head_count": config["n_head"],
              "attention.layer_norm_epsilon": config["layer_norm_epsilon"]}
    return {"general.architecture": "gpt2"} | {"gpt2." + key: value for key, value in values.items()}, tensors


# ---- BERT ----

BERT_GGUF = {"embeddings.word_embeddings": "token_embd", "embeddings.position_embeddings": "position_embd",
             "embeddings.token_type_embeddings": "token_types", "embeddings.LayerNorm": "token_embd_norm",
             "attention.self.query": "attn_q", "attention.self.key": "attn_k", "attention.self.value": "attn_v",
             "attention.output.dense": "attn_output", "attention.output.LayerNorm": "attn_output_norm",
             "intermediate.dense": "ffn_up", "output.dense": "ffn_down", "output.LayerNorm": "layer_output_norm"}


def make_bert(folder, seed):
    os.makedirs(folder + "/1_Pooling", exist_ok=True)
    width, n_heads, ff, n_vocab = 32, 4, 48, 64
    config = {"model_type": "bert", "hidden_size": width, "num_hidden_layers": 2, "num_attention_heads": n_heads,
              "intermediate_size": ff, "vocab_size": n_vocab, "max_position_embeddings": 24, "type_vocab_size": 2,
              "layer_norm_eps": EPSILON, "hidden_act": "gelu", "position_embedding_type": "absolute"}
    make = Weights(seed)
    w = {"embeddings.word_embeddings.weight": make(n_vocab, width, scale=1.0),
         "embeddings.position_embeddings.weight": make(24, width, scale=0.5),
         "embeddings.token_type_embeddings.weight": make(2, width, scale=0.5)}
    norms = ["embeddings.LayerNorm"]
    for i in range(2):
        layer = f"encoder.layer.{i}."
        for name, n, k in (("attention.self.query", width, width), ("attention.self.key", width, width),
                           ("attention.self.value", width, width), ("attention.output.dense", width, width),
                           ("intermediate.dense", ff, width), ("output.dense", width, ff)):
            w[layer + name + ".weight"], w[layer + name + ".bias"] = make(n, k), make(n)
        norms += [layer + "attention.output.LayerNorm", layer + "output.LayerNorm"]
    for name in norms:
        w[name + ".weight"], w[name + ".bias"] = make.norm(width), make(width)
    ids, segments = make.ids(18, n_vocab), torch.tensor([0, 7, 8, 18])
    types = (torch.arange(18) % 5 > 2).long()
    write_bert(folder, w, config)
    save(folder, ids=ids, segments=segments, token_types=types, hidden=bert_forward(w, config, ids, types, segments))


def write_bert(folder, w, config):
    # As the first published checkpoints spell it: with the prefix, norms' parts called gamma and beta.
    old = {"bert." + k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v
           for k, v in to_numpy(w).items()}
    write_safetensors(folder + "/model.safetensors", old, "F16")
    write_json(folder + "/config.json", config)
    write_json(folder + "/modules.json", [{"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
                                          {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}])
    write_json(folder + "/1_Pooling/config.json", {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False})
    write_json(folder + "/sentence_bert_config.json", {"max_seq_length": 16, "do_lower_case": False})
    tensors = {}
    for name, x in w.items():
        module, part = name.rsplit(".", 1)
        layer = ""
        if module.startswith("encoder.layer."):
            layer = f"blk.{module.split('.')[2]}."
            module = module.split(".", 3)[3]
        tensors[f"{layer}{BERT_GGUF[module]}.{part}"] = x.numpy()
    values = {"block_count": 2, "embedding_length": 32, "context_length": 24, "feed_forward_length": 48,
              "attention.head_count": 4, "attention.layer_norm_epsilon": EPSILON, "attention.causal": False, "pooling_type": 2}
    metadata = {"general.architecture": "bert", "tokenizer.ggml.token_type_count": 2}
    write_gguf(folder + "/model.gguf", metadata | {"bert." + k: v for k, v in values.items()}, tensors, "F32")


def bert_forward(w, config, ids, types, segments):
    def norm(x, name):
        return layer_norm(x, w[name + ".weight"], w[name + ".bias"], config["layer_norm_eps"])

    def sentence(ids, types):
        x = (w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][:len(ids)]
             + w["embeddings.token_type_embeddings.weight"][types])
        x = norm(x, "embeddings.LayerNorm")
        for i in range(config["num_hidden_layers"]):
            layer = f"encoder.layer.{i}."
            q, k, v = (linear(x, w, f"{layer}attention.self.{n}").unflatten(1, (config["num_attention_heads"], -1))
                       for n in ("query", "key", "value"))
            mixed = linear(attention(q, k, v, False), w, layer + "attention.output.dense")
            x = norm(x + mixed, layer + "attention.output.LayerNorm")
            h = linear(gelu(linear(x, w, layer + "intermediate.dense")), w, layer + "output.dense")
            x = norm(x + h, layer + "output.LayerNorm")
        return x

    borders = list(zip(segments[:-1], segments[1:]))
    return torch.cat([sentence(ids[a:b], types[a:b]) for a, b in borders])


# ---- static embeddings ----

def make_model2vec(folder, seed):
    os.makedirs(folder, exist_ok=True)
    make = Weights(seed)
    rows, weights, mapping = make(16, 8, scale=1.0), make(40, scale=0.5, centre=1.0), make.ids(40, 16)
    ids = make.ids(12, 40)
    write_json(folder + "/config.json", {"model_type": "model2vec", "hidden_dim": 8, "normalize": False})
    write_safetensors(folder + "/model.safetensors",
                      {"embeddings": (rows.numpy(), "F16"), "weights": (weights.numpy(), "F64"),
                       "mapping": (mapping.numpy(), "I32")}, None)
    save(folder, ids=ids, hidden=rows[mapping[ids]] * weights[ids][:, None])


def save(folder, **arrays):
    for name, array in arrays.items():
        array = array.numpy()
        np.save(f"{folder}/{name}.npy", array.astype(np.float32) if array.dtype == np.float64 else array)


def main(root):
    small = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
             "num_key_value_heads": 2, "vocab_size": 64, "max_position_embeddings": 64, "rms_norm_eps": EPSILON,
             "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": False}
    make_rotary(root + "/qwen2", 1, small | {"model_type": "qwen2", "rope_theta": 1000000.0, "use_sliding_window": False,
                                            "sliding_window": 16, "tie_word_embeddings": True}, has_qkv_bias=True)
    # Heads wider than width / heads, biases, Llama 3's scaling with all three of its ranges.
    llama3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
              "original_max_position_embeddings": 32}
    make_rotary(root + "/llama3", 2, small | {"model_type": "llama", "head_dim": 16, "attention_bias": True,
                                             "rope_scaling": llama3}, has_qkv_bias=True, has_output_bias=True)
    # One key/value head for all, linear scaling, names without prefix.
    make_rotary(root + "/llama-linear", 3, small | {"model_type": "llama", "num_key_value_heads": 1, "num_hidden_layers": 1,
                "head_dim": None, "rope_scaling": {"type": "linear", "factor": 4.0}}, kinds=("F32", "BF16"), prefix="")
    # Heads of 32 numbers, which caches of q8_0 and q4_0 can hold, and room for several blocks of 64 positions.
    make_rotary(root + "/llama-wide", 7, small | {"model_type": "llama", "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 32,
                                                 "max_position_embeddings": 512})
    make_gpt2(root + "/gpt2", 4)
    make_bert(root + "/bert", 5)
    make_model2vec(root + "/model2vec", 6)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])

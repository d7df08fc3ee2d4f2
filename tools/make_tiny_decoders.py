#!/usr/bin/python3
"""Writes tiny random decoders of many architectures, as safetensors and as GGUF, with expected logits, and logits of every scaling of
rotary positions.

    tools/make_tiny_decoders.py tests/data/models            the files of the tests
    tools/make_tiny_decoders.py FOLDER --peer                GGUF that llama.cpp opens too: a vocabulary, layers in its own patterns

Each forward pass is written from its paper and from what the authors published, in float64 PyTorch with full score matrices and
complex rotations (make_tiny_models.py, whose tools this borrows). Seeds are fixed: running it again changes nothing.
"""
import math
import os
import sys

import torch

from make_tiny_models import (EPSILON, Weights, gelu, gelu_tanh, interleave, layer_norm, linear, rms_norm, save, to_numpy,
                              write_gguf, write_json, write_safetensors)

N_VOCAB, WIDTH, FF, N_IDS = 20, 16, 20, 14
IS_FOR_PEER = "--peer" in sys.argv
BASE = {"hidden_size": WIDTH, "intermediate_size": FF, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
        "head_dim": 8, "vocab_size": N_VOCAB, "max_position_embeddings": 32, "rope_theta": 10000.0, "tie_word_embeddings": False,
        "bos_token_id": 1, "eos_token_id": 2}
RMS, LAYER = {"rms_norm_eps": EPSILON}, {"layer_norm_eps": EPSILON}


# ---- what the papers say ----

def frequencies(base, width):
    return base ** (-torch.arange(0, width, 2).double() / width)


def turn(x, angular, scale=1.0):
    """x [T,H,K]: of the first 2 * len(angular) numbers, pair (i, i + half) is a complex number that turns."""
    half = len(angular)
    angles = torch.arange(x.shape[0])[:, None].double() * angular[None, :]
    turned = torch.complex(x[..., :half], x[..., half:2 * half]) * torch.polar(torch.full_like(angles, scale), angles)[:, None, :]
    return torch.cat([turned.real, turned.imag, x[..., 2 * half:]], -1)


def attend(q, k, v, scale=None, window=None, cap=None):
    n_groups = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(n_groups, 1), v.repeat_interleave(n_groups, 1)
    scores = torch.einsum("thk,shk->hts", q, k) * (scale or q.shape[-1] ** -0.5)
    if cap:
        scores = cap * torch.tanh(scores / cap)
    t, s = torch.arange(len(q))[:, None], torch.arange(len(q))[None, :]
    hidden = (s > t) | (s <= t - (window or len(q)))
    return torch.einsum("hts,shk->thk", torch.softmax(scores.masked_fill(hidden, -math.inf), -1), v).flatten(1)


def silu(x):
    return x * torch.sigmoid(x)


class Model:
    """Weights by Hugging Face's names, and what a pass through them needs."""

    def __init__(self, w, config):
        self.w, self.config = w, config
        self.n_heads, self.n_kv = config["num_attention_heads"], config.get("num_key_value_heads", config["num_attention_heads"])

    def linear(self, x, name):
        return linear(x, self.w, name)

    def rms(self, x, name, offset=0.0):
        return rms_norm(x, self.w[name + ".weight"] + offset, self.config["rms_norm_eps"])

    def norm(self, x, name):
        return layer_norm(x, self.w[name + ".weight"], self.w[name + ".bias"], EPSILON)

    def heads(self, x, layer):
        names = ("q", "k", "v")
        return [self.linear(x, f"{layer}self_attn.{n}_proj").unflatten(1, (h, -1)) for n, h in zip(names, (self.n_heads, self.n_kv, self.n_kv))]

    def gated(self, x, layer, activation=silu):
        return self.linear(activation(self.linear(x, layer + "mlp.gate_proj")) * self.linear(x, layer + "mlp.up_proj"), layer + "mlp.down_proj")

    def head(self, x, name="lm_head", embedding="model.embed_tokens"):
        return self.linear(x, name) if name + ".weight" in self.w else x @ self.w[embedding + ".weight"].T

    def layers(self):
        return [f"model.layers.{i}." for i in range(self.config["num_hidden_layers"])]


def llama_like(m, ids, angular=None, scale=1.0, window=None, head_norms=False, turns=lambda i: True):
    """Llama, Mistral, Qwen3, SmolLM3, Granite."""
    c = m.config
    angular = frequencies(c["rope_theta"], c["head_dim"]) if angular is None else angular
    part = c.get("residual_multiplier", 1.0)
    x = m.w["model.embed_tokens.weight"][ids] * c.get("embedding_multiplier", 1.0)
    for i, layer in enumerate(m.layers()):
        q, k, v = m.heads(m.rms(x, layer + "input_layernorm"), layer)
        if head_norms:
            q, k = m.rms(q, layer + "self_attn.q_norm"), m.rms(k, layer + "self_attn.k_norm")
        if turns(i):
            q, k = turn(q, angular, scale), turn(k, angular, scale)
        x = x + m.linear(attend(q, k, v, c.get("attention_multiplier"), window), layer + "self_attn.o_proj") * part
        x = x + m.gated(m.rms(x, layer + "post_attention_layernorm"), layer) * part
    return m.head(m.rms(x, "model.norm")) / c.get("logits_scaling", 1.0)


def gemma(m, ids):
    """The first: no norms behind the parts, no caps, no windows."""
    x = m.w["model.embed_tokens.weight"][ids] * math.sqrt(WIDTH)
    angular = frequencies(m.config["rope_theta"], m.config["head_dim"])
    for layer in m.layers():
        q, k, v = m.heads(m.rms(x, layer + "input_layernorm", 1), layer)
        x = x + m.linear(attend(turn(q, angular), turn(k, angular), v), layer + "self_attn.o_proj")
        x = x + m.gated(m.rms(x, layer + "post_attention_layernorm", 1), layer, gelu_tanh)
    return m.head(m.rms(x, "model.norm", 1))


def gemma23(m, ids, period, has_head_norms):
    c = m.config
    angular = frequencies(c["rope_theta"], c["head_dim"])
    if has_head_norms:
        angular = angular / 8  # the global layers' linear scaling
    x = m.w["model.embed_tokens.weight"][ids] * math.sqrt(WIDTH)
    for i, layer in enumerate(m.layers()):
        is_local = (i + 1) % period != 0
        q, k, v = m.heads(m.rms(x, layer + "input_layernorm", 1), layer)
        if has_head_norms:
            q, k = m.rms(q, layer + "self_attn.q_norm", 1), m.rms(k, layer + "self_attn.k_norm", 1)
        speed = frequencies(c["rope_local_base_freq"], c["head_dim"]) if has_head_norms and is_local else angular
        y = attend(turn(q, speed), turn(k, speed), v, c["query_pre_attn_scalar"] ** -0.5, c["sliding_window"] if is_local else None,
                   c.get("attn_logit_softcapping"))
        x = x + m.rms(m.linear(y, layer + "self_attn.o_proj"), layer + "post_attention_layernorm", 1)
        y = m.gated(m.rms(x, layer + "pre_feedforward_layernorm", 1), layer, gelu_tanh)
        x = x + m.rms(y, layer + "post_feedforward_layernorm", 1)
    logits, cap = m.head(m.rms(x, "model.norm", 1)), c.get("final_logit_softcapping")
    return cap * torch.tanh(logits / cap) if cap else logits


def phi3(m, ids, is_long):
    c, x = m.config, m.w["model.embed_tokens.weight"][ids]
    scaling = c["rope_scaling"]
    first = c["original_max_position_embeddings"]
    angular = frequencies(c["rope_theta"], 8) / torch.tensor(scaling["long_factor" if is_long else "short_factor"])
    scale = math.sqrt(1 + math.log(c["max_position_embeddings"] / first) / math.log(first))
    for layer in m.layers():
        qkv = m.linear(m.rms(x, layer + "input_layernorm"), layer + "self_attn.qkv_proj")
        q, k, v = (t.unflatten(1, (-1, 8)) for t in qkv.split([8 * m.n_heads, 8 * m.n_kv, 8 * m.n_kv], 1))
        x = x + m.linear(attend(turn(q, angular, scale), turn(k, angular, scale), v, window=c["sliding_window"]), layer + "self_attn.o_proj")
        gate, up = m.linear(m.rms(x, layer + "post_attention_layernorm"), layer + "mlp.gate_up_proj").chunk(2, 1)
        x = x + m.linear(silu(gate) * up, layer + "mlp.down_proj")
    return m.head(m.rms(x, "model.norm"))


def olmo2(m, ids):
    x, angular = m.w["model.embed_tokens.weight"][ids], frequencies(m.config["rope_theta"], 8)
    for layer in m.layers():
        q, k = (m.rms(m.linear(x, f"{layer}self_attn.{n}_proj"), f"{layer}self_attn.{n}_norm").unflatten(1, (-1, 8)) for n in "qk")
        v = m.linear(x, layer + "self_attn.v_proj").unflatten(1, (-1, 8))
        y = m.linear(attend(turn(q, angular), turn(k, angular), v), layer + "self_attn.o_proj")
        x = x + m.rms(y, layer + "post_attention_layernorm")
        x = x + m.rms(m.gated(x, layer), layer + "post_feedforward_layernorm")
    return m.head(m.rms(x, "model.norm"))


def starcoder2(m, ids):
    x, angular = m.w["model.embed_tokens.weight"][ids], frequencies(m.config["rope_theta"], 8)
    for layer in m.layers():
        q, k, v = m.heads(m.norm(x, layer + "input_layernorm"), layer)
        x = x + m.linear(attend(turn(q, angular), turn(k, angular), v, window=m.config["sliding_window"]), layer + "self_attn.o_proj")
        y = gelu_tanh(m.linear(m.norm(x, layer + "post_attention_layernorm"), layer + "mlp.c_fc"))
        x = x + m.linear(y, layer + "mlp.c_proj")
    return m.head(m.norm(x, "model.norm"))


def gpt_neox(m, ids):
    x, angular = m.w["gpt_neox.embed_in.weight"][ids], frequencies(10000.0, 4)
    for i in range(m.config["num_hidden_layers"]):
        layer = f"gpt_neox.layers.{i}."
        qkv = m.linear(m.norm(x, layer + "input_layernorm"), layer + "attention.query_key_value").unflatten(1, (m.n_heads, 3, 8))
        q, k, v = (qkv[:, :, j] for j in range(3))
        attended = m.linear(attend(turn(q, angular), turn(k, angular), v), layer + "attention.dense")
        y = gelu(m.linear(m.norm(x, layer + "post_attention_layernorm"), layer + "mlp.dense_h_to_4h"))
        x = x + attended + m.linear(y, layer + "mlp.dense_4h_to_h")
    return m.head(m.norm(x, "gpt_neox.final_layer_norm"), "embed_out")


def phi(m, ids):
    x, angular = m.w["model.embed_tokens.weight"][ids], frequencies(10000.0, 4)
    for layer in m.layers():
        normed = m.norm(x, layer + "input_layernorm")
        q, k, v = m.heads(normed, layer)
        attended = m.linear(attend(turn(q, angular), turn(k, angular), v), layer + "self_attn.dense")
        x = x + attended + m.linear(gelu_tanh(m.linear(normed, layer + "mlp.fc1")), layer + "mlp.fc2")
    return m.head(m.norm(x, "model.final_layernorm"))


def stablelm(m, ids):
    x, angular = m.w["model.embed_tokens.weight"][ids], frequencies(m.config["rope_theta"], 4)
    for layer in m.layers():
        q, k, v = m.heads(m.norm(x, layer + "input_layernorm"), layer)
        x = x + m.linear(attend(turn(q, angular), turn(k, angular), v), layer + "self_attn.o_proj")
        x = x + m.gated(m.norm(x, layer + "post_attention_layernorm"), layer)
    return m.head(m.norm(x, "model.norm"))


# ---- weights ----

def make_weights(seed, shapes, prefix, n_layers, is_zero_centred):
    """shapes: {name or "#.name": shape}; a '#' stands for every layer; a trailing '+' adds a bias."""
    make, w = Weights(seed), {}
    for name, shape in shapes.items():
        has_bias, name = name.endswith("+"), name.rstrip("+")
        for i in range(n_layers if "#" in name else 1):
            full = (prefix if "#" in name else "") + name.replace("#", f"layers.{i}")
            is_norm = len(shape) == 1
            w[full + ".weight"] = (make(*shape) if is_zero_centred else make.norm(*shape)) if is_norm else make(*shape, scale=1.0 if "embed" in name else 0.4)
            if has_bias:
                w[full + ".bias"] = make(shape[0])
    return w, make.ids(N_IDS, N_VOCAB)


def shapes_of(config, attention=None, feed=None, norms=("input_layernorm", "post_attention_layernorm"), last="model.norm", mark=""):
    n_q, n_kv = config["num_attention_heads"] * 8, config.get("num_key_value_heads", config["num_attention_heads"]) * 8
    attention = attention or {"q_proj": (n_q, WIDTH), "k_proj": (n_kv, WIDTH), "v_proj": (n_kv, WIDTH), "o_proj": (WIDTH, n_q)}
    feed = feed or {"gate_proj": (FF, WIDTH), "up_proj": (FF, WIDTH), "down_proj": (WIDTH, FF)}
    shapes = {"model.embed_tokens": (N_VOCAB, WIDTH)}
    shapes |= {f"#.{n}{mark}": (WIDTH,) for n in norms}
    shapes |= {f"#.self_attn.{n}": s for n, s in attention.items()} | {f"#.mlp.{n}": s for n, s in feed.items()}
    shapes |= {last + mark: (WIDTH,)}
    return shapes | ({} if config["tie_word_embeddings"] else {"lm_head": (N_VOCAB, WIDTH)})


# ---- GGUF ----

GGUF_LAYER = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
              "self_attn.dense": "attn_output", "attention.dense": "attn_output", "self_attn.qkv_proj": "attn_qkv",
              "attention.query_key_value": "attn_qkv", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
              "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "pre_feedforward_layernorm": "ffn_norm",
              "post_feedforward_layernorm": "post_ffw_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
              "mlp.gate_up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
              "mlp.dense_h_to_4h": "ffn_up", "mlp.dense_4h_to_h": "ffn_down", "mlp.fc1": "ffn_up", "mlp.fc2": "ffn_down"}
GGUF_TOP = {"embed_tokens": "token_embd", "embed_in": "token_embd", "norm": "output_norm", "final_layernorm": "output_norm",
            "final_layer_norm": "output_norm", "lm_head": "output", "embed_out": "output"}
PERMUTED = ("llama", "granite", "smollm3")
GEMMAS = ("gemma", "gemma2", "gemma3")


def gguf_tensor(name, x, architecture, config):
    module, part = name.removeprefix("model.").removeprefix("gpt_neox.").rsplit(".", 1)
    if architecture in PERMUTED and module.endswith(("q_proj", "k_proj")):
        x = interleave(x, config["num_attention_heads" if module.endswith("q_proj") else "num_key_value_heads"])
    if architecture == "gptneox" and module.endswith("query_key_value"):
        x = x.unflatten(0, (config["num_attention_heads"], 3, 8)).transpose(0, 1).reshape(x.shape)
    if architecture in GEMMAS and module.endswith("norm"):
        x = x + 1
    if not module.startswith("layers."):
        return f"{GGUF_TOP[module]}.{part}", x
    _, i, module = module.split(".", 2)
    is_post = architecture in ("gemma2", "gemma3", "olmo2") and module == "post_attention_layernorm"
    return f"blk.{i}.{'post_attention_norm' if is_post else GGUF_LAYER[module]}.{part}", x


def write_model(folder, w, ids, config, architecture, values, extra=None, kinds=("BF16", "F16")):
    os.makedirs(folder, exist_ok=True)
    tensors = dict(gguf_tensor(n, x, architecture, config) for n, x in w.items()) | (extra or {})
    head = config.get("head_dim", 8)
    usual = {"block_count": config["num_hidden_layers"], "embedding_length": WIDTH, "feed_forward_length": FF,
             "context_length": config["max_position_embeddings"], "attention.head_count": config["num_attention_heads"],
             "attention.head_count_kv": config.get("num_key_value_heads", config["num_attention_heads"]),
             "attention.key_length": head, "attention.value_length": head, "rope.dimension_count": head,
             "rope.freq_base": config.get("rope_theta", 10000.0)}
    epsilon = "attention.layer_norm_rms_epsilon" if "rms_norm_eps" in config else "attention.layer_norm_epsilon"
    metadata = {"general.architecture": architecture} | {f"{architecture}.{k}": v for k, v in (usual | {epsilon: EPSILON} | values).items()}
    metadata |= {"tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2}
    if IS_FOR_PEER:
        metadata |= {"tokenizer.ggml.model": "none", f"{architecture}.vocab_size": N_VOCAB}
    write_gguf(folder + "/model.gguf", metadata, to_numpy(tensors), "F32" if IS_FOR_PEER else kinds[1])
    write_safetensors(folder + "/model.safetensors", to_numpy(w), kinds[0])
    write_json(folder + "/config.json", config)


def make(folder, seed, model_type, forward, changes, architecture=None, values=None, shapes=None, prefix="model.", extra=None):
    config = BASE | changes | {"model_type": model_type}
    config = {k: v for k, v in config.items() if v != "absent"}
    w, ids = make_weights(seed, shapes(config) if shapes else shapes_of(config), prefix, config["num_hidden_layers"], model_type.startswith("gemma"))
    write_model(folder, w, ids, config, architecture or model_type, values or {}, extra)
    save(folder, ids=ids, logits=forward(Model(w, config), ids))
    return Model(w, config), ids


# ---- the architectures ----

def make_llamas(root):
    with_norms = {"q_proj": (16, WIDTH), "k_proj": (8, WIDTH), "v_proj": (8, WIDTH), "o_proj": (WIDTH, 16), "q_norm": (8,), "k_norm": (8,)}
    make(root + "/qwen3", 11, "qwen3", lambda m, ids: llama_like(m, ids, head_norms=True),
         RMS | {"num_hidden_layers": 2, "hidden_act": "silu", "tie_word_embeddings": True, "attention_bias": False, "use_sliding_window": False,
                "sliding_window": None, "max_window_layers": 1}, shapes=lambda c: shapes_of(c, with_norms))
    make(root + "/mistral", 12, "mistral", lambda m, ids: llama_like(m, ids, window=5), RMS | {"sliding_window": 5}, "llama",
         {"attention.sliding_window": 5})
    scales = {"embedding_multiplier": 3.0, "residual_multiplier": 0.25, "attention_multiplier": 0.5, "logits_scaling": 2.0}
    make(root + "/granite", 13, "granite", llama_like, RMS | scales,
         values={"embedding_scale": 3.0, "residual_scale": 0.25, "attention.scale": 0.5, "logit_scale": 2.0})
    make(root + "/smollm3", 14, "smollm3", lambda m, ids: llama_like(m, ids, turns=lambda i: i != 3),
         RMS | {"num_hidden_layers": 4, "no_rope_layers": [1, 1, 1, 0], "use_sliding_window": False, "rope_theta": 2000000.0})


def make_gemmas(root):
    head = {"head_dim": 8, "hidden_activation": "gelu_pytorch_tanh", "tie_word_embeddings": True}
    make(root + "/gemma", 21, "gemma", gemma, RMS | head | {"hidden_act": "gelu"})
    norms = ("input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm")
    caps = {"attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0, "sliding_window": 5}
    # llama.cpp takes the head's width, 8, which GGUF cannot say otherwise.
    make(root + "/gemma2", 22, "gemma2", lambda m, ids: gemma23(m, ids, 2, False), RMS | head | caps | {"query_pre_attn_scalar": 8, "num_hidden_layers": 2},
         values={"attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0, "attention.sliding_window": 5},
         shapes=lambda c: shapes_of(c, norms=norms))
    period, n_layers = (6, 7) if IS_FOR_PEER else (3, 3)
    attention = {"q_proj": (16, WIDTH), "k_proj": (8, WIDTH), "v_proj": (8, WIDTH), "o_proj": (WIDTH, 16), "q_norm": (8,), "k_norm": (8,)}
    pattern = {} if IS_FOR_PEER else {"attention.sliding_window_pattern": [True, True, False]}
    make(root + "/gemma3", 23, "gemma3_text", lambda m, ids: gemma23(m, ids, period, True),
         RMS | head | {"num_hidden_layers": n_layers, "sliding_window_pattern": period, "sliding_window": 5, "rope_theta": 1000000.0,
                       "rope_local_base_freq": 10000.0, "query_pre_attn_scalar": 8, "rope_scaling": {"rope_type": "linear", "factor": 8.0},
                       "attn_logit_softcapping": None, "final_logit_softcapping": None},
         "gemma3", {"attention.sliding_window": 5, "rope.scaling.type": "linear", "rope.scaling.factor": 8.0} | pattern,
         lambda c: shapes_of(c, attention, norms=norms))


def make_others(root):
    short, long = [1.0, 1.25, 1.5, 2.0], [1.5, 2.5, 4.0, 6.0]
    fused = ({"qkv_proj": (32, WIDTH), "o_proj": (WIDTH, 16)}, {"gate_up_proj": (2 * FF, WIDTH), "down_proj": (WIDTH, FF)})
    scale = math.sqrt(1 + math.log(4) / math.log(8))
    m, ids = make(root + "/phi3", 31, "phi3", lambda m, ids: phi3(m, ids, True),
                  RMS | {"hidden_act": "silu", "sliding_window": 9, "original_max_position_embeddings": 8, "head_dim": "absent",
                         "rope_scaling": {"type": "longrope", "short_factor": short, "long_factor": long}},
                  values={"attention.sliding_window": 9, "rope.scaling.original_context_length": 8, "rope.scaling.attn_factor": scale},
                  shapes=lambda c: shapes_of(c, *fused),
                  extra={"rope_factors_short.weight": torch.tensor(short), "rope_factors_long.weight": torch.tensor(long)})
    save(root + "/phi3", short=phi3(m, ids[:8], False))
    whole = {"q_proj": (16, WIDTH), "k_proj": (8, WIDTH), "v_proj": (8, WIDTH), "o_proj": (WIDTH, 16), "q_norm": (16,), "k_norm": (8,)}
    make(root + "/olmo2", 32, "olmo2", olmo2, RMS | {"hidden_act": "silu"},
         shapes=lambda c: shapes_of(c, whole, norms=("post_attention_layernorm", "post_feedforward_layernorm")))
    biased = {"q_proj+": (16, WIDTH), "k_proj+": (8, WIDTH), "v_proj+": (8, WIDTH), "o_proj+": (WIDTH, 16)}
    make(root + "/starcoder2", 33, "starcoder2", starcoder2,
         {"norm_epsilon": EPSILON, "use_bias": True, "hidden_act": "gelu_pytorch_tanh", "sliding_window": 5, "tie_word_embeddings": True,
          "norm_type": "layer_norm", "mlp_type": "default", "head_dim": "absent"}, values={"attention.sliding_window": 5},
         shapes=lambda c: shapes_of(c, biased, {"c_fc+": (FF, WIDTH), "c_proj+": (WIDTH, FF)}, mark="+"))
    neox = {"gpt_neox.embed_in": (N_VOCAB, WIDTH), "#.input_layernorm+": (WIDTH,), "#.attention.query_key_value+": (48, WIDTH),
            "#.attention.dense+": (WIDTH, 16), "#.post_attention_layernorm+": (WIDTH,), "#.mlp.dense_h_to_4h+": (FF, WIDTH),
            "#.mlp.dense_4h_to_h+": (WIDTH, FF), "gpt_neox.final_layer_norm+": (WIDTH,), "embed_out": (N_VOCAB, WIDTH)}
    absent = {"num_key_value_heads": "absent", "head_dim": "absent", "rope_theta": "absent"}
    make(root + "/gpt_neox", 34, "gpt_neox", gpt_neox, LAYER | absent | {"rotary_pct": 0.5, "rotary_emb_base": 10000, "hidden_act": "gelu"},
         "gptneox", {"rope.dimension_count": 4, "use_parallel_residual": True}, lambda c: neox, "gpt_neox.")
    dense = {"q_proj+": (16, WIDTH), "k_proj+": (16, WIDTH), "v_proj+": (16, WIDTH), "dense+": (WIDTH, 16)}
    make(root + "/phi2", 35, "phi", phi, LAYER | {"num_key_value_heads": 2, "head_dim": "absent", "hidden_act": "gelu_new", "partial_rotary_factor": 0.5},
         "phi2", {"rope.dimension_count": 4}, lambda c: phi_shapes(c, dense))
    qkv = {"q_proj+": (16, WIDTH), "k_proj+": (8, WIDTH), "v_proj+": (8, WIDTH), "o_proj": (WIDTH, 16)}
    make(root + "/stablelm", 36, "stablelm", stablelm, LAYER | {"head_dim": "absent", "use_qkv_bias": True, "partial_rotary_factor": 0.5,
         "use_parallel_residual": False, "qk_layernorm": False, "hidden_act": "silu"},
         values={"rope.dimension_count": 4, "use_parallel_residual": False}, shapes=lambda c: shapes_of(c, qkv, mark="+"))


def phi_shapes(config, dense):
    shapes = shapes_of(config | {"tie_word_embeddings": True}, dense, {"fc1+": (FF, WIDTH), "fc2+": (WIDTH, FF)}, ("input_layernorm",),
                       "model.final_layernorm", "+")
    return shapes | {"lm_head+": (N_VOCAB, WIDTH)}


# ---- rotary positions beyond the first context ----

def yarn(base, width, factor, first, fast=32.0, slow=1.0, truncates=True):
    """Peng et al. 2023, section 3.2: by how often a pair turns within the first context."""
    plain = frequencies(base, width)

    def pair(n_turns):
        return width * math.log(first / (n_turns * 2 * math.pi)) / (2 * math.log(base))

    low, high = pair(fast), pair(slow)
    if truncates:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, width - 1)
    ramp = ((torch.arange(width // 2).double() - low) / max(high - low, 0.001)).clamp(0, 1)
    return plain / factor * ramp + plain * (1 - ramp)


def ntk(base, width, alpha):
    return frequencies(base * alpha ** (width / (width - 2)), width)


def make_rope(root):
    """One weightless difference at a time: folder/NAME has config.json and logits.npy for the tensors of folder."""
    folder, width, first = root + "/rope", 8, 16
    m, ids = make(folder, 41, "llama", llama_like, RMS)
    os.remove(folder + "/model.gguf")
    os.remove(folder + "/logits.npy")
    usual = 0.1 * math.log(4) + 1
    capacity = 64
    plain = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": first}
    length = capacity / first * 4 - 3
    kinds = {
        "linear": ({"type": "linear", "factor": 4.0}, frequencies(1e4, width) / 4, 1.0),
        "ntk": ({"type": "ntk", "factor": 4.0}, ntk(1e4, width, 4.0), 1.0),
        "dynamic": ({"type": "dynamic", "factor": 4.0, "original_max_position_embeddings": first}, ntk(1e4, width, length), 1.0),
        "yarn": (plain, yarn(1e4, width, 4.0, first), usual),
        "yarn-betas": (plain | {"beta_fast": 2.0, "beta_slow": 0.5, "truncate": False}, yarn(1e4, width, 4.0, first, 2.0, 0.5, False), usual),
        "yarn-factor": (plain | {"attention_factor": 1.5}, yarn(1e4, width, 4.0, first), 1.5),
        "yarn-mscale": (plain | {"mscale": 2.0, "mscale_all_dim": 0.5}, yarn(1e4, width, 4.0, first),
                        (0.2 * math.log(4) + 1) / (0.05 * math.log(4) + 1)),
    }
    for name, (scaling, angular, scale) in kinds.items():
        os.makedirs(f"{folder}/{name}", exist_ok=True)
        write_json(f"{folder}/{name}/config.json", m.config | {"rope_scaling": scaling})
        save(f"{folder}/{name}", logits=llama_like(m, ids, angular, scale))
    peer = {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": first}
    make(root + "/llama-yarn", 42, "llama", lambda m, ids: llama_like(m, ids, yarn(1e4, width, 4.0, first), usual),
         RMS | {"rope_parameters": plain | {"rope_theta": 10000.0}, "rope_theta": "absent", "max_position_embeddings": 64}, values=peer)


def main(root):
    make_llamas(root)
    make_gemmas(root)
    make_others(root)
    make_rope(root)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(sys.argv[1])

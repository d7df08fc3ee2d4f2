#!/usr/bin/python3
"""Writes tests/data/classifiers/: the tiny encoders of make_tiny_encoders.py with heads on them, and one as torch.onnx writes it.

    tools/make_tiny_classifiers.py tests/data/classifiers

Each folder has the model (safetensors, and GGUF where llama.cpp knows it), ids and borders of three texts, the types of their tokens where
the model has such, and the logits that float64 PyTorch computes. Seeds are fixed: running it again changes nothing.
"""
import math
import os
import sys

import numpy as np
import torch
from torch import nn

import make_tiny_encoders as encoders
from make_tiny_encoders import BASE, BORDERS, N_POSITIONS, N_VOCAB, ROBERTA, Builder
from make_tiny_models import EPSILON, gelu, layer_norm, linear, save, to_numpy, write_gguf, write_json, write_safetensors

TYPES = (torch.arange(int(BORDERS[-1])) % 5 > 2).long()


class Head:
    """layer and labels: names of the matrices in the file; layer None: there is none."""

    def __init__(self, seed, name, labels, layer, out, width=16, act=torch.tanh, pick=lambda x: x[0], norm=None, out_bias=True, layer_bias=True,
                 config=None, has_gguf=True):
        self.name, self.labels, self.layer, self.out, self.norm, self.act, self.pick = name, labels, layer, out, norm, act, pick
        self.config, self.has_gguf = config or {}, has_gguf  # GGUF knows the first token's row alone
        b = Builder(seed)
        if layer:
            b.matrix(layer, width, width, layer_bias)
        if norm:
            b.norm(norm, width, False)
        b.matrix(out, len(labels), width, out_bias, 0.5)
        self.w = b.w

    def logits(self, hidden):
        x = self.pick(hidden)
        if self.layer:
            x = self.act(linear(x, self.w, self.layer))
        if self.norm:
            x = layer_norm(x, self.w[self.norm + ".weight"], 0, EPSILON)
        return linear(x, self.w, self.out)

    def finish(self, folder, config, b, forward, prefix, has_types=False):
        os.makedirs(folder, exist_ok=True)
        names = {str(i): label for i, label in enumerate(self.labels)}
        write_json(folder + "/config.json", {"architectures": [self.name]} | config | {"id2label": names} | self.config)
        tensors = {prefix + k: v for k, v in to_numpy(b.w).items()} | to_numpy(self.w)
        write_safetensors(folder + "/model.safetensors", tensors, "BF16")
        ids = b.make.ids(int(BORDERS[-1]), N_VOCAB)
        texts = [(ids[i:j], TYPES[i:j]) if has_types else (ids[i:j],) for i, j in zip(BORDERS[:-1], BORDERS[1:])]
        self.hidden = [forward(*text) for text in texts]
        save(folder, ids=ids, segments=BORDERS, logits=torch.stack([self.logits(x) for x in self.hidden]))
        if has_types:
            save(folder, types=TYPES)

    def gguf_tensors(self):
        names = {self.layer: "cls", self.norm: "cls.norm", self.out: "cls.output"}
        return {names[k.rsplit(".", 1)[0]] + "." + k.rsplit(".", 1)[1]: v for k, v in self.w.items()}

    def gguf_values(self):
        return {"pooling_type": 4, "classifier.output_labels": self.labels}


# ---- BERT, whose types matter, and what llama.cpp's converter makes of it ----

def make_bert(folder):
    b = encoders.post_norm_weights(41, ROBERTA, N_POSITIONS, 2)
    head = Head(61, "BertForSequenceClassification", ["entailment", "neutral", "contradiction"], "bert.pooler.dense", "classifier")
    config = BASE | {"model_type": "bert", "type_vocab_size": 2, "position_embedding_type": "absolute"}
    head.finish(folder, config, b, lambda ids, types: encoders.post_norm_forward(b.w, ROBERTA, ids, 0, types=types), "bert.", True)
    # The converter drops the pooler; Jina's classifier became the layer itself, without labels behind it.
    tensors = encoders.post_norm_gguf(b.w, ROBERTA, 0)
    values = {"block_count": 2, "embedding_length": 16, "context_length": N_POSITIONS, "feed_forward_length": 12, "attention.head_count": 2,
              "attention.layer_norm_epsilon": EPSILON, "attention.causal": False}
    metadata = {"general.architecture": "bert", "tokenizer.ggml.token_type_count": 2} | {"bert." + k: v for k, v in values.items()}
    rows = {"." + part: head.w["classifier." + part] for part in ("weight", "bias")}
    direct = torch.stack([linear(x[0], head.w, "classifier") for x in head.hidden])
    write_gguf(folder + "/direct.gguf", metadata, to_numpy(tensors | {"cls.output" + k: v for k, v in rows.items()}), "F16")
    write_gguf(folder + "/bent.gguf", metadata | {"bert.pooling_type": 4}, to_numpy(tensors | {"cls" + k: v for k, v in rows.items()}), "F16")
    save(folder, direct=direct, bent=torch.tanh(direct))


# ---- an export ----

class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(16, 16) for _ in range(4))
        self.up, self.down = nn.Linear(16, 12), nn.Linear(12, 16)
        self.o_norm, self.norm = nn.LayerNorm(16), nn.LayerNorm(16)

    def forward(self, x, mask):
        def heads(y):
            return y.view(y.size()[:-1] + (2, 8)).permute(0, 2, 1, 3)

        scores = torch.matmul(heads(self.q(x)), heads(self.k(x)).transpose(-1, -2)) / math.sqrt(8) + mask
        mixed = torch.matmul(nn.functional.softmax(scores, dim=-1), heads(self.v(x))).permute(0, 2, 1, 3).contiguous()
        x = self.o_norm(self.o(mixed.view(mixed.size()[:-2] + (16,))) + x)
        return self.norm(self.down(nn.functional.gelu(self.up(x))) + x)


class Bert(nn.Module):
    """As transformers writes BertForSequenceClassification."""

    def __init__(self):
        super().__init__()
        self.words, self.places, self.types = nn.Embedding(N_VOCAB, 16), nn.Embedding(N_POSITIONS, 16), nn.Embedding(2, 16)
        self.norm, self.layers = nn.LayerNorm(16), nn.ModuleList(Layer() for _ in range(2))
        self.pooler, self.classifier = nn.Linear(16, 16), nn.Linear(16, 1)
        self.register_buffer("position_ids", torch.arange(N_POSITIONS)[None])

    def forward(self, input_ids, attention_mask, token_type_ids):
        mask = attention_mask[:, None, None, :].to(dtype=self.words.weight.dtype)
        mask = (1.0 - mask) * torch.finfo(torch.float32).min
        x = self.words(input_ids) + self.types(token_type_ids) + self.places(self.position_ids[:, :input_ids.size()[1]])
        x = self.norm(x)
        for layer in self.layers:
            x = layer(x, mask)
        return self.classifier(torch.tanh(self.pooler(x[:, 0])))


def make_onnx(folder):
    os.makedirs(folder, exist_ok=True)
    torch.manual_seed(51)
    model = Bert().eval()
    for x in model.parameters():
        x.data = torch.randn_like(x).mul(0.4).add(1.0 if x.dim() == 1 and x.numel() == 16 else 0.0).float().double()
    ids = torch.randint(0, N_VOCAB, (int(BORDERS[-1]),))
    texts = [(ids[None, a:b], torch.ones(1, b - a, dtype=torch.long), TYPES[None, a:b]) for a, b in zip(BORDERS[:-1].tolist(), BORDERS[1:].tolist())]
    with torch.no_grad():
        logits = torch.cat([model(*text) for text in texts])
    save(folder, ids=ids, segments=BORDERS, types=TYPES, logits=logits)
    torch.set_default_dtype(torch.float32)
    names, axes = ["input_ids", "attention_mask", "token_type_ids"], {0: "batch_size", 1: "sequence_length"}
    torch.onnx.export(model.float(), texts[0], folder + "/model.onnx", input_names=names, output_names=["logits"], opset_version=14,
                      dynamic_axes={name: axes for name in names} | {"logits": {0: "batch_size"}})
    write_json(folder + "/config.json", {"model_type": "bert", "architectures": ["BertForSequenceClassification"], "num_hidden_layers": 2,
                                         "max_position_embeddings": N_POSITIONS, "id2label": {"0": "LABEL_0"}})


# ---- a tokenizer ----

WORDS = ("[PAD] [UNK] [CLS] [SEP] what is a hob ? . spirit of the house it keeps fire going milk and bread by ##s ##ing").split()


def write_vocabulary(folder):
    assert len(WORDS) == N_VOCAB
    with open(folder + "/vocab.txt", "w") as file:
        file.write("".join(word + "\n" for word in WORDS))


def main(root):
    make_bert(root + "/bert")
    one, two = ["LABEL_0"], ["good", "bad"]
    roberta = {"layer": "classifier.dense", "out": "classifier.out_proj"}
    encoders.make_roberta(root + "/xlm-roberta", Head(42, "XLMRobertaForSequenceClassification", one, **roberta))
    encoders.make_distilbert(root + "/distilbert", Head(43, "DistilBertForSequenceClassification", two, "pre_classifier", "classifier",
                                                        act=torch.relu, config={"problem_type": "multi_label_classification"}))
    encoders.make_mpnet(root + "/mpnet", Head(44, "MPNetForSequenceClassification", one, config={"problem_type": "regression"}, **roberta))
    encoders.make_nomic(root + "/nomic-bert", Head(45, "NomicBertForSequenceClassification", one, "pooler.dense", "classifier"))
    encoders.make_jina(root + "/jina-bert-v2", Head(46, "JinaBertForSequenceClassification", one, "bert.pooler.dense", "classifier", width=12))
    encoders.make_gte(root + "/gte", Head(47, "NewForSequenceClassification", one, "new.pooler.dense", "classifier"))
    modern = {"name": "ModernBertForSequenceClassification", "labels": two, "layer": "head.dense", "out": "classifier", "act": gelu,
              "norm": "head.norm", "layer_bias": False}
    encoders.make_modernbert(root + "/modernbert", Head(48, **modern))
    encoders.make_modernbert(root + "/modernbert-mean", Head(48, pick=lambda x: x.mean(0), has_gguf=False,
                                                             config={"classifier_pooling": "mean"}, **modern))
    encoders.make_qwen2(root + "/qwen2", Head(49, "Qwen2ForSequenceClassification", one, None, "score", out_bias=False, pick=lambda x: x[-1]))
    make_onnx(root + "/onnx")
    write_vocabulary(root + "/onnx")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])

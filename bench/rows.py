"""What is compared with what. A row is one question asked of hob and of a peer about the same model file, and the floor of the ratio.

Work is counted as the model's mathematics needs it, without padding or logits that nobody asked for: so many multiplications and additions
of a kind (f32, int8, int4), or for decoding so many bytes of weights; over time it is held against the machine's limit for that kind."""
from dataclasses import dataclass
from typing import Optional

MIXED = (8, 12, 16, 24, 32, 48, 64, 80, 100, 128)
PROMPT, DEPTH = 512, 128


@dataclass(frozen=True)
class Row:
    group: str          # what ROWS= selects
    title: str
    model: str          # hob's
    peer: str           # a method of Place
    peer_model: str
    question: str
    floor: float
    kind: str           # f32, int8, int4, dram
    work: float         # units of 10^9
    check: str          # a method of Checks
    quant: Optional[str] = None  # hob runs a pack of the model, quantised so; "" as it is
    tokens: int = 0

    @property
    def key(self):
        return f"{self.group}/{self.title}"


def minilm_work(lengths):
    """4 D² and 2 D F weights a layer and token; scores and their sums over values."""
    D, F, layers = 384, 1536, 6
    return 2e-9 * layers * sum(T * (4 * D * D + 2 * D * F) + 2 * T * T * D for T in lengths)


def decoder_work(T, D, layers, layer_weights, vocabulary):
    """Causal attention is half a square; logits of the last position only."""
    return 2e-9 * (T * layers * layer_weights + vocabulary * D + layers * T * T * D)


@dataclass(frozen=True)
class Decoder:
    D: int
    layers: int
    layer_weights: int
    vocabulary: int

    def prefill(self):
        return decoder_work(PROMPT, self.D, self.layers, self.layer_weights, self.vocabulary)

    def bytes_per_token(self, layer_bytes, head_bytes):
        return 1e-9 * (self.layers * self.layer_weights * layer_bytes + self.vocabulary * self.D * head_bytes)


GPT2 = Decoder(768, 12, 12 * 768 * 768, 50257)
QWEN = Decoder(896, 24, 2 * 896 * 896 + 2 * 128 * 896 + 3 * 4864 * 896, 151936)
SMOL = Decoder(576, 30, 2 * 576 * 576 + 2 * 192 * 576 + 3 * 1536 * 576, 49152)
Q4_0, Q8_0 = 18 / 32, 34 / 32


def minilm_rows(group, title, model, floors, kind, quant=None):
    peer_model = "minilm.onnx" if group == "minilm" else "minilm_int8.onnx"
    check = "hidden_states" if group == "minilm" else "int8_states"
    for lengths, floor in floors.items():
        name = "10 texts of 8…128 tokens" if lengths == MIXED else f"1×{lengths[0]}"
        yield Row(group, f"{title}, {name}", model, "ort", peer_model, "embed " + ",".join(map(str, lengths)), floor, kind,
                  minilm_work(lengths), check, quant, sum(lengths))


def decoder_rows(group, title, model, peer, shape, floors, kind, bytes_per_token, n_decoded, check):
    yield Row(group, f"{title}, prefill {PROMPT}", model, peer, model, f"prefill {PROMPT}", floors[0], kind, shape.prefill(), check,
              tokens=PROMPT)
    yield Row(group, f"{title}, decode", model, peer, model, f"decode {n_decoded} {DEPTH}", floors[1], "dram",
              n_decoded * bytes_per_token, check, tokens=n_decoded)


INT8_FLOORS = {(32,): 1.4, (128,): 1.4, MIXED: 3.2}
ROWS = [
    *minilm_rows("minilm", "MiniLM fp32", "minilm.onnx", {(16,): 1.4, (32,): 1.35, (128,): 1.2, MIXED: 2.7}, "f32"),
    *minilm_rows("minilm-int8", "MiniLM int8", "minilm_int8.onnx", INT8_FLOORS, "int8"),
    *minilm_rows("minilm-pack", "MiniLM, pack of int8", "minilm.onnx", INT8_FLOORS, "int8", "int8"),
    *decoder_rows("gpt2", "GPT-2 fp32", "gpt2_past.onnx", "ort", GPT2, (1.6, 1.2), "f32", GPT2.bytes_per_token(4, 4), 8, "logits"),
    *decoder_rows("qwen-q4_0", "Qwen2.5-0.5B Q4_0", "qwen-q4_0.gguf", "llama", QWEN, (2.5, 1.7), "int4",
                  QWEN.bytes_per_token(Q4_0, Q8_0), 8, "quantised_logits"),
    *decoder_rows("qwen-q8_0", "Qwen2.5-0.5B Q8_0", "qwen-q8_0.gguf", "llama", QWEN, (2.0, 1.35), "int8",
                  QWEN.bytes_per_token(Q8_0, Q8_0), 8, "quantised_logits"),
    *decoder_rows("smol-q4_0", "SmolLM-135M Q4_0", "smol-q4_0.gguf", "llama", SMOL, (2.2, 1.6), "int4",
                  SMOL.bytes_per_token(Q4_0, Q8_0), 32, "quantised_logits"),
]

# f16 files whose greedy tokens must be llama.cpp's: (group, model, tokens, context before them)
SAME_TOKENS = [("tokens", "stories260k/model-f16.gguf", 64, 8), ("tokens", "smol-f16.gguf", 32, 16), ("tokens", "qwen-f16.gguf", 32, 16)]

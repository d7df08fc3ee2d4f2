"""Whether both sides compute the same thing: asked of the very processes that are then measured."""
import tempfile
from pathlib import Path

import numpy

from rows import DEPTH, PROMPT

MOST_DIFFERENCE = 1e-3  # of hidden states and logits in f32
LEAST_COSINE = 0.999    # of embeddings and logits where either side rounds to few bits


def cosine(a, b):
    a, b = numpy.asarray(a, "f8"), numpy.asarray(b, "f8")
    return float(a @ b / numpy.sqrt((a @ a) * (b @ b)))


def logits_of(side, n):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "logits"
        side.ask(f"logits {n} {path}")
        return numpy.fromfile(path, "f4")


class Checks:
    """Each method returns (whether they agree, a few words)."""

    def __init__(self, place):
        self.place = place
        self.fp32_means = {}

    def hidden_states(self, row, hob, peer):
        question = row.question.replace("embed", "pooled")
        difference = max(numpy.abs(numpy.subtract(a, b)).max()
                         for a, b in zip(hob.ask(question)["vectors"], peer.ask(question)["vectors"]))
        return bool(difference < MOST_DIFFERENCE), f"hidden states differ by {difference:.1e} at most"

    def int8_states(self, row, hob, peer):
        """hob's embeddings against the fp32 model's, and beside them how near the peer's come."""
        question = row.question.replace("embed", "pooled")
        exact = self._fp32_means(question)
        ours, theirs = (min(cosine(a, b) for a, b in zip(side.ask(question)["vectors"][::3], exact)) for side in (hob, peer))
        return ours >= LEAST_COSINE, f"cosine to fp32 {ours:.5f}, theirs {theirs:.5f}"

    def _fp32_means(self, question):
        if question not in self.fp32_means:
            with self.place.hob(self.place.model("minilm.onnx"), 1) as side:
                self.fp32_means[question] = side.ask(question)["vectors"][::3]
        return self.fp32_means[question]

    def logits(self, row, hob, peer):
        n = 64 if row.question.startswith("decode") else PROMPT
        difference = numpy.abs(logits_of(hob, n) - logits_of(peer, n)).max()
        question = f"greedy 16 {DEPTH}"
        is_same = hob.ask(question)["ids"] == peer.ask(question)["ids"]
        return bool(difference < MOST_DIFFERENCE) and is_same, f"logits differ by {difference:.1e} at most, greedy tokens are {'' if is_same else 'not '}the same"

    def quantised_logits(self, row, hob, peer):
        """Both round activations to 8 bits, each in its way."""
        near = cosine(logits_of(hob, 64), logits_of(peer, 64))
        return near >= LEAST_COSINE, f"cosine of the logits {near:.5f}"

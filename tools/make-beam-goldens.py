#!/usr/bin/python3
"""Writes tests/data/beams.json: what Hugging Face's beam search finds with the tiny model tests/data/models/llama-linear.

    tools/make-beam-goldens.py

The search is written from the documented behaviour of transformers 4.38 (BeamSearchScorer, BeamHypotheses, the loop of _beam_search):
rows of padding beams at -1e9, max(2, 1 + ends) * W candidates, hypotheses as a list of which the worst goes. Logits are those of the
float64 forward pass of make_tiny_models.py, computed anew for each text. A case in which two numbers that are compared differ by less
than rounding could is left out.
"""
import json
import math
import random
import struct
import sys

import numpy as np
import torch

sys.path.insert(0, "tools")
from make_tiny_models import rotary_forward  # noqa: E402

FOLDER = "tests/data/models/llama-linear"
LEAST_GAP = 2e-4


class TooClose(Exception):
    pass


def check_gap(a, b):
    if abs(a - b) < LEAST_GAP:
        raise TooClose


def read_weights(path):
    data = open(path, "rb").read()
    n_header = struct.unpack("<Q", data[:8])[0]
    weights = {}
    for name, entry in json.loads(data[8:8 + n_header]).items():
        start, end = (8 + n_header + x for x in entry["data_offsets"])
        assert entry["dtype"] == "F32"
        array = np.frombuffer(data[start:end], np.float32).reshape(entry["shape"])
        weights["model." * (name != "lm_head.weight") + name] = torch.tensor(array.astype(np.float64))
    return weights


class Model:
    def __init__(self):
        self.weights, self.known = read_weights(FOLDER + "/model.safetensors"), {}
        self.config = json.load(open(FOLDER + "/config.json"))

    def log_probabilities(self, ids):
        ids = tuple(ids)
        if ids not in self.known:
            logits = rotary_forward(self.weights, self.config, torch.tensor(ids))[-1]
            self.known[ids] = torch.log_softmax(logits, -1).tolist()
        return self.known[ids]


class Hypotheses:
    """The W best finished texts."""

    def __init__(self, width, length_penalty, early, max_tokens):
        self.width, self.penalty, self.early, self.max_tokens = width, length_penalty, early, max_tokens
        self.kept, self.worst = [], 1e9

    def add(self, ids, total, n_scored, is_ended):
        score = total / n_scored ** self.penalty
        if len(self.kept) >= self.width:
            check_gap(score, self.worst)
        if len(self.kept) < self.width or score > self.worst:
            self.kept.append((score, ids, is_ended))
            if len(self.kept) > self.width:
                order = sorted((item[0], i) for i, item in enumerate(self.kept))
                del self.kept[order[0][1]]
                self.worst = order[1][0]
            else:
                self.worst = min(score, self.worst)

    def is_done(self, best_total, n_tokens):
        if len(self.kept) < self.width:
            return False
        if self.early == "yes":
            return True
        length = self.max_tokens if self.early == "never" and self.penalty > 0 else n_tokens
        attainable = best_total / length ** self.penalty
        check_gap(self.worst, attainable)
        return self.worst >= attainable


def beam_search(model, prompt, width, ends, length_penalty, early, max_tokens, min_tokens):
    beams, totals = [list(prompt)] * width, [0.0] + [-1e9] * (width - 1)
    hypotheses, is_done = Hypotheses(width, length_penalty, early, max_tokens), False
    n_looked_at = max(2, 1 + len(ends)) * width
    for n_tokens in range(1, max_tokens + 1):
        flat = []
        for beam, total in zip(beams, totals):
            row = model.log_probabilities(beam)
            flat += [total + (-math.inf if i in ends and n_tokens <= min_tokens else x) for i, x in enumerate(row)]
        order = sorted(range(len(flat)), key=lambda i: -flat[i])
        for a, b in zip(order[:n_looked_at], order[1:]):
            check_gap(flat[a], flat[b])
        new_beams, new_totals, n_vocab = [], [], len(flat) // width
        for rank, place in enumerate(order[:n_looked_at]):
            beam, token = beams[place // n_vocab], place % n_vocab
            if token in ends:
                if rank < width:
                    hypotheses.add(beam[len(prompt):], flat[place], n_tokens, True)
            else:
                new_beams.append(beam + [token])
                new_totals.append(flat[place])
            if len(new_beams) == width:
                break
        is_done = hypotheses.is_done(flat[order[0]], n_tokens)
        beams, totals = new_beams, new_totals
        if is_done:
            break
    if not is_done:
        for beam, total in zip(beams, totals):
            hypotheses.add(beam[len(prompt):], total, max_tokens, False)
    found = sorted(hypotheses.kept, key=lambda item: item[0])[::-1]
    return [{"ids": ids, "score": round(score, 6), "is_ended": is_ended} for score, ids, is_ended in found]


def make_case(model, chance):
    """Ends are tokens that the search would go through, so that texts do end."""
    prompt = [1] + [chance.randrange(3, 64) for _ in range(chance.randrange(1, 6))]
    ways = beam_search(model, prompt, 8, [], 0.0, "no", 6, 0)
    passed = sorted({token for way in ways for token in way["ids"]})
    n_ends = min(chance.choice((0, 1, 1, 2, 4, 6)), len(passed))
    return {"prompt": prompt, "width": chance.choice((2, 3, 4, 5, 8)), "ends": sorted(chance.sample(passed, n_ends)),
            "length_penalty": chance.choice((-1.0, 0.0, 0.5, 1.0, 2.0)), "early": chance.choice(("no", "yes", "never")),
            "max_tokens": chance.choice((1, 2, 3, 5, 8, 12)), "min_tokens": chance.choice((0, 0, 0, 2, 4))}


def main():
    model, chance, cases = Model(), random.Random(5), []
    n_tried = 0
    while len(cases) < 60:
        n_tried += 1
        try:
            case = make_case(model, chance)
            cases.append(case | {"hypotheses": beam_search(model, **case)})
        except TooClose:
            continue
    n_ended = sum(h["is_ended"] for case in cases for h in case["hypotheses"])
    print(f"{len(cases)} cases of {n_tried}, {n_ended} texts ended by a token", file=sys.stderr)
    with open("tests/data/beams.json", "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()

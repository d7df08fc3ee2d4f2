#!/usr/bin/python3
"""Writes tests/data/toml.json: documents, and what Python's tomllib makes of them (or that it refuses them).

    tools/toml-goldens.py [--mutants N FILE]     N mutants of the documents as well, to FILE: for a longer check of one's own

Each case is {"toml": text, "value": tagged value or null}. A tagged value is {"s": text}, {"i": "7"}, {"f": repr}, {"b": true},
{"t": ISO text}, a list or {"table": {…}}: types are compared, not only what they look like."""
import datetime
import json
import math
import random
import sys
import tomllib
from pathlib import Path

EXTRA = ["a = 1\r\nb = 2\r\n", "a = \"\"\"x\r\ny\"\"\"", "a = 1\rb = 2", "# bad\x07comment", "a = \"\x01\"", "a = '\x7f'", "# \x7f", "a = \"\"\"\x08\"\"\"",
         "a = 'tab\there'", "\n\n\n", " ", "a=1", "[a]", "[[a]]", "a = \"x\"\n\n[b] # c\n", "a = 1 # c\x00", "a\x00 = 1", "a = [" * 40 + "]" * 40,
         "a = " + "[" * 60 + "]" * 60, "a = " + "{b = " * 30 + "1" + "}" * 30, ".".join("abcdefghij") + " = 1"]


def tagged(value):
    if isinstance(value, bool):
        return {"b": value}
    if isinstance(value, str):
        return {"s": value}
    if isinstance(value, int):
        if not -2**63 <= value < 2**63:
            raise tomllib.TOMLDecodeError("outside of 64 bits")  # the specification wants an error; Python's integers have no end
        return {"i": str(value)}
    if isinstance(value, float):
        return {"f": "nan" if math.isnan(value) else repr(value)}
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return {"t": value.isoformat()}
    if isinstance(value, list):
        return [tagged(item) for item in value]
    return {"table": {key: tagged(item) for key, item in value.items()}}


def case(text):
    try:
        return {"toml": text, "value": tagged(tomllib.loads(text))}
    except (tomllib.TOMLDecodeError, ValueError, RecursionError):
        return {"toml": text, "value": None}


def mutant(rng, texts):
    text = rng.choice(texts)
    pieces = ["\"", "'", "[", "]", "{", "}", "=", ".", ",", "#", "\n", "\\", "0", "1", "_", "e", "+", "-", "T", ":", "a", " ", "\"\"\"", "'''", "[a]", "[[a]]", "a.b = 1\n"]
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(text))
        how = rng.random()
        if how < 0.4:
            text = text[:at] + rng.choice(pieces) + text[at:]
        elif how < 0.7:
            text = text[:at] + text[at + rng.randint(1, 3):]
        elif how < 0.85:
            other = rng.choice(texts)
            text = text + "\n" + other
        else:
            text = text[:at] + rng.choice(pieces) + text[at + 1:]
    return text


def main():
    data = Path(__file__).parent.parent / "tests/data"
    texts = [line.replace("||", "\n") for line in (data / "toml-documents.txt").read_text().split("\n")[1:]] + EXTRA
    cases = [case(text) for text in texts]
    (data / "toml.json").write_text("[\n" + ",\n".join(json.dumps(c, ensure_ascii=True) for c in cases) + "\n]\n")
    if len(sys.argv) == 4 and sys.argv[1] == "--mutants":
        rng = random.Random(1)
        mutants = [case(mutant(rng, texts)) for _ in range(int(sys.argv[2]))]
        Path(sys.argv[3]).write_text(json.dumps(mutants))


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Prompt lookup on edits of code: hob decoding edited sources of its own behind a prompt that holds the originals.

    bench/code_edits.py [--build build] [--model qwen-q4_0.gguf] [--threads 1] [--drafts 16] [--rounds 3]

Prints a line an edit: tokens a run, share of right drafts, ratio of decoding speeds with drafts to without (processor time, and the clock);
then the medians. The tokenizer is Qwen's, from ../shared."""
import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from sides import Place, SideError

ROOT = Path(__file__).resolve().parent.parent
ASK = "\n\nHere is the file again, with this change: {}.\n\n"
EDITS = [
    ("src/base/arena.c", "arena_chunk is called arena_block now", [(r"\barena_chunk\b", "arena_block")]),
    ("src/base/string_map.c", "slots are called places", [(r"\bslots\b", "places"), (r"\bslot\b", "place"), (r"\bn_slots\b", "n_places")]),
    ("src/text/utf8_stream.c", "every function says in a comment that it is not thread-safe", [(r"\n(static [^\n]*\)\n\{)", r"\n/* Not thread-safe. */\n\1")]),
    ("src/cli/ids.c", "indent with two spaces", [(r"(?m)^((?:    )+)", lambda match: match.group(1).replace("    ", "  "))]),
    ("src/base/buffer.c", "sizes that are zero are refused", [(r"\n\{\n", "\n{\n    if (n_bytes == 0) return true;\n")]),
]


def edited(text, changes):
    for pattern, replacement in changes:
        text = re.sub(pattern, replacement, text)
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--model", default="qwen-q4_0.gguf")
    for name, value in (("threads", 1), ("drafts", 16), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    tokenizer = ROOT.parent / "shared/tokenizers/qwen3"
    if not tokenizer.exists():
        sys.exit(f"code_edits: {tokenizer} is missing: the tokenizer comes from ../shared")
    try:
        model = Place(options.build, "best").model(options.model)
    except SideError as error:
        sys.exit(f"code_edits: {error}")
    lines = []
    for path, change, changes in EDITS:
        text = (ROOT / path).read_text()
        with tempfile.TemporaryDirectory() as folder:
            prompt, answer = Path(folder, "prompt"), Path(folder, "answer")
            prompt.write_text(text + ASK.format(change))
            answer.write_text(edited(text, changes))
            done = subprocess.run([f"{options.build}/bench/speculate", str(model), str(tokenizer), str(prompt), str(answer), str(options.threads), str(options.drafts), str(options.rounds)],
                                  capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr.strip())
        rounds = [json.loads(line) for line in done.stdout.splitlines()]
        cpu, clock = (statistics.median(r[key] for r in rounds) for key in ("cpu_ratio", "ratio"))
        first = rounds[0]
        lines.append((cpu, clock))
        print(f"{path:24} {first['tokens']:5} tokens  {first['tokens'] / first['runs']:.2f} a run  {first['right'] / max(first['drafted'], 1):.0%} of drafts right"
              f"  speed × {cpu:.2f} (clock × {clock:.2f})", flush=True)
    print(f"median: speed × {statistics.median(l[0] for l in lines):.2f}, clock × {statistics.median(l[1] for l in lines):.2f}")


if __name__ == "__main__":
    main()

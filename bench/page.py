#!/usr/bin/python3
"""docs/performance.md and its picture, from the results of bench/run, and of bench/serve.py beside them.

    bench/page.py RESULTS.jsonl docs"""
import json
import re
import sys
from html import escape
from pathlib import Path

MOST_RATIO = 6  # where a bar ends; the number beside it says the rest


def number(value):
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def goal_of(row):
    if "floor" in row:
        return f"≥ {row['floor']:g}"
    return f"< {row['most']} {row['unit']}" if "most" in row else "all equal"


def share_of(row):
    if not row.get("share"):
        return ""
    unit = "GB/s" if row["limit"] == "dram" else "GOP/s" if row["limit"].startswith("int") else "GFLOP/s"
    return f"{100 * row['share']:.0f} % of {number(row['limit_value'])} {unit}"


def cells_of(row):
    ratio = f"{row['ratio']:.2f}" if "ratio" in row else ""
    return [row["title"], row["against"], str(row["threads"]), f"{number(row['hob'])} {row['unit']}", number(row["peer"]), ratio,
            goal_of(row), "yes" if row["is_met"] else "no", share_of(row), row.get("check", "")]


def table_of(rows):
    """Lines for a terminal."""
    for row in rows:
        title, against, threads, hob, peer, ratio, goal, is_met, share, check = cells_of(row)
        yield f"{title:<44} {threads}T  {hob:>16} : {peer:<8} {against:<13} {ratio:>6} ({goal}{'' if is_met == 'yes' else ', missed'})  {share}  {check}"


def markdown_table(rows):
    yield "| work | against | threads | hob | they | ratio | goal | met | share of the limit | the same? |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for row in rows:
        yield "| " + " | ".join(cells_of(row)) + " |"


# ---- the picture

WIDTH, LEFT, TOP, STEP, BAR = 920, 370, 54, 24, 14
STYLE = """text{font:12px system-ui,sans-serif;fill:#1f2328}.grid{stroke:#d0d7de}.hob{fill:#2f6f4f}.short{fill:#b35900}.floor{stroke:#1f2328;stroke-width:2}
.dim{fill:#59636e}.title{font-weight:600;font-size:14px}rect.page{fill:#fff}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#3d444d}.hob{fill:#57ab7e}.short{fill:#e0823d}.floor{stroke:#e6edf3}.dim{fill:#9198a1}rect.page{fill:#0d1117}}"""


def x_of(ratio):
    return LEFT + (WIDTH - LEFT - 60) * min(ratio, MOST_RATIO) / MOST_RATIO


def bar(row, y):
    ratio, floor = row["ratio"], row.get("floor")
    label = f"{row['title']} ({row['threads']}T, {row['against']})"
    yield f'<text x="{LEFT - 8}" y="{y + 11}" text-anchor="end">{escape(label)}</text>'
    yield f'<rect class="{"hob" if row["is_met"] else "short"}" x="{LEFT}" y="{y}" width="{x_of(ratio) - LEFT:.1f}" height="{BAR}" rx="2"/>'
    yield f'<text x="{x_of(ratio) + 6:.1f}" y="{y + 11}">{ratio:.2f}</text>'
    if floor and floor <= MOST_RATIO:
        yield f'<path class="floor" d="M{x_of(floor):.1f} {y - 3}v{BAR + 6}"/>'


def write_picture(results, path):
    rows = [row for row in results if "ratio" in row]
    height = TOP + STEP * len(rows) + 20
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="How many times as fast as its peers hob is">',
             f"<style>{STYLE}</style>", f'<rect class="page" width="{WIDTH}" height="{height}"/>',
             '<text class="title" x="16" y="22">How many times as fast as the peer, or as small (bar); the goal (line)</text>']
    for tick in range(MOST_RATIO + 1):
        lines += [f'<path class="grid" d="M{x_of(tick):.1f} {TOP - 8}V{height - 14}"/>',
                  f'<text class="dim" x="{x_of(tick):.1f}" y="{TOP - 14}" text-anchor="middle">{tick}</text>']
    for i, row in enumerate(rows):
        lines += bar(row, TOP + STEP * i)
    Path(path).write_text("\n".join(lines + ["</svg>", ""]))


# ---- the page

def machine():
    info = Path("/proc/cpuinfo").read_text()
    name = re.search(r"model name\s*: (.*)", info)
    flags = set(re.search(r"flags\s*: (.*)", info).group(1).split()) if "flags" in info else set()
    sets = [words for flag, words in (("avx2", "AVX2"), ("fma", "FMA"), ("avx512f", "AVX-512"), ("avx512_vnni", "VNNI")) if flag in flags]
    n_cores = len(re.findall(r"^processor\s*:", info, re.M))
    return f"{n_cores} cores of {name.group(1) if name else 'an unnamed processor'} ({', '.join(sets) or 'no vector sets that hob uses'})"


def serving_lines(rows):
    """From bench/serve.py; rows of several runs, a later one replaces an earlier."""
    found = {(row["work"], row.get("clients"), row["threads"]): row for row in rows}
    lines = ["## Serving", "", "`hob serve` beside what a person would put together of the peers: node-llama-cpp (eight sequences of one context) and onnxruntime-node",
             "behind Node's HTTP server; 32 tokens from prompts of about 32 (Qwen2.5-0.5B's shape, Q4_0), texts of 32 token ids (MiniLM fp32), over TCP",
             "connections that are kept. Clients run on the same cores. `bench/serve.py`.", "",
             "| work | clients | threads | hob | they | ratio |", "|---|---|---|---|---|---|"]
    checks = []
    for (work, clients, threads), row in found.items():
        if "ratio" in row:
            lines.append(f"| {work} | {clients} | {threads} | {number(row['hob'])} {row['unit']} | {number(row['peer'])} | {row['ratio']:.2f} |")
        if "check" in row:
            checks.append(f"{work}: {row['check']}")
        if "us" in row:
            lines.append(f"| round trip without inference (`GET /health`, UNIX socket) | 1 | {threads} | {row['us']:.0f} µs |  |  |")
    for threads in sorted({row["threads"] for row in rows}):
        one, eight = found.get(("completions", 1, threads)), found.get(("completions", 8, threads))
        if one and eight:
            checks.append(f"eight completions at once give {eight['hob'] / one['hob']:.1f} times the tokens of one ({threads} thread{'s' if threads > 1 else ''})")
    return lines + ["", "; ".join(dict.fromkeys(checks)).capitalize() + ".", ""]


ISA_TITLES = {"best": "With every instruction set the machine has", "avx2": "Held to AVX2, the peers too"}


def write_page(results, serving, folder):
    lines = ["# How fast hob is", "", "<!-- written by `make performance-page`; change bench/, or bench/lost.md for the last part -->", "",
             f"Measured on {machine()}, against ONNX Runtime 1.30 and llama.cpp (node-llama-cpp 3.22.1): the same model files, one run,",
             "taking turns A B A B. A ratio is the median of pairs that ran right after one another; at one thread of processor times, at two of",
             "the clock. Limits are what a loop that does nothing else reaches on the same machine in the same minute. The models have random",
             "weights in the shapes of the real ones, which changes no time.", "", "![Ratios, and the goals](performance.svg)", ""]
    for isa, title in ISA_TITLES.items():
        rows = [row for row in results if row["isa"] == isa]
        if rows:
            lines += [f"## {title}", "", *markdown_table(rows), ""]
    if serving:
        lines += serving_lines(serving)
    lines += ["## Measure it yourself", "", "```", "tools/deps bench             # the peers, into a cache folder outside the repository",
              "make bench                   # every row: about 20 minutes", "make bench ROWS=minilm       # one group: about a minute",
              "make bench BENCH_ISA=avx2    # hob and the peers held to AVX2", "make bench-serve             # the daemon: about three minutes",
              "make performance-page        # this page, from what was measured", "```", "",
              "The models are made by `../shared/peers/gen_onnx.py` and `gen_gguf.py`; without them, or without the peers, rows are skipped.",
              "Measure alone: whatever else runs on the machine is measured too.", ""]
    lines += [Path("bench/lost.md").read_text().rstrip(), ""]
    Path(folder, "performance.md").write_text("\n".join(lines))
    write_picture([row for row in results if row["isa"] == "best"], Path(folder, "performance.svg"))


if __name__ == "__main__":
    results = Path(sys.argv[1])
    serving = results.with_name("serve.jsonl")
    write_page([json.loads(line) for line in results.read_text().splitlines()],
               [json.loads(line) for line in serving.read_text().splitlines()] if serving.exists() else [], sys.argv[2])

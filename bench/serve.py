#!/usr/bin/python3
"""Compares `hob serve` with the servers that a person would put together of its peers: the same model files, requests and machine.

    bench/serve.py [--build build] [--threads 1] [--seconds 8] [--rounds 3] [--json FILE]

Completions per second against node-llama-cpp (Qwen2.5-0.5B's shape, Q4_0, 32 tokens from prompts of about 32), embeddings per second against
onnxruntime-node (MiniLM, 32 token ids a text), each with 1 and 8 clients over TCP connections that are kept. Sides take turns, A B A B; each
figure is the median over the rounds, a ratio the median of the rounds' ratios. hob's result cache is off, so that nothing is answered twice
from memory; every prompt differs, so that no prefix cache helps. Greedy completions of both are compared, and vectors by their cosine."""
import argparse
import http.client
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEERS = Path(os.environ.get("HOB_BENCH_PEERS", Path.home() / ".cache/hob-bench"))
MODELS = Path(os.environ.get("HOB_BENCH_MODELS", PEERS / "models"))
WORDS = "the a of in to and house tree river light stone bread water night road hand child field bird wind fire door".split()


class Server:
    """A process that serves HTTP on a port of this machine."""

    def __init__(self, command, port=None, **environment):
        self.process = subprocess.Popen(command, stdout=None if port else subprocess.PIPE, text=True, env={**os.environ, **environment})
        self.port = port or int(self.process.stdout.readline())

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def ask(self, connection, path, body):
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        reply = connection.getresponse()
        text = reply.read()
        if reply.status != 200:
            raise RuntimeError(f"{path}: HTTP {reply.status}: {text[:300]}")
        return json.loads(text)


def start_hob(hob, folder, decoder, encoder, threads):
    port = free_port()
    config = folder / "config.toml"
    config.write_text(f"""model_path = "{decoder}"
embed_model_path = "{encoder}"
socket_path = "{folder}/hob.sock"
threads = {threads}
[server]
listen = ["tcp://127.0.0.1:{port}"]
[results]
max_entries = 0
""")
    server = Server([str(hob), "serve", "--config", str(config), "--log-level", "error"], port)
    for _ in range(600):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return server
        except OSError:
            pass
        time.sleep(0.1)
    raise RuntimeError("hob serve did not become ready")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Completions:
    name, unit = "completions", "tokens/s"

    def __init__(self, hob, peer):
        self.sides = {"hob": hob, "peer": peer}

    @staticmethod
    def make(chosen):
        return " ".join(chosen.choice(WORDS) for _ in range(28))

    def ask(self, side, connection, prompt):
        """How much was done, and what came."""
        if side == "hob":
            reply = self.sides[side].ask(connection, "/completion", {"prompt": prompt, "n_predict": 32, "temperature": 0, "ignore_eos": True})
            return reply["tokens_predicted"], reply["content"]
        reply = self.sides[side].ask(connection, "/", {"prompt": prompt, "n": 32})
        return reply["tokens"], reply["text"]

    @staticmethod
    def compare(first, second):
        """Weights are random, so that near-ties part the texts sooner than a trained model's."""
        shared = [len(os.path.commonprefix(pair)) / len(pair[0]) for pair in zip(first, second)]
        return f"greedy texts agree for the first {min(shared):.0%} to {max(shared):.0%} of their letters"


class Embeddings:
    name, unit = "embeddings", "texts/s"

    def __init__(self, hob, peer):
        self.sides = {"hob": hob, "peer": peer}

    @staticmethod
    def make(chosen):
        return [[chosen.randrange(1000, 20000) for _ in range(32)]]

    def ask(self, side, connection, ids):
        if side == "hob":
            reply = self.sides[side].ask(connection, "/embed", {"inputs": ids})
            return len(reply), reply
        vectors = self.sides[side].ask(connection, "/", {"ids": ids})["vectors"]
        return len(vectors), vectors

    @staticmethod
    def compare(first, second):
        def cosine(a, b):
            return sum(x * y for x, y in zip(a, b))
        return f"least cosine {min(cosine(a[0], b[0]) for a, b in zip(first, second)):.6f}"


def measure(work, side, n_clients, seconds, seed):
    """Amount per second over all clients."""
    done, failures, until = [0] * n_clients, [], time.monotonic() + seconds

    def run(number):
        chosen = random.Random(seed * 1000 + number)
        connection = http.client.HTTPConnection("127.0.0.1", work.sides[side].port)
        try:
            while time.monotonic() < until:
                done[number] += work.ask(side, connection, work.make(chosen))[0]
        except Exception as error:  # a thread's failure must not be lost
            failures.append(error)

    start = time.monotonic()
    threads = [threading.Thread(target=run, args=(i,)) for i in range(n_clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return sum(done) / (time.monotonic() - start)


def round_trip_us(socket_path, n=5000):
    """Median time of GET /health over the UNIX socket, one kept connection, asked from Python."""
    times = []
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(socket_path))
        for _ in range(n):
            start = time.perf_counter()
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: hob\r\n\r\n")
            if not connection.recv(4096).endswith(b"}"):
                raise RuntimeError("/health: not whole")
            times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def check_same(work):
    answers = {}
    for side in ("hob", "peer"):
        chosen, connection = random.Random(1), http.client.HTTPConnection("127.0.0.1", work.sides[side].port)
        answers[side] = [work.ask(side, connection, work.make(chosen))[1] for _ in range(4)]
    return work.compare(answers["hob"], answers["peer"])


def compare(work, options):
    rows = [{"work": work.name, "check": check_same(work)}]
    for n_clients in (1, 8):
        pairs = []
        for round_ in range(options.rounds):
            pairs.append([measure(work, side, n_clients, options.seconds, round_) for side in ("hob", "peer")])
        row = {"work": work.name, "clients": n_clients, "unit": work.unit, "hob": statistics.median(a for a, _ in pairs),
               "peer": statistics.median(b for _, b in pairs), "ratio": statistics.median(a / b for a, b in pairs)}
        print(f"{row['work']:12} {n_clients} clients: hob {row['hob']:8.1f} {work.unit}, peer {row['peer']:8.1f}, ratio {row['ratio']:.2f}", flush=True)
        rows.append(row)
    print(f"{work.name:12} {rows[0]['check']}", flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", type=Path)
    parser.add_argument("--threads", default=1, type=int)
    parser.add_argument("--seconds", default=8, type=float)
    parser.add_argument("--rounds", default=3, type=int)
    parser.add_argument("--json", type=Path, help="rows are added to this file")
    options = parser.parse_args()
    decoder, encoder = MODELS / "qwen-q4_0.gguf", MODELS / "minilm.onnx"
    for path in (decoder, encoder, PEERS / "node_modules/node-llama-cpp", PEERS / "node_modules/onnxruntime-node"):
        if not path.exists():
            sys.exit(f"bench/serve.py: {path}: not there; run `make bench` once, which makes and installs what is measured")
    with tempfile.TemporaryDirectory() as folder:
        hob = start_hob(options.build / "hob", Path(folder), decoder.resolve(), encoder.resolve(), options.threads)
        environment = {"HOB_BENCH_PEERS": str(PEERS)}
        llama = Server(["node", str(HERE / "serve_llama.mjs"), str(decoder), str(options.threads)], **environment)
        ort = Server(["node", str(HERE / "serve_ort.mjs"), str(encoder), str(options.threads)], **environment)
        try:
            rows = [{"work": "round trip", "us": round_trip_us(Path(folder) / "hob.sock")}]
            print(f"round trip   GET /health over the UNIX socket: {rows[0]['us']:.0f} us", flush=True)
            rows += compare(Completions(hob, llama), options) + compare(Embeddings(hob, ort), options)
        finally:
            for server in (hob, llama, ort):
                server.stop()
    if options.json:
        with options.json.open("a") as file:
            file.writelines(json.dumps({**row, "threads": options.threads}) + "\n" for row in rows)


main()

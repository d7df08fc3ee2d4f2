#!/usr/bin/env python3
"""Load on a running daemon: many clients at once, each reply held against what the same request gave alone.

    tests/server/load.py ADDRESS… --seconds S --clients N [--pid PID] [--requests N] [--longest N] [--models A,B]
                         [--embedder NAME] [--aborts P]

ADDRESS is the daemon's UNIX socket or host:port; clients take turns with them. First each of N different prompts (greedy and seeded,
short and long) is asked for alone by every API that continues or answers texts, streamed or whole: all of them must say the same.
Then the clients ask for them at random, with embeddings (--embedder) and lines among them; --aborts is the part of requests
whose clients go away before the end. With --pid the daemon's resident memory is read when pools have filled and at the end. Prints
one JSON object; exits 1 when a reply was lost or differs, or when memory grew by more than 16 MiB.
"""
import argparse
import asyncio
import json
import random
import sys
import time

WORDS = "once upon a time there was little girl who had dog and they went to the park where big red ball".split()
LOST = (ValueError, KeyError, IndexError, OSError, EOFError, asyncio.TimeoutError)


# ---- what is asked, and where the texts of replies are: whole ones, and those of a stream's events ----

def openai_body(shape, **parts):
    return {"temperature": shape["temperature"], "seed": shape["seed"], "max_tokens": shape["tokens"], **parts}


def native_options(shape, limit):
    return {"temperature": shape["temperature"], "seed": shape["seed"], limit: shape["tokens"], "top_k": 0, "top_p": 1, "min_p": 0,
            "repeat_penalty": 1}


def user(text):
    return [{"role": "user", "content": text}]


def choice_text(event):
    text = ""
    for choice in event["choices"]:
        text += choice.get("text") or choice.get("message", choice.get("delta", {})).get("content") or ""
    return text


def message_text(event):
    if "content" in event:
        return "".join(block["text"] for block in event["content"])
    return event.get("delta", {}).get("text", "")


def response_text(event):
    if "output" in event:
        return "".join(part["text"] for item in event["output"] for part in item["content"])
    return event["delta"] if event["type"] == "response.output_text.delta" else ""


class Api:
    """One way to ask: its path, its body for a text, the text of an event of its replies, whether an event is the last of a stream."""

    def __init__(self, path, body, text, is_last):
        self.path, self.body, self.text, self.is_last = path, body, text, is_last


COMPLETIONS = [
    Api("/v1/completions", lambda text, shape: openai_body(shape, prompt=text), choice_text, lambda event: event == "[DONE]"),
    Api("/completion", lambda text, shape: {"prompt": text, **native_options(shape, "n_predict")},
        lambda event: event["content"], lambda event: event["stop"]),
    Api("/api/generate", lambda text, shape: {"prompt": text, "raw": True, "options": native_options(shape, "num_predict")},
        lambda event: event["response"], lambda event: event["done"]),
]
CHATS = [
    Api("/v1/chat/completions", lambda text, shape: openai_body(shape, messages=user(text)), choice_text, lambda event: event == "[DONE]"),
    Api("/api/chat", lambda text, shape: {"messages": user(text), "options": native_options(shape, "num_predict")},
        lambda event: event["message"]["content"], lambda event: event["done"]),
    Api("/v1/messages", lambda text, shape: openai_body(shape, messages=user(text)), message_text,
        lambda event: event["type"] == "message_stop"),
    Api("/v1/responses", lambda text, shape: {"input": text, "max_output_tokens": shape["tokens"], "temperature": shape["temperature"],
                                              "seed": shape["seed"]},
        response_text, lambda event: event["type"] in ("response.completed", "response.incomplete")),
]


class Request:
    """One of them with a body; alike: the number that requests share which must say the same."""

    def __init__(self, alike, api, body):
        self.alike, self.api, self.body = alike, api, body
        self.is_stream = body.get("stream", False)
        self.is_line = api is None
        data = json.dumps(body).encode()
        path = "" if self.is_line else api.path
        self.bytes = data + b"\n" if self.is_line else (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)

    def __str__(self):
        return f"{self.api.path if self.api else 'line'} {json.dumps(self.body)}"

    def text(self, status, body):
        if status != 200:
            raise ValueError(f"HTTP {status}: {body[:200]}")
        if not self.is_stream:
            return self.api.text(json.loads(body))
        lines = [line[6:] if line.startswith("data: ") else line for line in body.decode().split("\n") if line and not line.startswith(("event:", ":"))]
        events = [line if line == "[DONE]" else json.loads(line) for line in lines]
        if not self.api.is_last(events[-1]):
            raise ValueError(f"the stream ended early: {lines[-1]}")
        return "".join(self.api.text(event) for event in events if event != "[DONE]" and not has_all(event))


def has_all(event):
    """Whether it repeats the whole text, as the last events of /v1/responses do."""
    return event.get("type", "").startswith("response.") and event["type"] != "response.output_text.delta"


def vectors(path, field):
    return Api(path, None, lambda event: json.dumps(event[field]), None)


def make_requests(args):
    chosen, made, n = random.Random(7), [], args.requests
    for i in range(n):
        text = " ".join(chosen.choice(WORDS) for _ in range(chosen.randint(1, 40)))
        shape = {"temperature": chosen.choice([0, 0.8]), "seed": i, "tokens": chosen.choice([1, 8, 24, 64, args.longest])}
        model = chosen.choice(args.models)
        for api in chosen.choice([COMPLETIONS, CHATS]):
            made.append(Request(i, api, {"model": model, "stream": chosen.random() < 0.7, **api.body(text, shape)}))
        if i % 8 == 0:
            made.append(Request(n + i, None, {"text": text, "n": 2, "max_tokens": 8}))
        if args.embedder and i % 4 == 0:
            inputs = [text, text[: len(text) // 2 + 1], "word"]
            made.append(Request(2 * n + i, vectors("/v1/embeddings", "data"), {"model": args.embedder, "input": inputs}))
            made.append(Request(3 * n + i, vectors("/api/embed", "embeddings"), {"model": args.embedder, "input": inputs}))
    return made


# ---- a client's connection ----

class Connection:
    @classmethod
    async def open(cls, address):
        self = cls()
        if address.startswith("/"):
            self.reader, self.writer = await asyncio.open_unix_connection(address)
        else:
            host, port = address.rsplit(":", 1)
            self.reader, self.writer = await asyncio.open_connection(host, int(port))
        return self

    def close(self):
        self.writer.close()

    async def ask(self, request):
        """The text of its reply."""
        self.writer.write(request.bytes)
        await self.writer.drain()
        if request.is_line:
            return (await self.reader.readuntil(b"\n")).decode()
        return request.text(*await self.read_reply())

    async def read_reply(self):
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head.split(b" ", 2)[1])
        if b"transfer-encoding: chunked" not in head:
            length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
            return status, await self.reader.readexactly(length)
        body = b""
        while True:
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            body += (await self.reader.readexactly(size + 2))[:-2]
            if not size:
                return status, body

    async def abandon(self, request, n_bytes):
        """Goes away when so many bytes have come, or at once."""
        self.writer.write(request.bytes)
        if n_bytes:
            await self.reader.read(n_bytes)
        self.writer.transport.abort()


# ---- alone, and together ----

async def ask_alone(address, requests, counts):
    """What each says; requests that are alike must say the same."""
    expected, by_meaning = [], {}
    for request in requests:
        connection = await Connection.open(address)
        text = await connection.ask(request)
        connection.close()
        expected.append(text)
        first = by_meaning.setdefault(request.alike, text)
        if text != first:
            counts["different"] += 1
            print(f"alone: {request}: found {text!r}, expected {first!r}", file=sys.stderr)
    return expected


async def ask_among_others(address, order, requests, expected, args, counts):
    """A connection with some requests, of one protocol: HTTP or lines."""
    connection = await Connection.open(address)
    first = order.choice([request for request in requests if address.startswith("/") or not request.is_line])
    kept = [i for i, request in enumerate(requests) if request.is_line == first.is_line]
    for _ in range(order.randint(1, 5)):  # some connections are kept, some are not
        i = order.choice(kept)
        if order.random() < args.aborts:
            await connection.abandon(requests[i], order.choice([0, 0, 1, 400, 2000]))
            counts["abandoned"] += 1
            return
        text = await asyncio.wait_for(connection.ask(requests[i]), args.patience)
        counts["done"] += 1
        if text != expected[i]:
            counts["different"] += 1
            print(f"{requests[i]}: found {text!r}, expected {expected[i]!r}", file=sys.stderr)
    connection.close()


async def client(number, requests, expected, until, args, counts):
    order = random.Random(number)
    address = args.address[number % len(args.address)]
    while time.monotonic() < until:
        try:
            await ask_among_others(address, order, requests, expected, args, counts)
        except LOST as error:
            counts["lost"] += 1
            print(f"client {number}: {error!r}", file=sys.stderr)


def resident_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", nargs="+")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--pid", type=int)
    parser.add_argument("--requests", type=int, default=40)
    parser.add_argument("--longest", type=int, default=64, help="tokens of the longest texts")
    parser.add_argument("--models", type=lambda names: names.split(","), default=["stories"])
    parser.add_argument("--embedder")
    parser.add_argument("--aborts", type=float, default=0)
    parser.add_argument("--patience", type=float, default=120, help="seconds until a reply is lost")
    return parser.parse_args()


async def main():
    args = read_arguments()
    counts = {"done": 0, "lost": 0, "different": 0, "abandoned": 0}
    requests = make_requests(args)
    expected = await ask_alone(args.address[0], requests, counts)
    until = time.monotonic() + args.seconds
    clients = [asyncio.create_task(client(i, requests, expected, until, args, counts)) for i in range(args.clients)]
    before = after = 0
    if args.pid:
        await asyncio.sleep(min(args.seconds / 3, 30))  # pools have filled by then
        before = resident_bytes(args.pid)
    await asyncio.gather(*clients)
    if args.pid:
        after = resident_bytes(args.pid)
    print(json.dumps({**counts, "rss_before": before, "rss_after": after, "seconds": args.seconds, "clients": args.clients}))
    return 1 if counts["lost"] or counts["different"] or not counts["done"] or after - before > 16 << 20 else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

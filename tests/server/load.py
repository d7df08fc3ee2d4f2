#!/usr/bin/env python3
"""Load on a running daemon: many clients that stream at once, each reply held against what the same request gave alone.

    tests/server/load.py SOCKET SECONDS CLIENTS [--pid PID] [--requests N]

SOCKET is the daemon's UNIX socket. First each of N different requests (greedy and seeded, chat and completion, long and short, with
and without streaming) is sent alone; then CLIENTS clients send them in turn for SECONDS. With --pid the daemon's resident memory is read after the first
second and at the end. Prints one JSON object; exits 1 when a reply was lost or differs, or when memory grew by more than 16 MiB.
"""
import argparse
import asyncio
import json
import random
import sys
import time

WORDS = "once upon a time there was little girl who had dog and they went to the park where big red ball".split()


def make_requests(n):
    chosen = random.Random(7)
    made = []
    for i in range(n):
        text = " ".join(chosen.choice(WORDS) for _ in range(chosen.randint(1, 40)))
        body = {"max_tokens": chosen.choice([1, 8, 24, 64]), "temperature": chosen.choice([0, 0.8]), "seed": i,
                "stream": chosen.random() < 0.8}
        if chosen.random() < 0.5:
            made.append(("/v1/completions", {**body, "prompt": text}))
        else:
            made.append(("/v1/chat/completions", {**body, "messages": [{"role": "user", "content": text}]}))
    return made


async def read_body(reader):
    """The body of one reply, and its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    lower = head.lower()
    if b"transfer-encoding: chunked" not in lower:
        length = int(lower.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        return status, await reader.readexactly(length)
    body = b""
    while True:
        size = int(await reader.readuntil(b"\r\n"), 16)
        body += (await reader.readexactly(size + 2))[:-2]
        if not size:
            return status, body


def text_of(path, body, is_stream):
    """What the reply says, without ids and times."""
    key = "text" if path == "/v1/completions" else None
    if not is_stream:
        choice = json.loads(body)["choices"][0]
        return choice["text"] if key else choice["message"]["content"], choice["finish_reason"]
    text, finish = "", None
    lines = [line[6:] for line in body.decode().split("\n") if line.startswith("data: ")]
    if lines[-1] != "[DONE]":
        raise ValueError("the stream ended early")
    for line in lines[:-1]:
        for choice in json.loads(line)["choices"]:
            text += choice.get("text", "") if key else choice["delta"].get("content") or ""
            finish = choice["finish_reason"] or finish
    return text, finish


async def ask(reader, writer, request):
    path, body = request
    data = json.dumps(body).encode()
    writer.write(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
    await writer.drain()
    status, reply = await read_body(reader)
    if status != 200:
        raise ValueError(f"HTTP {status}: {reply[:200]}")
    return text_of(path, reply, body["stream"])


async def client(number, socket, requests, expected, until, counts):
    order = random.Random(number)
    while time.monotonic() < until:
        reader, writer = await asyncio.open_unix_connection(socket)
        for _ in range(order.randint(1, 5)):  # some connections are kept, some are not
            if time.monotonic() >= until:
                break
            i = order.randrange(len(requests))
            try:
                got = await ask(reader, writer, requests[i])
            except (ValueError, OSError, asyncio.IncompleteReadError) as error:
                counts["lost"] += 1
                print(f"client {number}: request {i}: {error!r}", file=sys.stderr)
                break
            counts["done"] += 1
            if got != expected[i]:
                counts["different"] += 1
                print(f"client {number}: request {i}: found {got!r}, expected {expected[i]!r}", file=sys.stderr)
        writer.close()


def resident_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("socket")
    parser.add_argument("seconds", type=float)
    parser.add_argument("clients", type=int)
    parser.add_argument("--pid", type=int)
    parser.add_argument("--requests", type=int, default=40)
    args = parser.parse_args()
    requests = make_requests(args.requests)
    reader, writer = await asyncio.open_unix_connection(args.socket)
    expected = [await ask(reader, writer, request) for request in requests]
    writer.close()
    counts = {"done": 0, "lost": 0, "different": 0}
    until = time.monotonic() + args.seconds
    clients = [asyncio.create_task(client(i, args.socket, requests, expected, until, counts)) for i in range(args.clients)]
    before = after = 0
    if args.pid:
        await asyncio.sleep(min(args.seconds / 3, 20))  # pools have filled by then
        before = resident_bytes(args.pid)
    await asyncio.gather(*clients)
    if args.pid:
        after = resident_bytes(args.pid)
    print(json.dumps({**counts, "rss_before": before, "rss_after": after, "seconds": args.seconds, "clients": args.clients}))
    return 1 if counts["lost"] or counts["different"] or not counts["done"] or after - before > 16 << 20 else 0


sys.exit(asyncio.run(main()))

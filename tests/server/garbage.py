#!/usr/bin/env python3
"""What no client should send, and what must come of it.

    tests/server/garbage.py SOCKET HOST:PORT

Each case is sent to the UNIX socket and by TCP, in one piece and in two. A case states the outcomes that are right: statuses of HTTP,
"line" (one line of JSON with an error), "suggestions" (one with an answer), "closed" (an end without a word). The daemon's
read_timeout_s should be short. Prints what differs and exits 1.
"""
import concurrent.futures
import itertools
import json
import socket
import sys

JSON = b"Content-Type: application/json\r\n"


def post(body, path=b"/v1/completions", more=b"", length=None):
    n_bytes = len(body) if length is None else length
    return b"POST %s HTTP/1.1\r\nHost: localhost\r\n%s%sContent-Length: %d\r\n\r\n%s" % (path, JSON, more, n_bytes, body)


def get(path, more=b"", version=b"HTTP/1.1"):
    return b"GET %s %s\r\nHost: localhost\r\n%s\r\n" % (path, version, more)


def chunked(body):
    return b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n" + JSON + b"Transfer-Encoding: chunked\r\n\r\n" + body


REFUSED = {400, 404, 405, 408, 411, 413, 414, 415, 417, 431, 501, 505, "closed"}
NOT_HTTP = {"line", "closed"} | REFUSED
CASES = {
    # not HTTP, or not quite
    "bytes of every value": (bytes(range(256)) * 4, NOT_HTTP),
    "zeros": (bytes(4000), NOT_HTTP),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]), NOT_HTTP | {"suggestions"}),
    "TLS": (bytes.fromhex("160301020001000001fc0303") + bytes(500), NOT_HTTP),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", NOT_HTTP | {"suggestions"}),
    "no version": (b"GET /health\r\n\r\n", REFUSED),
    "a version that is none": (get(b"/health", version=b"HTTP/9.9"), REFUSED),
    "a version of letters": (get(b"/health", version=b"HTTP/x.y"), REFUSED),
    "half a request line": (b"GET /heal", {408, 400, "closed"}),
    "half a header": (b"GET /health HTTP/1.1\r\nHost: loc", {408, 400, "closed"}),
    "half a body": (post(b'{"prompt": "x"', length=1000), {408, 400, "closed"}),
    "a header without a colon": (get(b"/health", b"nonsense\r\n"), REFUSED | {200}),
    "a header with a zero": (get(b"/health", b"x-a: b\0c\r\n"), REFUSED | {200}),
    "a header line of 1 MB": (get(b"/health", b"x-a: " + b"a" * 1000000 + b"\r\n"), REFUSED),
    "headers without end": (get(b"/health", b"x-a: b\r\n" * 20000), REFUSED),
    "a path of 100 kB": (get(b"/" + b"a" * 100000), REFUSED),
    "a path of zeros": (get(b"/v1/models/%00%00"), REFUSED),
    "a path out of the house": (get(b"/v1/models/..%2f..%2f..%2fetc%2fpasswd"), {404}),
    "a path with dots": (get(b"/../../etc/passwd"), REFUSED),
    "broken percents": (get(b"/v1/models/%zz%"), REFUSED),
    "no host": (b"GET /health HTTP/1.1\r\n\r\n", REFUSED),
    "CONNECT": (b"CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\n\r\n", NOT_HTTP | {"suggestions"}),
    "TRACE": (b"TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n", REFUSED),
    # lengths
    "a negative length": (post(b"{}", length=-1), REFUSED),
    "a length beyond 64 bits": (b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n" + JSON + b"Content-Length: 99999999999999999999999\r\n\r\n{}", REFUSED),
    "a length of words": (b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n" + JSON + b"Content-Length: two\r\n\r\n{}", REFUSED),
    "two lengths": (post(b"{}", more=b"Content-Length: 7\r\n"), REFUSED),
    "a length of 100 MB, no body": (post(b"", length=100000000), {413}),
    "a length and chunks": (post(b"0\r\n\r\n", more=b"Transfer-Encoding: chunked\r\n"), REFUSED),
    "an encoding that is none": (post(b"{}", more=b"Transfer-Encoding: gzip\r\n"), REFUSED),
    "chunks of no size": (chunked(b"zz\r\nhello\r\n0\r\n\r\n"), REFUSED),
    "chunks too large": (chunked(b"fffffffffffffffffff\r\nhello\r\n"), REFUSED),
    "a negative chunk": (chunked(b"-5\r\nhello\r\n0\r\n\r\n"), REFUSED),
    "chunks longer than they say": (chunked(b"2\r\n{}hello\r\n0\r\n\r\n"), REFUSED),
    "chunks without end": (chunked(b"1\r\n{\r\n" * 10), {408, 400, "closed"}),
    "what nobody expects": (post(b"{}", more=b"Expect: the-unexpected\r\n"), REFUSED),
    # bodies
    "an empty body": (post(b""), {400}),
    "a body of zeros": (post(bytes(100)), {400}),
    "half of an object": (post(b'{"prompt": "a'), {400}),
    "a body that is deep": (post(b'{"prompt":' * 5000), {400}),
    "a list that is deep": (post(b'{"prompt":' + b"[" * 100000), {400}),
    "UTF-8 that is none": (post(b'{"prompt": "\xff\xfe\xc0\x80"}'), {400}),
    "half of a surrogate": (post(b'{"prompt": "\\ud800"}'), {200}),  # an editor cut it: U+FFFD
    "a zero in a text": (post(b'{"prompt": "a\\u0000b", "max_tokens": 1}'), {200, 400}),
    "a number beyond all": (post(b'{"prompt": "a", "temperature": 1e999}'), {400}),
    "an integer beyond all": (post(b'{"prompt": "a", "max_tokens": 99999999999999999999}'), {400}),
    "not a number": (post(b'{"prompt": "a", "temperature": NaN}'), {400}),
    "tokens that are none": (post(b'{"prompt": [-1, 99999999]}'), {400}),
    "ten thousand prompts": (post(b'{"prompt": [' + b'"a",' * 9999 + b'"a"]}'), {400, 429}),
    "two values": (post(b"{}{}"), {400}),
    "another route's words": (post(b'{"inputs": "a"}', path=b"/v1/messages"), {400}),
    "a model's name of 100 kB": (post(b'{"model": "' + b"m" * 100000 + b'", "prompt": "a"}'), {400, 404}),
    "a file as the model": (post(b'{"model": "../../../../etc/passwd", "prompt": "a"}'), {400, 404}),
    "a grammar that never ends": (post(b'{"prompt": "a", "max_tokens": 2, "grammar": "root ::= root"}'), {400}),
    "a schema in circles": (post(b'{"prompt": "a", "max_tokens": 2, "json_schema": {"$ref": "#"}}'), {200, 400}),
    # more than one
    "garbage behind a request": (get(b"/health") + b"\0\1\2garbage\r\n\r\n", {200}),
    "a body where none belongs": (get(b"/health", b"Content-Length: 5\r\n") + b"hello", {200} | REFUSED),
}


def connect(address):
    if address.startswith("/"):
        client = socket.socket(socket.AF_UNIX)
        client.connect(address)
    else:
        host, port = address.rsplit(":", 1)
        client = socket.create_connection((host, int(port)))
    client.settimeout(30)
    return client


def send(client, pieces):
    try:
        for piece in pieces:
            client.sendall(piece)
    except OSError:
        pass  # it was refused before its end


def first_of(client):
    """The first bytes of the answer, up to its status or line."""
    answer = b""
    try:
        while b"\n" not in answer:
            piece = client.recv(65536)
            if not piece:
                break
            answer += piece
    except ConnectionResetError:
        pass
    return answer


def outcome_of(answer):
    if not answer:
        return "closed"
    if answer.startswith(b"HTTP/1."):
        return int(answer.split(b" ", 2)[1])
    line = json.loads(answer)
    return "line" if "error" in line else "suggestions"


def try_case(address, pieces):
    client = connect(address)
    send(client, pieces)
    outcome = outcome_of(first_of(client))
    client.close()
    return outcome


def check_pipeline(address):
    """Requests that do not wait for each other are answered in order."""
    client = connect(address)
    client.sendall(b"".join(get(path, b"x-request-id: number-%d\r\n" % i) for i, path in enumerate([b"/health", b"/nope"] * 10)))
    answer = b""
    while answer.count(b"HTTP/1.1 ") < 20 or b"number-19" not in answer:
        answer += client.recv(65536) or sys.exit(f"{address}: a pipeline was cut: {answer[-300:]}")
    statuses = [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [200, 404] * 10, statuses
    ids = [int(part.split(b"\r\n", 1)[0]) for part in answer.split(b"number-")[1:]]
    assert ids == list(range(20)), ids


def check_case(case):
    """Whether its outcome is right."""
    address, name, n_pieces = case
    data, right = CASES[name]
    middle = len(data) // n_pieces
    outcome = try_case(address, [data[:middle], data[middle:]])
    if outcome not in right:
        print(f"{address}: {name} in {n_pieces}: found {outcome}, expected one of {sorted(right, key=str)}")
    return outcome in right


def main():
    with concurrent.futures.ThreadPoolExecutor(16) as pool:  # those that wait for a timeout wait together
        is_right = all(list(pool.map(check_case, itertools.product(sys.argv[1:], CASES, (1, 2)))))
    for address in sys.argv[1:]:
        check_pipeline(address)
    sys.exit(0 if is_right else 1)


main()

#!/usr/bin/env python3
"""Clients that misbehave, and what a service manager does, for the tests of the daemon.

    sockets.py ADDRESS hold N            N connections that say nothing; prints "held" and waits for its standard input to end
    sockets.py ADDRESS trickle BYTES S   sends BYTES one at a time, S seconds apart; prints what comes back
    sockets.py ADDRESS half TEXT         sends TEXT, ends its sending, prints what comes back
    sockets.py ADDRESS cut TEXT N        sends TEXT, reads N bytes, closes
    sockets.py ADDRESS stuck TEXT        sends TEXT, reads nothing; prints "closed" when the other end has closed
    sockets.py ADDRESS same TEXT N       sends TEXT N times on one connection, each behind the other's answer (Content-Length); the median in µs
    sockets.py ADDRESS flood TEXT N      N connections that send TEXT four times at once, again and again, until nobody listens any more
    sockets.py SOCKET activate COMMAND…  listens at SOCKET and starts COMMAND with it, as systemd does
    sockets.py SOCKET notified COMMAND…  starts COMMAND with NOTIFY_SOCKET and prints what it tells, a line each

ADDRESS is a UNIX socket's path or host:port. \\n, \\r and \\0 in TEXT are what they are in C.
"""
import os
import select
import socket
import statistics
import sys
import threading
import time


def connect(address):
    if ":" in address and "/" not in address:
        host, port = address.rsplit(":", 1)
        return socket.create_connection((host.removeprefix("http://"), int(port)))
    client = socket.socket(socket.AF_UNIX)
    client.connect(address)
    return client


def bytes_of(text):
    return text.encode().decode("unicode_escape").encode("latin-1")


def read_all(client):
    answer = b""
    while True:
        try:
            piece = client.recv(65536)
        except ConnectionResetError:
            break
        if not piece:
            break
        answer += piece
    return answer


def show(answer):
    sys.stdout.buffer.write(answer)
    sys.stdout.flush()


def hold(address, count):
    clients = [connect(address) for _ in range(int(count))]
    print("held", flush=True)
    sys.stdin.read()
    for client in clients:
        client.close()


def trickle(address, text, seconds):
    client = connect(address)
    try:
        for byte in bytes_of(text):
            client.send(bytes([byte]))
            time.sleep(float(seconds))
    except OSError:
        pass
    show(read_all(client))


def half(address, text):
    client = connect(address)
    client.sendall(bytes_of(text))
    client.shutdown(socket.SHUT_WR)
    show(read_all(client))


def cut(address, text, count):
    client = connect(address)
    client.sendall(bytes_of(text))
    while len(client.recv(65536, socket.MSG_PEEK)) < int(count):
        time.sleep(0.001)
    client.close()


def stuck(address, text):
    client = connect(address)
    client.sendall(bytes_of(text))
    poll = select.poll()
    poll.register(client, 0)  # told of the end alone
    poll.poll(20000)
    print("closed" if poll.poll(0) else "open")


def read_reply(client):
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += client.recv(65536)
    head, _, body = answer.partition(b"\r\n\r\n")
    wanted = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")).split(b":")[1])
    while len(body) < wanted:
        body += client.recv(65536)


def same(address, text, count):
    client, times = connect(address), []
    for _ in range(int(count)):
        start = time.perf_counter()
        client.sendall(bytes_of(text))
        read_reply(client)
        times.append(time.perf_counter() - start)
    print(f"{statistics.median(times) * 1e6:.0f}")


def send_and_read(address, text):
    try:
        while True:
            client = connect(address)
            try:
                while True:
                    client.sendall(4 * text)
                    n_answers = 0
                    while n_answers < 4:
                        n_answers += client.recv(65536).count(b"HTTP/1.1") or 5
            except OSError:
                client.close()
    except OSError:
        pass


def flood(address, text, count):
    for _ in range(int(count)):
        threading.Thread(target=send_and_read, args=(address, bytes_of(text))).start()


def activate(path, *command):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, 0o600)
    listener.listen(64)
    if listener.fileno() != 3:
        os.dup2(listener.fileno(), 3)
    os.set_inheritable(3, True)
    os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="hob.socket")
    os.execvp(command[0], command)


def notified(path, *command):
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(path)
    child = os.fork()
    if child == 0:
        os.environ.update(NOTIFY_SOCKET=path, WATCHDOG_USEC="200000")
        os.execvp(command[0], command)
    print(f"PID={child}", flush=True)
    manager.settimeout(0.2)
    while True:
        try:
            print(manager.recv(4096).decode().replace("\n", " "), flush=True)
        except TimeoutError:
            if os.waitpid(child, os.WNOHANG)[0]:
                return


if __name__ == "__main__":
    globals()[sys.argv[2]](sys.argv[1], *sys.argv[3:])

"""Attacks the appliance at API in several ways, one after the other, while a well-behaved client works.

Everything is bounded: in connections, in bytes, and in time. It fails if the client is refused or cut off once, or is
answered later than BOUND, or if a doubtful request is understood in two ways.
"""

import base64
import contextlib
import json
import os
import socket
import sys
import threading
import time
import urllib.parse
import urllib.request

API = os.environ["API"]
HOST, PORT = urllib.parse.urlsplit(API).hostname, urllib.parse.urlsplit(API).port
IDLE = 10_000
SLOW = 500
SECONDS = 5
# Generous: these machines are shared. Who is starved waits for the timeouts of the attackers, which are longer.
BOUND = 5.0


def fail(text):
    print(f"70-hostile: {text}", file=sys.stderr)
    sys.exit(1)


def call(method, path, body=None, headers=None):
    request = urllib.request.Request(API + path, method=method, data=body, headers=headers or {})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"null")


def token():
    basic = base64.b64encode(b"quickstart:quickstart-secret").decode()
    body = b"grant_type=client_credentials"
    headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
    return call("POST", "/oauth2/token", body, headers)["access_token"]


class Client(threading.Thread):
    """Publishes one event after the other, and polls each."""

    def __init__(self):
        super().__init__(daemon=True)
        self.bearer = {"Authorization": f"Bearer {token()}"}
        self.failures, self.worst, self.rounds = [], 0.0, 0
        self.over = threading.Event()

    def round(self):
        number = self.rounds
        event = json.dumps({"type": "301", "data": {"number": number}}).encode()
        call("POST", "/v1/events", event, self.bearer | {"Content-Type": "application/json"})
        page = call("GET", "/notification/v1/subscriptions/quickstart/notifications", None, self.bearer)
        polled = [result["number"] for result in page["results"]]
        if polled != [number]:
            raise AssertionError(f"polled {polled} in place of {number}")

    def run(self):
        while not self.over.is_set():
            began = time.monotonic()
            try:
                self.round()
            except Exception as error:  # noqa: BLE001 - each is a failure of the appliance, told below
                self.failures.append(repr(error))
            self.worst = max(self.worst, time.monotonic() - began)
            self.rounds += 1
            time.sleep(0.02)

    def judge(self, attack):
        if self.failures:
            fail(f"{attack}: {len(self.failures)} of {self.rounds} rounds failed, the first with {self.failures[0]}")
        if self.worst > BOUND:
            fail(f"{attack}: a round took {self.worst:.1f} s")
        print(f"ok: {attack}: {self.rounds} rounds went on, the slowest in {self.worst * 1000:.0f} ms", flush=True)
        self.worst = 0.0


def connect():
    return socket.create_connection((HOST, PORT), timeout=10)


@contextlib.contextmanager
def connections(count):
    opened = []
    try:
        for _ in range(count):
            opened.append(connect())
        yield opened
    finally:
        for each in opened:
            each.close()


def idle():
    with connections(IDLE):
        time.sleep(SECONDS)


def drip(start, rest):
    """Sends the start of a request on many connections, and then a byte of the rest to each, again and again."""
    with connections(SLOW) as slow:
        for each in slow:
            each.sendall(start)
        until = time.monotonic() + SECONDS
        at = 0
        while time.monotonic() < until:
            for each in slow:
                with contextlib.suppress(OSError):
                    each.send(rest[at % len(rest) :][:1])
            at += 1
            time.sleep(0.2)


def slow_heads():
    drip(b"GET /notification/v1/subscriptions/quickstart HTTP/1.1\r\nHost: x\r\nX-A: ", b"a" * 100)


def slow_bodies():
    head = b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n"
    drip(head, b" " * 100)


def unread_answers():
    """Asks and asks and never reads."""
    with connections(50) as greedy:
        request = b"GET /problems/not-found HTTP/1.1\r\nHost: x\r\n\r\n" * 200
        for each in greedy:
            each.setblocking(False)
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            for each in greedy:
                with contextlib.suppress(OSError):
                    each.send(request)
            time.sleep(0.1)


SMUGGLED = b"GET /problems/internal HTTP/1.1\r\nHost: x\r\n\r\n"
LENGTH = b"Content-Length: %d\r\n" % (len(SMUGGLED) + 5)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
LAST = b"0\r\n\r\n"

# Where two readers could see two requests: what is behind must never be answered as a request of its own.
SHAPES = {
    "a length and chunks": LENGTH + CHUNKED + b"\r\n" + LAST,
    "chunks and a length": CHUNKED + LENGTH + b"\r\n" + LAST,
    "two lengths": b"Content-Length: 5\r\n" + LENGTH + b"\r\n" + LAST,
    "a list of lengths": b"Content-Length: 5, 6\r\n\r\n" + LAST,
    "a signed length": b"Content-Length: +5\r\n\r\n" + LAST,
    "a length in hexadecimal": b"Content-Length: 0x5\r\n\r\n" + LAST,
    "a negative length": b"Content-Length: -1\r\n\r\n" + LAST,
    "an unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n" + LAST,
    "a coding before chunks": b"Transfer-Encoding: gzip, chunked\r\n\r\n" + LAST,
    "chunks that are not the last coding": b"Transfer-Encoding: chunked, identity\r\n\r\n" + LAST,
    "chunks twice": CHUNKED + CHUNKED + b"\r\n" + LAST,
    "a blank before the colon": b"Transfer-Encoding : chunked\r\n" + LENGTH + b"\r\n" + LAST,
    "a folded line": b"X: a\r\n Transfer-Encoding: chunked\r\n" + LENGTH + b"\r\n" + LAST,
    "a line end of its own": b"X: a\nTransfer-Encoding: chunked\r\n" + LENGTH + b"\r\n" + LAST,
    "a carriage return in a value": b"X: a\rTransfer-Encoding: chunked\r\n" + LENGTH + b"\r\n" + LAST,
    "a zero byte": b"X: a\0b\r\n" + LENGTH + b"\r\n" + LAST,
    "a chunk's size too large": CHUNKED + b"\r\n" + b"ffffffffffffffff1\r\n" + LAST,
    "a chunk's size with a sign": CHUNKED + b"\r\n" + b"-1\r\n" + LAST,
    "a chunk's size in other digits": CHUNKED + b"\r\n" + b"0x0\r\n\r\n",
    "a chunk that does not end": CHUNKED + b"\r\n" + b"3\r\nabcd\r\n" + LAST,
}


def answers(request):
    """The status of each answer to what is sent on one connection, until it is closed."""
    with connect() as connection:
        connection.settimeout(3)
        connection.sendall(request)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        said = b""
        with contextlib.suppress(OSError):
            while part := connection.recv(65536):
                said += part
    return [line.split(b" ")[1].decode() for line in said.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


def doubtful():
    for name, shape in SHAPES.items():
        head = b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        statuses = answers(head + shape + SMUGGLED)
        # One answer, and the connection's last; or none, and it is closed.
        if len(statuses) > 1 or (statuses and not statuses[0].startswith(("4", "501"))):
            fail(f"{name}: answered {statuses}")


def main():
    for attack in (idle, slow_heads, slow_bodies, unread_answers, doubtful):
        client = Client()
        client.start()
        attack()
        client.over.set()
        client.join(timeout=60)
        client.judge(attack.__name__.replace("_", " "))


main()

"""A chat server on loopback that misbehaves, the same way for the same seed."""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Sequence
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any

BILLED = ("half", "garbage", "deep", "no choice", "slow")
KINDS = ("busy", "seconds", "date", "broken", "reset", *BILLED)
SLOW = 30.0  # seconds, or until the server closes; above the client's time-out
WAIT = 2  # seconds that "seconds" and "date" ask for; a date is cut to whole seconds


class RudeServer:
    """Answers chat requests, or does not; counts what it gave and what it would bill.

    rudeness: the share of attempts that are treated badly, in one of `kinds`, but of each sample
    only the first `most_rude`. capacity: requests at a time above which others are refused. delay:
    seconds that an answer takes. answer: the text, with `{n}` for a number that depends on the
    sample. status, error: a refusal of every request. count: instead of the usage. moved: whether
    every request is sent on to another address, which answers.
    """

    def __init__(
        self,
        rudeness: float = 0.0,
        kinds: Sequence[str] = KINDS,
        seed: int = 0,
        most_rude: int = 4,
        capacity: int = 1000,
        delay: float = 0.0,
        answer: str = "{n}.0 to {n}.5",
    ) -> None:
        self.rudeness = rudeness
        self.kinds = kinds
        self.seed = seed
        self.most_rude = most_rude
        self.capacity = capacity
        self.delay = delay
        self.answer = answer
        self.status = 0
        self.error: dict[str, Any] = {}
        self.wait = str(WAIT)
        self.finish = "stop"
        self.refusal: str | None = None
        self.usage = True
        self.count: Any = None
        self.moved = False
        self.image_tokens = 60
        self.arrived: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.treated: Counter[str] = Counter()
        self.billed = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.times: list[float] = []
        self.last: dict[str, Any] = {}
        self.keys: set[str] = set()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._http = _Http(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"

    def close(self) -> None:
        self._closing.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def __enter__(self) -> RudeServer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def treat(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        raw = handler.rfile.read(int(handler.headers["Content-Length"]))
        body = json.loads(raw)
        sample = hashlib.sha256(json.dumps(body["messages"]).encode()).hexdigest()
        with self._lock:
            self.arrived[sample] += 1
            attempt = self.arrived[sample]
            self.times.append(time.monotonic())
            self.last = body
            self.keys.add(handler.headers["Authorization"])
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            self._treat(handler, body, sample, attempt)
        finally:
            with self._lock:
                self.in_flight -= 1

    def _treat(
        self, handler: BaseHTTPRequestHandler, body: dict[str, Any], sample: str, attempt: int
    ) -> None:
        if self.moved and not handler.path.startswith("/moved"):
            return _write(handler, 307, b"", location="/moved" + handler.path)
        if self.status:
            return _send(handler, self.status, {"error": self.error})
        if self.in_flight > self.capacity:
            with self._lock:
                self.treated["above capacity"] += 1
            return _refuse(handler, 429)
        draw = Random(f"{self.seed}:{sample}:{attempt}")
        kind = ""
        if attempt <= self.most_rude and draw.random() < self.rudeness:
            kind = draw.choice(list(self.kinds))
        with self._lock:
            self.treated[kind] += 1
        time.sleep(self.delay)
        match kind:
            case "busy":
                return _refuse(handler, 429)
            case "seconds":
                return _refuse(handler, 429, self.wait)
            case "date":
                return _refuse(handler, 503, formatdate(time.time() + WAIT, usegmt=True))
            case "broken":
                return _refuse(handler, 500)
            case "reset":
                linger = struct.pack("ii", 1, 0)
                handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                handler.close_connection = True
                return None
        answer = self._answer(body, sample)
        with self._lock:
            self.billed += answer["usage"]["prompt_tokens"] + answer["usage"]["completion_tokens"]
        match kind:
            case "half":
                text = json.dumps(answer).encode()
                return _write(handler, 200, text[: len(text) // 2], claimed=len(text))
            case "garbage":
                return _write(handler, 200, b'{"choices": [{"message": \xff\x00')
            case "deep":
                return _write(handler, 200, b'{"choices": [], "x": ' + b"[" * 100_000)
            case "no choice":
                return _send(handler, 200, {"error": {"message": "no choice"}, "choices": []})
            case "slow":
                self._closing.wait(SLOW)
                handler.close_connection = True
                return None
        if not self.usage:
            del answer["usage"]
        if self.count is not None:
            answer["usage"] = self.count
        _send(handler, 200, answer)
        with self._lock:
            self.answered[sample] += 1
        return None

    def _answer(self, body: dict[str, Any], sample: str) -> dict[str, Any]:
        content = body["messages"][-1]["content"]
        images = sum(part["type"] == "image_url" for part in content)
        text = sum(len(part.get("text", "")) for part in content)
        message = {
            "role": "assistant",
            "content": self.answer.format(n=int(sample, 16) % 10),
            "refusal": self.refusal,
        }
        prompt = 20 + images * self.image_tokens + text // 3
        usage = {"prompt_tokens": prompt, "completion_tokens": 7, "total_tokens": prompt + 7}
        choice = {"index": 0, "message": message, "finish_reason": self.finish}
        return {"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        treat = self.treat

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                treat(self)

            def log_message(self, format: str, *args: Any) -> None:
                """No log."""

        return Handler


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are killed, or that do not wait, close their connections."""


def _refuse(handler: BaseHTTPRequestHandler, status: int, wait: str = "") -> None:
    error = {"message": f"refused with {status}", "type": "x", "code": None}
    _send(handler, status, {"error": error}, wait)


def _send(handler: BaseHTTPRequestHandler, status: int, table: Any, wait: str = "") -> None:
    _write(handler, status, json.dumps(table).encode(), wait=wait)


def _write(
    handler: BaseHTTPRequestHandler,
    status: int,
    body: bytes,
    claimed: int = 0,
    wait: str = "",
    location: str = "",
) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(claimed or len(body)))
    if wait:
        handler.send_header("Retry-After", wait)
    if location:
        handler.send_header("Location", location)
    handler.end_headers()
    handler.wfile.write(body)
    handler.wfile.flush()
    if claimed:
        handler.close_connection = True

"""A local server of one file, which misbehaves on request."""

from __future__ import annotations

import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CONTENT = bytes(range(256)) * 20


class Server:
    """Serves one file; fields make it break off, redirect, ignore ranges or send false headers."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.ranges = True
        self.tag = '"first"'
        self.break_after: int | None = None
        self.reset = False
        self.claimed: int | None = None
        self.shifted = 0
        self.redirect = ""
        self.asked: list[str | None] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()
        self.root = f"http://127.0.0.1:{self._http.server_port}"
        self.address = f"{self.root}/a.txt"

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        if self.redirect and handler.path == "/a.txt":
            handler.send_response(302)
            handler.send_header("Location", self.redirect)
            handler.end_headers()
            return
        if handler.path == "/none":
            handler.send_error(404)
            return
        byte_range = handler.headers["Range"]
        self.asked.append(byte_range)
        same = handler.headers["If-Range"] in (None, self.tag)
        start = int(byte_range.removeprefix("bytes=").rstrip("-")) if byte_range else 0
        start = start if self.ranges and same else 0
        if start >= len(self.content):
            handler.send_response(416)
            handler.send_header("Content-Range", f"bytes */{len(self.content)}")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        self._send(handler, start)

    def _send(self, handler: BaseHTTPRequestHandler, start: int) -> None:
        body = self.content[start:]
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(self.claimed or len(body)))
        if self.tag:
            handler.send_header("ETag", self.tag)
        if start:
            last = len(self.content) - 1
            content_range = f"bytes {start + self.shifted}-{last}/{last + 1}"
            handler.send_header("Content-Range", content_range)
        handler.end_headers()
        handler.wfile.write(body[: self.break_after])
        handler.wfile.flush()
        if self.reset:
            linger = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self.answer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                """No log."""

        return Handler

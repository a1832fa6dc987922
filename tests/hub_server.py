"""A server on loopback with a part of the hub's API: repositories of files, at one commit each."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_of_the_tests"  # noqa: S105 - opens the gated repository of this server only


class HubServer:
    """Serves the folders of `repositories`, by their names.

    gated: names that need the token. silent: whether requests are taken and never answered. status:
    answered to everything, if set. asked: paths of the requests; tokens: those that were sent.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Path] = {}
        self.gated: set[str] = set()
        self.silent = False
        self.status: int | None = None
        self.asked: list[str] = []
        self.tokens: list[str | None] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()
        self.root = f"http://127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        self.silent = False
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = unquote(urlsplit(request.path).path)
        self.asked.append(path)
        self.tokens.append(request.headers["Authorization"])
        while self.silent:
            time.sleep(0.01)
        if self.status is not None:
            self._send(request, b"", self.status)
        elif path.startswith("/api/models/"):
            self._answer_api(request, path.removeprefix("/api/models/").split("/"))
        elif "/resolve/" in path:
            repository, _, place = path.removeprefix("/").partition("/resolve/")
            self._answer_file(request, repository, place.partition("/")[2])
        else:
            self._send(request, b"", 404)

    def _answer_api(self, request: BaseHTTPRequestHandler, parts: list[str]) -> None:
        """Answer OWNER/NAME, …/revision/REVISION and …/tree/REVISION."""
        repository, kind, revision = "/".join(parts[:2]), parts[2:3], "/".join(parts[3:])
        folder = self._folder(request, repository)
        if folder is None:
            return
        if revision not in ("", "main", COMMIT):
            self._refuse(request, 404, "RevisionNotFound")
        elif kind == ["tree"]:
            self._send_json(request, [self._entry(folder, file) for file in _files(folder)])
        else:
            siblings = [{"rfilename": str(file.relative_to(folder))} for file in _files(folder)]
            table = {"id": repository, "sha": COMMIT, "siblings": siblings, "tags": []}
            self._send_json(request, table)

    @staticmethod
    def _entry(folder: Path, file: Path) -> dict[str, Any]:
        size, oid = file.stat().st_size, hashlib.sha1(file.read_bytes()).hexdigest()  # noqa: S324
        return {"type": "file", "path": str(file.relative_to(folder)), "size": size, "oid": oid}

    def _answer_file(self, request: BaseHTTPRequestHandler, repository: str, name: str) -> None:
        folder = self._folder(request, repository)
        if folder is None:
            return
        content = (folder / name).read_bytes()
        tag = hashlib.sha1(content).hexdigest()  # noqa: S324
        self._send(request, content, 200, {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT})

    def _folder(self, request: BaseHTTPRequestHandler, repository: str) -> Path | None:
        """Return a repository's folder; refuses the request where it may not be read."""
        if repository not in self.repositories:
            self._refuse(request, 404, "RepoNotFound")
            return None
        if repository in self.gated and request.headers["Authorization"] != f"Bearer {TOKEN}":
            self._refuse(request, 401, "GatedRepo")
            return None
        return self.repositories[repository]

    def _refuse(self, request: BaseHTTPRequestHandler, status: int, code: str) -> None:
        self._send(request, b"", status, {"X-Error-Code": code})

    def _send_json(self, request: BaseHTTPRequestHandler, value: Any) -> None:
        self._send(request, json.dumps(value).encode(), 200, {"Content-Type": "application/json"})

    @staticmethod
    def _send(
        request: BaseHTTPRequestHandler,
        content: bytes,
        status: int,
        headers: dict[str, str] | None = None,
    ) -> None:
        request.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(content)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self.answer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            do_HEAD = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                """No log."""

        return Handler


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())

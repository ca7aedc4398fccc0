"""Small HTTP servers on loopback that count the bytes they send: plain folders, and a dataset repository of the Hub."""

import hashlib
import io
import json
import os
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.helpers.waits import until

REPOSITORY = "antgroup/HumanSense_Benchmark"

_ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds the package `tests`."""


@dataclass(frozen=True)
class Request:
    """One request and its answer. `sent` is the number of bytes of the body that were sent."""

    method: str
    path: str
    status: int
    sent: int


@dataclass
class Server:
    """A running server and the requests that it got."""

    url: str
    requests: list[Request] = field(default_factory=list)
    under_way: list[str] = field(default_factory=list)

    def settled(self) -> "Server":
        """Wait until every answer is recorded, which may be after the client has it, and return this server."""
        until(lambda: not self.under_way)
        return self

    def paths(self) -> set[str]:
        """The requested paths, percent-decoded."""
        return {request.path for request in self.requests}

    def sent(self, part: str = "") -> int:
        """The bytes sent for all paths that contain `part`."""
        return sum(request.sent for request in self.requests if part in request.path)


@dataclass(frozen=True)
class Answer:
    """What an application answers. Parts of the body can be requested if `ranges` is true.

    `cut_after` is the number of bytes of the body after which the connection is lost. `excess` is the number of bytes
    that are announced but never sent.
    """

    status: int = 200
    body: bytes | Path = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    ranges: bool = True
    cut_after: int | None = None
    excess: int = 0


Application = Callable[[str, str, bytes], Answer]
"""A function from the percent-encoded path, the query and the body of a request to its answer."""


@contextmanager
def serving(application: Application) -> Iterator[Server]:
    """Run a server for `application` on a free port of 127.0.0.1."""

    class Handler(_Handler):
        pass

    with _HTTPServer(("127.0.0.1", 0), Handler) as http:
        server = Server(f"http://127.0.0.1:{http.server_address[1]}")
        Handler.application, Handler.log_of = staticmethod(application), server
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


def folder(root: Path, ranges: bool = True) -> Application:
    """An application that serves the files below `root`, and a page of links for each folder, as web servers do."""

    def answer(path: str, query: str, body: bytes) -> Answer:
        file = root / unquote(path).strip("/")
        if file.is_dir():
            names = [f"{entry.name}/" if entry.is_dir() else entry.name for entry in sorted(file.iterdir())]
            page = "".join(f'<a href="{quote(name)}">{name}</a>\n' for name in names)
            return Answer(body=page.encode(), headers={"Content-Type": "text/html"})
        if not file.is_file():
            return Answer(404)
        return Answer(body=file, headers={"ETag": f'"{_digest(file)}"'}, ranges=ranges)

    return answer


def dataset(revisions: Mapping[str, Path], repository: str = REPOSITORY) -> Application:
    """An application with the Hub's endpoints for one dataset repository.

    `revisions` maps each branch or tag to a folder with the repository's files. As on the Hub, archives are large
    files: their address answers with a redirect to the address of the bytes.
    """

    by_commit = {commit(revision): root for revision, root in revisions.items()}

    def answer(path: str, query: str, body: bytes) -> Answer:
        large = re.fullmatch(r"/large/([^/]+)/(.+)", path)
        if large:
            file = by_commit[large[1]] / unquote(large[2])
            # The client follows a redirect to the same server, and looks for the commit there.
            return Answer(body=file, headers={"ETag": f'"{_digest(file)}"', "X-Repo-Commit": large[1]})
        parts = re.fullmatch(
            rf"(?:/api)?/datasets/{re.escape(repository)}/(revision|tree|paths-info|resolve)/([^/]+)(?:/(.*))?", path
        )
        if not parts:
            return _refuse(401, "RepoNotFound", "Repository not found")
        kind, revision, inner = parts[1], unquote(parts[2]), unquote(parts[3] or "")
        sha = revision if revision in by_commit else commit(revision)
        if sha not in by_commit:
            return _refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        root = by_commit[sha]
        if kind == "revision":
            return _json({"id": repository, "sha": sha, "private": False, "tags": [], "siblings": []})
        if kind == "paths-info":
            wanted = parse_qs(body.decode())["paths"]
            return _json([_entry(root, root / name) for name in wanted if (root / name).exists()])
        if not (root / inner).exists():
            return _refuse(404, "EntryNotFound", f"{inner} does not exist", {"X-Repo-Commit": sha})
        if kind == "tree":
            recursive = parse_qs(query).get("recursive", ["false"])[0].lower() == "true"
            return _json([_entry(root, entry) for entry in sorted((root / inner).glob("**/*" if recursive else "*"))])
        return _resolve(root / inner, sha, inner)

    return answer


def refusing(application: Application, status: int, code: str, message: str) -> Application:
    """The application, except that it refuses all files as the Hub does. `code` is the Hub's name for the reason."""

    def answer(path: str, query: str, body: bytes) -> Answer:
        refused = any(kind in path for kind in ("/resolve/", "/paths-info/", "/tree/", "/revision/"))
        return _refuse(status, code, message) if refused else application(path, query, body)

    return answer


def client_environment(home: Path, endpoint: str, **settings: str) -> dict[str, str]:
    """The environment of a process for which the Hub is at `endpoint`, and which can only connect to loopback."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HF_", "HUMANSENSE_")) and not name.lower().endswith("_proxy")
    }
    home.mkdir(parents=True, exist_ok=True)
    (home / "sitecustomize.py").write_text(_GUARD.format(root=str(_ROOT)), encoding="utf-8")
    return {**kept, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "PYTHONPATH": str(home), **settings}


_GUARD = """
import builtins, sys

sys.path.insert(0, {root!r})
from tests.helpers import hub

hub.refuse_other_addresses(builtins)
"""
"""The text of a module `sitecustomize`, which Python runs at its start."""


def refuse_other_addresses(patch: Any) -> None:
    """Refuse all connections of this process except those to loopback.

    `patch` is pytest's monkeypatch, or another object with a `setattr`.
    """
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if self.family != getattr(socket, "AF_UNIX", None) and address[0] not in ("127.0.0.1", "::1"):
            raise AssertionError(f"tried to reach {address}")
        connect(self, address)

    def guarded_look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in ("127.0.0.1", "::1", "localhost", None):
            raise AssertionError(f"tried to look up {host}")
        return look_up(host, *args, **kwargs)

    patch.setattr(socket.socket, "connect", guarded_connect)
    patch.setattr(socket, "getaddrinfo", guarded_look_up)


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # a client may disconnect when it has enough
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    application: Application
    log_of: Server

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # With small buffers, the client has received nearly everything that counts as sent.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 15)

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _answer(self) -> None:
        self.log_of.under_way.append(self.path)
        try:
            self._answer_and_log()
        finally:
            self.log_of.under_way.remove(self.path)

    def _answer_and_log(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.application(url.path, url.query, body)
        size = answer.body.stat().st_size if isinstance(answer.body, Path) else len(answer.body)
        start, end, status = 0, size, answer.status
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if wanted and status == 200 and answer.ranges and int(wanted[1]) < size:
            start, end, status = int(wanted[1]), min(size, int(wanted[2] or size) + 1), 206
        self.send_response(status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if isinstance(answer.body, Path) and answer.ranges:
            self.send_header("Accept-Ranges", "bytes")
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        self.send_header("Content-Length", str(end - start + answer.excess))
        self.end_headers()
        if answer.cut_after is not None:
            end = min(end, start + answer.cut_after)
        sent = 0 if self.command == "HEAD" else self._send(answer.body, start, end)
        self.close_connection |= answer.cut_after is not None or answer.excess != 0
        self.log_of.requests.append(Request(self.command, unquote(url.path), status, sent))

    def _send(self, body: bytes | Path, start: int, end: int) -> int:
        sent = 0
        with open(body, "rb") if isinstance(body, Path) else io.BytesIO(body) as file:
            file.seek(start)
            try:
                while content := file.read(min(1 << 14, end - start - sent)):
                    self.connection.sendall(content)
                    sent += len(content)
            except OSError:
                self.close_connection = True
        return sent


def _resolve(file: Path, sha: str, path: str) -> Answer:
    headers = {"X-Repo-Commit": sha}
    if file.suffix != ".zip":
        return Answer(body=file, headers={**headers, "ETag": f'"{_digest(file)}"'})
    headers |= {"X-Linked-Size": str(file.stat().st_size), "X-Linked-ETag": f'"{_digest(file)}"'}
    return Answer(302, headers={**headers, "Location": f"/large/{sha}/{path}"})


def _entry(root: Path, path: Path) -> dict[str, Any]:
    name = path.relative_to(root).as_posix()
    if path.is_dir():
        return {"type": "directory", "oid": commit(name), "size": 0, "path": name}
    entry = {"type": "file", "oid": _digest(path)[:40], "size": path.stat().st_size, "path": name}
    if path.suffix == ".zip":
        entry["lfs"] = {"oid": _digest(path), "size": path.stat().st_size, "pointerSize": 134}
    return entry


def _json(content: Any) -> Answer:
    return Answer(body=json.dumps(content).encode(), headers={"Content-Type": "application/json"})


def _refuse(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    answer = _json({"error": message})
    return Answer(status, answer.body, {**answer.headers, **(headers or {}), "X-Error-Code": code})


def _digest(file: Path) -> str:
    there = file.stat()
    return _digest_of_state(file, there.st_size, there.st_mtime_ns)


@lru_cache(maxsize=256)
def _digest_of_state(file: Path, size: int, changed: int) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def commit(revision: str) -> str:
    """The commit hash of a branch or tag."""
    return hashlib.sha1(revision.encode()).hexdigest()

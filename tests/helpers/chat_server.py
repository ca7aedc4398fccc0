"""A small chat server on loopback. A test decides its replies, good and bad."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any

from tests.helpers.waits import until

When = Callable[[], object]

Replies = Callable[[int, int], "Reply"]
"""From the number of a question, and how many times it was asked so far (from 1), to the reply."""


def at_once() -> bool:
    """A condition that always holds."""
    return True


class Reply:
    """What is sent: a status, a body and headers. `cut` ends the connection in the middle of it, `reset` before it.

    It is sent when the condition `when` holds. If it never holds, it is sent after `LIMIT`, so that a test fails.
    """

    def __init__(
        self,
        body: str,
        status: int = 200,
        *,
        cut: bool = False,
        reset: bool = False,
        when: When = at_once,
        **headers: str,
    ) -> None:
        self.body, self.status, self.cut, self.reset, self.when = body.encode(), status, cut, reset, when
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def answer(text: str | None, *, when: When = at_once, **changes: Any) -> Reply:
    """A good reply."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12, "cost": 0.5}
    content = {"id": "1", "object": "chat.completion", "choices": [choice], "usage": usage, **changes}
    return Reply(json.dumps(content), when=when)


def message(content: Any, finish_reason: Any = "stop", usage: Any = None, **fields: Any) -> Reply:
    """A reply whose message has this content and these fields."""
    choice = {"message": {"role": "assistant", "content": content, **fields}, "finish_reason": finish_reason}
    return answer("", choices=[choice], **({} if usage is None else {"usage": usage}))


def refusal(status: int, message: str = "no", code: str | None = None, **headers: Any) -> Reply:
    """An error in the form of OpenAI's API."""
    return Reply(json.dumps({"error": {"message": message, "code": code}}), status, **headers)


class ChatServer:
    """Serves `replies` until the block ends.

    `addresses` are other addresses, each with a function from what is sent there (None for GET) to the reply: its JSON,
    or a `Reply`.
    `asked` counts requests by the number in the question's text ("Question 7"). `open` is the number of requests that
    wait for their reply, `most_open` the most at one time.
    """

    def __init__(
        self,
        replies: Replies,
        certificate: ssl.SSLContext | None = None,
        addresses: Mapping[str, Callable[[Any], Any]] = MappingProxyType({}),
    ) -> None:
        self.addresses = addresses
        self.asked: Counter[int] = Counter()
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.open = self.most_open = 0
        self._lock = threading.Lock()
        self._replies = replies
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._scheme = "https" if certificate else "http"
        if certificate:
            self._server.socket = certificate.wrap_socket(self._server.socket, server_side=True)

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> ChatServer:
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reply(self, request: dict[str, Any], headers: dict[str, str]) -> Reply:
        found = re.findall(r"Question (\d+)", json.dumps(request))
        number = int(found[-1]) if found else 0
        with self._lock:
            self.open += 1
            self.most_open = max(self.most_open, self.open)
            self.asked[number] += 1
            self.requests.append(request)
            self.headers.append(headers)
            reply = self._replies(number, self.asked[number])
        with contextlib.suppress(AssertionError):
            until(reply.when)
        with self._lock:
            self.open -= 1
        return reply


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Do nothing: in some tests a client disconnects."""


def _reply(said: Any) -> Reply:
    return said if isinstance(said, Reply) else Reply(json.dumps(said))


def _handler(server: ChatServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            if self.path in server.addresses:
                self._send(_reply(server.addresses[self.path](None)))
            else:
                self._send(Reply('{"object": "list", "data": []}', 200 if self.path == "/v1/models" else 404))

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != "/v1/chat/completions":
                known = server.addresses.get(self.path)
                self._send(_reply(known(request)) if known else Reply("{}", 404))
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._send(server.reply(request, headers))

        def _send(self, reply: Reply) -> None:
            if reply.reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
                return
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(reply.body)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)
            if reply.cut:
                self.close_connection = True

    return Handler

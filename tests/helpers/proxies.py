"""A proxy before a server, which counts the requests that are open."""

import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.helpers.waits import until


class Proxy:
    """Passes requests on. `url` is its address, `most_open` the most POST requests at one time.

    The first `together` of them are held until all of them are open, and then passed on.
    """

    def __init__(self, url: str, together: int) -> None:
        self._root = url.removesuffix("/v1")
        self._together = together
        self._lock = threading.Lock()
        self._open = 0
        self.most_open = 0
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def pass_on(self, path: str, body: bytes | None) -> bytes:
        request = urllib.request.Request(self._root + path, body, {"Content-Type": "application/json"})
        if body is None or not path.endswith("/chat/completions"):
            return self._answer(request)
        with self._lock:
            self._open += 1
            self.most_open = max(self.most_open, self._open)
        try:
            until(lambda: self.most_open >= self._together)
            return self._answer(request)
        finally:
            with self._lock:
                self._open -= 1

    def _answer(self, request: urllib.request.Request) -> bytes:
        with urllib.request.urlopen(request) as reply:
            content: bytes = reply.read()
        return content


@contextmanager
def proxy(url: str, together: int) -> Iterator[Proxy]:
    """A proxy before the server at `url`, until the block ends."""
    made = Proxy(url, together)
    threading.Thread(target=made._server.serve_forever, args=[0.05], daemon=True).start()
    try:
        yield made
    finally:
        made._server.shutdown()
        made._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self._send(proxy.pass_on(self.path, None))

        def do_POST(self) -> None:
            self._send(proxy.pass_on(self.path, self.rfile.read(int(self.headers["Content-Length"]))))

        def _send(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler

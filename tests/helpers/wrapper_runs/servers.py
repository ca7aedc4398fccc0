"""Servers on loopback that answer "B" and record what was sent to them."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.helpers.chat_server import ChatServer, Reply, answer

from .recorder import Recorder


@contextlib.contextmanager
def chat_server(recorder: Recorder, reply: Reply | None = None) -> Iterator[str]:
    """An OpenAI-compatible server; its address. What it got is recorded at the end, in the order of arrival."""
    with ChatServer(lambda number, asked: reply or answer("B")) as server:
        yield server.url
    for request in server.requests:
        _record(recorder, request)


def _record(recorder: Recorder, request: dict[str, Any]) -> None:
    texts = []
    for part in (part for message in request["messages"] for part in _parts(message["content"])):
        if part["type"] == "text":
            texts.append(part["text"])
        elif part["type"] == "image_url":
            recorder.saw(1)
        elif part["type"] == "input_audio":
            recorder.took_file(base64.b64decode(part["input_audio"]["data"]), "audio/wav")
        else:
            _record_url(recorder, part["type"], part[part["type"]]["url"])
    recorder.asked("\n".join(texts))


def _record_url(recorder: Recorder, kind: str, url: str) -> None:
    """Only what stands in the request itself is a sound: a server has no files of its client."""
    header, _, data = url.partition(";base64,")
    if header == "data:audio/wav":
        recorder.took_file(base64.b64decode(data), "audio/wav")
    else:
        recorder.took(f"{kind} {url.partition(':')[0]}:" if "://" in url else f"{kind} path")


def _parts(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


@contextlib.contextmanager
def gemini_server(recorder: Recorder) -> Iterator[str]:
    """A server as google-genai expects it: files are uploaded first, and named in the question."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _GeminiHandler)
    _GeminiHandler.recorder, _GeminiHandler.files = recorder, {}
    threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class _GeminiHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    recorder: Recorder
    files: dict[str, tuple[str, bytes]]

    def log_message(self, *_: object) -> None:
        pass

    def do_DELETE(self) -> None:
        self._send({})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("X-Goog-Upload-Command") == "start":
            kind = self.headers["X-Goog-Upload-Header-Content-Type"]
            address = f"http://{self.headers['Host']}/upload?kind={kind}"
            self._send({}, **{"X-Goog-Upload-URL": address, "X-Goog-Upload-Status": "active"})
        elif "X-Goog-Upload-Command" in self.headers:
            name, kind = f"files/{id(body)}", self.path.partition("kind=")[2]
            self.files[f"https://there/{name}"] = kind, body  # kept, so that no other body has this id
            file = {"name": name, "uri": f"https://there/{name}", "mimeType": kind, "state": "ACTIVE"}
            self._send({"file": file}, **{"X-Goog-Upload-Status": "final"})
        else:
            self._record(json.loads(body))
            self._send({"candidates": [{"content": {"role": "model", "parts": [{"text": "B"}]}}]})

    def _record(self, request: dict[str, Any]) -> None:
        texts = []
        for part in (part for content in request["contents"] for part in content["parts"]):
            if "text" in part:
                texts.append(part["text"])
            elif "fileData" in part:
                kind, content = self.files[part["fileData"]["fileUri"]]
                self.recorder.took_file(content, kind)
            else:
                inline = part["inlineData"]
                # The API's own JSON has the alphabet of URLs.
                content = base64.b64decode(inline["data"].replace("-", "+").replace("_", "/"))
                self.recorder.took_file(content, inline["mimeType"])
        self.recorder.asked("\n".join(texts))

    def _send(self, content: dict[str, Any], **headers: str) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

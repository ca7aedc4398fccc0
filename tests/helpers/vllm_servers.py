"""Real vLLM servers for tests, and the questions of the sample asked of them."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from lmms_humansense.models.endpoint.client import EndpointClient
from lmms_humansense.models.endpoint.encoder import EndpointEncoder
from lmms_humansense.models.endpoint.payload import Payload
from lmms_humansense.models.endpoint.settings import EndpointSettings, read_endpoint_settings
from lmms_humansense.models.runtime.request import Request
from lmms_humansense.models.vllm import mends
from tests.helpers.vllm_runs import Answered

STARTING = 600.0
"""Seconds that a server may take to start, on a busy machine."""

MODEL = "served"


class VllmServer:
    """`vllm serve` with a checkpoint. `mended`: with this package's corrections. `flags`: more of its arguments."""

    def __init__(self, checkpoint: Path, log: Path, mended: bool, flags: Sequence[str]) -> None:
        self.log = log
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._command = [
            sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(checkpoint),
            "--served-model-name", MODEL, "--host", "127.0.0.1", "--port", str(self.port), "--dtype", "float32",
            "--enforce-eager", "--max-model-len", "32768", "--max-num-seqs", "16", *flags,
        ]  # fmt: skip
        self._environment = {**os.environ, mends.VARIABLE: "1" if mended else "0", "HF_HUB_OFFLINE": "1"}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, without waiting until it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, env=self._environment, start_new_session=True
            )

    def wait(self) -> None:
        """Wait until it answers."""
        until = time.monotonic() + STARTING
        while time.monotonic() < until:
            assert self._process is not None and self._process.poll() is None, self.log.read_text()[-3000:]
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health") as reply:
                if reply.status == 200:
                    return
            time.sleep(0.5)
        raise AssertionError(self.log.read_text()[-3000:])

    def kill(self) -> None:
        """Kill all its processes."""
        if self._process is None:
            return
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError, PermissionError):
                if os.getsid(process.pid) == self._process.pid:
                    process.kill()
        self._process.wait()
        self._process = None


@contextlib.contextmanager
def vllm_server(checkpoint: Path, log: Path, mended: bool, *flags: str) -> Iterator[VllmServer]:
    """A running server; it is killed at the end of the block."""
    server = VllmServer(checkpoint, log, mended, flags)
    try:
        server.start()
        server.wait()
        yield server
    finally:
        server.kill()


def settings_for(server: VllmServer, **arguments: Any) -> EndpointSettings:
    """Settings with which a run asks the server."""
    given = {"base_url": server.url, "model": MODEL, "media": "vllm", "media_workers": 0, **arguments}
    return read_endpoint_settings(given)


def served_answers(settings: EndpointSettings, requests: Sequence[Request]) -> dict[str, Answered]:
    """The answers of a server, with the ids of its prompts, by the names of the questions."""
    client = EndpointClient(settings)
    encoder = EndpointEncoder(settings, client.vllm_server())

    def answered(request: Request) -> Answered:
        (result,) = encoder.encode([encoder.read(request.messages())])
        assert isinstance(result.encoded, Payload), result.reason
        body = json.loads(bytes(client.content(result.encoded, request.generation_kwargs)))
        return _answered(_posted(settings, {**body, "return_token_ids": True}))

    with ThreadPoolExecutor(8) as threads:
        return {request.task: one for request, one in zip(requests, threads.map(answered, requests), strict=True)}


def _answered(reply: Mapping[str, Any]) -> Answered:
    (choice,) = reply["choices"]
    ids, tokens = tuple(reply["prompt_token_ids"]), reply["usage"]["completion_tokens"]
    assert len(ids) == reply["usage"]["prompt_tokens"]
    return Answered(ids, choice["message"]["content"], tokens, choice["finish_reason"] == "length")


def _posted(settings: EndpointSettings, body: Mapping[str, Any]) -> Any:
    request = urllib.request.Request(
        f"{settings.base_url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request) as reply:
            return json.loads(reply.read())
    except urllib.error.HTTPError as error:
        raise AssertionError(error.read().decode()) from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port

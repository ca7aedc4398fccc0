"""Sending questions to a server imports neither transformers nor the modules that run local models."""

import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from lmms_humansense.models.endpoint.encoder import EndpointEncoder
from lmms_humansense.models.endpoint.settings import read_endpoint_settings
from lmms_humansense.models.inputs.conversation import Conversation
from lmms_humansense.models.runtime.request import EncodingResult
from lmms_humansense.models.runtime.worker_pool import WorkerPool
from tests.helpers import clips
from tests.helpers.chat_server import ChatServer, answer

FOREIGN = ("transformers", "accelerate", "lmms_humansense.models.local")

ASK = """
import sys

from lmms_humansense.models.endpoint.client import EndpointClient
from lmms_humansense.models.endpoint.encoder import EndpointEncoder
from lmms_humansense.models.endpoint.runner import EndpointRunner
from lmms_humansense.models.endpoint.settings import read_endpoint_settings
from lmms_humansense.models.runtime.ledger import Ledger
from lmms_humansense.models.runtime.pipeline import Pipeline
from lmms_humansense.models.runtime.request import Request
from lmms_humansense.models.runtime.signals import SigtermGuard

url, clip = sys.argv[1:]
settings = read_endpoint_settings({"base_url": url, "model": "m", "media": "frames"})
shown = [{"type": "video", "url": clip, "fps": 1.0}, {"type": "audio", "url": clip}]
messages = [{"role": "user", "content": [*shown, {"type": "text", "text": "Question 0"}]}]
ledger = Ledger(settings, asked=1)
pipeline = Pipeline(EndpointEncoder(settings), None, ledger, settings)
runner = EndpointRunner(EndpointClient(settings), settings, pipeline, ledger, SigtermGuard())
(response,) = runner.run([Request("task", 0, {}, lambda: messages)])
print(response.text, response.error, *(name for name in FOREIGN if name in sys.modules))
"""


def test_a_question_is_asked_without_transformers(tmp_path: Path) -> None:
    clip = clips.write_sound(tmp_path / "clip.mp4", clips.tones(16_000, 1, seconds=2.0), 16_000, "aac", pictures=20)
    with ChatServer(lambda number, _: answer("yes")) as server:
        program = f"FOREIGN = {FOREIGN!r}\n{ASK}"
        command = [sys.executable, "-c", program, server.url, str(clip)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["yes"]


@pytest.mark.slow
def test_the_served_model_imports_no_module_of_local_models() -> None:
    """lmms-eval always imports transformers, so the test can only look at our own modules."""
    program = (
        "import sys, lmms_humansense.models.server;"
        "print(*(name for name in sys.modules if name.startswith('lmms_humansense.models.local')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


class ImportsEncoder(EndpointEncoder):
    """Encodes nothing. Its reason names the foreign modules that its process has imported."""

    def encode(self, conversations: Sequence[Conversation]) -> list[EncodingResult]:
        return [EncodingResult(reason=" ".join(name for name in FOREIGN if name in sys.modules) or "none")]


def test_the_workers_import_none_of_them_either() -> None:
    settings = read_endpoint_settings({"base_url": "http://127.0.0.1:1/v1", "model": "m", "media": "frames"})
    pool = WorkerPool(partial(ImportsEncoder, settings), 1, limit=60)
    try:
        (result,) = pool.worker().encode([()])
    finally:
        pool.close()
    assert result.reason == "none"

"""The CPU seconds that the media of a served model cost this machine, compared with those of a local model."""

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lmms_humansense.demo.tiny_model import write_tiny_model
from lmms_humansense.models.endpoint.encoder import EndpointEncoder
from lmms_humansense.models.endpoint.settings import read_endpoint_settings
from lmms_humansense.models.endpoint.vllm import VllmServer
from lmms_humansense.models.inputs.omni_families import QWEN2_5_OMNI
from lmms_humansense.models.local.encoder import LocalEncoder
from lmms_humansense.models.local.settings import read_local_settings

Messages = list[dict[str, Any]]


def media_costs(asked: Sequence[Messages], rounds: int) -> dict[str, float]:
    """Measure the CPU seconds of all questions, each asked alone, in turns.

    Args:
        asked: The messages of the questions.
        rounds: How often.

    Returns:
        The medians for `media=vllm` and for `engine=local`, which also makes spectrograms and token ids, and their
        ratio.
    """
    given = {"base_url": "http://127.0.0.1:1/v1", "model": "m", "media": "vllm"}
    served = EndpointEncoder(read_endpoint_settings(given), VllmServer(QWEN2_5_OMNI, None))
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = write_tiny_model(Path(folder, "model"))
        local = LocalEncoder(read_local_settings({"pretrained": str(checkpoint), "device": "cpu"}), "qwen2_5_omni")
        for encoder in (served, local):  # the first time, libraries are loaded
            cpu_seconds(encoder, asked)
        taken = [(cpu_seconds(served, asked), cpu_seconds(local, asked)) for _ in range(rounds)]
    sent, kept = (statistics.median(each) for each in zip(*taken, strict=True))
    return {"vllm_cpu_seconds": sent, "local_cpu_seconds": kept, "ratio": sent / kept}


def cpu_seconds(encoder: EndpointEncoder | LocalEncoder, asked: Sequence[Messages]) -> float:
    """The CPU seconds of this process for the questions."""
    started = time.process_time()
    for said in asked:
        (result,) = encoder.encode([encoder.read(said)])
        assert result.encoded is not None, result.reason
    return time.process_time() - started

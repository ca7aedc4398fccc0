"""Measures what it takes to make a model's inputs of a decoded clip of 100 s: patches, spectrogram and tokens.

    python benchmarks/encoding.py --out encoding.json [--rounds 15]

For each family, in turns and on one thread: with the processor as transformers loads it (`plain`), with this package's
(`here`), and for a second question about the clip, as a worker does it (`second`). Once in a process with the
environment of a worker (`workers`), and once without it, as with media_workers=0 (`alone`). Checks that the inputs are
the same.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from lmms_humansense.demo.tiny_model import write_tiny_model
from lmms_humansense.models.inputs.decoding import DecodedConversation
from lmms_humansense.models.local.collation import EncodedPrompt
from lmms_humansense.models.local.families import family_of
from lmms_humansense.models.runtime.worker_pool import WORKER_ENVIRONMENT

_FRAMES = {"qwen2_5_omni": (24, 3, 280, 504), "qwen3_omni_moe": (24, 3, 288, 512), "qwen2_audio": None}
"""The shape of the frames that each family sees of a clip of 1280x720 pixels."""

_SAMPLES = 100 * 16_000


def main() -> None:
    """Run the benchmark and write its result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--here", action="store_true", help="Measure in this process, with the settings that it has.")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.here:
        given.out.write_text(json.dumps({family: measured(family, given.rounds) for family in _FRAMES}))
        return
    found: dict[str, Any] = {"machine": f"{platform.machine()}, {os.cpu_count()} cores", "rounds": given.rounds}
    for name, settings in {"workers": WORKER_ENVIRONMENT, "alone": {"OMP_NUM_THREADS": "1"}}.items():
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "found.json"
            command = [sys.executable, __file__, "--here", "--rounds", str(given.rounds), "--out", str(out)]
            subprocess.run(command, check=True, env={**os.environ, **settings})
            found[f"CPU seconds, {name}"] = json.loads(out.read_text())
    given.out.write_text(json.dumps(found, indent=1))
    print(json.dumps(found, indent=1))


def measured(name: str, rounds: int) -> dict[str, float]:
    """Encode one question with a family in all ways.

    Args:
        name: The `model_type` of the family.
        rounds: How often.

    Returns:
        The median CPU seconds of each way.
    """
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = write_tiny_model(Path(folder) / "tiny", family=name)
        family, plain = (family_of(name)(str(checkpoint), name) for _ in range(2))
        plain.processor = getattr(transformers, plain.processor_class).from_pretrained(checkpoint)
    if plain.sees:
        plain.processor.video_processor.do_resize = False
    first, second = (_question(_FRAMES[name], text) for text in ("Who speaks first?", "Who speaks last?"))
    second.videos, second.sounds = first.videos, first.sounds
    spent: dict[str, list[float]] = {"plain": [], "here": [], "second": []}
    for _ in range(rounds):
        own = _timed(spent["plain"], lambda: plain.encode(first))
        with family.processing_once():
            ours = _timed(spent["here"], lambda: family.encode(first))
            _timed(spent["second"], lambda: family.encode(second))
        if not all(torch.equal(value, ours.tensors[key]) for key, value in own.tensors.items()):
            raise SystemExit(f"The inputs of {name} are not the same.")
    return {way: round(statistics.median(times), 4) for way, times in spent.items()}


def _question(shape: tuple[int, ...] | None, text: str) -> DecodedConversation:
    random = np.random.default_rng(0)
    kind = "audio" if shape is None else "video"
    content = [{"type": kind}, {"type": "text", "text": text}]
    decoded = DecodedConversation([{"role": "user", "content": content}])
    if shape is not None:
        decoded.videos, decoded.rates = [torch.from_numpy(random.integers(0, 256, shape, dtype=np.uint8))], [None]
    decoded.sounds = [random.normal(0, 0.1, _SAMPLES).astype(np.float32)]
    decoded.sound_of_video = [None if shape is None else 0]
    return decoded


def _timed(times: list[float], encode: Callable[[], EncodedPrompt]) -> EncodedPrompt:
    """Note the CPU seconds of a call, and return its result."""
    started = time.process_time()
    result = encode()
    times.append(time.process_time() - started)
    return result


if __name__ == "__main__":
    main()

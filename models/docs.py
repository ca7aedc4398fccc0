"""A doc as tasks expect it, with its sounds as waveforms in memory.

Two habits of the libraries around would lose a doc's sound on its way into messages. From 4.0 on, `datasets` decodes
sound columns with torchcodec, which needs FFmpeg libraries of the system, into objects that lmms-eval's conversion
refuses; and where a sound has a file name beside its samples, that conversion passes on the name alone, of a file that
does not exist.
"""

import importlib
import os
from collections.abc import Mapping
from typing import Any

import datasets

from .media import SAMPLE_RATE, MediaError
from .prepare import waveform_of_bytes
from .sound import read_waveform


def decode_sounds_without_torchcodec() -> None:
    """Have `datasets` decode sound columns with PyAV in this process, where it could not decode them at all.

    lmms-eval reads the first doc of a task before any model sees it, so that such tasks would not even start.
    """
    try:
        importlib.import_module("torchcodec.decoders")
    except (ImportError, OSError, RuntimeError):  # not installed, or without its FFmpeg libraries
        datasets.Audio.decode_example = _decode_example


def with_plain_sounds(doc: Any) -> Any:
    """The doc with every sound as `{"array", "sampling_rate", "path"}`, the path None where there is no such file."""
    if hasattr(doc, "get_all_samples"):  # torchcodec's decoder
        samples = doc.get_all_samples()
        return {"array": samples.data.numpy(), "sampling_rate": samples.sample_rate, "path": None}
    if isinstance(doc, Mapping) and {"array", "sampling_rate"} <= doc.keys():
        path = doc.get("path")
        return {**doc, "path": path if path and os.path.isfile(path) else None}
    if isinstance(doc, Mapping):
        return {name: with_plain_sounds(value) for name, value in doc.items()}
    if isinstance(doc, list):
        return [with_plain_sounds(value) for value in doc]
    return doc


def _decode_example(feature: datasets.Audio, value: dict[str, Any], token_per_repo_id: Any = None) -> dict[str, Any]:
    """What `datasets.Audio.decode_example` does, mono and at 16 kHz whatever the feature says."""
    path = value["path"] or ""
    if value["bytes"] is not None:
        samples = waveform_of_bytes(value["bytes"], path)
    elif path:
        samples = read_waveform(path).samples
    else:
        raise MediaError("A sound of a doc has neither bytes nor a path.")
    return {"array": samples, "sampling_rate": SAMPLE_RATE, "path": path}

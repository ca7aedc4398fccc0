"""Prepares docs as tasks expect them, with their sounds as waveforms in memory.

For two reasons the sound of a doc would otherwise get lost on its way into messages. From 4.0 on, `datasets` decodes
sound columns with torchcodec, which needs FFmpeg libraries of the system, into objects that lmms-eval's conversion
refuses. And where a sound has a file name beside its samples, that conversion passes on only the name, often that of a
file that does not exist.
"""

import importlib
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import datasets
import numpy as np
import torch

from ..media.audio import read_waveform
from ..media.audio_memory import waveform_of_bytes
from ..media.errors import MediaError
from ..media.types import SAMPLE_RATE

_CLIP_COLUMN = "media"
"""The column of docs with the name of their clip."""


class DocAudio(dict[str, Any]):
    """A sound as `{"array", "sampling_rate", "path"}`, which also behaves like torchcodec's decoder.

    Tasks read sounds in either way, and some drop a sound that they cannot read in theirs. The path is None, because
    lmms-eval's conversion would pass on only the path, and call its file a video.
    """

    def __init__(self, array: Any, sampling_rate: int) -> None:
        super().__init__(array=array, sampling_rate=sampling_rate, path=None)

    def get_all_samples(self) -> SimpleNamespace:
        """Return `data`, float32 of shape (channels, N), and `sample_rate`, as torchcodec's decoder does."""
        data = torch.as_tensor(np.atleast_2d(np.asarray(self["array"], dtype=np.float32)))
        return SimpleNamespace(data=data, sample_rate=self["sampling_rate"])


def decode_audio_without_torchcodec() -> None:
    """Make `datasets` decode sound columns with PyAV in this process, if torchcodec does not work.

    lmms-eval reads the first doc of a task before any model gets it, so tasks with such columns would not even start.
    """
    try:
        importlib.import_module("torchcodec.decoders")
    except (ImportError, OSError, RuntimeError):  # not installed, or without its FFmpeg libraries
        datasets.Audio.decode_example = _decode_example


def with_decoded_audio(doc: Any) -> Any:
    """Return the doc with every sound, at any depth, as a `DocAudio`."""
    if isinstance(doc, Mapping) and {"array", "sampling_rate"} <= doc.keys():
        return DocAudio(doc["array"], doc["sampling_rate"])
    if hasattr(doc, "get_all_samples"):  # torchcodec's decoder
        samples = doc.get_all_samples()
        return DocAudio(samples.data.numpy(), samples.sample_rate)
    if isinstance(doc, Mapping):
        return {name: with_decoded_audio(value) for name, value in doc.items()}
    if isinstance(doc, list):
        return [with_decoded_audio(value) for value in doc]
    return doc


class ClipNames:
    """Says which docs are about the same clip. Tasks may give the names of clips in a column `media`.

    The names only decide which requests are prepared together, so a wrong name costs only time.
    """

    def __init__(self, task_dict: Mapping[str, Any]) -> None:
        """Use lmms-eval's mapping from a task to its splits, and from a split to its docs."""
        self._task_dict = task_dict
        self._columns: dict[tuple[str, str], Any] = {}

    def of(self, task: str, split: str, doc_id: int) -> str | None:
        """Return the name of the clip of one doc.

        Args:
            task: The name of the doc's task.
            split: The split of the task.
            doc_id: The number of the doc in the split.

        Returns:
            The name; None if the task gives none.
        """
        if (task, split) not in self._columns:
            self._columns[task, split] = self._column(self._task_dict[task][split])
        column = self._columns[task, split]
        return None if column is None else column[doc_id]

    def _column(self, docs: Any) -> Any:
        feature = (getattr(docs, "features", None) or {}).get(_CLIP_COLUMN)
        return docs[_CLIP_COLUMN] if getattr(feature, "dtype", None) == "string" else None


def _decode_example(feature: datasets.Audio, value: dict[str, Any], token_per_repo_id: Any = None) -> DocAudio:
    """Replaces `datasets.Audio.decode_example`: mono and at 16 kHz, whatever the feature says."""
    path = value["path"] or ""
    if value["bytes"] is not None:
        samples = waveform_of_bytes(value["bytes"], path)
    elif path:
        samples = read_waveform(path).samples
    else:
        raise MediaError("A sound of a doc has neither bytes nor a path.")
    return DocAudio(samples, SAMPLE_RATE)

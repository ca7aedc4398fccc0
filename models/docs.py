"""A doc as tasks expect it, with its sounds as waveforms in memory.

Two habits of the libraries around would lose a doc's sound on its way into messages. `datasets` from 4.0 on decodes
sound columns with torchcodec, which needs FFmpeg libraries of the system, into objects that lmms-eval's conversion
refuses; and where a sound has a file name beside its samples, that conversion passes on the name alone, of a file that
does not exist. So sound columns are left encoded, decoded here, and the names of absent files are taken away.
"""

import os
from collections.abc import Mapping
from typing import Any

import datasets

from .media import SAMPLE_RATE, MediaError
from .prepare import waveform_of_bytes
from .sound import read_waveform

_LISTS = (datasets.List, datasets.LargeList)


class Docs:
    """The docs of all tasks, read by dataset and number."""

    def __init__(self) -> None:
        self._views: dict[int, _View] = {}

    def read(self, dataset: Any, number: int) -> Any:
        """The doc `number` of `dataset`, a `datasets.Dataset` or any sequence.

        Raises MediaError when a sound of the doc can not be decoded.
        """
        if not isinstance(dataset, datasets.Dataset):
            return _without_absent_files(dataset[number])
        # The view keeps its dataset alive, so that no other can get its id.
        if id(dataset) not in self._views:
            self._views[id(dataset)] = _View(dataset)
        return self._views[id(dataset)].read(number)


class _View:
    """A dataset whose sound columns are read as they are stored, and decoded here."""

    def __init__(self, dataset: datasets.Dataset) -> None:
        self._dataset = dataset
        self._sounds = [name for name, feature in dataset.features.items() if _has_sound(feature)]
        self._stored = dataset.select_columns(self._sounds).with_format("arrow")
        self._others = dataset.remove_columns(self._sounds)

    def read(self, number: int) -> dict[str, Any]:
        doc = dict(self._others[number]) if self._others.column_names else {}
        if self._sounds:
            (stored,) = self._stored[number].to_pylist()
            doc |= {name: _decoded(stored[name]) for name in self._sounds}
        return {name: _without_absent_files(value) for name, value in doc.items()}


def _has_sound(feature: Any) -> bool:
    """Whether a column, or each list of a column, holds sounds that would be decoded."""
    if isinstance(feature, datasets.Audio):
        return bool(feature.decode)
    return _has_sound(feature.feature) if isinstance(feature, _LISTS) else False


def _decoded(encoded: Any) -> Any:
    """A `{"bytes", "path"}` as datasets would decode it, mono and at 16 kHz; a list of them one by one."""
    if isinstance(encoded, list):
        return [_decoded(one) for one in encoded]
    if encoded is None:
        return None
    path = encoded["path"] or ""
    if encoded["bytes"] is not None:
        samples = waveform_of_bytes(encoded["bytes"], path)
    elif path:
        samples = read_waveform(path).samples
    else:
        raise MediaError("A sound of the doc has neither bytes nor a path.")
    return {"array": samples, "sampling_rate": SAMPLE_RATE, "path": path}


def _without_absent_files(value: Any) -> Any:
    """The value with `path` None in every sound in memory whose file is not there."""
    if isinstance(value, Mapping) and {"array", "sampling_rate"} <= value.keys():
        path = value.get("path")
        return {**value, "path": path if path and os.path.isfile(path) else None}
    if isinstance(value, list):
        return [_without_absent_files(one) for one in value]
    if isinstance(value, Mapping):
        return {name: _without_absent_files(one) for name, one in value.items()}
    return value

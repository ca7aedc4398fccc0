"""Small hand-made releases, in every layout that a release may have on a disk."""

import io
import json
import os
import struct
import wave
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SINGLE = "Multiple-choice question (select one answer choice)"
MULTI = "Multiple-choice question (select one or more answer choices)"
COUNT = "Question and answer (Arabic numerals)"
YESNO = "Judgment question (Yes or No)"

LAYOUTS = ("unpacked", "packed", "packed without its folder", "packed below bench_data", "packed flat", "repository")
"""Layouts of a release in a folder. "repository" is the dataset repository: `bench_data` beside the training data."""

_MEMBER = {
    "packed": "{folder}/{name}",
    "packed without its folder": "{name}",
    "packed below bench_data": "bench_data/{folder}/{name}",
    "packed flat": "{base}",
    "repository": "{folder}/{name}",
}


@dataclass(frozen=True)
class Content:
    """The content of a release: the items of both annotation files, and the media by name in the media folder."""

    videos: Mapping[str, bytes] = field(default_factory=dict)
    audios: Mapping[str, bytes] = field(default_factory=dict)
    vqa: list[dict[str, Any]] = field(default_factory=list)
    aqa: list[dict[str, Any]] = field(default_factory=list)


def questions(**changes: Any) -> dict[str, Any]:
    """The `questions` object of a well-formed item. A field that is set to None is null, one set to `...` is absent."""
    fields: dict[str, Any] = {
        "question": "What is the person doing",
        "task_type": "Action_Recognition",
        "question_pattern": SINGLE,
        "answer": "B",
        "options": ["A. Running", "B. Reading", "C. Eating", "D. Swimming"],
        "full_frame_number": 250,
        "fps": 25,
    }
    return {name: value for name, value in {**fields, **changes}.items() if value is not ...}


def item(path: Any = "data/videos/action/clip.mp4", **changes: Any) -> dict[str, Any]:
    """A well-formed item about a video, with changed fields in its `questions`."""
    return {"video_path": path, "questions": questions(**changes)}


def audio_item(path: Any = "data/audios/calls/call.wav", **changes: Any) -> dict[str, Any]:
    """A well-formed item about an audio file, with changed fields in its `questions`."""
    return item(path, **{"task_type": "Fraud_Recognition", "full_frame_number": ..., "fps": ..., **changes})


def small() -> Content:
    """A release with two clips in one folder, one clip of another task, and one real sound of half a second."""
    return Content(
        videos={
            "action/one.mp4": b"the first clip" * 20,
            "action/two.mp4": b"the second clip" * 20,
            "talk/meeting.mp4": b"a clip with sound" * 20,
        },
        audios={"calls/call.wav": wav(sine(0.5, 16_000), 16_000)},
        vqa=[
            item("data/videos/action/one.mp4"),
            item("data/videos/talk/meeting.mp4", task_type="Talkingperson_Recognition", asr_en="Hello."),
            item("data/videos/action/two.mp4", question="What comes next", answer="C"),
        ],
        aqa=[audio_item("data/audios/calls/call.wav", asr_en="Your account is closed.")],
    )


def write(folder: Path, layout: str, content: Content, compression: int = zipfile.ZIP_STORED) -> str:
    """Write a release into `folder` in one of `LAYOUTS`. Return the root for the loader."""
    base = folder / "bench_data" if layout == "repository" else folder
    write_annotations(base, content)
    for name, files in (("videos", content.videos), ("audios", content.audios)):
        if layout == "unpacked":
            write_files(base / name, files)
        else:
            members = {_member(layout, name, path): data for path, data in files.items()}
            write_zip(base / f"{name}.zip", members, compression=compression)
    if layout == "repository":
        _write_training_data(folder / "train_data", content)
    return str(folder)


def write_snapshot(cache: Path, layout: str, content: Content) -> Path:
    """Write a release as the Hub's cache keeps it: a snapshot whose files are links to blobs. Return the snapshot."""
    made, repository = cache / "made", cache / "hub" / "datasets--owner--name"
    write(made, layout, content)
    for path in filter(Path.is_file, sorted(made.rglob("*"))):
        blob = repository / "blobs" / sha256(path.read_bytes()).hexdigest()
        link = repository / "snapshots" / ("c" * 40) / "bench_data" / path.relative_to(made)
        for each in (blob, link):
            each.parent.mkdir(parents=True, exist_ok=True)
        path.replace(blob)
        link.symlink_to(os.path.relpath(blob, link.parent))
    return repository / "snapshots" / ("c" * 40)


def write_annotations(folder: Path, content: Content) -> None:
    """Write the two annotation files, except one that would be empty."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, items in (("HumanSense_VQA.json", content.vqa), ("HumanSense_AQA.json", content.aqa)):
        if items:
            (folder / name).write_text(json.dumps(items, ensure_ascii=False), encoding="utf-8")


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files by their names relative to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def write_zip(
    path: Path, members: Mapping[str, bytes], folders: Iterable[str] = (), compression: int = zipfile.ZIP_STORED
) -> Path:
    """Write a zip file with members of exactly these names, after members for `folders` ("videos/")."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name in folders:
            archive.writestr(zipfile.ZipInfo(name), b"")
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return path


def damage(archive: Path, member: str, place: float, count: int = 4) -> None:
    """Flip some bytes of the stored content of one member, from its start (`place` 0) to its end (1)."""
    with zipfile.ZipFile(archive) as opened:
        info = opened.getinfo(member)
    data = bytearray(archive.read_bytes())
    name_length, extra_length = struct.unpack("<HH", data[info.header_offset + 26 : info.header_offset + 30])
    start = info.header_offset + 30 + name_length + extra_length + int(place * (info.compress_size - count))
    data[start : start + count] = bytes(byte ^ 0xFF for byte in data[start : start + count])
    archive.write_bytes(data)


def mark_as_encrypted(archive: Path) -> None:
    """Set the flag of every member which says that it needs a password."""
    data = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = data.find(signature)
        while place >= 0:
            data[place + offset] |= 1
            place = data.find(signature, place + 4)
    archive.write_bytes(data)


def sine(seconds: float, rate: int, frequency: float = 440.0, amplitude: float = 0.5) -> NDArray[np.float64]:
    """A sine of shape (samples,)."""
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def wav(samples: NDArray[np.float64], rate: int) -> bytes:
    """The bytes of a 16-bit WAV file of `samples` between -1 and 1, shape (samples,) or (samples, channels)."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(np.round(samples * 32767).astype("<i2").tobytes())
    return file.getvalue()


def _member(layout: str, folder: str, name: str) -> str:
    return _MEMBER[layout].format(folder=folder, name=name, base=name.rpartition("/")[2])


def _write_training_data(folder: Path, content: Content) -> None:
    """Write training data with the names of the benchmark's files and other content. It must never be read."""
    write_annotations(folder, content)
    for name, files in (("videos", content.videos), ("audios", content.audios)):
        write_zip(folder / f"{name}.zip", {f"{name}/{path}": b"training data" for path in files})

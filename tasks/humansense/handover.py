"""Hands the media of a question to models that are not this package's, in the form that their wrappers take.

Some need a file that the release does not have: a WAV file of a clip's sound, a clip without its sound, or a clip with
another suffix. Such a file is made once and kept in the folder `humansense/handover` of HF_HOME, or in a temporary
folder if that cannot be written. Nothing is encoded again.
"""

import base64
import errno
import os
import shutil
import tempfile
import wave
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import av
import numpy as np
from loguru import logger

from . import sound, source
from .annotations import DataError
from .wrappers import MediaForms

_SUFFIXES = (".mp4", ".avi", ".mov")
"""Wrappers take a file for a video if its name ends exactly like this."""

_FORMATS = {".mp4": "mp4", ".mov": "mov", ".avi": "avi"}
"""FFmpeg's formats of these files."""


def media(path: Path, plan: MediaForms) -> tuple[str | None, Any]:
    """The media of a question in the forms of a plan.

    Args:
        path: The question's local media file.
        plan: The forms.

    Returns:
        The path of the video, and the sound: a path, a `data:` URL, or `{"array": (samples,) float32,
        "sampling_rate": 16000}`. None for what the plan does not have.

    Raises:
        DataError: The file has no sound although it is heard, or it cannot be read, or no copy of it can be written.
    """
    video = None if plan.video is None else str(path if plan.video == "own" else _video(path, plan.video))
    if plan.sound is None:
        return video, None
    if plan.sound == "own":
        return video, str(path)
    if plan.sound == "array":
        return video, {"array": source.current().waveform(path), "sampling_rate": sound.SAMPLING_RATE}
    file = wav(path)
    if plan.sound == "wav":
        return video, str(file)
    return video, "data:audio/wav;base64," + base64.b64encode(file.read_bytes()).decode()


def wav(path: Path) -> Path:
    """The sound of a media file as a WAV file.

    Args:
        path: A media file.

    Returns:
        A file of 16-bit samples, mono, 16 kHz: those of the current source's `waveform`.

    Raises:
        DataError: The file has no sound that can be decoded, or the WAV file cannot be written.
    """
    return _kept(path, f"sound {source.current().reader()}", ".wav", lambda target: _write_wav(path, target))


def _video(path: Path, form: str) -> Path:
    """A file of the same pictures with a suffix that is true; "heard" requires a sound track, "silent" leaves none."""
    if form == "any" and path.suffix in _SUFFIXES:
        return path
    suffix, has_sound = _suffix_and_sound(path)
    if form == "heard" and not has_sound:
        raise DataError(f"{path} has no sound track.")
    is_named = path.suffix in _SUFFIXES
    if (form == "silent" and has_sound) or (suffix is None and not is_named):
        kind, ending = "with its sound" if form == "heard" else "without its sound", suffix or ".mp4"
        return _kept(path, kind, ending, lambda target: _copy(path, target, ending, form == "heard"))
    return path if is_named else _kept(path, "link", str(suffix), lambda target: _link(path, target))


def _suffix_and_sound(path: Path) -> tuple[str | None, bool]:
    """The suffix that is true for a file (None if none of `_SUFFIXES` is), and whether it has a sound track."""
    try:
        with sound.open_file(path) as container:
            names, has_sound = container.format.name.split(","), bool(container.streams.audio)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}).") from error
    fits = [suffix for suffix in _SUFFIXES if _FORMATS[suffix] in names]
    own = path.suffix.lower()
    return (own if own in fits else fits[0] if fits else None), has_sound


def _copy(path: Path, target: Path, suffix: str, with_sound: bool) -> None:
    """Copy the packets of a video, and those of the sound track that is heard, into a file of another format."""
    try:
        with sound.open_file(path) as read, av.open(str(target), "w", format=_FORMATS[suffix]) as written:
            streams = _streams(read, with_sound)
            copies = {each.index: written.add_stream_from_template(each) for each in streams}
            for packet in _shown(read.demux(streams)):
                packet.stream = copies[packet.stream.index]
                written.mux(packet)
    except (av.FFmpegError, ValueError) as error:
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise DataError(f"{path} cannot be copied into a file {suffix} ({error}): convert it to MP4.") from error


def _shown(packets: Iterable[av.Packet]) -> Iterator[av.Packet]:
    """The packets without the empty last ones, and without those at the end that an edit list cuts off."""
    held: dict[int, list[av.Packet]] = {}
    for packet in packets:
        waiting = held.setdefault(packet.stream.index, [])
        if packet.size:
            waiting.append(packet)
        if packet.size and not packet.is_discard:
            yield from waiting
            waiting.clear()


def _streams(container: av.container.InputContainer, with_sound: bool) -> list[av.stream.Stream]:
    """The video of a file, and the sound track that is heard."""
    video, heard = container.streams.best("video"), sound.track_of(container) if with_sound else None
    if video is None:
        raise ValueError("it has no pictures")
    return [video] if heard is None else [video, heard]


def _link(path: Path, target: Path) -> None:
    try:
        target.symlink_to(path.absolute())
    except OSError:  # a file system without links
        shutil.copyfile(path, target)


def _write_wav(path: Path, target: Path) -> None:
    samples = np.clip(source.current().waveform(path), -1, 1)
    with target.open("wb") as file, wave.open(file) as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(sound.SAMPLING_RATE)
        written.writeframes(np.round(samples * 32767).astype("<i2").tobytes())


def _kept(path: Path, kind: str, suffix: str, make: Callable[[Path], None]) -> Path:
    """The file that `make` writes for a media file, made now if it is not there; never an incomplete one.

    Its name tells the file's place, size and date, so that another file in this place gets another name.
    """
    try:
        real = path.resolve(strict=True)
        state = real.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).") from error
    identity = f"{real} {state.st_size} {state.st_mtime_ns} {kind} {av.__version__}"
    name = sha256(identity.encode(errors="surrogateescape")).hexdigest()[:32] + suffix
    # No part of the path may look like a suffix: some wrappers look for one anywhere in it.
    wanted = _cache_folder() / name
    return wanted if wanted.exists() else _made(path, _writable(_cache_folder()) / name, make)


def _made(path: Path, wanted: Path, make: Callable[[Path], None]) -> Path:
    if wanted.exists():
        return wanted
    temporary = wanted.with_name(f".{uuid4().hex}.part")
    try:
        make(temporary)
        return temporary.replace(wanted)
    except OSError as error:
        reason = error.strerror or error
        raise DataError(
            f"What a model is given of {path} cannot be written to {wanted.parent} ({reason}): free space there, or "
            "set HF_HOME to another folder."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _cache_folder() -> Path:
    from huggingface_hub import constants

    return Path(os.path.abspath(constants.HF_HOME)) / "humansense" / "handover"


@lru_cache(maxsize=8)
def _writable(folder: Path) -> Path:
    """The folder, or a temporary one for this process if it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        _temporary.append(tempfile.TemporaryDirectory(prefix="humansense-", ignore_cleanup_errors=True))
        logger.warning(
            "{} cannot be written ({}): what models are given of clips is in a temporary folder, and is made again by "
            "each process.", folder, error.strerror or error,
        )  # fmt: skip
        return Path(_temporary[-1].name)


_temporary: list[tempfile.TemporaryDirectory[str]] = []
"""Folders that are removed when the process ends."""

#!/usr/bin/env python3
"""Make the embedded sample of the benchmark: a few drawn clips, spoken recordings and questions about them.

The sample has the layout and the JSON form of the release (``HumanSense_VQA.json``, ``HumanSense_AQA.json``,
``videos/``, ``audios/``), so that the same loader reads both and every task can be tried without a download.
``sample_clips.py`` and ``sample_questions.py`` declare its content. ``sample_drawing.py`` draws the pictures, and the
program espeak-ng speaks. The same versions of PyAV, Pillow and espeak-ng make the same bytes, so that running the
script again changes nothing.

    python scripts/make_sample.py [--out DIR]
"""

import io
import json
import shutil
import string
import subprocess
import wave
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import av
import numpy as np
import typer
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from numpy.typing import NDArray
from sample_clips import CLIPS, RECORDINGS, VOICES, Clip, Line, Recording
from sample_drawing import draw_frame
from sample_questions import QUESTIONS, Question

from lmms_humansense.tasks.humansense.annotations import FILES, MEDIA
from lmms_humansense.tasks.humansense.prompts import PATTERNS, Pattern
from lmms_humansense.tasks.humansense.taxonomy import TASKS

DEFAULT_OUT = Path(__file__).resolve().parent.parent / "tasks" / "humansense_sample"
SPEECH_RATE = 22050  # the sampling rate of espeak-ng's voices
MONO_BIT_RATE = 24_000  # of AAC
OUTPUT_OPTIONS = {"movflags": "+faststart", "fflags": "+bitexact"}
MAX_BYTES = 2_500_000  # the sample is part of the package
JSON_FILES = {MEDIA[key]: name for key, name in FILES.items()}
PATTERN_NAMES: dict[Pattern, str] = {pattern: name for name, pattern in PATTERNS.items()}
TASK_OF = {alias: task for task in TASKS for alias in task.aliases}

Samples = NDArray[np.int16]


class SampleError(Exception):
    """The sample cannot be made; the message says why or what to do."""


@dataclass(frozen=True)
class Track:
    """Sound at ``SPEECH_RATE``, and the spans in which somebody speaks: name, start and end in seconds."""

    samples: Samples
    spans: tuple[tuple[str, float, float], ...] = ()

    def speaking(self, t: float) -> dict[str, float]:
        """How far the mouth of each speaker at ``t`` is open: the loudness around that moment, from 0 to 1."""
        window = self.samples[max(0, round((t - 0.03) * SPEECH_RATE)) : round((t + 0.03) * SPEECH_RATE)]
        if not window.size:
            return {}
        loudness = float(np.sqrt(np.mean(window.astype(np.float64) ** 2)))
        return {who: min(1.0, loudness / 6000) for who, start, end in self.spans if start <= t < end}


def check_tools() -> None:
    """Stop before anything is written if a program or an encoder is missing."""
    if shutil.which("espeak-ng") is None:
        raise SampleError(
            "the sample's voices are made by the program espeak-ng, which was not found: install it "
            "(Debian, Ubuntu: apt-get install espeak-ng; macOS: brew install espeak-ng) and run this again."
        )
    if "libx264" not in av.codecs_available:
        raise SampleError("this PyAV cannot encode H.264 (libx264): install the wheel from PyPI (pip install av).")


def say(line: Line) -> Samples:
    """Let espeak-ng say one line."""
    voice = line.voice or VOICES[line.who]
    options = ["-v", voice.variant, "-p", str(voice.pitch), "-s", str(voice.speed)]
    result = subprocess.run(["espeak-ng", *options, "--stdout", line.text], capture_output=True, check=False)
    if result.returncode != 0 or not result.stdout:
        raise SampleError(f"espeak-ng could not say {line.text!r}: {result.stderr.decode(errors='replace').strip()}")
    with wave.open(io.BytesIO(result.stdout)) as spoken:
        if spoken.getframerate() != SPEECH_RATE:
            raise SampleError(f"espeak-ng spoke at {spoken.getframerate()} Hz, expected {SPEECH_RATE} Hz.")
        # The program writes its header before it knows the length, so this reads everything that follows.
        return np.frombuffer(spoken.readframes(spoken.getnframes()), dtype=np.int16)


def speak(lines: Sequence[Line]) -> Track:
    """Say lines one after the other."""
    parts: list[Samples] = []
    spans: list[tuple[str, float, float]] = []
    position = 0
    for line in lines:
        pause = np.zeros(round(line.pause * SPEECH_RATE), dtype=np.int16)
        words = say(line)
        start = position + pause.size
        position = start + words.size
        parts += [pause, words]
        spans.append((line.who, start / SPEECH_RATE, position / SPEECH_RATE))
    return Track(np.concatenate(parts), tuple(spans))


def play(notes: Sequence[int], seconds: float) -> Track:
    """A soft tune, half a second for each note, for clips without speech."""
    t = np.arange(round(0.5 * SPEECH_RATE)) / SPEECH_RATE
    fade = np.minimum(1, t / 0.02) * np.exp(-5 * t)
    tune = [2500 * fade * np.sin(2 * np.pi * 440 * 2 ** ((note - 69) / 12) * t) for note in notes]
    return Track(np.resize(np.concatenate(tune), round(seconds * SPEECH_RATE)).astype(np.int16))


def track_of(clip: Clip) -> Track | None:
    """The sound of a clip, exactly as long as its pictures, or None for a silent one."""
    if not clip.lines:
        return play(clip.tune, clip.seconds) if clip.tune else None
    track = speak(clip.lines)
    length = round(clip.seconds * SPEECH_RATE)
    if track.samples.size > length:
        spoken = track.samples.size / SPEECH_RATE
        raise SampleError(f"{clip.path}: the spoken lines take {spoken:.1f} s, but the clip only {clip.seconds} s.")
    return Track(np.pad(track.samples, (0, length - track.samples.size)), track.spans)


def frame_count(clip: Clip) -> int:
    """The number of frames of a clip."""
    return round(float(clip.seconds * clip.fps))


def _audio_frame(samples: Samples) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = SPEECH_RATE
    frame.pts = 0
    frame.time_base = Fraction(1, SPEECH_RATE)
    return frame


def _audio_packets(stream: AudioStream, track: Track) -> Iterator[av.Packet]:
    """Encode a sound at the stream's rate and number of channels."""
    resampler = AudioResampler(format="fltp", layout=stream.layout, rate=stream.rate, frame_size=1024)
    for frame in [*resampler.resample(_audio_frame(track.samples)), *resampler.resample(None)]:
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _video_packets(stream: av.VideoStream, clip: Clip, track: Track | None) -> Iterator[av.Packet]:
    """Draw and encode a clip's pictures."""
    for index in range(frame_count(clip)):
        t = float(index / clip.fps)
        picture = draw_frame(clip.scene, clip.size, t, track.speaking(t) if track else {})
        frame = av.VideoFrame.from_image(picture)
        frame.pts = index
        frame.time_base = 1 / clip.fps
        yield from stream.encode(frame)
    yield from stream.encode(None)


def write_clip(clip: Clip, track: Track | None, path: Path, crf: int = 34) -> None:
    """Draw and encode one clip, with one thread and no version or date in the file, so that the bytes repeat.

    Args:
        clip: What is shown.
        track: What is heard; None for a clip without a sound track.
        path: The file.
        crf: How much H.264 may lose, from 0 (nothing) to 51.
    """
    with av.open(str(path), "w", format="mp4", options=OUTPUT_OPTIONS) as container:
        video = container.add_stream("libx264", rate=clip.fps)
        video.width, video.height = clip.size
        video.pix_fmt = "yuv420p"
        # Without mbtree: its vector code reads memory that it did not fill, so that the bytes would not always repeat.
        video.options = {"crf": str(crf), "preset": "slow", "tune": "animation", "g": "100", "mbtree": "0"}
        video.codec_context.thread_count = 1
        packets: list[av.Packet] = []
        if track is not None:
            audio = container.add_stream("aac", rate=clip.sound_rate, layout="stereo" if clip.stereo else "mono")
            audio.codec_context.bit_rate = (2 if clip.stereo else 1) * MONO_BIT_RATE
            packets += _audio_packets(audio, track)
        packets += _video_packets(video, clip, track)
        for packet in sorted(packets, key=lambda packet: (packet.dts or 0) * packet.time_base):
            container.mux(packet)


def write_recording(recording: Recording, track: Track, path: Path) -> None:
    """Write one recording: as 16-bit mono WAV, or as mono AAC if the path ends with .m4a."""
    if path.suffix == ".m4a":
        with av.open(str(path), "w", options=OUTPUT_OPTIONS) as container:
            audio = container.add_stream("aac", rate=recording.sound_rate, layout="mono")
            audio.codec_context.bit_rate = MONO_BIT_RATE
            for packet in _audio_packets(audio, track):
                container.mux(packet)
        return
    resampler = AudioResampler(format="s16", layout="mono", rate=recording.sound_rate)
    frames = [*resampler.resample(_audio_frame(track.samples)), *resampler.resample(None)]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(recording.sound_rate)
        file.writeframes(b"".join(frame.to_ndarray().tobytes() for frame in frames))


def question_fields(question: Question, media: Clip | Recording) -> dict[str, Any]:
    """The ``questions`` object of an item, in the release's words."""
    pattern: Pattern = "multi" if question.multi else "single" if question.options else "count"
    fields: dict[str, Any] = {
        "question": question.text,
        "task_type": question.task_type,
        "question_pattern": PATTERN_NAMES[pattern],
        "answer": question.answer,
    }
    if question.options:
        letters = string.ascii_uppercase
        fields["options"] = [f"{letter}. {text}" for letter, text in zip(letters, question.options, strict=False)]
    if question.time_stamp:
        fields["time_stamp"] = question.time_stamp
    if isinstance(media, Clip):
        fields |= {"full_frame_number": frame_count(media), "fps": media.fps_value}
    # The release has transcripts only for the tasks whose sound matters.
    if TASK_OF[question.task_type].has_sound:
        if not media.lines:
            raise SampleError(
                f"{media.path}: {question.task_type} asks about speech, but the clip has no spoken lines."
            )
        fields["asr_en"] = " ".join(line.text for line in media.lines)
    return fields


def items(
    folder: str,
    questions: Sequence[Question] = QUESTIONS,
    all_media: Sequence[Clip | Recording] = (*CLIPS, *RECORDINGS),
) -> list[dict[str, Any]]:
    """The items of the questions about the media in ``videos`` or ``audios``."""
    media: dict[str, Clip | Recording] = {m.path: m for m in all_media}
    result: list[dict[str, Any]] = []
    for question in questions:
        if TASK_OF[question.task_type].is_audio != (folder == "audios"):
            continue
        about = media[question.about]
        item: dict[str, Any] = {"video_path": f"data/{folder}/{about.path}"}
        if isinstance(about, Clip) and about.shown_as:
            item |= {"video_or_clip": about.shown_as, "time": f"[0:00:00 - 0:00:{int(about.seconds):02d}]"}
        result.append({**item, "questions": question_fields(question, about)})
    return result


def check_folder(out: Path) -> None:
    """Refuse a folder that holds something else, such as the release, so that its files are never overwritten."""
    ours = {out / "videos" / clip.path for clip in CLIPS} | {out / "audios" / sound.path for sound in RECORDINGS}
    there = {path for folder in JSON_FILES for path in (out / folder).rglob("*") if path.is_file()}
    there |= {*out.glob("*.zip")}
    for name, known in zip(JSON_FILES.values(), (CLIPS[0].path, RECORDINGS[0].path), strict=True):
        path = out / name
        if path.exists() and known not in path.read_text(encoding="utf-8"):
            there.add(path)
    others = sorted(str(path.relative_to(out)) for path in there - ours)
    if others:
        shown = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
        raise SampleError(
            f"{out} holds files that are not part of the sample ({shown}); give an empty folder with --out."
        )


def make_sample(out: Path) -> None:
    """Write the whole sample into ``out``."""
    check_tools()
    check_folder(out)
    written: list[Path] = []
    for clip in CLIPS:
        path = out / "videos" / clip.path
        path.parent.mkdir(parents=True, exist_ok=True)
        write_clip(clip, track_of(clip), path)
        written.append(path)
    for recording in RECORDINGS:
        path = out / "audios" / recording.path
        path.parent.mkdir(parents=True, exist_ok=True)
        write_recording(recording, speak(recording.lines), path)
        written.append(path)
    for folder, name in JSON_FILES.items():
        path = out / name
        path.write_text(json.dumps(items(folder), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(path)
    for path in written:
        print(f"{path.stat().st_size:>9,} bytes  {path.relative_to(out)}")
    total = sum(path.stat().st_size for path in written)
    print(f"{total:>9,} bytes in all, {len(QUESTIONS)} questions: {dict(Counter(q.task_type for q in QUESTIONS))}")
    if total > MAX_BYTES:
        raise SampleError(f"the sample has {total:,} bytes, more than the {MAX_BYTES:,} that the package may have.")


def main(out: Annotated[Path, typer.Option(help="The folder to write to.")] = DEFAULT_OUT) -> None:
    """Make the embedded sample of the HumanSense benchmark."""
    try:
        make_sample(out)
    except SampleError as error:
        raise SystemExit(f"make_sample: {error}") from error


if __name__ == "__main__":
    typer.run(main)

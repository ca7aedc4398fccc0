"""Bad files in a whole run: each fails its own sample, and no other sample is affected."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lmms_humansense.models import chat, omni
from tests.helpers import clips

Write = Callable[[Path], Any]


def sounding(path: Path, **changes: Any) -> Path:
    options = {"rate": 16_000, "codec": "aac", "pictures": 15, **changes}
    return clips.write_sound(path, clips.tones(16_000, 1, seconds=3.0), **options)


def truncated(path: Path) -> None:
    content = sounding(path).read_bytes()
    path.write_bytes(content[: len(content) // 2])


def with_corrupt_sound(path: Path) -> None:
    """Sound packets full of noise beside good frames."""
    import av

    noise = np.random.default_rng(0)
    source = sounding(path.with_suffix(".source.mp4"))
    with av.open(str(source)) as read, av.open(str(path), "w") as written:
        streams = {stream.index: written.add_stream_from_template(stream) for stream in read.streams}
        for packet in read.demux():
            if not packet.size:
                continue
            kept = packet
            if packet.stream.type == "audio":
                kept = av.Packet(noise.integers(0, 256, packet.size, dtype=np.uint8).tobytes())
                kept.pts, kept.dts, kept.time_base = packet.pts, packet.dts, packet.time_base
            kept.stream = streams[packet.stream.index]
            written.mux(kept)


def of_an_unknown_codec(path: Path) -> None:
    content = bytearray(clips.write_video(path).read_bytes())
    place = content.rfind(b"avc1")
    content[place : place + 4] = bytes(4)
    path.write_bytes(content)


def of_two_samples_per_second(path: Path) -> None:
    """A sound of three seconds whose header makes it last for hours, and need gigabytes."""
    sound = clips.write_sound(path.with_suffix(".wav"), clips.tones(16_000, 1, seconds=3.0), 16_000, "pcm_s16le")
    content = bytearray(sound.read_bytes())
    content[24:28] = (2).to_bytes(4, "little")
    path.write_bytes(content)


FAILING: dict[str, tuple[Write, str]] = {
    "missing": (lambda path: None, "does not exist"),
    "empty": (lambda path: path.write_bytes(b""), "is empty (0 bytes)"),
    "folder": (lambda path: path.mkdir(), "is a folder"),
    "pipe": (lambda path: __import__("os").mkfifo(path), "is not a regular file"),
    "truncated": (truncated, "index (moov) is missing or damaged"),
    "text": (lambda path: path.write_text("This is a text.\n" * 99), "is not an audio or video file"),
    "no frames": (
        lambda path: clips.write_video(path, 0, codec="mpeg4", muxing={"movflags": "frag_keyframe+empty_moov"}),
        "has a video stream without frames",
    ),
    "no sound track": (clips.write_video, "has no sound track, but the task needs it"),
    "corrupt sound": (with_corrupt_sound, "has a damaged sound"),
    "unknown codec": (of_an_unknown_codec, "PyAV has no decoder for its video stream, and decord cannot read it"),
    "vast pictures": (
        lambda path: clips.write_video(path, 1, codec="libx264", size=(9000, 4000)),
        "has pictures of 9000x4000 pixels, too large to be decoded",
    ),
}

SILENT = ("no frames", "unknown codec", "vast pictures")

ANSWERED: dict[str, Write] = {
    "one frame": lambda path: clips.write_sound(path, clips.tones(16_000, 1), 16_000, "aac", pictures=1),
    "silent track": lambda path: clips.write_sound(path, np.zeros((1, 48_000), np.float32), 16_000, "aac", pictures=15),
}


class Request:
    def __init__(self, *contents: dict[str, Any]) -> None:
        self.metadata: dict[str, Any] = {}
        messages = [{"role": "user", "content": [*contents, {"type": "text", "text": "What is it?"}]}]
        self.args = ("", lambda doc: messages, {"max_new_tokens": 4, "until": []}, 0, "task", "test")


def heard(path: Path) -> Request:
    return Request({"type": "video", "url": str(path)}, {"type": "audio", "url": str(path)})


def shown(path: Path) -> Request:
    return Request({"type": "video", "url": str(path)})


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> omni.HumanSenseOmni:
    model = omni.HumanSenseOmni(str(tiny_model), device="cpu", batch_size=4, media_timeout=60)
    model.task_dict = {"task": {"test": [None]}}
    return model


@pytest.mark.parametrize("kind", FAILING)
def test_a_bad_file_is_one_clear_failure_of_its_sample(model: omni.HumanSenseOmni, kind: str, tmp_path: Path) -> None:
    write, sentence = FAILING[kind]
    bad, good = tmp_path / "bad.mp4", sounding(tmp_path / "good.mp4")
    write(bad)
    model.failures.clear()
    asked = shown(bad) if kind in SILENT else heard(bad)
    first, failed, last = (result.text for result in model.generate_until([heard(good), asked, heard(good)]))
    assert first == last != ""
    assert not first.startswith(chat.FAILURE_MARK)
    assert failed.startswith(f"{chat.FAILURE_MARK} MediaError: {bad} ")
    assert sentence in failed
    assert failed.count("\n") == 0
    assert failed.endswith((".", ")."))
    assert len(model.failures) == 1


def test_a_sound_that_would_last_for_hours_is_refused(model: omni.HumanSenseOmni, tmp_path: Path) -> None:
    of_two_samples_per_second(tmp_path / "long.wav")
    (result,) = model.generate_until([Request({"type": "audio", "url": str(tmp_path / "long.wav")})])
    assert "long.wav has a damaged sound: 2 samples per second are too few for a sound." in result.text


@pytest.mark.parametrize("kind", ANSWERED)
def test_a_strange_but_whole_file_is_answered(model: omni.HumanSenseOmni, kind: str, tmp_path: Path) -> None:
    ANSWERED[kind](tmp_path / "strange.mp4")
    (result,) = model.generate_until([heard(tmp_path / "strange.mp4")])
    assert result.text
    assert not result.text.startswith(chat.FAILURE_MARK)
    assert result.token_counts is not None
    assert result.token_counts.to_dict()["seconds_heard"] > 1


def test_a_picture_of_one_pixel_is_answered(model: omni.HumanSenseOmni, tmp_path: Path) -> None:
    from PIL import Image

    clips.write_video(tmp_path / "dot.mkv", frames=4, codec="ffv1", size=(1, 1), format="bgr0")
    picture = Request({"type": "image", "url": Image.new("RGB", (1, 1))})
    for result in model.generate_until([shown(tmp_path / "dot.mkv"), picture]):
        assert result.text
        assert not result.text.startswith(chat.FAILURE_MARK)

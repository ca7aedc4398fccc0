"""Files become what the release's own reader would return, or an exception that says what is wrong."""

import gc
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any

import av
import librosa
import numpy as np
import pytest
import torch
from av.stream import Disposition
from numpy.typing import NDArray
from qwen_omni_utils.v2_5 import vision_process

from lmms_humansense.models.media import readers, video, video_decoder
from lmms_humansense.models.media.audio import read_waveform, sound_seconds
from lmms_humansense.models.media.errors import MediaError, UnsuitableReaderError
from lmms_humansense.models.media.types import SAMPLE_RATE, FrameRule, Frames
from tests.helpers import clips
from tests.helpers.clips import read_frames
from tests.helpers.field_coded import write_fields

RELEASE_PIXELS = 360 * 420
GROUPS = {"g": "15", "bf": "3"}
OPEN_GROUPS = {"x264-params": "keyint=12:min-keyint=12:open-gop=1:bframes=3:b-adapt=0:scenecut=0"}
HEVC = {"x265-params": "keyint=15:min-keyint=15:open-gop=0:bframes=3:log-level=none"}
HEVC_OPEN_GROUPS = {"x265-params": "keyint=12:min-keyint=12:open-gop=1:bframes=3:b-adapt=0:scenecut=0:log-level=none"}
QUICK = {"deadline": "realtime", "cpu-used": "8", "g": "20"}
BT709, FULL_RANGE = 1, 2
UNEVEN = list(accumulate([40 + (74 * n) % 340 for n in range(clips.FRAMES)]))

WRITERS: dict[str, Callable[[Path], Path]] = {
    "plain.mp4": lambda path: clips.write_video(path, options=GROUPS),
    "plain.mov": lambda path: clips.write_video(path, options=GROUPS),
    "plain.mkv": lambda path: clips.write_video(path, options=GROUPS),
    "vp8.webm": lambda path: clips.write_video(path, codec="libvpx", options=QUICK),
    "vp9.webm": lambda path: clips.write_video(path, codec="libvpx-vp9", options=QUICK),
    "uneven.mp4": lambda path: clips.write_video(path, options=GROUPS, times=UNEVEN),
    "uneven.mkv": lambda path: clips.write_video(path, options=GROUPS, times=UNEVEN),
    "one_group.mp4": lambda path: clips.write_video(path, options={"g": "100", "bf": "3"}),
    "late.mp4": lambda path: clips.copy(written("plain.mp4"), path, clips.moved(20)),
    "in_pieces.mp4": lambda path: clips.copy(written("plain.mp4"), path, movflags="frag_keyframe+empty_moov"),
    "turned_90.mp4": lambda path: clips.turn(written("plain.mp4"), path, 90),
    "turned_180.mp4": lambda path: clips.turn(written("plain.mp4"), path, 180),
    "turned_270.mp4": lambda path: clips.turn(written("plain.mp4"), path, 270),
    "odd.mp4": lambda path: clips.write_video(path, codec="mpeg4", size=(161, 121)),
    "odd_444.mp4": lambda path: clips.write_video(path, format="yuv444p", size=(161, 121), options=GROUPS),
    "ten_bit.mp4": lambda path: clips.write_video(path, format="yuv420p10le", options=GROUPS),
    "bt709.mp4": lambda path: clips.write_video(path, options=GROUPS, colorspace=BT709, color_range=FULL_RANGE),
    "hevc.mp4": lambda path: clips.write_video(path, codec="libx265", options=HEVC),
    "ntsc.mp4": lambda path: clips.write_video(path, options=GROUPS, rate=Fraction(5000, 1001)),
    # Files that decord reads wrongly, or not at all.
    "av1.mp4": lambda path: clips.write_video(path, codec="libsvtav1", options={"g": "20", "preset": "12"}),
    "open_groups_hevc.mp4": lambda path: clips.write_video(path, codec="libx265", options=HEVC_OPEN_GROUPS),
    "open_groups.mp4": lambda path: clips.write_video(path, options=OPEN_GROUPS),
    "open_groups.mkv": lambda path: clips.write_video(path, options=OPEN_GROUPS),
    "mpeg4_b.mp4": lambda path: clips.write_video(path, codec="mpeg4", max_b_frames=2),
    "refresh.mp4": lambda path: clips.write_video(
        path, options={"x264-params": "keyint=20:intra-refresh=1:bframes=0", "crf": "10"}
    ),
    "stream.ts": lambda path: clips.write_video(path, options=GROUPS),
    "old.avi": lambda path: clips.write_video(path, options=GROUPS),
    "msmpeg4.avi": lambda path: clips.write_video(path, codec="msmpeg4v2"),
    "raw.h264": lambda path: clips.write_video(path, options=GROUPS),
    "flash.flv": lambda path: clips.write_video(path, options=GROUPS),
}
AS_DECORD = list(WRITERS)[: list(WRITERS).index("ntsc.mp4") + 1]
RIGHT = ["plain.mp4", "uneven.mp4", *(name for name in WRITERS if name.startswith("turned") or name not in AS_DECORD)]

SMALL: dict[str, Any] = {"max_pixels": 28 * 28 * 32}
RULES: dict[str, tuple[dict[str, Any], float | None, float | None]] = {
    "1 fps": ({"fps": 1.0, **SMALL}, None, None),
    "0.5 fps": ({"fps": 0.5, "max_pixels": RELEASE_PIXELS}, None, None),
    "0.2 fps": ({"fps": 0.2, "max_pixels": RELEASE_PIXELS}, None, None),
    "nframes": ({"nframes": 7, **SMALL}, None, None),
    "part": ({"fps": 2.0, **SMALL}, 2.04, 6.5),
}

_folder: Path


@pytest.fixture(scope="module", autouse=True)
def _clips(tmp_path_factory: pytest.TempPathFactory) -> None:
    global _folder
    _folder = tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Several threads take longer for pictures as small as these."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def written(name: str) -> Path:
    """The path of the clip of this name, which is written at its first use."""
    path = _folder / name
    if not path.exists():
        WRITERS[name](path)
    return path


@pytest.fixture
def decord_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vision_process, "get_video_reader_backend", lambda: "decord")


def expected(path: Path, options: dict[str, Any], factor: int, start: float | None, end: float | None) -> Frames:
    """What qwen-omni-utils returns for the file."""
    part = {key: second for key, second in (("video_start", start), ("video_end", end)) if second is not None}
    # fetch_video refuses a max_pixels below its own minimum.
    least = {"min_pixels": factor**2} if options.get("max_pixels", RELEASE_PIXELS) < RELEASE_PIXELS else {}
    (pixels, about), sample_fps = vision_process.fetch_video(
        {"video": str(path), **options, **least, **part},
        image_patch_size=factor // 2,
        return_video_sample_fps=True,
        return_video_metadata=True,
    )
    assert about["video_backend"] == "decord"
    # The library reports the number of frames of the part, and not of the file, which is checked elsewhere.
    return Frames(pixels.to(torch.uint8), tuple(about["frames_indices"]), about["fps"], -1, sample_fps)


def numbers(frames: Frames) -> list[int]:
    return [clips.number_in(pixels) for pixels in frames.pixels]


# --- frames: as qwen-omni-utils with decord ---------------------------------------------------------------------------


@pytest.mark.usefixtures("decord_reader")
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", AS_DECORD)
def test_frames_are_those_of_the_reference_bit_for_bit(name: str, rule: str) -> None:
    options, start, end = RULES[rule]
    read = read_frames(written(name), FrameRule(**options), start=start, end=end)
    wanted = expected(written(name), options, 28, start, end)
    assert (read.indices, read.video_fps, read.sample_fps) == (wanted.indices, wanted.video_fps, wanted.sample_fps)
    assert read.pixels.dtype == torch.uint8
    assert torch.equal(read.pixels, wanted.pixels)
    assert read.total_frames == clips.FRAMES


@pytest.mark.usefixtures("decord_reader")
def test_other_patch_sizes() -> None:
    read = read_frames(written("plain.mp4"), FrameRule(nframes=4), factor=32)
    assert torch.equal(read.pixels, expected(written("plain.mp4"), {"nframes": 4}, 32, None, None).pixels)
    assert {side % 32 for side in read.pixels.shape[2:]} == {0}


@pytest.mark.usefixtures("decord_reader")
def test_the_rule_of_the_release() -> None:
    fps = 24 / 15
    rule = {"fps": fps, "max_pixels": RELEASE_PIXELS}
    read = read_frames(written("plain.mp4"), FrameRule(fps=fps, max_pixels=RELEASE_PIXELS))
    assert torch.equal(read.pixels, expected(written("plain.mp4"), rule, 28, None, None).pixels)
    assert read.pixels.shape == (24, 3, 280, 392)


@pytest.mark.usefixtures("decord_reader")
def test_the_rest_of_a_clip() -> None:
    rule: dict[str, Any] = {"nframes": 4, "max_pixels": 200_000}
    for start, end in [(3.0, None), (None, 4.9)]:
        read = read_frames(written("plain.mp4"), FrameRule(**rule), start=start, end=end)
        wanted = expected(written("plain.mp4"), rule, 28, start, end)
        assert (read.indices, read.sample_fps) == (wanted.indices, wanted.sample_fps)
        assert torch.equal(read.pixels, wanted.pixels)


@pytest.mark.usefixtures("decord_reader")
def test_no_rule_is_the_default_of_the_reference() -> None:
    read = read_frames(written("plain.mp4"), FrameRule())
    assert read.indices == expected(written("plain.mp4"), {}, 28, None, None).indices
    assert len(read.indices) == 30


@pytest.mark.usefixtures("decord_reader")
def test_every_frame_of_a_clip() -> None:
    rule: dict[str, Any] = {"nframes": 74, "max_pixels": 28 * 28 * 4}
    read = read_frames(written("plain.mp4"), FrameRule(**rule))
    assert set(range(75)) - set(read.indices) == {37}
    assert torch.equal(read.pixels, expected(written("plain.mp4"), rule, 28, None, None).pixels)


# --- frames: the right ones for all kinds of files --------------------------------------------------------------------


@pytest.mark.parametrize("name", RIGHT)
def test_frames_show_the_pictures_of_their_numbers(name: str) -> None:
    read = read_frames(written(name), FrameRule(nframes=12, **SMALL))
    assert len(read.indices) == 12
    if name.startswith("turned"):
        quarters = {"turned_90": 1, "turned_180": 2, "turned_270": 3}[Path(name).stem]
        read = Frames(torch.rot90(read.pixels, quarters, (2, 3)), *list(vars(read).values())[1:])
    assert numbers(read) == list(read.indices)


@pytest.mark.parametrize("name, codec", [("phone.3gp", "h263"), ("phone.mp4", "mpeg4"), ("flash.flv", "flv1")])
def test_a_picture_that_is_wrongly_called_a_key_frame_is_decoded_from_a_true_one(
    name: str, codec: str, tmp_path: Path
) -> None:
    def call_key_frames(place: int, packet: av.Packet) -> av.Packet:
        packet.is_keyframe = place % 20 == 0
        return packet

    true = clips.write_video(tmp_path / f"true_{name}", codec=codec, size=(176, 144), options={"g": "100"})
    wrong = clips.copy(true, tmp_path / name, call_key_frames)
    rule = FrameRule(nframes=12, **SMALL)
    read = read_frames(wrong, rule)
    assert numbers(read) == list(read.indices)
    assert torch.equal(read.pixels, read_frames(true, rule).pixels)


MIRRORED: dict[tuple[int, int, int, int], Callable[[torch.Tensor], torch.Tensor]] = {
    (-1, 0, 0, 1): lambda pixels: pixels.flip(3),
    (1, 0, 0, -1): lambda pixels: pixels.flip(2),
    (0, 1, 1, 0): lambda pixels: pixels.transpose(2, 3),
    (0, -1, -1, 0): lambda pixels: pixels.transpose(2, 3).flip(2, 3),
}


@pytest.mark.parametrize("directions", MIRRORED)
def test_a_mirrored_clip_is_shown_as_a_player_shows_it(directions: tuple[int, int, int, int], tmp_path: Path) -> None:
    mirrored = clips.display(written("plain.mp4"), tmp_path / "mirrored.mp4", directions)
    read = read_frames(mirrored, FrameRule(nframes=12))
    assert (read.pixels.shape[2] > read.pixels.shape[3]) == (directions[0] == 0)
    original = Frames(MIRRORED[directions](read.pixels), *list(vars(read).values())[1:])
    assert numbers(original) == list(read.indices)
    plain = read_frames(written("plain.mp4"), FrameRule(nframes=12)).pixels
    assert float((original.pixels.float() - plain.float()).abs().mean()) < 1


@pytest.mark.parametrize("name", ["stream.ts", "refresh.mp4", "old.avi", "flash.flv", "open_groups.mp4"])
def test_a_part_of_a_file_that_is_hard_to_seek(name: str) -> None:
    read = read_frames(written(name), FrameRule(nframes=6, **SMALL), start=5.0, end=12.0)
    assert numbers(read) == list(read.indices)
    assert (read.indices[0], read.indices[-1]) == (25, 60)


def test_only_the_groups_of_the_wanted_frames_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    fed: list[int] = []
    feed = video_decoder.VideoDecoder._feed

    def counting(self: Any, packet: Any) -> Any:
        fed.append(0 if packet is None else 1)
        return feed(self, packet)

    monkeypatch.setattr(video_decoder.VideoDecoder, "_feed", counting)
    read = read_frames(written("plain.mp4"), FrameRule(nframes=2), start=6.2, end=14.2)
    assert read.indices == (31, 71)
    assert sum(fed) <= 20


def test_frames_that_an_edit_list_hides_are_not_counted(tmp_path: Path) -> None:
    cut = clips.copy(written("plain.mp4"), tmp_path / "cut.mp4", clips.moved(-8))
    read = read_frames(cut, FrameRule(nframes=50, **SMALL))
    assert read.total_frames == clips.FRAMES - 8
    assert numbers(read) == [index + 8 for index in read.indices]


def test_a_clip_that_starts_between_key_frames_shows_what_can_be_decoded(tmp_path: Path) -> None:
    headless = clips.copy(
        written("plain.mp4"), tmp_path / "headless.mp4", lambda place, packet: packet if place >= 20 else None
    )
    read = read_frames(headless, FrameRule(nframes=8))
    assert (read.total_frames, read.video_fps) == (clips.FRAMES - 30, clips.RATE)
    assert numbers(read) == [index + 30 for index in read.indices]


def test_a_packet_that_shows_nothing_stands_for_the_frame_before_it(tmp_path: Path) -> None:
    """The hidden reference pictures of VP8: a bit of the first byte says whether a picture is shown."""
    show = 1 << 4
    hide = clips.with_bytes(lambda content: bytes([content[0] & ~show]) + content[1:], [13])
    hidden = clips.copy(written("vp8.webm"), tmp_path / "hidden.webm", hide)
    read = read_frames(hidden, FrameRule(nframes=74, **SMALL))
    assert read.total_frames == clips.FRAMES
    assert torch.equal(read.pixels[13], read.pixels[12])
    assert not torch.equal(read.pixels[14], read.pixels[13])


@pytest.mark.parametrize("name", ["one.mp4", "one.mkv"])
def test_a_single_frame_is_shown_twice(name: str, tmp_path: Path) -> None:
    read = read_frames(clips.write_video(tmp_path / name, frames=1), FrameRule(fps=1.0))
    assert (read.indices, read.total_frames, len(read.pixels)) == ((0, 0), 1, 2)
    assert torch.equal(read.pixels[0], read.pixels[1])
    assert read.sample_fps == 2 * read.video_fps


def test_two_frames_are_enough(tmp_path: Path) -> None:
    read = read_frames(clips.write_video(tmp_path / "two.mp4", frames=2), FrameRule(fps=1.0))
    assert (read.indices, numbers(read)) == ((0, 1), [0, 1])


RATED: dict[str, tuple[Callable[[Path], Path], float]] = {
    # Made up by FFmpeg: 1000, 1000, 60000, 25. Stated, and contradicted by the timestamps: 120.
    "browser.webm": (lambda path: clips.copy(written("vp8.webm"), path, clips.at_times(UNEVEN)), 4.8716),
    "camera.asf": (lambda path: clips.copy(written("msmpeg4.avi"), path, clips.at_times(UNEVEN)), 4.8716),
    "tape.dv": (lambda path: clips.write_video(path, codec="dvvideo", size=(720, 576), rate=25), 25),
    "bare.m2v": (lambda path: clips.write_video(path, codec="mpeg2video", rate=30), 30),
    "wrong.mkv": (lambda path: clips.write_video(path, times=[200 * n for n in range(clips.FRAMES)], rate=120), 5),
}


@pytest.mark.parametrize("name", RATED)
def test_a_frame_rate_that_the_file_does_not_tell_comes_from_its_timestamps(name: str, tmp_path: Path) -> None:
    write, rate = RATED[name]
    read = read_frames(write(tmp_path / name), FrameRule(nframes=8, **SMALL))
    assert read.video_fps == pytest.approx(rate, abs=1e-4)
    assert read.total_frames == clips.FRAMES
    assert numbers(read) == list(read.indices)
    assert read.sample_fps == pytest.approx(8 / clips.FRAMES * rate, abs=1e-4)


@pytest.mark.parametrize("both_timed", [True, False])
def test_two_fields_are_one_frame(both_timed: bool, tmp_path: Path) -> None:
    path = write_fields(tmp_path / "camera.mts", 13, both_timed)
    with av.open(str(path)) as container:
        assert sum(packet.size > 0 for packet in container.demux(video=0)) == 26
    read = read_frames(path, FrameRule(nframes=12, **SMALL))
    assert (read.total_frames, read.video_fps) == (13, 25)
    assert numbers(read) == list(read.indices)
    assert numbers(read_frames(path, FrameRule(nframes=2, **SMALL), start=0.3)) == [8, 12]


def test_text_and_paths_are_the_same(tmp_path: Path) -> None:
    odd = tmp_path / "take: 1 %03d \N{SNOWMAN}.mp4"
    odd.write_bytes(written("plain.mp4").read_bytes())
    rule = FrameRule(nframes=2)
    assert torch.equal(read_frames(str(odd), rule).pixels, read_frames(odd, rule).pixels)


def test_decord_reads_what_pyav_cannot(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    rule = FrameRule(fps=0.5)
    wanted = read_frames(written("plain.mp4"), rule)

    def no_decoder(*_: object) -> None:
        raise UnsuitableReaderError("PyAV has no decoder for its video stream")

    monkeypatch.setattr(readers, "video_stream", no_decoder)
    with caplog.at_level(logging.WARNING, logger=video.__name__):
        read = read_frames(written("plain.mp4"), rule)
    assert torch.equal(read.pixels, wanted.pixels)
    assert (read.indices, read.video_fps, read.total_frames) == (wanted.indices, wanted.video_fps, clips.FRAMES)
    assert "plain.mp4" in caplog.text


def test_neither_reader_can(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_decoder(*_: object) -> None:
        raise UnsuitableReaderError("PyAV has no decoder for its video stream")

    monkeypatch.setattr(readers, "video_stream", no_decoder)
    with pytest.raises(MediaError, match="PyAV has no decoder for its video stream, and decord cannot read it"):
        read_frames(written("raw.h264"), FrameRule())


def test_threads_do_not_disturb_each_other() -> None:
    rules = [FrameRule(nframes=n) for n in (2, 4, 6, 8)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda rule: read_frames(written("plain.mp4"), rule), rules))
    for rule, read in zip(rules, together, strict=True):
        assert torch.equal(read.pixels, read_frames(written("plain.mp4"), rule).pixels)


# --- frames: refusals -------------------------------------------------------------------------------------------------


def test_a_rule_has_one_way_to_count() -> None:
    with pytest.raises(ValueError, match="fps or nframes"):
        FrameRule(fps=1.0, nframes=4)


def test_a_limit_below_the_smallest_frame_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="max_pixels=783 is below 784, the smallest frame of 28x28 pixels"):
        read_frames(written("plain.mp4"), FrameRule(max_pixels=783))


def refusal(read: Callable[[], object], path: Path) -> str:
    """The message of the exception, which has to be one sentence that names the file."""
    with pytest.raises(MediaError) as caught:
        read()
    message = str(caught.value)
    assert message.startswith(str(path))
    assert message.endswith(".")
    assert "\n" not in message
    return message.removeprefix(str(path)).strip()


def no_file(path: Path) -> None:
    path.unlink(missing_ok=True)


def cut_short(path: Path) -> None:
    content = written("plain.mp4").read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])


def cut_short_behind_its_index(path: Path) -> None:
    clips.copy(written("plain.mp4"), path, movflags="faststart")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])


BAD_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (no_file, "does not exist"),
    "empty": (Path.touch, "is empty"),
    "folder": (Path.mkdir, "is a folder"),
    "text": (lambda path: path.write_text("no such clip\n" * 50), "is not an audio or video file"),
    "cut short": (cut_short, r"index \(moov\) is missing"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
@pytest.mark.parametrize("read", [lambda path: read_frames(path, FrameRule()), read_waveform, sound_seconds])
def test_files_that_cannot_be_opened(read: Callable[[Path], object], kind: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.mp4"
    make, says = BAD_FILES[kind]
    make(path)
    with pytest.raises(MediaError, match=says):
        read(path)
    refusal(lambda: read(path), path)


def test_a_file_that_breaks_off(tmp_path: Path) -> None:
    path = tmp_path / "half.mp4"
    cut_short_behind_its_index(path)
    assert "breaks off" in refusal(lambda: read_frames(path, FrameRule()), path)


def test_no_video_stream(tmp_path: Path) -> None:
    path = clips.write_sound(tmp_path / "sound.mp4", clips.tones(16_000, 1), 16_000, "aac")
    assert refusal(lambda: read_frames(path, FrameRule()), path) == "has no video stream."


def test_a_cover_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    tones = clips.tones(16_000, 1)
    with av.open(str(path), "w") as container:
        sound = container.add_stream("libmp3lame", rate=16_000, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = Disposition.attached_pic.value
        container.mux(cover.encode(av.VideoFrame.from_ndarray(clips.picture(1, 64, 48), format="rgb24")))
        frame = av.AudioFrame.from_ndarray(tones, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 16_000, 0, Fraction(1, 16_000)
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    assert refusal(lambda: read_frames(path, FrameRule()), path) == "has no video stream."


def test_no_frames(tmp_path: Path) -> None:
    in_pieces = {"movflags": "frag_keyframe+empty_moov"}
    path = clips.write_video(tmp_path / "none.mp4", frames=0, codec="mpeg4", muxing=in_pieces)
    assert refusal(lambda: read_frames(path, FrameRule()), path) == "has a video stream without frames."


def test_too_few_frames() -> None:
    path = written("plain.mp4")
    message = refusal(lambda: read_frames(path, FrameRule(), start=40.0), path)
    assert message.startswith("has too few frames (75 frames at 5 per second) for what is asked (video_start=40")


def test_more_frames_than_there_are_shows_all() -> None:
    assert read_frames(written("plain.mp4"), FrameRule(nframes=300)).indices == tuple(
        torch.linspace(0, 74, 74).round().long().tolist()
    )


def test_extreme_shapes(tmp_path: Path) -> None:
    long = clips.write_video(tmp_path / "long.mkv", frames=4, codec="ffv1", size=(2048, 8))
    assert "2048x8 pixels, too long" in refusal(lambda: read_frames(long, FrameRule()), long)
    thin = clips.write_video(tmp_path / "thin.mkv", frames=4, codec="ffv1", size=(4096, 24))
    message = refusal(lambda: read_frames(thin, FrameRule(max_pixels=RELEASE_PIXELS // 4)), thin)
    assert "too narrow" in message


def test_one_pixel_is_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "pixel.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width = stream.height = 1
        stream.pix_fmt = "bgr0"
        for _ in range(4):
            frame = av.VideoFrame.from_ndarray(np.full((1, 1, 3), 200, np.uint8), format="rgb24")
            container.mux(stream.encode(frame.reformat(format="bgr0")))
        container.mux(stream.encode())
    read = read_frames(path, FrameRule())
    assert torch.unique(read.pixels).tolist() == [200]


def test_damage_where_no_frame_is_wanted_does_not_matter(tmp_path: Path) -> None:
    damage = clips.with_bytes(lambda content: bytes(len(content)), range(30, 35))
    damaged = clips.copy(written("plain.mp4"), tmp_path / "damaged.mp4", damage)
    rule = FrameRule(nframes=4)
    assert torch.equal(read_frames(damaged, rule).pixels, read_frames(written("plain.mp4"), rule).pixels)


def test_damage_where_frames_are_wanted(tmp_path: Path) -> None:
    damage = clips.with_bytes(lambda content: bytes(len(content)), range(30, 60))
    path = clips.copy(written("plain.mp4"), tmp_path / "damaged.mp4", damage)
    message = refusal(lambda: read_frames(path, FrameRule(nframes=50, **SMALL)), path)
    assert message.startswith("is damaged: 50 of its frames are wanted and ")
    assert 26 <= int(message.split()[-4]) <= 36


@pytest.mark.parametrize("name", ["plain.mp4", "plain.mkv", "vp8.webm", "old.avi"])
@pytest.mark.parametrize("wanted", [8, 74])
def test_the_picture_before_stands_for_a_damaged_one_at_the_very_end(name: str, wanted: int, tmp_path: Path) -> None:
    damage = clips.with_bytes(lambda content: bytes(len(content)), [74])
    read = read_frames(clips.copy(written(name), tmp_path / name, damage), FrameRule(nframes=wanted, **SMALL))
    assert read.total_frames == clips.FRAMES
    assert read.indices[-1] == 74
    assert numbers(read) == [*read.indices[:-1], 73]
    assert read.remarks == (video.DAMAGED,)


@pytest.mark.parametrize(
    "places, wanted, decoded",
    [([73, 74], 74, 72), ([40], 74, 73), ([40], 8, 7)],
    ids=["two at the end", "others need it", "the only one of a group"],
)
def test_more_damage_than_that_is_refused(places: list[int], wanted: int, decoded: int, tmp_path: Path) -> None:
    damage = clips.with_bytes(lambda content: bytes(len(content)), places)
    path = clips.copy(written("plain.mp4"), tmp_path / "damaged.mp4", damage)
    message = refusal(lambda: read_frames(path, FrameRule(nframes=wanted, **SMALL)), path)
    assert message == f"is damaged: {wanted} of its frames are wanted and {decoded} can be decoded."


def test_a_short_file_may_not_lose_its_last_picture(tmp_path: Path) -> None:
    damage = clips.with_bytes(lambda content: bytes(len(content)), [49])
    short = clips.write_video(tmp_path / "short.mp4", frames=50, options={"g": "15", "bf": "0"})
    path = clips.copy(short, tmp_path / "damaged.mp4", damage)
    message = refusal(lambda: read_frames(path, FrameRule(nframes=8, **SMALL)), path)
    assert message == "is damaged: 8 of its frames are wanted and 7 can be decoded."


def test_one_damaged_picture_that_no_other_needs(tmp_path: Path) -> None:
    whole = clips.write_video(tmp_path / "whole.mkv", codec="mjpeg", format="yuvj420p")
    damage = clips.with_bytes(lambda content: bytes(len(content)), [40])
    read = read_frames(clips.copy(whole, tmp_path / "damaged.mkv", damage), FrameRule(nframes=74, **SMALL))
    assert numbers(read) == [39 if index == 40 else index for index in read.indices]
    assert read.remarks == (video.DAMAGED,)


IN_PIECES = {"movflags": "frag_keyframe+empty_moov"}


@pytest.mark.parametrize(
    "name, codec, muxing",
    [("cut.avi", "libx264", {}), ("motion.avi", "mjpeg", {}), ("cut.mp4", "libx264", IN_PIECES)],
)
def test_a_recording_that_breaks_off_is_shown_up_to_there(
    name: str, codec: str, muxing: dict[str, str], tmp_path: Path
) -> None:
    pictures = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    whole = clips.write_video(tmp_path / f"whole_{name}", 75, (160, 120), codec, pictures, {"g": "15"}, muxing)
    with av.open(str(whole)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    path = tmp_path / name
    place, size = packets[45]
    path.write_bytes(whole.read_bytes()[: place + size // 2])
    read = read_frames(path, FrameRule(nframes=44, **SMALL))
    assert (read.total_frames, read.video_fps) == (45, 5)
    assert numbers(read) == list(read.indices)
    assert read.remarks == (video.BROKEN_OFF,)
    assert read_frames(whole, FrameRule(nframes=44, **SMALL)).remarks == ()


# --- sound: as librosa ------------------------------------------------------------------------------------------------


def apart(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The root mean square of the difference, relative to that of the sound."""
    assert one.shape == other.shape
    return float(np.sqrt(np.mean((one - other) ** 2) / np.mean(other**2)))


def at_16_khz(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """The array that was written, as librosa would load it."""
    return librosa.resample(librosa.to_mono(samples), orig_sr=rate, target_sr=SAMPLE_RATE)


@pytest.mark.parametrize("channels", [1, 2, 6], ids=["mono", "stereo", "5.1"])
@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000, 96_000])
def test_lossless_files(rate: int, channels: int, tmp_path: Path) -> None:
    for name, codec in [("sound.wav", "pcm_s16le"), ("sound.flac", "flac")]:
        path = clips.write_sound(tmp_path / name, clips.tones(rate, channels), rate, codec)
        heard = read_waveform(path)
        assert (heard.samples.dtype.name, heard.samples.ndim, heard.seconds) == ("float32", 1, 1.5)
        assert apart(heard.samples, librosa.load(path, sr=SAMPLE_RATE, mono=True)[0]) < 1e-5


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le"])
def test_sample_formats(codec: str, tmp_path: Path) -> None:
    path = clips.write_sound(tmp_path / "sound.wav", clips.tones(44_100, 2), 44_100, codec)
    assert apart(read_waveform(path).samples, librosa.load(path, sr=SAMPLE_RATE, mono=True)[0]) < 1e-5


@pytest.mark.parametrize("rate, channels", [(16_000, 1), (22_050, 1), (44_100, 2), (48_000, 2)])
def test_mp3(rate: int, channels: int, tmp_path: Path) -> None:
    path = clips.write_sound(tmp_path / "sound.mp3", clips.tones(rate, channels), rate, "libmp3lame")
    assert apart(read_waveform(path).samples, librosa.load(path, sr=SAMPLE_RATE, mono=True)[0]) < 1e-3


@pytest.mark.parametrize("rate, channels", [(8_000, 1), (44_100, 2), (48_000, 6), (96_000, 2)])
@pytest.mark.parametrize("name, codec", [("clip.mov", "pcm_s16le"), ("clip.mkv", "flac"), ("clip.mp4", "flac")])
def test_lossless_sound_of_videos(name: str, codec: str, rate: int, channels: int, tmp_path: Path) -> None:
    tones = clips.tones(rate, channels)
    path = clips.write_sound(tmp_path / name, tones, rate, codec, pictures=15)
    assert sound_seconds(path) is not None
    assert apart(read_waveform(path).samples, at_16_khz(tones, rate)) < 1e-3


@pytest.mark.parametrize(
    "name, codec, rate, channels",
    [
        ("clip.mp4", "aac", 48_000, 2),
        ("clip.mov", "aac", 44_100, 2),
        ("clip.m4a", "aac", 16_000, 1),
        ("clip.m4a", "alac", 44_100, 2),
        ("clip.webm", "libopus", 48_000, 2),
        ("clip.mp3", "libmp3lame", 44_100, 2),
    ],
)
def test_no_codec_shifts_the_sound(name: str, codec: str, rate: int, channels: int, tmp_path: Path) -> None:
    tones = clips.tones(rate, channels)
    path = clips.write_sound(tmp_path / name, tones, rate, codec, b="192000")
    heard, sung = read_waveform(path).samples, at_16_khz(tones, rate)
    assert 0 <= len(heard) - len(sung) < SAMPLE_RATE // 10
    inner = sung[500:-500]
    likeness = [float(np.dot(inner, heard[500 + lag : 500 + lag + len(inner)])) for lag in range(-400, 401)]
    assert int(np.argmax(likeness)) - 400 == 0
    assert np.corrcoef(heard[: len(sung)], sung)[0, 1] > 0.99


def test_a_loud_sound_is_cut_off_at_full_scale_as_ffmpeg_does(tmp_path: Path) -> None:
    square = np.sign(clips.tones(44_100, 1))
    path = clips.write_sound(tmp_path / "loud.mp4", square, 44_100, "aac", b="32000")
    with av.open(str(path)) as container:
        assert max(np.abs(frame.to_ndarray()).max() for frame in container.decode(audio=0)) > 1.05
    with av.open(str(path)) as container:
        decoded = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    sixteen_bits = np.clip(np.rint(decoded * 32768), -32768, 32767).astype(np.float32) / 32768
    assert apart(read_waveform(path).samples, at_16_khz(sixteen_bits, 44_100)) < 1e-6


@pytest.mark.parametrize("start, end", [(0.25, 1.0), (None, 0.5), (0.75, None), (1.0, 99.0)])
def test_parts_of_a_sound(start: float | None, end: float | None, tmp_path: Path) -> None:
    path = clips.write_sound(tmp_path / "sound.wav", clips.tones(44_100, 2), 44_100, "pcm_s16le")
    heard = read_waveform(path, start, end)
    duration = None if end is None else end - (start or 0)
    wanted = librosa.load(path, sr=SAMPLE_RATE, mono=True, offset=start or 0.0, duration=duration)[0]
    assert apart(heard.samples, wanted) < 1e-5
    assert heard.seconds == pytest.approx(min(end or 1.5, 1.5) - (start or 0))


@pytest.mark.parametrize("name", ["late.mp4", "late.mkv"])
def test_a_sound_that_comes_in_late(name: str, tmp_path: Path) -> None:
    tones = clips.tones(48_000, 1)
    path = clips.write_sound(tmp_path / name, tones, 48_000, "flac", late=0.5, pictures=20)
    sung = at_16_khz(tones, 48_000)
    assert apart(read_waveform(path).samples, sung) < 1e-3
    aligned = read_waveform(path, begin=0.0)
    assert aligned.seconds == pytest.approx(2.0, abs=1e-3)
    assert np.abs(aligned.samples[: SAMPLE_RATE // 2 - 100]).max() < 1e-3
    assert apart(read_waveform(path, 0.5, begin=0.0).samples, sung) < 0.05
    assert apart(read_waveform(path, 0.5, 1.0, begin=0.0).samples, sung[: SAMPLE_RATE // 2]) < 0.05


def test_a_sound_that_begins_before_the_picture(tmp_path: Path) -> None:
    tones = clips.tones(48_000, 1)
    path = clips.write_sound(tmp_path / "early.mkv", tones, 48_000, "flac", pictures=10)
    assert read_waveform(path, begin=read_frames(path, FrameRule()).first_time).seconds == 1.5
    late_picture = tmp_path / "late_picture.mkv"
    with av.open(str(path)) as read, av.open(str(late_picture), "w") as copied:
        streams = {stream.index: copied.add_stream_from_template(stream) for stream in read.streams}
        for packet in read.demux():
            if not packet.size:
                continue
            if packet.stream.type == "video":
                packet.pts, packet.dts = packet.pts + 400, packet.dts + 400
            packet.stream = streams[packet.stream.index]
            copied.mux(packet)
    assert read_waveform(late_picture).seconds == 1.5
    aligned = read_waveform(late_picture, begin=read_frames(late_picture, FrameRule()).first_time)
    assert aligned.seconds == pytest.approx(1.1)


# --- sound: refusals --------------------------------------------------------------------------------------------------


def test_no_sound_stream() -> None:
    path = written("plain.mp4")
    assert sound_seconds(path) is None
    assert refusal(lambda: read_waveform(path), path) == "has no sound stream."


@pytest.mark.parametrize("name, codec", [("none.wav", "pcm_s16le"), ("none.mkv", "flac")])
def test_no_samples(name: str, codec: str, tmp_path: Path) -> None:
    silence = np.zeros((1, 0), np.float32)
    path = clips.write_sound(tmp_path / name, silence, 16_000, codec, pictures=3 * name.endswith("mkv"))
    assert sound_seconds(path) is not None
    assert refusal(lambda: read_waveform(path), path) == "has a sound stream without samples."


def test_no_sound_in_the_part(tmp_path: Path) -> None:
    path = clips.write_sound(tmp_path / "sound.wav", clips.tones(16_000, 1), 16_000, "pcm_s16le")
    assert refusal(lambda: read_waveform(path, 3.0), path) == "has no sound between 3 s and its end."
    assert refusal(lambda: read_waveform(path, 1.0, 0.5), path) == "has no sound between 1 s and 0.5 s."


def noise(content: bytes) -> bytes:
    return np.random.default_rng(len(content)).bytes(len(content))


def damaged_sound(tmp_path: Path, places: range) -> Path:
    whole = clips.write_sound(tmp_path / "whole.mp4", clips.tones(44_100, 2), 44_100, "aac")
    return clips.copy(whole, tmp_path / "damaged.mp4", clips.with_bytes(noise, places))


@pytest.mark.parametrize("places", [range(0, 1000), range(20, 50)], ids=["all", "half"])
def test_a_damaged_sound(places: range, tmp_path: Path) -> None:
    path = damaged_sound(tmp_path, places)
    assert refusal(lambda: read_waveform(path), path).startswith("has a damaged sound: ")


def test_a_stray_damaged_packet_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = damaged_sound(tmp_path, range(30, 31))
    assert read_waveform(path).seconds == pytest.approx(1.5, abs=0.05)
    assert "damaged.mp4: 1 of 66 packets" in caplog.text


def test_a_sound_file_that_breaks_off_ends_there(tmp_path: Path) -> None:
    path = clips.write_sound(tmp_path / "sound.wav", clips.tones(16_000, 1), 16_000, "pcm_s16le")
    path.write_bytes(path.read_bytes()[: 2 * 16_000 + 1])
    assert read_waveform(path).seconds == pytest.approx(1.0, abs=0.3)


# --- nothing is left behind -------------------------------------------------------------------------------------------


@pytest.fixture
def open_files() -> Iterator[Callable[[], int]]:
    if not Path("/proc/self/fd").exists():
        pytest.skip("only Linux lists the open files of a process")
    yield lambda: len(os.listdir("/proc/self/fd"))


def test_files_are_closed(open_files: Callable[[], int], tmp_path: Path) -> None:
    path = tmp_path / "half.mp4"
    cut_short_behind_its_index(path)
    written("old.avi")
    before = open_files()
    for _ in range(3):
        read_frames(written("plain.mp4"), FrameRule(nframes=2))
        read_frames(written("old.avi"), FrameRule(nframes=2))
        with pytest.raises(MediaError):
            read_frames(path, FrameRule())
        with pytest.raises(MediaError):
            read_waveform(path)
    assert open_files() == before


def test_decoded_pictures_are_freed_without_the_garbage_collector() -> None:
    def alive() -> int:
        return sum(type(one) is av.VideoFrame for one in gc.get_objects())

    gc.collect()
    before = alive()
    gc.disable()
    try:
        read_frames(written("turned_90.mp4"), FrameRule(nframes=40, **SMALL))
        assert alive() <= before + 2  # of which PyAV lets the first one live: its side data were looked at
    finally:
        gc.enable()


def test_torch_keeps_its_threads() -> None:
    before = torch.get_num_threads()
    read_frames(written("plain.mp4"), FrameRule(nframes=2))
    assert torch.get_num_threads() == before

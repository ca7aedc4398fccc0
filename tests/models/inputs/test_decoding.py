"""A conversation becomes decoded media: which sound is heard with which video, and on which time axis."""

import base64
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lmms_humansense.models.inputs.conversation import read_messages
from lmms_humansense.models.inputs.decoding import DecodedConversation, decode, snapped
from lmms_humansense.models.inputs.policy import Policy
from lmms_humansense.models.media.audio_memory import resampled
from lmms_humansense.models.media.errors import MediaError
from lmms_humansense.models.media.video import BROKEN_OFF, DAMAGED
from tests.helpers import clips

APART = "Heard after its pictures, because another video of the question is silent or has another frame rate"
SOUNDLESS = "Shown without sound, as there is none"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of 6 s with and without sound, one of 12 s, and a sound."""
    path = tmp_path_factory.mktemp("clips")
    tone = clips.tones(16_000, 1, seconds=6.0)
    clips.write_video(path / "silent.mp4", frames=30)
    for name in ("heard.mp4", "again.mp4"):
        clips.write_sound(path / name, tone, 16_000, "aac", pictures=30)
    clips.write_sound(path / "long.mp4", tone, 16_000, "aac", pictures=60)
    clips.write_sound(path / "speech.wav", tone, 16_000, "pcm_s16le")
    return path


def prepared(folder: Path, *items: dict[str, Any], **policy: Any) -> DecodedConversation:
    content = [{**item, "url": str(folder / item["url"])} for item in items]
    return decode(read_messages([{"role": "user", "content": content}], Policy(**policy)), 28)


def video(name: str, **hints: Any) -> dict[str, Any]:
    return {"type": "video", "url": name, "fps": 1.0, **hints}


def sound(name: str) -> dict[str, Any]:
    return {"type": "audio", "url": name}


def types(result: DecodedConversation) -> list[str]:
    return [item["type"] for item in result.messages[0]["content"]]


def test_a_heard_video_is_shown_with_its_sound(folder: Path) -> None:
    result = prepared(folder, video("heard.mp4"), sound("heard.mp4"))
    assert types(result) == ["video"]
    assert result.sound_of_video == [0]
    assert result.interleaved
    assert result.remarks == []
    assert result.stats.seconds_heard == pytest.approx(6.0, abs=0.1)


def test_sounds_of_their_own_keep_their_places_beside_heard_videos(folder: Path) -> None:
    items = sound("speech.wav"), video("heard.mp4"), sound("heard.mp4"), sound("speech.wav"), video("again.mp4")
    result = prepared(folder, *items, sound("again.mp4"))
    assert types(result) == ["audio", "video", "audio", "video"]
    assert result.sound_of_video == [None, 0, None, 1]
    assert result.stats.seconds_heard == pytest.approx(24.0, abs=0.2)


def test_beside_a_silent_video_a_sound_follows_its_video_and_a_remark_says_so(folder: Path) -> None:
    result = prepared(folder, video("heard.mp4"), sound("heard.mp4"), video("silent.mp4"))
    assert types(result) == ["video", "audio", "video"]
    assert result.sound_of_video == [None]
    assert not result.interleaved
    assert result.remarks == [(APART, str(folder / "heard.mp4"))]


def test_heard_videos_of_different_rates_are_heard_after_their_pictures(folder: Path) -> None:
    items = video("heard.mp4"), sound("heard.mp4"), video("long.mp4", fps=0.5), sound("long.mp4")
    assert types(prepared(folder, *items)) == ["video", "audio", "video", "audio"]
    assert len(prepared(folder, *items).remarks) == 2
    # If the model is not given the rates, they do not differ.
    assert types(prepared(folder, *items, time_axis="release")) == ["video", "video"]


def test_the_time_axis_gives_the_sampled_rate_or_none(folder: Path) -> None:
    true, release = prepared(folder, video("silent.mp4")), prepared(folder, video("silent.mp4", time_axis="release"))
    assert (true.stats.time_axis, release.stats.time_axis) == ("true", "release")
    assert release.rates == [None]
    assert true.rates == [pytest.approx(1.0, abs=0.01)]
    assert torch.equal(true.videos[0], release.videos[0])
    both = prepared(folder, video("silent.mp4"), video("long.mp4", time_axis="release"))
    assert both.stats.time_axis == "mixed"


def test_on_the_true_time_axis_a_late_sound_starts_late(tmp_path: Path) -> None:
    tone = clips.tones(16_000, 1, seconds=3.0)
    clips.write_sound(tmp_path / "late.mp4", tone, 16_000, "aac", late=2.0, pictures=30)
    items = video("late.mp4"), sound("late.mp4")
    true = prepared(tmp_path, *items, time_axis="true").sounds[0]
    release = prepared(tmp_path, *items, time_axis="release").sounds[0]
    assert len(true) - len(release) == pytest.approx(2.0 * 16_000, abs=1_100)
    assert not true[:30_000].any()


@given(frames=st.integers(2, 768), seconds=st.floats(0.1, 4000))
def test_a_step_of_the_time_axis_is_the_same_number_in_both_precisions(frames: int, seconds: float) -> None:
    step = 2 / snapped(frames / seconds, frames)
    exact = np.arange(frames // 2 + 1) * step * 25
    single = np.arange(frames // 2 + 1, dtype=np.float32) * np.float32(step) * np.float32(25)
    assert (exact == single).all()
    assert step == pytest.approx(2 * seconds / frames, abs=3 * max(1 / 1024, seconds * 25 / 2**23))


def test_sound_present_and_not_heard_is_counted(folder: Path) -> None:
    shown = prepared(folder, video("heard.mp4")).stats
    assert (shown.seconds_heard, shown.time_axis) == (0.0, "true")
    assert shown.seconds_present == pytest.approx(6.0, abs=0.1)


def test_nframes_and_pixels_overrule_the_task(folder: Path) -> None:
    result = prepared(folder, video("long.mp4", max_pixels=200_000), nframes=10, max_pixels=112 * 112 * 4)
    assert len(result.videos[0]) == 10
    assert result.videos[0].shape[2] * result.videos[0].shape[3] <= 112 * 112 * 4


def test_a_missing_sound_track_fails_where_the_task_needs_it(folder: Path) -> None:
    with pytest.raises(MediaError, match=r"silent.mp4 has no sound track, but the task needs it"):
        prepared(folder, video("silent.mp4"), sound("silent.mp4"))
    shown = prepared(folder, video("silent.mp4"), sound("silent.mp4"), use_audio_in_video="never")
    assert (len(shown.videos), shown.sounds) == (1, [])


def test_a_silent_track_is_heard_as_silence(tmp_path: Path) -> None:
    clips.write_sound(tmp_path / "quiet.mp4", np.zeros((1, 48_000), np.float32), 16_000, "aac", pictures=15)
    result = prepared(tmp_path, video("quiet.mp4"), sound("quiet.mp4"))
    assert result.interleaved
    assert len(result.sounds[0]) == pytest.approx(48_000, abs=1_100)
    assert not result.sounds[0].any()


# --- sounds and pictures in memory ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
def test_sound_in_memory_is_resampled_by_librosa(rate: int) -> None:
    (tone,) = clips.tones(rate, 1, seconds=1.0)
    assert np.array_equal(resampled(tone, rate), librosa.resample(tone, orig_sr=rate, target_sr=16_000))


@pytest.mark.parametrize("shape", [(2, 16_000), (16_000, 2)])
def test_channels_are_mixed_in_both_orders_of_dimensions(shape: tuple[int, int]) -> None:
    channels = np.stack([np.full(16_000, 0.25), np.full(16_000, 0.75)], axis=shape.index(2))
    assert resampled(channels, 16_000) == pytest.approx(0.5)


def test_whole_numbers_are_scaled_to_one() -> None:
    assert resampled(np.array([-(2**15), 2**14] * 500, np.int16), 16_000)[:2] == pytest.approx([-1.0, 0.5])


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        ([], "has shape"),
        (np.zeros((2, 2, 2)), "has shape"),
        (["a"], "has shape"),
        ([1, 2, 3], "type int64, which is not a waveform"),
        (np.zeros(9, np.uint8), "type uint8, which is not a waveform"),
        ([0.0, float("nan")], "contains NaN or infinity"),
    ],
)
def test_what_is_not_a_waveform_is_refused(array: Any, sentence: str) -> None:
    with pytest.raises(MediaError, match=sentence):
        resampled(array, 16_000)


def test_a_sound_too_short_for_one_window_is_refused() -> None:
    waveform = {"array": np.zeros(399, np.float32), "sampling_rate": 16_000}
    with pytest.raises(MediaError, match=r"0.0249 s of sound, and a model needs 0.025 s"):
        decode(read_messages([{"role": "user", "content": [{"type": "audio", "url": waveform}]}]), 28)


def picture(source: Any) -> Image.Image:
    (image,) = decode(read_messages([{"role": "user", "content": [{"type": "image", "url": source}]}]), 28).images
    return image


def test_pictures_are_paths_or_pil_images_of_any_mode(tmp_path: Path) -> None:
    Image.new("L", (64, 48), 200).save(tmp_path / "grey.png")
    for source in (str(tmp_path / "grey.png"), Image.new("P", (64, 48)), Image.new("1", (64, 48))):
        assert (picture(source).mode, picture(source).size) == ("RGB", (64, 48))
    assert picture(Image.new("RGBA", (4, 4), (0, 0, 0, 0))).getpixel((0, 0)) == (255, 255, 255)


def test_pictures_in_other_forms(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), (9, 9, 9)).save(tmp_path / "dark.png")
    content = (tmp_path / "dark.png").read_bytes()
    uri = "data:image/png;base64," + base64.b64encode(content).decode()
    sources: list[Any] = [uri, f"file://{tmp_path / 'dark.png'}", np.full((48, 64, 3), 9, np.uint8)]
    sources += [{"bytes": content, "path": None}, {"bytes": None, "path": str(tmp_path / "dark.png")}]
    for source in sources:
        assert picture(source).size == (64, 48)
        assert picture(source).getpixel((1, 1)) == (9, 9, 9)


def test_a_picture_in_memory_that_cannot_be_read_is_not_spelled_out() -> None:
    for source in ("data:image/png;base64," + "AAAA" * 10_000, {"bytes": b"x" * 10_000, "path": None}):
        with pytest.raises(MediaError, match="A picture in memory cannot be read as a picture") as caught:
            picture(source)
        assert len(str(caught.value)) < 300


def test_an_animation_shows_its_first_picture_and_a_remark_says_so(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (32, 32), (255, 0, 0)), Image.new("RGB", (32, 32), (0, 255, 0))
    first.save(tmp_path / "two.gif", save_all=True, append_images=[second])
    path = str(tmp_path / "two.gif")
    result = decode(read_messages([{"role": "user", "content": [{"type": "image", "url": path}]}]), 28)
    assert result.remarks == [("Only the first picture of an animation is shown", path)]


def test_a_damaged_or_broken_off_clip_is_shown_and_a_remark_says_so(tmp_path: Path) -> None:
    whole = clips.write_video(tmp_path / "whole.avi", codec="mjpeg", format="yuvj420p")
    damage = clips.with_bytes(lambda content: bytes(len(content)), [74])
    damaged = clips.copy(whole, tmp_path / "damaged.avi", damage)
    short = tmp_path / "short.avi"
    short.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert prepared(tmp_path, video(damaged.name), video(short.name), video(whole.name)).remarks == [
        (DAMAGED, str(damaged)),
        (BROKEN_OFF, str(short)),
    ]


def test_a_webm_that_is_called_a_sound_is_shown_as_well(folder: Path, tmp_path: Path) -> None:
    clips.write_video(tmp_path / "film.webm", codec="libvpx", frames=20)
    clips.write_sound(tmp_path / "speech.webm", clips.tones(48_000, 1), 48_000, "libopus")
    film, speech = prepared(tmp_path, sound("film.webm")), prepared(tmp_path, sound("speech.webm"))
    assert (types(film), film.remarks) == (["video"], [(SOUNDLESS, str(tmp_path / "film.webm"))])
    assert (types(speech), speech.remarks) == (["audio"], [])


def test_a_sound_file_that_is_called_a_video_is_heard(folder: Path) -> None:
    assert types(prepared(folder, {"type": "video", "url": "speech.wav"})) == ["audio"]


def test_the_bytes_of_a_sound_file_are_heard(folder: Path) -> None:
    encoded = {"bytes": (folder / "speech.wav").read_bytes(), "path": "84.wav"}
    result = decode(read_messages([{"role": "user", "content": [{"type": "audio", "url": encoded}]}]), 28)
    assert result.stats.seconds_heard == pytest.approx(6.0)


def test_two_spellings_of_a_path_are_one_file(folder: Path) -> None:
    items = {"type": "video", "url": f"{folder}/./heard.mp4"}, {"type": "audio", "url": f"{folder}/heard.mp4"}
    result = decode(read_messages([{"role": "user", "content": list(items)}]), 28)
    assert result.interleaved
    assert types(result) == ["video"]


def test_a_part_behind_the_end_of_the_sound_is_shown_without(tmp_path: Path) -> None:
    clips.write_sound(tmp_path / "short.mp4", clips.tones(16_000, 1, seconds=2.0), 16_000, "aac", pictures=50)
    result = prepared(tmp_path, video("short.mp4", start_time="5", end_time=9), use_audio_in_video="always")
    assert (len(result.videos), result.sounds) == (1, [])
    assert result.remarks == [(SOUNDLESS, str(tmp_path / "short.mp4"))]


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    for name in ("text.png", "missing.png"):
        with pytest.raises(MediaError, match=f"{name} cannot be read as a picture"):
            picture(str(tmp_path / name))

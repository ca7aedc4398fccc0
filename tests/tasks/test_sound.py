"""The sound of a file: from every format the same signal at 16 kHz, on one channel, as loud as it was."""

import wave
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from lmms_humansense.tasks.humansense import sound
from lmms_humansense.tasks.humansense.annotations import DataError
from tests.helpers.releases import sine, wav

SECONDS = 1.5
RATES = [8_000, 16_000, 44_100, 48_000]


def written(folder: Path, samples: NDArray[np.float64], rate: int) -> Path:
    path = folder / "sound.wav"
    path.write_bytes(wav(samples, rate))
    return path


def channels(*samples: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack(samples)


def write_clip(path: Path, with_sound: bool) -> Path:
    """A one-second MP4 file of ten grey frames, optionally with a sine of 440 Hz."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        audio = container.add_stream("aac", rate=48_000, layout="stereo") if with_sound else None
        for _ in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 128, np.uint8), format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            tone = np.tile(sine(1, 48_000).astype(np.float32), (2, 1))
            for start in range(0, 48_000, 1_000):
                part = av.AudioFrame.from_ndarray(tone[:, start : start + 1_000].copy(), format="fltp", layout="stereo")
                part.sample_rate, part.pts = 48_000, start
                container.mux(audio.encode(part))
            container.mux(audio.encode(None))
    return path


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("both", [False, True], ids=["mono", "stereo"])
def test_a_wav_file_is_read_as_the_signal_that_was_written(rate: int, both: bool, tmp_path: Path) -> None:
    tone = sine(SECONDS, rate)
    heard = sound.waveform(written(tmp_path, channels(tone, tone) if both else tone, rate))
    wanted = sine(SECONDS, sound.SAMPLING_RATE)
    assert (heard.dtype, heard.ndim) == (np.dtype(np.float32), 1)
    assert abs(heard.size - wanted.size) <= 0.02 * sound.SAMPLING_RATE
    length = min(heard.size, wanted.size)
    assert np.corrcoef(heard[:length], wanted[:length])[0, 1] > 0.999


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("both", [False, True], ids=["mono", "stereo"])
def test_a_wav_file_is_as_loud_as_it_was_written(rate: int, both: bool, tmp_path: Path) -> None:
    tone = sine(SECONDS, rate, amplitude=0.9)
    heard = sound.waveform(written(tmp_path, channels(tone, tone) if both else tone, rate))
    assert np.abs(heard).max() == pytest.approx(0.9, abs=0.02)


def test_channels_are_averaged(tmp_path: Path) -> None:
    tone = sine(SECONDS, sound.SAMPLING_RATE, amplitude=0.8)
    heard = sound.waveform(written(tmp_path, channels(tone, np.zeros_like(tone)), sound.SAMPLING_RATE))
    np.testing.assert_allclose(heard, tone / 2, atol=1e-3)


def test_a_file_at_16_khz_is_taken_as_it_stands(tmp_path: Path) -> None:
    tone = sine(SECONDS, sound.SAMPLING_RATE)
    heard = sound.waveform(written(tmp_path, tone, sound.SAMPLING_RATE))
    np.testing.assert_allclose(heard, tone, atol=1e-4)


def test_the_sound_of_a_clip_is_read(tmp_path: Path) -> None:
    heard = sound.waveform(write_clip(tmp_path / "clip.mp4", with_sound=True))
    assert heard.size == pytest.approx(sound.SAMPLING_RATE, rel=0.15)
    loudest = np.fft.rfftfreq(heard.size, 1 / sound.SAMPLING_RATE)[np.abs(np.fft.rfft(heard)).argmax()]
    assert loudest == pytest.approx(440, abs=2)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("sound.wav", b"", id="empty"),
        pytest.param("notes.txt", b"These are words and no sound. " * 50, id="a text"),
        pytest.param("sound.wav", b"These are words and no sound. " * 50, id="a text named as a sound"),
        pytest.param("sound.wav", wav(sine(1, 8_000), 8_000)[:20], id="cut off in its header"),
        pytest.param("sound.mp3", bytes(range(256)) * 20, id="noise"),
    ],
)
def test_a_file_without_sound_is_refused_by_name(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        sound.waveform(path)
    assert str(path) in str(error.value)
    assert "tuple index" not in str(error.value)


def test_a_silent_clip_is_refused_by_name_in_words(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", with_sound=False)
    with pytest.raises(DataError) as error:
        sound.waveform(path)
    assert str(path) in str(error.value)
    assert "tuple index" not in str(error.value)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        sound.waveform(tmp_path / "nowhere.wav")


@pytest.mark.parametrize("rate", RATES)
def test_the_length_of_a_wav_file_is_known(rate: int, tmp_path: Path) -> None:
    assert sound.duration(written(tmp_path, sine(SECONDS, rate), rate)) == pytest.approx(SECONDS, abs=0.02)


def test_the_length_of_a_clip_is_known(tmp_path: Path) -> None:
    assert sound.duration(write_clip(tmp_path / "clip.mp4", with_sound=False)) == pytest.approx(1, abs=0.02)


def test_a_file_without_a_length_has_none(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").write_bytes(b"")
    assert sound.duration(tmp_path / "empty.wav") is None
    assert sound.duration(tmp_path / "nowhere.wav") is None
    assert sound.duration(written(tmp_path, np.zeros(0), 16_000)) is None


def test_a_title_that_is_not_utf8_hides_neither_sound_nor_length(tmp_path: Path) -> None:
    path = tmp_path / "titled.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"\0\1" * 16_000)
    title = "标题".encode("gbk")
    info = b"INFOINAM" + len(title).to_bytes(4, "little") + title
    content = path.read_bytes() + b"LIST" + len(info).to_bytes(4, "little") + info
    path.write_bytes(content[:4] + (len(content) - 8).to_bytes(4, "little") + content[8:])
    with pytest.raises(UnicodeDecodeError), av.open(str(path)):
        pass
    assert len(sound.waveform(path)) == 16_000
    assert sound.duration(path) == pytest.approx(1.0, abs=0.02)

"""The sound of a file: from every format the same signal at 16 kHz, on one channel, as loud as it was."""

import subprocess
import sys
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from lmms_humansense.tasks.humansense import sound
from lmms_humansense.tasks.humansense.annotations import DataError
from tests.helpers import clips
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


PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from lmms_humansense.tasks.humansense import sound
from lmms_humansense.tasks.humansense.annotations import DataError
try:
    np.save(sys.argv[2], sound.waveform(Path(sys.argv[1])))
except DataError as error:
    sys.exit(str(error))
"""


def run_apart(path: Path, status: int) -> str:
    """Read the waveform of a file in a process of its own, which may crash, and return what it wrote to stderr."""
    command = [sys.executable, "-c", PROGRAM, str(path), str(path.with_suffix(".npy"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done.stderr


def read_apart(path: Path) -> NDArray[np.float32]:
    run_apart(path, status=0)
    samples: NDArray[np.float32] = np.load(path.with_suffix(".npy"))
    return samples


@pytest.mark.parametrize("channels", [8, 16])
@pytest.mark.parametrize("name, codec", [("sound.wav", "pcm_s16le"), ("sound.mkv", "wavpack")])
def test_many_channels_are_averaged(name: str, codec: str, channels: int, tmp_path: Path) -> None:
    tones = clips.tones(sound.SAMPLING_RATE, channels)
    path = clips.write_sound(tmp_path / name, tones, sound.SAMPLING_RATE, codec)
    np.testing.assert_allclose(read_apart(path), tones.mean(axis=0), atol=1e-4 if codec == "pcm_s16le" else 0.008)


def test_channels_in_an_order_of_their_own_are_averaged(tmp_path: Path) -> None:
    tones = clips.tones(sound.SAMPLING_RATE, 6)
    usual = clips.write_sound(tmp_path / "usual.mov", tones, sound.SAMPLING_RATE, "pcm_s16le")
    heard = read_apart(clips.custom_layout(usual, tmp_path / "custom.mov"))
    np.testing.assert_allclose(heard, tones.mean(axis=0), atol=1e-4)


def test_mono_after_stereo_is_mixed_as_ffmpeg_does(tmp_path: Path) -> None:
    tones = clips.tones(48_000, 1)
    parts = [np.repeat(tones, channels, axis=0) for channels in (2, 1)]
    files = [clips.write_sound(tmp_path / f"{len(part)}.ac3", part, 48_000, "ac3", b="256000") for part in parts]
    path = tmp_path / "both.ac3"
    path.write_bytes(b"".join(file.read_bytes() for file in files))
    before, after = np.array_split(sound.waveform(path), 2)
    quieter = np.abs(after[4_000:-4_000]).max() / np.abs(before[4_000:-4_000]).max()
    assert quieter == pytest.approx(np.sqrt(0.5), abs=0.02)


def test_a_track_without_a_decoder_is_refused_by_name(tmp_path: Path) -> None:
    readable = clips.write_sound(tmp_path / "a.mp4", clips.tones(16_000, 1), 16_000, "aac", pictures=5)
    why = run_apart(clips.without_decoder(readable, tmp_path / "ac4.mp4"), status=1)
    assert "ac4.mp4 has a sound track for which FFmpeg has no decoder" in why


@pytest.mark.parametrize("default, heard", [(None, 0), (0, 0), (1, 1)])
def test_of_several_tracks_the_default_one_is_read(default: int | None, heard: int, tmp_path: Path) -> None:
    tracks = [clips.tones(16_000, 1) * loud for loud in (0.2, 1.0)]
    path = clips.write_tracks(tmp_path / "tracks.mkv", tracks, default)
    np.testing.assert_allclose(sound.waveform(path), tracks[heard][0], atol=1e-4)

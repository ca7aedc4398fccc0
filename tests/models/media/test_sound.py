"""Sounds of many channels, several tracks and odd packets: what a player plays, as the mean of its channels."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from lmms_humansense.models.media.audio import read_waveform, sound_seconds
from lmms_humansense.models.media.audio_memory import resampled
from lmms_humansense.models.media.errors import MediaError
from tests.helpers import clips

PROGRAM = """
import sys
import numpy as np
from lmms_humansense.models.media.audio import read_waveform
np.save(sys.argv[2], read_waveform(sys.argv[1]).samples)
"""


def read_apart(path: Path) -> NDArray[np.float32]:
    """The waveform of a file, read in a process of its own, which may crash."""
    target = path.with_suffix(".npy")
    done = subprocess.run([sys.executable, "-c", PROGRAM, path, target], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    samples: NDArray[np.float32] = np.load(target)
    return samples


def mean(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    return resampled(samples.mean(axis=0, dtype=np.float32), rate)


# --- channels ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [8, 16])
@pytest.mark.parametrize("name, codec", [("sound.wav", "pcm_s16le"), ("sound.wv", "wavpack")])
def test_many_channels_without_loss(name: str, codec: str, channels: int, tmp_path: Path) -> None:
    tones = clips.tones(16_000, channels)
    path = clips.write_sound(tmp_path / name, tones, 16_000, codec)
    bits = 16 if codec == "pcm_s16le" else 8  # PyAV lets WavPack have the first of its formats
    np.testing.assert_allclose(read_apart(path), mean(tones, 16_000), atol=1.01 * 2 ** (1 - bits))


def test_many_channels_of_what_libsndfile_reads_are_its_mean(tmp_path: Path) -> None:
    path = clips.write_sound(tmp_path / "sound.flac", clips.tones(48_000, 8), 48_000, "flac")
    read, _ = soundfile.read(path, dtype="float32")
    np.testing.assert_allclose(read_apart(path), mean(read.T, 48_000), atol=1e-6)


@pytest.mark.parametrize(
    "name, codec", [("a.m4a", "aac"), ("a.opus", "libopus"), ("a.ogg", "libvorbis"), ("a.mkv", "libopus")]
)
def test_eight_lossy_channels(name: str, codec: str, tmp_path: Path) -> None:
    tones = clips.tones(48_000, 8)
    heard = read_apart(clips.write_sound(tmp_path / name, tones, 48_000, codec, b="768000"))
    sung = mean(tones, 48_000)
    assert np.corrcoef(heard[: len(sung)], sung)[0, 1] > 0.9  # the channel for low frequencies has no others
    assert np.abs(heard).max() == pytest.approx(np.abs(sung).max(), rel=0.15)


def test_channels_in_an_order_of_their_own(tmp_path: Path) -> None:
    usual = clips.write_sound(tmp_path / "usual.mov", clips.tones(16_000, 6), 16_000, "pcm_s16le")
    heard = read_apart(clips.custom_layout(usual, tmp_path / "custom.mov"))
    assert np.array_equal(heard, read_waveform(usual).samples)


@pytest.mark.parametrize("first, then, change", [(2, 1, np.sqrt(0.5)), (1, 2, 1.0)], ids=["stereo first", "mono first"])
def test_channels_that_change_midway_are_mixed_as_ffmpeg_does(
    first: int, then: int, change: float, tmp_path: Path
) -> None:
    tones = clips.tones(48_000, 1)
    parts = [np.repeat(tones, channels, axis=0) for channels in (first, then)]
    files = [
        clips.write_sound(tmp_path / f"{number}.ac3", part, 48_000, "ac3", b="256000")
        for number, part in enumerate(parts)
    ]
    path = tmp_path / "both.ac3"
    path.write_bytes(b"".join(file.read_bytes() for file in files))
    heard = read_waveform(path).samples
    half = len(heard) // 2
    before, after = (np.abs(part[4_000:-4_000]).max() for part in (heard[:half], heard[half:]))
    assert after / before == pytest.approx(change, abs=0.02)


# --- tracks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("default, heard", [(None, 0), (0, 0), (1, 1), (2, 2)])
def test_of_several_tracks_the_default_one_is_heard(default: int | None, heard: int, tmp_path: Path) -> None:
    tracks = [clips.tones(16_000, 1, seconds)[:1] * loud for seconds, loud in ((1.0, 0.2), (1.5, 0.5), (2.0, 1.0))]
    path = clips.write_tracks(tmp_path / "tracks.mkv", tracks, default)
    np.testing.assert_allclose(read_waveform(path).samples, tracks[heard][0], atol=1e-4)
    assert sound_seconds(path) is not None


def test_a_sound_without_a_decoder_is_refused(tmp_path: Path) -> None:
    readable = clips.write_sound(tmp_path / "a.mp4", clips.tones(16_000, 1), 16_000, "aac", pictures=5)
    path = clips.without_decoder(readable, tmp_path / "ac4.mp4")
    assert sound_seconds(path) == pytest.approx(1.5, abs=0.1)
    with pytest.raises(MediaError, match=r"ac4.mp4 has a sound stream for which FFmpeg has no decoder"):
        read_waveform(path)


# --- packets ----------------------------------------------------------------------------------------------------------


def with_junk(content: bytes) -> bytes:
    """The packet with 10 to 49 bytes behind it that are no sound."""
    noise = np.random.default_rng(len(content))
    return content + b"\xff\xff\xff" + noise.bytes(int(noise.integers(7, 46)))


@pytest.mark.parametrize("codec", ["aac", "flac", "mp2"])
@pytest.mark.parametrize("places", [range(1000), range(9, 13)], ids=["all", "some"])
def test_what_follows_the_sound_in_a_packet_is_left_out(
    codec: str, places: range, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clean = clips.write_sound(tmp_path / "clean.mka", clips.tones(48_000, 2), 48_000, codec)
    path = clips.copy(clean, tmp_path / "junk.mka", clips.with_bytes(with_junk, places))
    assert np.array_equal(read_waveform(path).samples, read_waveform(clean).samples)
    assert "junk.mka: " in caplog.text and "hold something else at their end" in caplog.text


# --- Speex ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels, packing", [(1, "1"), (1, "3"), (2, "1")])
@pytest.mark.parametrize("rate", [8_000, 16_000, 32_000])
def test_speex_is_as_long_as_it_was_spoken(rate: int, channels: int, packing: str, tmp_path: Path) -> None:
    tones = 0.5 * clips.tones(rate, channels)
    path = clips.write_sound(tmp_path / "a.ogg", tones, rate, "libspeex", frames_per_packet=packing)
    heard = read_waveform(path)
    assert heard.seconds == pytest.approx(1.5, abs=0.06)
    loud = [np.abs(part).max() for part in np.array_split(heard.samples[2_000:-2_000], 100)]
    assert min(loud) > 0.05, "no silence between the frames"

"""Measures the store of decoded clips on clips that move and rustle like those of a camera.

    python benchmarks/stored.py --out stored.json --seconds 100 --rounds 5

Every clip is a picture with much detail, over which a shaking camera pans while something moves through it, with the
noise of a sensor, encoded by H.264. A sound is measured too: a voice of the sample, repeated. Each round reads all
clips from their files, from the files into an empty store, and from the store, and checks that the frames are the same.
It also packs the frames in other ways: by zstd alone, as they are, and as lossless pictures (WebP).
"""

import argparse
import io
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from PIL import Image

from lmms_humansense.models.inputs.conversation import VideoPart
from lmms_humansense.models.inputs.media_cache import MediaCache
from lmms_humansense.models.media.audio import read_waveform
from lmms_humansense.models.media.store import ClipStore
from lmms_humansense.models.media.types import FrameRule, Waveform
from lmms_humansense.tasks.humansense_sample.utils import ROOT

_WIDTH, _HEIGHT, _RATE = 1280, 720, 25
_RULE = FrameRule(nframes=24, max_pixels=360 * 420)
_NOISE = {"bright light": 0.0, "indoors": 4.0, "dim light": 8.0}
"""The standard deviation of the sensor's noise, in steps of 8 bits."""


def main() -> None:
    """Run the benchmark and write its result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=int, default=100, help="The duration of each clip.")
    parser.add_argument("--sound-seconds", type=int, default=95, help="The duration of the sound.")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        found = measured(Path(folder), given.seconds, given.sound_seconds, given.rounds)
    given.out.write_text(json.dumps(found, indent=1))
    print(json.dumps(found, indent=1))


def measured(folder: Path, seconds: int, sound_seconds: int, rounds: int) -> dict[str, Any]:
    """Write clips, and read them in all ways.

    Args:
        folder: An empty folder.
        seconds: The duration of each clip.
        sound_seconds: The duration of the sound.
        rounds: How often each clip is read in each way.

    Returns:
        Bit rates, sizes and CPU seconds.
    """
    clips = {name: write_clip(folder / f"{name}.mp4", seconds, noise) for name, noise in _NOISE.items()}
    rates = {name: round(path.stat().st_size * 8 / seconds / 1e6, 2) for name, path in clips.items()}
    spent: dict[str, list[float]] = {"decoded": [], "filling": [], "stored": []}
    sizes: dict[str, int] = {}
    packed: dict[str, dict[str, dict[str, float]]] = {}
    for number in range(rounds):
        for name, path in clips.items():
            store = folder / f"store {number} {name}"
            ways = {"decoded": None, "filling": store, "stored": store}
            frames = {way: _timed(spent[way], partial(_frames, path, place)) for way, place in ways.items()}
            if not all(torch.equal(frames["decoded"], other) for other in frames.values()):
                raise SystemExit(f"The frames of {path} are not the same.")
            sizes[name] = _size(store)
            packed[name] = {way: pack(frames["decoded"].numpy()) for way, pack in _OTHERS.items()}
    sound = _sound(sound_seconds)
    sounds = ClipStore(folder / "sounds")
    if file := sounds.content(str(clips["indoors"])):
        sounds.keep_sound(file, sound, None)
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "seconds of each clip": seconds,
        "Mbit/s": rates,
        "frames": list(frames["decoded"].shape),
        "MB of raw frames": round(frames["decoded"].numel() / 1e6, 2),
        "MB of frames": {name: round(size / 1e6, 2) for name, size in sizes.items()},
        "packed otherwise": packed,
        "seconds of the sound": sound_seconds,
        "MB of raw sound": round(sound.samples.nbytes / 1e6, 2),
        "MB of sound": round(_size(folder / "sounds") / 1e6, 2),
        "CPU seconds for a clip": {way: round(statistics.median(times), 3) for way, times in spent.items()},
        "GB of frames for 1,000 clips": round(statistics.mean(sizes.values()) / 1e6, 2),
        "GB of sound for an hour": round(_size(folder / "sounds") / sound_seconds * 3600 / 1e9, 3),
    }


def _zstd(pixels: NDArray[np.uint8]) -> dict[str, float]:
    """The size of frames as they are, compressed by zstd at the store's level, and the CPU seconds of reading them."""
    codec = pa.Codec("zstd", compression_level=1)
    packed = [(codec.compress(frame.tobytes()), frame.nbytes) for frame in pixels]
    return _read([len(one) for one, _ in packed], lambda: [codec.decompress(one, size) for one, size in packed])


def _webp(pixels: NDArray[np.uint8]) -> dict[str, float]:
    """The size of frames as lossless WebP, and the CPU seconds of reading them."""
    packed = []
    for frame in pixels:
        file = io.BytesIO()
        Image.fromarray(frame.transpose(1, 2, 0)).save(file, "WEBP", lossless=True, method=0, quality=0)
        packed.append(file)
    return _read([len(file.getvalue()) for file in packed], lambda: [np.asarray(Image.open(file)) for file in packed])


def _read(sizes: list[int], read: Callable[[], Any]) -> dict[str, float]:
    started = time.process_time()
    read()
    return {"MB": round(sum(sizes) / 1e6, 2), "CPU seconds": round(time.process_time() - started, 3)}


_OTHERS = {"zstd": _zstd, "WebP": _webp}


def write_clip(path: Path, seconds: int, noise: float) -> Path:
    """Write a clip of 1280x720 pixels.

    Args:
        path: The file to write.
        seconds: Its duration.
        noise: The standard deviation of the sensor's noise, in steps of 8 bits.

    Returns:
        The path.
    """
    random = np.random.default_rng(0)
    scene = _scene(random, _HEIGHT + 160, _WIDTH + 400)
    grain = random.normal(0, noise, (8, _HEIGHT, _WIDTH, 1)).astype(np.float32)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=_RATE, options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        for number in range(seconds * _RATE):
            left = int(200 + 150 * np.sin(number / 90) + random.normal(0, 1.5))
            top = int(80 + 20 * np.sin(number / 50) + random.normal(0, 1.5))
            picture = scene[top : top + _HEIGHT, left : left + _WIDTH].copy()
            middle = int(_WIDTH / 2 + 300 * np.sin(number / 40))
            picture[200:600, middle - 100 : middle + 100] = picture[200:600, middle - 100 : middle + 100] * 0.4 + 90
            picture += np.roll(grain[number % len(grain)], int(random.integers(_WIDTH)), 1)
            frame = av.VideoFrame.from_ndarray(np.clip(picture, 0, 255).astype(np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _scene(random: np.random.Generator, height: int, width: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A picture whose detail falls with its fineness as in photographs, with edges: float32 (height, width, 3)."""
    fineness = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    fineness[0, 0] = 1
    layers = []
    for _ in range(3):
        waves = random.standard_normal(fineness.shape) + 1j * random.standard_normal(fineness.shape)
        layer = np.fft.irfft2(waves / fineness**1.8, s=(height, width))
        layers.append((layer - layer.mean()) / layer.std())
    base, red, blue = layers
    scene = np.stack([base + 0.3 * red, base, base + 0.3 * blue], -1) * 45 + 120
    for _ in range(40):
        top, left = random.integers(0, height - 100), random.integers(0, width - 100)
        down, along = random.integers(20, 200, 2)
        scene[top : top + down, left : left + along] += random.normal(0, 40, 3)
    return scene.astype(np.float32)


def _frames(path: Path, store: Path | None) -> torch.Tensor:
    media = MediaCache(28, ClipStore(store) if store else None)
    return media.clip(VideoPart(str(path), _RULE), lambda seconds: False).frames.pixels


def _sound(seconds: int) -> Waveform:
    voice = read_waveform(ROOT / "videos" / "talk" / "meeting.mp4").samples
    return Waveform(np.resize(voice, seconds * 16_000))


def _timed(times: list[float], read: Callable[[], torch.Tensor]) -> torch.Tensor:
    """Note the CPU seconds of a call, and return its result."""
    started = time.process_time()
    result = read()
    times.append(time.process_time() - started)
    return result


def _size(folder: Path) -> int:
    return sum(place.stat().st_size for place in folder.rglob("*.parquet"))


if __name__ == "__main__":
    main()

"""How long it takes to read the frames of a clip: this package compared with qwen-omni-utils and decord.

    python benchmarks/decoding.py [--seconds 100] [--rounds 7]

Makes a 1280×720 clip at 25 frames per second, reads 24 frames of it both ways in turns, checks that the pixels are
identical, and prints the medians and the median of the paired ratios.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import av
import numpy as np
import torch
import typer
from bench_report import about

from lmms_humansense.models.media.types import FrameRule
from lmms_humansense.models.media.video import read_clip
from lmms_humansense.tasks.humansense.messages import MAX_PIXELS

FPS, WIDTH, HEIGHT, SHOWN = 25, 1280, 720, 24


def make_clip(path: Path, seconds: int) -> None:
    """Write an H.264 clip of a square that moves over a gradient; the encoder chooses the key frames."""
    ramp = np.linspace(0, 255, WIDTH).astype(np.uint8)
    background = np.broadcast_to(ramp[None, :, None], (HEIGHT, WIDTH, 3))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "28"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(seconds * FPS):
            picture = background.copy()
            left = 7 * number % (WIDTH - 200)
            picture[260:460, left : left + 200] = number % 256
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def with_decord(path: Path) -> torch.Tensor:
    """The frames as qwen-omni-utils reads them with decord."""
    from qwen_omni_utils.v2_5 import vision_process

    vision_process.get_video_reader_backend = lambda: "decord"
    element = {"type": "video", "video": str(path), "nframes": SHOWN, "max_pixels": MAX_PIXELS}
    return vision_process.fetch_video(element).to(torch.uint8)


def with_this_package(path: Path) -> torch.Tensor:
    """The frames as this package reads them."""
    return read_clip(path, FrameRule(nframes=SHOWN, max_pixels=MAX_PIXELS)).frames.pixels


def timed(read: Callable[[Path], torch.Tensor], path: Path) -> float:
    """Seconds that it takes to read the clip once."""
    started = time.perf_counter()
    read(path)
    return time.perf_counter() - started


def main(
    seconds: Annotated[int, typer.Option(help="Length of the clip.")] = 100,
    rounds: Annotated[int, typer.Option(help="How often each way reads it.")] = 7,
) -> None:
    """Run the benchmark and print its table."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        make_clip(clip, seconds)
        if not torch.equal(with_decord(clip), with_this_package(clip)):
            raise SystemExit("The two ways read different pixels; their times cannot be compared.")
        pairs = [(timed(with_this_package, clip), timed(with_decord, clip)) for _ in range(rounds)]
    print("{date}, {machine}".format_map(about(())))
    print(f"{SHOWN} frames of {seconds} s at {WIDTH}x{HEIGHT}, {rounds} rounds, identical pixels")
    print(f"this package   {statistics.median(ours for ours, _ in pairs):.2f} s")
    print(f"decord         {statistics.median(theirs for _, theirs in pairs):.2f} s")
    print(f"decord / ours  {statistics.median(theirs / ours for ours, theirs in pairs):.2f}")


if __name__ == "__main__":
    main.__doc__ = __doc__
    typer.run(main)

"""Reads a file with the ffmpeg program of the system."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import wavfile

from ..models.media.audio import resample
from ..models.media.types import SAMPLE_RATE


class ProgramError(Exception):
    """The ffmpeg program gave nothing. The message says why."""


@dataclass(frozen=True)
class Pictures:
    """The pictures that the ffmpeg program decodes.

    Attributes:
        total: How many there are in the file.
        pixels: uint8 of shape (T, H, W, 3), RGB: those of the requested numbers that there are.
    """

    total: int
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class Ffmpeg:
    """The ffmpeg program.

    Attributes:
        path: The path of the program.
        limit: The most seconds that one call may take.
    """

    path: str
    limit: float

    def pictures(self, file: Path, stream: int, numbers: Sequence[int], size: tuple[int, int]) -> Pictures:
        """Decode a clip.

        Args:
            file: The clip.
            stream: The number of the stream.
            numbers: Which pictures, counted from 0 in the order of presentation.
            size: Height and width to scale the pictures to.

        Returns:
            The pictures, upright.

        Raises:
            ProgramError: The program gave no picture.
        """
        height, width = size
        chosen = "+".join(rf"eq(n\,{number})" for number in numbers)
        filters = f"showinfo=checksum=0,select={chosen},scale={width}:{height}:flags=bicubic"
        raw = ("-fps_mode", "passthrough", "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
        done = self._run("-i", file.absolute(), "-map", f"0:{stream}", "-vf", filters, *raw)
        total = len(re.findall(rb"\] n: *\d+ pts:", done.stderr))
        if not done.stdout:
            raise ProgramError(_reason(done))
        return Pictures(total, np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3))

    def sound(self, file: Path, stream: int) -> NDArray[np.float32]:
        """Decode a sound.

        Args:
            file: The file.
            stream: The number of the stream.

        Returns:
            float32 of shape (N,), the mean of the channels, at 16 kHz.

        Raises:
            ProgramError: The program gave no sound.
        """
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "sound.wav"
            done = self._run("-i", file.absolute(), "-map", f"0:{stream}", "-c:a", "pcm_f32le", target)
            if not target.exists():
                raise ProgramError(_reason(done))
            rate, samples = wavfile.read(target)
        return resample(samples.reshape(len(samples), -1).mean(axis=1, dtype=np.float32), rate, SAMPLE_RATE)

    def _run(self, *arguments: object) -> "subprocess.CompletedProcess[bytes]":
        command = [self.path, "-nostdin", "-hide_banner", "-nostats", *map(str, arguments)]
        try:
            return subprocess.run(command, capture_output=True, timeout=self.limit, check=False)
        except subprocess.TimeoutExpired:
            raise ProgramError(f"takes more than {self.limit:g} s") from None


def find_ffmpeg(limit: float) -> Ffmpeg | None:
    """Find the ffmpeg program among the programs of the system.

    Args:
        limit: The most seconds that one call may take.

    Returns:
        The program; None if it is not installed.
    """
    path = shutil.which("ffmpeg")
    return None if path is None else Ffmpeg(path, limit)


def _reason(done: "subprocess.CompletedProcess[bytes]") -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"ends with status {done.returncode}"

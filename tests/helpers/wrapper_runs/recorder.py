"""What reaches a model: the question, the frames, the sound. Filled by hooks, by stand-ins and by servers."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from typing import Any


@dataclass
class Arrived:
    """What one request brought to a model.

    Attributes:
        text: The prompt, as the model gets it.
        frames: The number of frames or images.
        seconds: The length of the sounds together.
        clip: What the model is told of a clip that it decodes itself; empty if it gets none.
    """

    text: str = ""
    frames: int = 0
    seconds: float = 0.0
    clip: str = ""


class Recorder:
    """Collects what arrives. What is counted in a thread belongs to the prompt that comes next in this thread."""

    def __init__(self) -> None:
        self.requests: list[Arrived] = []
        self._of_thread = threading.local()

    def begin(self) -> Arrived:
        """Count anew in this thread."""
        self._of_thread.open = Arrived()
        return self._of_thread.open

    @property
    def open(self) -> Arrived:
        """What was counted in this thread since the last prompt."""
        found: Arrived | None = getattr(self._of_thread, "open", None)
        return found or self.begin()

    def saw(self, frames: int) -> None:
        self.open.frames += frames

    def heard(self, samples: int, rate: int = 16_000) -> None:
        self.open.seconds += samples / rate

    def took(self, clip: str) -> None:
        self.open.clip = clip

    def took_file(self, content: bytes, kind: str) -> None:
        """A file that the model decodes itself: a sound, or a clip with or without its sound."""
        self.open.seconds += seconds_of_sound(content)
        if kind.startswith("video/"):
            self.took(kind)

    def asked(self, text: str) -> None:
        self.open.text = text
        self.requests.append(self.open)
        self.begin()

    def took_content(self, content: list[Any]) -> None:
        """The content of a message: texts, pictures and arrays of samples at 16 kHz, in any order."""
        import numpy as np

        sounds = [part for part in content if isinstance(part, np.ndarray)]
        for sound in sounds:
            self.heard(sound.shape[-1])
        self.saw(sum(hasattr(part, "size") and not isinstance(part, np.ndarray) for part in content))
        self.asked("\n".join(part for part in content if isinstance(part, str)))


CURRENT = Recorder()
"""Where the stand-ins write that transformers loads as remote code; `run` empties it."""


def seconds_of_sound(content: bytes) -> float:
    """The length of the sound of a file; 0 if it has none."""
    import av

    with av.open(io.BytesIO(content)) as container:
        if not container.streams.audio:
            return 0.0
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))

"""How much of its media a model gets to see and hear."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MediaStats:
    """What a model gets of one sample: frames, and seconds heard of the seconds of sound that its files hold."""

    frames: int = 0
    seconds_heard: float = 0.0
    seconds_present: float = 0.0
    time_axis: str | None = None
    """"release" or "true" where there is a video, "mixed" where there are both."""

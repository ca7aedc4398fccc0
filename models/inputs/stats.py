"""How much of its media a model sees and hears."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MediaStats:
    """What a model gets of one sample.

    Attributes:
        frames: Number of frames shown.
        seconds_heard: Seconds of sound that the model gets.
        seconds_present: Seconds of sound in the files of the sample.
        time_axis: "release" or "true" if there is a video, "mixed" if there are both; None without a video.
        vllm_faults: The faults of vLLM, if it runs the model, that may give the sample another answer than that of
            transformers (`vllm_faults.faults_of`).
    """

    frames: int = 0
    seconds_heard: float = 0.0
    seconds_present: float = 0.0
    time_axis: str | None = None
    vllm_faults: tuple[str, ...] = ()

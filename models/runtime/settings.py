"""The settings that every model has."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, NonNegativeInt, PositiveFloat

from ..inputs.policy import Policy
from .failure_limit import read_limit


@dataclass(frozen=True, kw_only=True)
class RunSettings(Policy):
    """The settings that every model has, in addition to those in `Policy`.

    Attributes:
        system_prompt: A text, or the path of a text file. None means the prompt of the model family or of the server.
        media_timeout: Seconds that decoding the media of one clip may take.
        media_workers: How many processes prepare media ahead of the model. 0 means none: the model waits for each clip.
            None means a number that fits the cores that this process may use.
        prefetch_gb: About how many gigabytes (10^9 bytes) of prepared media may wait for the model.
        on_error: "raise" ends the run at the first failed request, "continue" when more fail than `max_failures`.
        max_failures: How many requests may fail: an int is a number of requests, a float from 0 to 1 a share of them.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False, coerce_numbers_to_str=True)

    system_prompt: str | None = None
    media_timeout: PositiveFloat = 300.0
    media_workers: NonNegativeInt | None = None
    prefetch_gb: PositiveFloat = 2.0
    on_error: Literal["continue", "raise"] = "continue"
    max_failures: Annotated[int | float, BeforeValidator(read_limit)] = 0.01

    @property
    def prefetch_bytes(self) -> int:
        """Bytes of prepared media that may wait for the model."""
        return int(self.prefetch_gb * 1e9)

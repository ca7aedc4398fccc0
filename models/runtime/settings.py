"""What a user may say about any model."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, NonNegativeInt, PositiveFloat

from ..inputs.policy import Policy
from .failure_limit import read_limit


@dataclass(frozen=True, kw_only=True)
class RunSettings(Policy):
    """What a user may say about any model.

    `system_prompt` is a text or the path of a text file; None is the family's own, or the server's. `media_timeout` is
    the most seconds that decoding the media of one clip may take. `media_workers` is how many processes prepare media
    ahead of the model (0: none, the model waits for each; None: by the cores that this process may use), and
    `prefetch_gb` about how many gigabytes (10^9 bytes) of prepared media may wait for it. `on_error` "raise" ends the
    run at the first request that fails; otherwise it ends when more fail than `max_failures`, a whole number of
    requests or (a float, from 0 to 1) a share of them.
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

"""The settings that every model has."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, NonNegativeInt, PositiveFloat

from ..inputs.policy import Policy
from .failure_limit import read_limit

if TYPE_CHECKING:
    from ..media.store import ClipStore


@dataclass(frozen=True, kw_only=True)
class RunSettings(Policy):
    """The settings that every model has, in addition to those in `Policy`.

    Attributes:
        system_prompt: A text, or the path of a text file (or `--system_instruction`, not both). The system message of a
            task has priority. Without it: that of the model's family, if it has one; for a served model without
            `media=vllm` none, so that the server's chat template decides.
        media_timeout: Seconds that decoding the media of one clip may take.
        media_workers: How many processes prepare media ahead of the model. 0 means none: the model waits for each clip.
            Without it: one less than the cores that this process may use, at most 8 (2 beside a model on the CPU).
        prefetch_gb: About how many gigabytes (10^9 bytes) of prepared media may wait for the model.
        media_cache: A folder where decoded clips are kept for all runs. Without it: the one that the environment
            variable `HUMANSENSE_MEDIA_CACHE` names, or no folder.
        media_cache_gb: About how many gigabytes (10^9 bytes) that folder may hold. Without it: no limit.
        on_error: "raise" ends the run at the first failed request, "continue" when more fail than `max_failures`.
        max_failures: How many requests may fail before the run ends: a number (`5`), or a share (`0.05`, `5%`), rounded
            up.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False, coerce_numbers_to_str=True)

    system_prompt: str | None = None
    media_timeout: PositiveFloat = 300.0
    media_workers: NonNegativeInt | None = None
    prefetch_gb: PositiveFloat = 2.0
    media_cache: str | None = None
    media_cache_gb: PositiveFloat | None = None
    on_error: Literal["continue", "raise"] = "continue"
    max_failures: Annotated[int | float, BeforeValidator(read_limit)] = 0.01

    @property
    def prefetch_bytes(self) -> int:
        """Bytes of prepared media that may wait for the model."""
        return int(self.prefetch_gb * 1e9)

    @property
    def media_cache_folder(self) -> Path | None:
        """The folder of decoded clips; None if there is none."""
        named = self.media_cache or os.environ.get("HUMANSENSE_MEDIA_CACHE", "").strip()
        return Path(named).expanduser().absolute() if named else None

    def clip_store(self) -> "ClipStore | None":
        """The store of decoded clips; None if there is none."""
        folder = self.media_cache_folder
        if folder is None:
            return None
        from ..media.store import ClipStore  # imports torch, which those who only check settings do not need

        return ClipStore(folder, None if self.media_cache_gb is None else int(self.media_cache_gb * 1e9))

"""What a user may say about any model. Standard library only."""

from dataclasses import dataclass

from ..inputs.policy import Policy


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

    system_prompt: str | None = None
    media_timeout: float = 300.0
    media_workers: int | None = None
    prefetch_gb: float = 2.0
    on_error: str = "continue"
    max_failures: int | float = 0.01

"""One request on its way to its response, and who is told what became of it. Knows no harness."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loguru import logger

from .batches import Encoded
from .body import Body
from .conversation import Conversation
from .encoder import Outcome
from .prepare import Shown


@dataclass
class Sample:
    """One request on its way to its response.

    `messages` makes its raw messages, and may take long, as it fetches media. `clip` is equal for samples about the
    same clip, None where that is not known. `media` are the paths of what it shows, once its messages were read. `key`
    is equal for requests that have the same answer, None where answers are not kept. In the end either `response` (text
    and number of tokens) is there, or `reason` says why there is none.
    """

    task: str
    doc_id: int
    generation_kwargs: Mapping[str, Any]
    messages: Callable[[], Sequence[Mapping[str, Any]]]
    clip: Hashable | None = None
    media: tuple[str, ...] = ()
    key: str | None = None
    encoded: Encoded | Body | None = None
    tokens: int = 0
    shown: Shown = field(default_factory=Shown)
    remarks: tuple[tuple[str, str], ...] = ()
    response: tuple[str, int] | None = None
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.task} doc {self.doc_id}"

    @property
    def done(self) -> bool:
        """Whether there is a response, or a reason for having none."""
        return self.response is not None or bool(self.reason)

    def fail(self, outcome: Outcome) -> None:
        """Give the sample a reason for having no response."""
        logger.debug("{} failed\n{}", self, outcome.trace)
        self.reason = outcome.reason


def in_order(
    samples: Sequence[Sample], finished: Iterable[int], answered: Callable[[], Any] = lambda: None
) -> Iterator[Sample]:
    """Yield every sample once it and those before it are done, while `finished` tells how many more are, in any order.

    `answered` is called for each as soon as it is done.
    """
    given = 0
    for count in finished:
        for _ in range(count):
            answered()
        while given < len(samples) and samples[given].done:
            yield samples[given]
            given += 1


class Ledger:
    """Who is told what became of each sample, as soon as it is known. This one remembers nothing."""

    def recall(self, sample: Sample, conversation: Conversation) -> bool:
        """Complete the sample with an answer of an earlier run, if there is one. Called from several threads."""
        return False

    def keep(self, sample: Sample) -> None:
        """Take note of a sample's new response. What it raises ends the run."""

    def failed(self, sample: Sample) -> None:
        """Take note of why a sample has no response. What it raises ends the run."""

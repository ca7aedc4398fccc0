"""What became of the samples of one run: answers are kept, failures are counted, and too many end it."""

from typing import Protocol

from .conversation import Conversation
from .failures import Failure, failure_of, summary
from .limits import allowed
from .samples import Ledger, Sample
from .settings import Common
from .stopping import RunStopped


class Answers(Protocol):
    """Where answers are kept from one run to the next."""

    folder: str
    recalled: int
    kept: int

    def recall(self, sample: Sample, conversation: Conversation) -> bool:
        """See `Ledger.recall`."""

    def keep(self, sample: Sample) -> None:
        """Have the sample's response on disk when this returns. Raises KeepingError where that is not possible."""


class KeepingError(Exception):
    """Answers can not be written any more. The message is one sentence that names the folder."""


class RunLedger(Ledger):
    """The ledger of a run of `asked` requests, with `answers` where they are kept."""

    def __init__(self, settings: Common, asked: int, answers: Answers | None) -> None:
        self._settings = settings
        self._allowed = allowed(settings.max_failures, asked)
        self._answers = answers
        self._asked = asked
        self.failures: list[Failure] = []

    @property
    def recalled(self) -> int:
        """How many answers are those of earlier runs."""
        return self._answers.recalled if self._answers else 0

    def recall(self, sample: Sample, conversation: Conversation) -> bool:
        """See `Ledger.recall`."""
        return self._answers is not None and self._answers.recall(sample, conversation)

    def keep(self, sample: Sample) -> None:
        """Have the sample's response on disk. Raises RunStopped where that is not possible any more."""
        try:
            if self._answers is not None:
                self._answers.keep(sample)
        except KeepingError as error:
            raise RunStopped(f"The run was stopped. {error} {self.how_to_go_on()}") from error

    def failed(self, sample: Sample) -> None:
        """Count a failure. Raises RunStopped where the settings allow no more of them."""
        self.failures.append(failure_of(sample))
        if self._settings.on_error == "raise":
            raise RunStopped(
                f"The run was stopped, as on_error=raise asks for: {sample} failed ({sample.reason}). "
                f"{self.how_to_go_on()}"
            )
        if len(self.failures) > self._allowed:
            raise RunStopped(
                f"The run was stopped: {len(self.failures)} of {self._asked} requests failed, and "
                f"max_failures={self._settings.max_failures} allows {self._allowed}. "
                f"Most often: {summary(self.failures)[0]}. {self.how_to_go_on()}"
            )

    def how_to_go_on(self) -> str:
        """A sentence on what is kept, and what to do to have the rest."""
        if self._answers is None:
            return (
                "No answer is kept; with --use_cache FOLDER, the same command would go on where it stopped, and ask "
                "the failed requests again."
            )
        kept = self._answers.recalled + self._answers.kept
        return (
            f"Answers kept by this process in {self._answers.folder}: {kept}. The same command goes on from there, and "
            "asks the failed requests again."
        )

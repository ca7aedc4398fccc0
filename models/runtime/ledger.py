"""What became of the requests of one run: answers are kept, failures are counted, and too many end it."""

from typing import NamedTuple, Protocol

from ..inputs.conversation import Conversation
from .failure_limit import allowed
from .failures import Failure, failure_of, summary
from .request import Request, Response
from .settings import RunSettings
from .signals import RunStopped


class Recalled(NamedTuple):
    """What is known of a request: the key of its answer (see `Response.key`), and the response of an earlier run."""

    key: str | None = None
    response: Response | None = None


class AnswerStore(Protocol):
    """Where answers are kept from one run to the next."""

    folder: str
    recalled: int
    kept: int

    def recall(self, request: Request, conversation: Conversation) -> Recalled:
        """See `Ledger.recall`."""

    def keep(self, response: Response) -> None:
        """Have the response on disk when this returns. Raises KeepingError where that is not possible."""


class KeepingError(Exception):
    """Answers can not be written any more. The message is one sentence that names the folder."""


class Ledger:
    """What became of each request of a run, noted as soon as it is known.

    Args:
        settings: How many requests may fail.
        asked: How many requests the run has.
        answers: Where responses are kept; None if they are not kept.
    """

    def __init__(self, settings: RunSettings, asked: int, answers: AnswerStore | None = None) -> None:
        self._settings = settings
        self._allowed = allowed(settings.max_failures, asked)
        self._answers = answers
        self._asked = asked
        self.failures: list[Failure] = []

    @property
    def recalled(self) -> int:
        """How many answers are those of earlier runs."""
        return self._answers.recalled if self._answers else 0

    def recall(self, request: Request, conversation: Conversation) -> Recalled:
        """What an earlier run knows of a request. Called from several threads."""
        return Recalled() if self._answers is None else self._answers.recall(request, conversation)

    def keep(self, response: Response) -> None:
        """Have the response on disk. Raises RunStopped where that is not possible any more."""
        try:
            if self._answers is not None:
                self._answers.keep(response)
        except KeepingError as error:
            raise RunStopped(f"The run was stopped. {error} {self.how_to_go_on()}") from error

    def failed(self, response: Response) -> None:
        """Count a failure. Raises RunStopped where the settings allow no more of them."""
        self.failures.append(failure_of(response))
        if self._settings.on_error == "raise":
            raise RunStopped(
                f"The run was stopped, as on_error=raise asks for: {response.request} failed ({response.error}). "
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

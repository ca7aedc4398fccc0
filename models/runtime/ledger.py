"""Records the outcome of each request of a run: keeps answers, counts failures, and ends the run at too many."""

from typing import NamedTuple, Protocol

from ..inputs.conversation import Conversation
from .failure_limit import allowed
from .failures import Failure, failure_of, summary
from .request import Request, Response
from .settings import RunSettings
from .signals import RunStopped


class Recalled(NamedTuple):
    """What is known about a request before it is asked.

    Attributes:
        key: The key of its answer; see `Response.key`.
        response: The response of an earlier run; None if there is none.
    """

    key: str | None = None
    response: Response | None = None


class AnswerStore(Protocol):
    """Keeps answers from one run to the next.

    Attributes:
        folder: The folder that contains them.
        recalled: How many answers of earlier runs this run uses.
        kept: How many new answers this run has stored.
    """

    folder: str
    recalled: int
    kept: int

    def recall(self, request: Request, conversation: Conversation) -> Recalled:
        """Look up a request, as `Ledger.recall` says."""

    def keep(self, response: Response) -> None:
        """Write a response. It is on disk when this returns.

        Raises:
            KeepingError: The response cannot be written.
        """


class KeepingError(Exception):
    """Answers can no longer be written. The message is one sentence that names the folder."""


class Ledger:
    """Records the outcome of each request of a run as soon as it is known.

    Args:
        settings: How many requests may fail.
        asked: How many requests the run has.
        answers: Stores responses; None if they are not kept.
    """

    def __init__(self, settings: RunSettings, asked: int, answers: AnswerStore | None = None) -> None:
        self._settings = settings
        self._allowed = allowed(settings.max_failures, asked)
        self._answers = answers
        self._asked = asked
        self._failed = 0
        self._looked_up: dict[Request, Recalled] = {}
        self.failures: list[Failure] = []

    @property
    def keeps_answers(self) -> bool:
        """Whether answers are kept, so that earlier runs may have some."""
        return self._answers is not None

    @property
    def folder(self) -> str | None:
        """The folder in which answers are kept; None if they are not."""
        return self._answers.folder if self._answers else None

    @property
    def recalled(self) -> int:
        """How many answers come from earlier runs."""
        return self._answers.recalled if self._answers else 0

    @property
    def stored(self) -> int:
        """How many new answers this run has stored."""
        return self._answers.kept if self._answers else 0

    def recall(self, request: Request, conversation: Conversation) -> Recalled:
        """Look up the answer that an earlier run gave to a request. May be called from several threads.

        A request is looked up once. Asked again about it, the ledger says the same.

        Args:
            request: The request to look up. Its generation arguments are part of the key.
            conversation: The conversation that was made from its messages.

        Returns:
            The key of the answer, and the response if there is one.

        Raises:
            StalledError: A file of the conversation could not be read within `media_timeout`.
        """
        if self._answers is None:
            return Recalled()
        known = self._looked_up.get(request)
        if known is None:
            known = self._looked_up[request] = self._answers.recall(request, conversation)
        return known

    def keep(self, response: Response) -> None:
        """Write a response. It is on disk when this returns.

        Raises:
            RunStopped: The response cannot be written.
        """
        try:
            if self._answers is not None:
                self._answers.keep(response)
        except KeepingError as error:
            raise RunStopped(f"The run was stopped. {error} {self.how_to_go_on()}") from error

    def failed(self, response: Response) -> None:
        """Count a failure.

        Raises:
            RunStopped: The settings do not allow this many failures.
        """
        self.failures.append(failure_of(response))
        self._failed += 1
        if self._settings.on_error == "raise":
            raise RunStopped(
                f"The run was stopped because of on_error=raise: {response.request} failed ({response.error}). "
                f"{self.how_to_go_on()}"
            )
        if self._failed > self._allowed:
            raise RunStopped(
                f"The run was stopped: {self._failed} of {self._asked} requests failed, and "
                f"max_failures={self._settings.max_failures} allows {self._allowed}. "
                f"Most often: {summary(self.failures)[0]}. {self.how_to_go_on()}"
            )

    def not_asked(self, response: Response) -> None:
        """List a request that was not asked, because the run may spend no more. No limit counts it as a failure."""
        self.failures.append(failure_of(response))

    def how_to_go_on(self) -> str:
        """One or two sentences on which answers are kept, and how to get the others."""
        if self._answers is None:
            return (
                "Answers are not kept. With --use_cache FOLDER, the same command would continue where it stopped and "
                "ask the failed requests again."
            )
        kept = self._answers.recalled + self._answers.kept
        again = " and asks the failed requests again" if self.failures else ""
        return (
            f"Answers kept by this process in {self._answers.folder}: {kept}. The same command continues from there"
            f"{again}."
        )

"""Keeps a run within its token budget: a request starts only if the tokens that are left are enough for it."""

import threading
from typing import Protocol

from .reply import Reply


class Spending(Protocol):
    """Knows the token budget of a run, and adds up what is spent of it. Several threads may use it."""

    def limit(self) -> int | None:
        """The largest number of tokens; None if there is no budget, or it is not known."""

    def spent(self) -> int:
        """How many tokens were spent so far."""

    def is_spent(self) -> bool:
        """Whether the budget is spent, so that no further request may be sent."""

    def add(self, task: str, prompt_tokens: int, completion_tokens: int) -> None:
        """Add the tokens of one reply.

        Args:
            task: The name of the task that was asked.
            prompt_tokens: Tokens of the prompt.
            completion_tokens: Tokens of the response, with those of reasoning.
        """


class NoLimit:
    """The spending of a run without a budget. Nothing is added up."""

    def limit(self) -> int | None:
        """None."""
        return None

    def spent(self) -> int:
        """0."""
        return 0

    def is_spent(self) -> bool:
        """False."""
        return False

    def add(self, task: str, prompt_tokens: int, completion_tokens: int) -> None:
        """Do nothing.

        Args:
            task: Not used.
            prompt_tokens: Not used.
            completion_tokens: Not used.
        """


class BudgetSpentError(Exception):
    """A request was not sent, because the token budget is spent."""


class TokenBudget:
    """Lets requests start as long as the budget allows. Threads that ask share one.

    No one knows what a reply will cost. So the first request is sent alone, and each later one only if the most
    expensive reply so far would fit into what is left, beside all open requests. The last tokens are spent by single
    requests. So a run exceeds its budget by less than one request, unless a later one costs more than all before.

    Args:
        spending: The budget of the run, and what is spent of it.
    """

    def __init__(self, spending: Spending) -> None:
        self._spending = spending
        self._changed = threading.Condition()
        self._open = 0
        self._largest: int | None = None
        self._ended = False

    @property
    def is_spent(self) -> bool:
        """Whether no further request may be sent."""
        return self._spending.is_spent()

    def enter(self) -> None:
        """Wait until one more request fits into the budget. `leave` has to follow.

        Raises:
            BudgetSpentError: The budget is spent.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self.is_spent or self._fits())
            if self.is_spent:
                raise BudgetSpentError("The token budget is spent.")
            self._open += 1

    def leave(self, task: str, reply: Reply | None) -> None:
        """Count what a request cost.

        Args:
            task: The name of its task.
            reply: The reply; None if there is none. If it reports no tokens, the words of the response are counted, as
                lmms-eval's own models do.
        """
        with self._changed:
            self._open -= 1
            if reply is not None:
                reported = reply.prompt_tokens + reply.completion_tokens
                completion = reply.completion_tokens if reported else len(reply.text.split())
                self._spending.add(task, reply.prompt_tokens, completion)
                self._largest = max(self._largest or 0, reply.prompt_tokens + completion)
            self._changed.notify_all()

    def end(self) -> None:
        """Let all waiting requests go on, because the run has ended."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _fits(self) -> bool:
        limit = self._spending.limit()
        if limit is None or not self._open:
            return True
        return self._largest is not None and self._spending.spent() + (self._open + 1) * self._largest <= limit

"""The token budget lets a request start only if it fits."""

import threading

import pytest

from lmms_humansense.models.endpoint.budget import BudgetSpentError, NoLimit, TokenBudget
from lmms_humansense.models.endpoint.reply import Reply
from tests.helpers.waits import LIMIT


class Purse:
    """A budget without lmms-eval."""

    def __init__(self, tokens: int) -> None:
        self.tokens, self.paid = tokens, 0

    def limit(self) -> int:
        return self.tokens

    def spent(self) -> int:
        return self.paid

    def is_spent(self) -> bool:
        return self.paid >= self.tokens

    def add(self, task: str, prompt_tokens: int, completion_tokens: int) -> None:
        self.paid += prompt_tokens + completion_tokens


class Waiting(threading.Thread):
    """Enters in a thread of its own, and notes how that ended."""

    def __init__(self, budget: TokenBudget) -> None:
        super().__init__(daemon=True)
        self.budget, self.entered, self.refused = budget, threading.Event(), threading.Event()
        self.start()

    def run(self) -> None:
        try:
            self.budget.enter()
            self.entered.set()
        except BudgetSpentError:
            self.refused.set()


def test_a_second_request_waits_for_the_cost_of_the_first() -> None:
    budget = TokenBudget(Purse(100))
    budget.enter()
    second = Waiting(budget)
    assert not second.entered.wait(0.1)
    budget.leave("task", Reply("B", prompt_tokens=20, completion_tokens=5))
    assert second.entered.wait(LIMIT)
    for _ in range(2):
        budget.enter()  # 25 are spent, and 3 open requests of 25 each fit
    fifth = Waiting(budget)
    assert not fifth.entered.wait(0.1)
    for _ in range(2):
        budget.leave("task", Reply("B", prompt_tokens=20, completion_tokens=5))
    assert not fifth.entered.wait(0.1), "75 are spent, and one request of 25 is open"
    budget.leave("task", Reply("B", prompt_tokens=20, completion_tokens=5))
    assert fifth.refused.wait(LIMIT)


def test_a_request_without_a_reply_costs_nothing() -> None:
    budget = TokenBudget(Purse(10))
    for _ in range(3):
        budget.enter()
        budget.leave("task", None)
    assert not budget.is_spent


def test_what_waits_goes_on_when_the_run_ends() -> None:
    budget = TokenBudget(Purse(100))
    budget.enter()
    second = Waiting(budget)
    budget.end()
    assert second.entered.wait(LIMIT)


def test_without_a_limit_nothing_waits() -> None:
    budget = TokenBudget(NoLimit())
    for _ in range(10):
        budget.enter()
    budget.leave("task", Reply("B", prompt_tokens=1))
    assert not budget.is_spent


def test_no_request_starts_after_the_last_token() -> None:
    budget = TokenBudget(Purse(10))
    budget.enter()
    budget.leave("task", Reply("B", prompt_tokens=10))
    with pytest.raises(BudgetSpentError):
        budget.enter()

"""Ledgers for runs without lmms-eval."""

from lmms_humansense.models.runtime.ledger import Ledger
from lmms_humansense.models.runtime.settings import RunSettings


def open_ledger() -> Ledger:
    """A ledger of a run whose requests may all fail, and that keeps no response."""
    return Ledger(RunSettings(max_failures=1.0), asked=1_000_000)

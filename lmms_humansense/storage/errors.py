"""What went wrong with files and networks, as sentences that name what was read and what to do about it.

Imports nothing heavier than the standard library until something goes wrong.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

# The package's own ways out, which messages name: its settings, a command, and its name in logs. They are no knowledge
# of the benchmark.
DATA_SETTING = "HUMANSENSE_DATA"
REVISION_SETTING = "HUMANSENSE_REVISION"
PREPARE_COMMAND = "lmms-humansense prepare"
LOGGED_AS = "HumanSense"

_PREPARE = (
    f"run `{PREPARE_COMMAND}` once where there is a network, with the same HF_HOME and {REVISION_SETTING}, "
    f"or set {DATA_SETTING} to a prepared folder"
)
_TOKEN = "set HF_TOKEN or run `hf auth login`"


class StorageError(ValueError):
    """A file cannot be had; the message names it, and says what to do."""


class DamagedContent(StorageError):
    """What came is not what it should be; to fetch it again is no use."""


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Turn whatever goes wrong in the block into a StorageError that names `what` was read."""
    try:
        yield
    except StorageError:
        raise
    # File systems, networks and codecs each have exceptions of their own; none of them names the file.
    except Exception as error:
        reason = _advice(error) or f"{type(error).__name__}: {one_line(error)}"
        raise StorageError(f"{without_credentials(what)} cannot be read ({reason}).") from error


def without_credentials(text: str) -> str:
    """A text as it may be shown: addresses in it without a name and password, and without what signs them."""
    return _SIGNATURE.sub(r"\1", _PASSWORD.sub(r"\1", text))


_PASSWORD = re.compile(r"(\b(?!hf:)[a-z][a-z0-9+.-]*://)[^/\s'\"@]*@")
_SIGNATURE = re.compile(r"(\bhttps?://[^\s'\"?]+)\?[^\s'\")]*")


def one_line(error: BaseException | None) -> str:
    """The message of an error as it may be shown, in one line."""
    return without_credentials(" ".join(str(error).split()))


def _advice(error: Exception) -> str | None:
    """What to do about what the Hub, or its client, refuses."""
    from huggingface_hub import constants, errors

    if isinstance(error, errors.GatedRepoError):
        return f"the repository is gated: ask for access on its page on the Hub, then {_TOKEN}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"the Hub has no such repository, or does not show it to you: check the name; if it is private, {_TOKEN}"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"the repository has no such revision; set {REVISION_SETTING} to a branch, tag or commit of it"
    if isinstance(error, errors.OfflineModeIsEnabled) or (
        isinstance(error, errors.LocalEntryNotFoundError) and constants.HF_HUB_OFFLINE
    ):
        return f"it is not in the cache, and HF_HUB_OFFLINE is set: {_PREPARE}"
    if isinstance(error, errors.LocalEntryNotFoundError):
        cause = f": {type(error.__cause__).__name__}: {one_line(error.__cause__)}" if error.__cause__ else ""
        return f"it is not in the cache and the Hub did not send it{cause}. If there is no network here, {_PREPARE}"
    return None

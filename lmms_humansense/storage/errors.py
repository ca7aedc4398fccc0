"""Errors of files and networks, as sentences that name the file and the remedy.

Imports only the standard library until an error occurs.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

# The settings, the command and the name in logs that messages mention. They belong to the package; this room knows
# nothing else about the benchmark.
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
    """A file cannot be read or written; the message names it and the remedy."""


class DamagedContent(StorageError):
    """The content is not what it should be, and fetching it again does not help."""


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Turn every exception in the block into a StorageError that names the file.

    Args:
        what: The path or address that the block reads; its credentials are removed from the message.

    Raises:
        StorageError: The block raised an exception. A StorageError of the block is passed on unchanged.
    """
    try:
        yield
    except StorageError:
        raise
    # File systems, networks and codecs each have their own exceptions, and none of them names the file.
    except Exception as error:
        reason = _advice(error) or f"{type(error).__name__}: {one_line(error)}"
        raise StorageError(f"{without_credentials(what)} cannot be read ({reason}).") from error


def without_credentials(text: str) -> str:
    """Remove user names, passwords and signatures (query strings) from all addresses in a text."""
    return _SIGNATURE.sub(r"\1", _PASSWORD.sub(r"\1", text))


_PASSWORD = re.compile(r"(\b(?!hf:)[a-z][a-z0-9+.-]*://)[^/\s'\"@]*@")
_SIGNATURE = re.compile(r"(\bhttps?://[^\s'\"?]+)\?[^\s'\")]*")


def one_line(error: BaseException | None) -> str:
    """The message of an error in one line, without credentials."""
    return without_credentials(" ".join(str(error).split()))


def _advice(error: Exception) -> str | None:
    """The reason and the remedy, if the Hub or its client refused the request."""
    from huggingface_hub import constants, errors

    if isinstance(error, errors.GatedRepoError):
        return f"the repository is gated: request access on its page on the Hub, then {_TOKEN}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"the Hub has no such repository, or hides it from you: check the name; if it is private, {_TOKEN}"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"the repository has no such revision: set {REVISION_SETTING} to one of its branches, tags or commits"
    if isinstance(error, errors.OfflineModeIsEnabled) or (
        isinstance(error, errors.LocalEntryNotFoundError) and constants.HF_HUB_OFFLINE
    ):
        return f"it is not in the cache, and HF_HUB_OFFLINE is set: {_PREPARE}"
    if isinstance(error, errors.LocalEntryNotFoundError):
        cause = f": {type(error.__cause__).__name__}: {one_line(error.__cause__)}" if error.__cause__ else ""
        return f"it is not in the cache and the Hub did not send it{cause}. If there is no network here, {_PREPARE}"
    return None

"""Finds the media file that an annotated path means. Standard library only."""

import unicodedata
from collections.abc import Iterable, Mapping

from .annotations import LONGEST_PATH, DataError
from .wording import brief, listed, shown

_MOST_NAMED = 10
"""The most files that one message names."""


def parts(path: str) -> list[str]:
    """Split a path into its folders and its name, in normal form.

    Archives made on other systems may decompose accented letters or use backslashes.
    """
    return unicodedata.normalize("NFC", path).replace("\\", "/").strip("/").split("/")


def leads_out(name: str) -> bool:
    """Whether a file of this name could lie outside of the folder that it is extracted to."""
    pieces = parts(name)
    absolute = name.startswith(("/", "\\")) or ":" in pieces[0]
    return absolute or "\0" in name or not {"", ".", ".."}.isdisjoint(pieces)


class MediaIndex:
    """Finds the files of a store by the paths in the annotations.

    Args:
        names: The names of the files that may be used.
        refused: The names of files that must not be used, each with the reason.
        where: The store's name in messages.
    """

    def __init__(self, names: Iterable[str], refused: Mapping[str, str], where: str) -> None:
        self._refused, self._where = refused, where
        self._by_ending: dict[str, list[str]] = {}
        for name in (*names, *refused):
            for ending in _endings(name) if len(name) <= LONGEST_PATH else ():
                self._by_ending.setdefault(ending, []).append(name)

    def find(self, path: str) -> str:
        """Find the file that shares the longest suffix with an annotated path.

        The names of archive members are not documented, so leading folders may differ. Takes one table lookup for each
        folder of the path.

        Args:
            path: A path as the annotations write it.

        Returns:
            The name of the file in its store.

        Raises:
            DataError: No file fits, several fit equally well, or the file must not be used.
        """
        for ending in _endings(path):
            fits = self._by_ending.get(ending, [])
            whole = [name for name in fits if "/".join(parts(name)) == ending] if len(fits) > 1 else []
            if fits:
                return self._allowed(path, whole or fits)
        raise DataError(f"{brief(path)} is not in {self._where}")

    def _allowed(self, path: str, names: list[str]) -> str:
        if len(names) > 1:
            candidates = listed([brief(name) for name in sorted(names)], _MOST_NAMED)
            raise DataError(f"{brief(path)} could be any of {candidates} in {self._where}")
        if names[0] in self._refused:
            raise refusal(names[0], self._where, self._refused[names[0]])
        return names[0]


def refusal(name: str, where: str, reason: str) -> DataError:
    """The error for a file that must not be used.

    Args:
        name: The file's name in its store.
        where: The store's name in messages.
        reason: A sentence.

    Returns:
        The error, which the caller raises.
    """
    return DataError(f"{shown(name)} in {where} is refused: {reason}")


def _endings(path: str) -> list[str]:
    """The path and all its suffixes without the first folders, longest first."""
    pieces = parts(path)
    return ["/".join(pieces[start:]) for start in range(len(pieces))]

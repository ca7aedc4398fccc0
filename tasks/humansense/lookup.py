"""The names of media files: finding the one that an annotated path means. Standard library only."""

import unicodedata
from collections.abc import Iterable, Mapping

from .annotations import DataError


def parts(path: str) -> list[str]:
    """The folders and the name of a path in one form, however it is written.

    Archives made on other systems may decompose accented letters or use backslashes.
    """
    return unicodedata.normalize("NFC", path).replace("\\", "/").strip("/").split("/")


def leads_out(name: str) -> bool:
    """Whether a file of this name could come to lie outside the folder that is meant for it."""
    pieces = parts(name)
    absolute = name.startswith(("/", "\\")) or ":" in pieces[0]
    return absolute or "\0" in name or not {"", ".", ".."}.isdisjoint(pieces)


class MediaIndex:
    """The files of a store, found by the paths that the annotations give them.

    `names` are those of the files, `refused` has a reason for each one that must not be used, `where` is how messages
    name the store.
    """

    def __init__(self, names: Iterable[str], refused: Mapping[str, str], where: str) -> None:
        self._refused, self._where = refused, where
        self._by_ending: dict[str, list[str]] = {}
        for name in (*names, *refused):
            for ending in _endings(name):
                self._by_ending.setdefault(ending, []).append(name)

    def find(self, path: str) -> str:
        """The name of the file that an annotated path means: the one with the longest common suffix.

        How archive members are named is not documented, so leading folders may differ. Takes one look into a table for
        each folder of the path. Raises DataError when no file fits, several fit equally well, or it is refused.
        """
        for ending in _endings(path):
            fits = self._by_ending.get(ending, [])
            whole = [name for name in fits if "/".join(parts(name)) == ending] if len(fits) > 1 else []
            if fits:
                return self._allowed(path, whole or fits)
        raise DataError(f"{path} is not in {self._where}")

    def _allowed(self, path: str, names: list[str]) -> str:
        if len(names) > 1:
            raise DataError(f"{path} could be any of {', '.join(sorted(names))} in {self._where}")
        if names[0] in self._refused:
            raise refusal(names[0], self._where, self._refused[names[0]])
        return names[0]


def refusal(name: str, where: str, reason: str) -> DataError:
    """The error for a file that must not be used."""
    return DataError(f"{name!r} in {where} is refused: {reason}")


def _endings(path: str) -> list[str]:
    """The path, and what is left of it without its first folders, longest first."""
    pieces = parts(path)
    return ["/".join(pieces[start:]) for start in range(len(pieces))]

"""A small file in the place of a clip whose decoded form is in a store: it says what the clip's content was."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

_FIRST_LINE = "lmms-humansense: this clip was decoded beforehand; its frames and sound are in a media_cache"

MOST_BYTES = 512
"""Files with more are no such files."""

_WORDS = {True: "yes", False: "no"}


@dataclass(frozen=True)
class StandIn:
    """What a file said about itself before it was replaced.

    Attributes:
        sha256: The digest of its content, as hexadecimal digits.
        size: Its size in bytes.
        pictures: Whether it had pictures, for a file whose name does not show that; else None.
    """

    sha256: str
    size: int
    pictures: bool | None = None

    def to_bytes(self) -> bytes:
        """The content of the small file."""
        pictures = "" if self.pictures is None else f"pictures {_WORDS[self.pictures]}\n"
        return f"{_FIRST_LINE}\nsha256 {self.sha256}\nsize {self.size}\n{pictures}".encode()


def read_stand_in(path: str | Path) -> StandIn | None:
    """Read a small file that stands for a clip; None if it is another file.

    Raises:
        OSError: The file cannot be read.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:  # opening a pipe would wait for a writer
        return None
    with open(path, "rb") as file:
        lines = file.read(MOST_BYTES + 1).decode("utf-8", "replace").splitlines()
    if not lines or lines[0] != _FIRST_LINE:
        return None
    said = dict(line.partition(" ")[::2] for line in lines[1:])
    digest, size, word = said.pop("sha256", ""), said.pop("size", ""), said.pop("pictures", None)
    if said or len(digest) != 64 or not size.isdigit() or word not in (None, *_WORDS.values()):
        return None
    return StandIn(digest, int(size), None if word is None else word == _WORDS[True])

"""A small file in the place of a clip whose decoded form is in a store: it says what the clip's content was."""

import os
from dataclasses import dataclass
from pathlib import Path

_FIRST_LINE = "lmms-humansense: this clip was decoded beforehand; its frames and sound are in a media_cache"

_MOST_BYTES = 512


@dataclass(frozen=True)
class StandIn:
    """What a file said about itself before it was replaced.

    Attributes:
        sha256: The digest of its content, as hexadecimal digits.
        size: Its size in bytes.
    """

    sha256: str
    size: int

    def to_bytes(self) -> bytes:
        """The content of the small file."""
        return f"{_FIRST_LINE}\nsha256 {self.sha256}\nsize {self.size}\n".encode()


def read_stand_in(path: str | Path) -> StandIn | None:
    """Read a small file that stands for a clip; None if it is another file.

    Raises:
        OSError: The file cannot be read.
    """
    if os.stat(path).st_size > _MOST_BYTES:
        return None
    with open(path, "rb") as file:
        lines = file.read(_MOST_BYTES + 1).decode("utf-8", "replace").splitlines()
    if len(lines) != 3 or lines[0] != _FIRST_LINE:
        return None
    (digest_name, _, digest), (size_name, _, size) = (line.partition(" ") for line in lines[1:])
    if (digest_name, size_name) != ("sha256", "size") or len(digest) != 64 or not size.isdigit():
        return None
    return StandIn(digest, int(size))

"""The list in a prepared folder: the origin of its files, and their sizes and checksums."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import StorageError

LIST = "humansense_prepared.json"
"""The file name of the list in its folder."""

Files = dict[str, tuple[int | None, int | None]]
"""For each file name its size in bytes and its CRC-32, each None while it is unknown."""

_FORM = 1


@dataclass(frozen=True)
class PreparedList:
    """The files of a prepared folder, including those that are still to be prepared.

    Attributes:
        address: The address that the files come from.
        origin: The same for results: `source`, and `commit` if there is one.
        annotations: The SHA-256 of each annotation file, by file name.
        media: The files in each media folder, by the name of the folder.
    """

    address: str
    origin: dict[str, Any]
    annotations: dict[str, str]
    media: dict[str, Files]

    def to_json(self) -> bytes:
        """The list as the bytes of its file."""
        content = {"form": _FORM, **dataclasses.asdict(self)}
        return json.dumps(content, ensure_ascii=False, indent=1).encode()


def read(content: bytes, where: str) -> PreparedList:
    """Parse the list of a prepared folder.

    Args:
        content: The bytes of the file.
        where: The folder, for messages.

    Returns:
        The list.

    Raises:
        StorageError: The content is damaged or of another version.
    """
    try:
        read_in: Mapping[str, Any] = json.loads(content)
        if read_in["form"] != _FORM:
            raise ValueError(f"it has the form {read_in['form']!r}")
        media = {
            folder: {name: (_number(size), _number(crc)) for name, (size, crc) in files.items()}
            for folder, files in read_in["media"].items()
        }
        return PreparedList(str(read_in["address"]), dict(read_in["origin"]), dict(read_in["annotations"]), media)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(
            f"{where}/{LIST} cannot be read ({error}); delete it and prepare the folder again."
        ) from error


def _number(value: Any) -> int | None:
    return None if value is None else int(value)

"""The list in a prepared folder: where its files come from, and their sizes and checksums."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import StorageError

LIST = "humansense_prepared.json"
"""The name of the list in the folder."""

Files = dict[str, tuple[int | None, int | None]]
"""The bytes and the CRC-32 of files by name; None where nobody knows them yet."""

_FORM = 1


@dataclass(frozen=True)
class PreparedList:
    """What a prepared folder holds, or will hold once all of it is prepared.

    `address` is where its files come from, `origin` says the same for results, `annotations` has the SHA-256 of each
    file that describes the media, and `media` for each media folder its files: names, each with its bytes and its
    CRC-32 (None while nobody knows them).
    """

    address: str
    origin: dict[str, Any]
    annotations: dict[str, str]
    media: dict[str, Files]

    def to_json(self) -> bytes:
        """The list as it is written."""
        content = {"form": _FORM, **dataclasses.asdict(self)}
        return json.dumps(content, ensure_ascii=False, indent=1).encode()


def read(content: bytes, where: str) -> PreparedList:
    """Read the list in the folder `where`. Raises StorageError when it is not one that this version can read."""
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

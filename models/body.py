"""What is asked of a server: the part of a request that holds words and media."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

_SLICE = 1 << 20
"""Bytes that are handed to a socket at once."""


@dataclass(frozen=True)
class Body:
    """One request without its model and how to answer.

    `pieces` are uint8 tensors (bytes,): together the JSON text of `messages` in UTF-8. Requests about one clip share
    the piece that holds it. `fields` are what stands beside `messages`.
    """

    pieces: tuple[torch.Tensor, ...]
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tensors(self) -> dict[str, torch.Tensor]:
        """The pieces, by their place."""
        return {str(place): piece for place, piece in enumerate(self.pieces)}

    @property
    def tokens(self) -> int:
        """How long the prompt is: only the server knows, and tells it with the answer."""
        return 0

    @property
    def messages(self) -> bytes:
        """The JSON text."""
        return bytes(self.within(b"", b""))

    def within(self, before: bytes, after: bytes) -> "Text":
        """The JSON text between two others."""
        return Text([memoryview(before), *(piece.numpy().data for piece in self.pieces), memoryview(after)])


@dataclass(frozen=True)
class Text:
    """Bytes in several parts that are sent one after the other.

    They may be megabytes, hundreds of times a second: they are never put together, as every copy would cost more than
    all else.
    """

    parts: list[memoryview]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __iter__(self) -> Iterator[memoryview]:
        """Slices that a socket takes at once: of what it does not, the rest would be copied again and again."""
        for part in self.parts:
            for start in range(0, len(part), _SLICE):
                yield part[start : start + _SLICE]

    def __bytes__(self) -> bytes:
        return b"".join(self.parts)

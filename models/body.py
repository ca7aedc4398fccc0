"""What is asked of a server: the part of a request that holds words and media."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch


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
        return b"".join(piece.numpy().tobytes() for piece in self.pieces)

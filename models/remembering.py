"""A part of a processor that works once on media that come again."""

from collections.abc import Hashable
from typing import Any

import numpy as np
import torch


class Remembering:
    """Stands for `part`, a callable, and gives the results of earlier calls for the same media and arguments.

    Media are the same if they are the same objects. Attributes are those of `part`.
    """

    def __init__(self, part: Any) -> None:
        self._part = part
        self._results: dict[Hashable, Any] = {}
        self._media: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """What `part` returns: a mapping, of which the caller gets a copy of its own (its values are shared)."""
        key = _key((arguments, options))
        if key not in self._results:
            self._results[key] = self._part(*arguments, **options)
            self._media.append((arguments, options))  # so that no other object gets the identity of one of these
        result = self._results[key]
        return type(result)(dict(result))


def _key(value: Any) -> Hashable:
    """Something to tell arguments apart by: media by identity, everything else by what it says of itself."""
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return id(value)
    if isinstance(value, dict):
        return tuple((name, _key(item)) for name, item in sorted(value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(_key(item) for item in value)
    return repr(value)

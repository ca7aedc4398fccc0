"""A part of a processor that can work once on media that come again."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch

_Results = dict[Hashable, tuple[Any, Any]]

_results: ContextVar[_Results | None] = ContextVar("_results", default=None)
"""What was asked and what came out, within `caching_results`. One for each thread: one may be left behind, stalled."""


@contextmanager
def caching_results() -> Iterator[None]:
    """Within it, every `CachedProcessorPart` gives what it gave before for the same media and arguments."""
    token = _results.set({})
    try:
        yield
    finally:
        _results.reset(token)


class CachedProcessorPart:
    """Stands for `part`, a callable that returns a mapping; attributes are those of `part`.

    Media are the same if they are the same objects.
    """

    def __init__(self, part: Any) -> None:
        self._part = part

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """What `part` returns; within `caching_results` a copy of the mapping, whose values are shared."""
        results = _results.get()
        if results is None:
            return self._part(*arguments, **options)
        key = id(self), _key((arguments, options))
        if key not in results:
            # With the arguments, so that no other object gets the identity of one of them.
            results[key] = self._part(*arguments, **options), (arguments, options)
        result, _ = results[key]
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

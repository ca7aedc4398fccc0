"""Caches the results of a part of a processor, so that it processes the same media once."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch

_Results = dict[Hashable, tuple[Any, Any]]

_results: ContextVar[_Results | None] = ContextVar("_results", default=None)
"""The results within `caching_results`, with the arguments. Each thread has its own, as a stalled thread may be left
behind and go on later."""


@contextmanager
def caching_results() -> Iterator[None]:
    """Within this context, each `CachedProcessorPart` reuses its results for the same media and arguments."""
    token = _results.set({})
    try:
        yield
    finally:
        _results.reset(token)


class CachedProcessorPart:
    """Wraps a part of a processor, and caches its results within `caching_results`.

    Its attributes are those of the part. Media are the same if they are the same memory: a sound that is split for each
    question anew has new pieces, but of the same samples.

    Args:
        part: A callable that returns a mapping, such as a feature extractor.
    """

    def __init__(self, part: Any) -> None:
        self._part = part

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call the part. Within `caching_results`, the result is a copy of the mapping, and its values are shared."""
        results = _results.get()
        if results is None:
            return self._part(*arguments, **options)
        key = id(self), _key((arguments, options))
        if key not in results:
            # The arguments are kept, so that no new object can get the memory of one of them.
            results[key] = self._part(*arguments, **options), (arguments, options)
        result, _ = results[key]
        return type(result)(dict(result))


def _key(value: Any) -> Hashable:
    """Make a key that distinguishes arguments: the memory of media, the `repr` of everything else."""
    if isinstance(value, torch.Tensor):
        return "tensor", str(value.device), value.data_ptr(), value.dtype, value.shape, value.stride()
    if isinstance(value, np.ndarray):
        return "array", value.ctypes.data, value.dtype.str, value.shape, value.strides
    if isinstance(value, dict):
        return tuple((name, _key(item)) for name, item in sorted(value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(_key(item) for item in value)
    return repr(value)

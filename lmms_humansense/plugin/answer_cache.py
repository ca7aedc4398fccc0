"""lmms-eval's response cache is changed for this package's models."""

import importlib
from typing import Any

from .names import is_ours


def keep_answers() -> None:
    """Wrap the making of lmms-eval's response cache, so that this package's models get one that fits them."""
    cache: Any = importlib.import_module("lmms_eval.caching.response_cache").ResponseCache
    create = cache.create
    if getattr(create, "keeps_answers", False):
        return

    def create_for_model(cls: Any, /, cache_root: str, *, model: Any = "", **options: Any) -> Any:
        if cls is cache and is_ours(model):
            from ..models.caching.response_cache import AnswerCache

            return AnswerCache.create(cache_root, model=model, **options)
        return create.__func__(cls, cache_root, model=model, **options)

    create_for_model.keeps_answers = True  # type: ignore[attr-defined]
    cache.create = classmethod(create_for_model)

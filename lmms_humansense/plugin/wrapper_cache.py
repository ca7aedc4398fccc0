"""lmms-eval's response cache for models that are not this package's: failures are no answers."""

from typing import Any

from lmms_eval.caching.response_cache import ResponseCache

from ..tasks.humansense.metrics.scoring import failure_of


class WrapperCache(ResponseCache):
    """lmms-eval's response cache, except that requests without an answer are asked again by the next run.

    lmms-eval itself keeps the text by which a wrapper reports a failure, and takes an empty response that it finds in
    the log of a run for an answer.
    """

    def _lookup(self, cache_key: str) -> Any:
        found = super()._lookup(cache_key)
        return None if isinstance(found, str) and _is_no_answer(found) else found

    @staticmethod
    def _is_valid_response(response: Any, request_type: str) -> bool:
        text = getattr(response, "text", response)
        if isinstance(text, str) and _is_no_answer(text):
            return False
        return bool(ResponseCache._is_valid_response(response, request_type))


def _is_no_answer(text: str) -> bool:
    return not text.strip() or failure_of(text.strip()) is not None

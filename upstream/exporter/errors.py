"""Why a change cannot be made."""


class UpstreamError(ValueError):
    """A checkout, or a place in it, that a change cannot be made to; the message says what to do."""


def missing(path: str, what: str) -> UpstreamError:
    """The error for a place that is not there, or not as it is expected."""
    return UpstreamError(
        f"{path} has {what}: this lmms-eval is not one that the change knows; look at it and adapt upstream/exporter."
    )

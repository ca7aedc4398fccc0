"""Errors of a change that cannot be made."""


class UpstreamError(ValueError):
    """A change cannot be made to this checkout; the message says what to do."""


def missing(path: str, what: str) -> UpstreamError:
    """The error for a place that does not exist, or is not as expected.

    Args:
        path: The file.
        what: What the file has or has not ("no heading 'x'").

    Returns:
        The error, which the caller raises.
    """
    return UpstreamError(
        f"{path} has {what}: this lmms-eval is not one that the change knows; look at it and adapt upstream/exporter."
    )

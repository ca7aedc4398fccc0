"""Whether a server can be reached at all, found out in a second. Only what is certain counts."""

import contextlib
import errno
import socket
import threading
import time
from urllib.parse import urlsplit
from urllib.request import getproxies

_PORTS = {"http": 80, "https": 443}

_CERTAIN = (errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH)
"""The errors of a connection that waiting does not mend."""

_BETWEEN = 0.3
"""Seconds between two tries to find the address of a host."""


def why_out_of_reach(address: str, seconds: float = 1.0) -> str | None:
    """Why no connection to a server can be made.

    Args:
        address: The server's URL.
        seconds: How long a connection may take. A server that takes longer may be slow.

    Returns:
        The reason in a few words; None if a connection can be made, or if that is not certain: behind a proxy, only
        the proxy knows.
    """
    parts = urlsplit(address)
    proxies = getproxies()
    with contextlib.suppress(ValueError):  # a port that is no number
        port = parts.port or _PORTS.get(parts.scheme)
        if parts.hostname and port and not (parts.scheme in proxies or "all" in proxies):
            return _reason(parts.hostname, port, seconds)
    return None


def _reason(host: str, port: int, seconds: float) -> str | None:
    found: list[str | None] = []
    trying = threading.Thread(target=lambda: found.append(_tried(host, port, seconds)), daemon=True)
    trying.start()
    trying.join(2 * seconds)  # a name server may take long, and has no time limit
    return found[0] if found else None


def _tried(host: str, port: int, seconds: float) -> str | None:
    """The reason if all addresses of the host have one."""
    addresses = _addresses(host, port)
    reasons = [_of_address(family, kind, place, seconds) for family, kind, _, _, place in addresses or ()]
    if addresses is None:
        return f"the host {host} is not known"
    return None if None in reasons else reasons[0]


def _addresses(host: str, port: int) -> list[tuple[int, int, int, str, tuple[str | int, ...]]] | None:
    for again in (False, True):  # a name server may fail for a moment
        with contextlib.suppress(OSError, UnicodeError):
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)  # type: ignore[return-value]
        if not again:
            time.sleep(_BETWEEN)
    return None


def _of_address(family: int, kind: int, place: tuple[str | int, ...], seconds: float) -> str | None:
    try:
        with socket.socket(family, kind) as tried:
            tried.settimeout(seconds)
            tried.connect(place)
    except OSError as error:
        return error.strerror if error.errno in _CERTAIN else None
    return None

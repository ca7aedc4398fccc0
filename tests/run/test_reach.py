"""A server counts as out of reach only if that is certain."""

import socket
from collections.abc import Iterator

import pytest

from lmms_humansense.run.reach import why_out_of_reach


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def closed() -> Iterator[str]:
    """The address of a port on which nothing listens, and that no other program can take meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


def test_a_port_on_which_nothing_listens_is_out_of_reach(closed: str) -> None:
    assert why_out_of_reach(closed) == "Connection refused"


def test_a_port_on_which_a_server_listens_is_within_reach() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert why_out_of_reach(f"http://127.0.0.1:{server.getsockname()[1]}/v1") is None


def test_a_host_that_is_not_known_is_out_of_reach() -> None:
    assert why_out_of_reach("https://no-such-host.invalid", 20) == "the host no-such-host.invalid is not known"


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_behind_a_proxy_nothing_is_certain(name: str, closed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "http://proxy:3128")
    assert why_out_of_reach(closed) is None


def test_what_takes_long_may_be_slow(closed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object, **__: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(socket.socket, "connect", slow)
    assert why_out_of_reach(closed) is None


@pytest.mark.parametrize("address", ["", "localhost", "http://", "http://host:port/v1", "ftp://127.0.0.1"])
def test_what_is_no_address_is_left_to_others(address: str) -> None:
    assert why_out_of_reach(address) is None

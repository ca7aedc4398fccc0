"""How many requests may fail: which values users can give, and what they allow."""

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmms_humansense.models.local.settings import LocalSettings, read_local_settings
from lmms_humansense.models.runtime.failure_limit import allowed, read_limit


@pytest.mark.parametrize(
    ("value", "limit"),
    [
        (0, 0),
        (5, 5),
        ("0", 0),
        ("5", 5),
        (" 12 ", 12),
        (0.0, 0.0),
        (0.05, 0.05),
        ("0.05", 0.05),
        ("5%", 0.05),
        ("2.5%", 0.025),
        (" 5 % ", 0.05),
        ("0%", 0.0),
        ("100%", 1.0),
        (1.0, 1.0),
        ("1.0", 1.0),
        ("1", 1),
    ],
)
def test_whole_numbers_are_requests_and_other_numbers_are_shares(value: Any, limit: int | float) -> None:
    assert (read_limit(value), type(read_limit(value))) == (limit, type(limit))


BAD = [-1, -0.1, 1.5, 5.0, math.nan, math.inf, -math.inf, True, False, None, [5], b"5",
       "", " ", "x", "%", "x%", "-1", "-1%", "1.5", "5.0", "200%", "100.1%", "nan", "nan%", "inf", "inf%", "5%%",
       "True", "0,05", "1/20", "²", "0x5", "1e3"]  # fmt: skip


@pytest.mark.parametrize("value", BAD, ids=repr)
def test_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^max_failures=.* is neither a number of requests \(5\) nor a share of them"):
        read_limit(value)


@given(st.one_of(st.text(), st.from_regex(r"[-+0-9.e_% ]{1,8}"), st.integers(), st.floats(), st.booleans()))
def test_every_value_is_a_limit_or_refused(value: Any) -> None:
    try:
        limit = read_limit(value)
    except ValueError:
        return
    assert not isinstance(limit, bool)
    assert 0 <= limit <= 1 if isinstance(limit, float) else limit >= 0


def test_a_number_of_requests_is_that_number_however_many_are_asked() -> None:
    assert [allowed(limit, asked) for limit, asked in ((0, 9), (1, 9), (5, 9), (5, 3))] == [0, 1, 5, 5]


@pytest.mark.parametrize(
    ("share", "asked", "most"),
    [(0.01, 1, 1), (0.01, 100, 1), (0.01, 101, 2), (0.05, 39, 2), (0.5, 5, 3), (1.0, 7, 7), (0.0, 100, 0), (0.5, 0, 0)],
)
def test_a_share_is_rounded_up(share: float, asked: int, most: int) -> None:
    assert allowed(share, asked) == most


@given(st.integers(0, 10_000), st.integers(0, 10**6))
def test_a_share_never_allows_fewer_than_it_says_nor_more_than_there_are(points: int, asked: int) -> None:
    assert Fraction(points, 10_000) * asked <= allowed(points / 10_000, asked) <= asked


@pytest.mark.parametrize(("share", "asked", "most"), [("7%", 100, 7), ("14%", 100, 14), ("55%", 200, 110)])
def test_a_share_that_is_a_whole_number_is_not_rounded(share: str, asked: int, most: int) -> None:
    assert allowed(read_limit(share), asked) == most


def read(**arguments: Any) -> LocalSettings:
    return read_local_settings({"pretrained": "x", **arguments})


def test_the_settings_take_both_arguments() -> None:
    assert (read().on_error, read().max_failures) == ("continue", 0.01)
    settings = read(on_error="raise", max_failures="5%")
    assert (settings.on_error, settings.max_failures) == ("raise", 0.05)
    assert read(max_failures=0).max_failures == 0
    assert read(max_failures=None) == LocalSettings("x")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"max_failures": "few"}, r"max_failures=few is neither a number of requests \(5\) nor a share of them"),
        ({"max_failures": 1.5}, r"max_failures=1\.5 is neither"),
        ({"max_failures": True}, "max_failures=true is neither"),
        ({"on_error": "stop"}, r"on_error=stop: the value should be 'continue' or 'raise'\."),
        ({"on_errors": "raise"}, "no argument 'on_errors'. Did you mean on_error?"),
    ],
)
def test_the_settings_refuse_bad_ones_with_a_sentence(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read(**arguments)

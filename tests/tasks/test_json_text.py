"""JSON of others: its text can be stored, and nothing in it is nested too deep."""

import json
from typing import Any

import pytest

from lmms_humansense.tasks.humansense.json_text import MOST_LEVELS, loads, storable


@pytest.mark.parametrize(
    ("content", "value", "is_changed"),
    [
        (r'["a\ud800b", 1]', ["a?b", 1], True),
        (r'{"\uDFFF": null}', {"?": None}, True),
        (r'"\ud83d\ude00"', "😀", False),
        (r'"\ude00\ud83d"', "??", True),
        (r'"\\ud800"', "\\ud800", False),
        (r'"\\\ud800"', "\\?", True),
        ('"é\\n"', "é\n", False),
        ('"\ud800"', "?", True),
        (b'\xef\xbb\xbf["\xc3\xa9"]', ["é"], False),
        ('["é"]'.encode("utf-16"), ["é"], False),
    ],
)
def test_half_characters_become_question_marks(content: str | bytes, value: Any, is_changed: bool) -> None:
    assert loads(content) == (value, is_changed)
    json.dumps(loads(content)[0], ensure_ascii=False).encode()


def test_bytes_that_are_no_text_are_refused_or_replaced() -> None:
    for content in (b'"a\xffb"', b'"a\xed\xa0\x80b"'):
        with pytest.raises(ValueError, match="decode"):
            loads(content)
        value, is_changed = loads(content, "replace")
        assert (value[0], value[-1], is_changed) == ("a", "b", True)
        assert set(value[1:-1]) == {"\ufffd"}


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_nesting_has_a_limit(opening: str) -> None:
    closing = {"[": "]", '{"a":': "}"}[opening]
    deep = {levels: opening * levels + "1" + closing * levels for levels in (MOST_LEVELS - 1, MOST_LEVELS, 200_000)}
    loads(deep[MOST_LEVELS - 1])
    for levels in (MOST_LEVELS, 200_000):
        with pytest.raises(ValueError, match="nested more than 100 levels deep"):
            loads(deep[levels])


@pytest.mark.parametrize("content", ["", "[1", "nope", b"\0\0\0\0", "9" * 5000])
def test_what_is_no_json_is_a_value_error(content: str | bytes) -> None:
    with pytest.raises(ValueError):
        loads(content)


def test_text_is_storable() -> None:
    assert storable("a\ud800é") == "a?é"

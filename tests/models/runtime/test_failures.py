"""The summary of failed requests: grouped by cause, the most frequent first, and short."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lmms_humansense.models.runtime.failures import Failure, failure_of, summary
from lmms_humansense.models.runtime.request import Request, error_result, failed_response


def failure(number: int, reason: str = "MediaError: {} is empty.", *media: str) -> Failure:
    files = media or (f"/data/{number}.mp4",)
    return Failure("task", number, files, reason.format(*files))


def test_failures_of_one_cause_are_of_one_kind_whatever_their_files() -> None:
    kinds = {failure(number).kind for number in range(3)}
    assert kinds == {"MediaError: <file> is empty."}
    assert failure(0, "MediaError: {} is a folder.").kind not in kinds


def test_every_file_is_replaced_wherever_it_is_named() -> None:
    failed = failure(0, "{} and {}, {}: too long", "/a.mp4", "/b.wav", "/a.mp4")
    assert failed.kind == "<file> and <file>, <file>: too long"


def test_a_file_whose_name_begins_with_another_file_name_is_replaced_whole() -> None:
    for media in (("/a", "/a.mp4"), ("/a.mp4", "/a")):
        assert Failure("task", 0, media, "/a.mp4 beside /a").kind == "<file> beside <file>"


def test_a_reason_without_files_is_its_own_kind() -> None:
    assert Failure("task", 0, (), "ValueError: /a.mp4").kind == "ValueError: /a.mp4"


def test_a_line_names_number_kind_samples_and_files() -> None:
    assert summary([failure(7)]) == ["1 × MediaError: <file> is empty. (task doc 7: /data/7.mp4)"]
    assert summary([Failure("task", 7, (), "ValueError: no")]) == ["1 × ValueError: no (task doc 7)"]
    assert summary([failure(7, "{} or {}", "/a.mp4", "/b.wav")]) == ["1 × <file> or <file> (task doc 7: /a.mp4 /b.wav)"]


def test_the_most_frequent_comes_first_and_equal_ones_keep_their_order() -> None:
    reasons = ["rare", "seldom", "often", "often", "seldom", "often", "also rare"]
    lines = summary([Failure("task", number, (), reason) for number, reason in enumerate(reasons)])
    assert [line.partition(" (")[0] for line in lines] == ["3 × often", "2 × seldom", "1 × rare", "1 × also rare"]


def test_three_samples_are_named_at_most() -> None:
    (line,) = summary([Failure("task", number, (), "no") for number in range(3)])
    assert line == "3 × no (task doc 0; task doc 1; task doc 2)"
    (line,) = summary([Failure("task", number, (), "no") for number in range(40)])
    assert line == "40 × no (task doc 0; task doc 1; task doc 2; and 37 more)"


def test_kinds_beyond_the_tenth_share_a_line() -> None:
    twelve = [Failure("task", number, (), f"reason {letter}") for number, letter in enumerate("abcdefghijkl")]
    assert len(summary(twelve[:10])) == 10
    assert summary([*twelve, twelve[0]])[0].startswith("2 × reason a ")
    assert summary([*twelve, twelve[0]])[10:] == ["2 × for other reasons"]


def test_reasons_that_differ_only_in_numbers_share_a_line() -> None:
    long = [Failure("task", number, (), f"The prompt has 4{number},120 tokens.") for number in range(3)]
    assert summary(long) == ["3 × The prompt has 40,120 tokens. (task doc 0; task doc 1; task doc 2)"]


def test_a_reason_of_a_page_is_one_line() -> None:
    (line,) = summary([Failure("task", 0, (), "CUDA error: an illegal access\n" + "For debugging, …\n" * 100)])
    assert line.startswith("1 × CUDA error: an illegal access For debugging")
    assert "\n" not in line
    assert len(line) < 500


def test_other_spellings_of_a_path_are_replaced() -> None:
    assert Failure("task", 0, ("./a.mp4",), "MediaError: a.mp4 is empty.").kind == "MediaError: <file> is empty."


def test_the_summary_of_no_failures_is_empty() -> None:
    assert summary([]) == []


@given(st.lists(st.integers(0, 14), max_size=60))
def test_every_failure_is_counted_once(reasons: list[int]) -> None:
    lines = summary([Failure("task", 0, (), f"reason {chr(ord('a') + reason)}") for reason in reasons])
    counts = [int(line.split()[0]) for line in lines]
    assert sum(counts) == len(reasons)
    assert counts[:10] == sorted(counts[:10], reverse=True)
    assert len(lines) == min(len(set(reasons)), 11)


def test_a_failure_is_json() -> None:
    failed = Failure("task", 3, ("/å.mp4",), "MediaError: /å.mp4")
    expected: dict[str, Any] = {"task": "task", "doc_id": 3, "media": ["/å.mp4"], "reason": "MediaError: /å.mp4"}
    assert failed.to_dict() == expected
    assert json.loads(json.dumps(failed.to_dict())) == expected


def test_a_failed_response_becomes_a_failure_with_its_files_and_its_reason() -> None:
    request = Request("task", 3, {}, list)
    response = failed_response(request, error_result(ValueError("no")), ("/a.mp4",))
    assert (response.request, response.text) == (request, None)
    found = failure_of(response)
    assert found == Failure("task", 3, ("/a.mp4",), "ValueError: no")
    assert str(found) == str(request) == "task doc 3"

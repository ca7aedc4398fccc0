"""`generation_kwargs` as tasks and `--gen_kwargs` write them."""

from types import MappingProxyType
from typing import Any

import pytest

from lmms_humansense.models.inputs.generation import (
    MAX_NEW_TOKENS,
    arguments_used,
    check_arguments,
    cut_at,
    generate_arguments,
    stops_of,
    unknown_arguments,
)


def test_greedy_by_default() -> None:
    arguments = generate_arguments({})
    assert arguments["do_sample"] is False
    assert arguments["num_beams"] == 1
    assert arguments["max_new_tokens"] == MAX_NEW_TOKENS
    assert arguments["temperature"] is arguments["top_p"] is arguments["top_k"] is None


def test_temperature_zero_is_greedy_even_beside_top_p() -> None:
    arguments = generate_arguments({"temperature": 0, "top_p": 0.9})
    assert arguments["do_sample"] is False
    assert arguments["top_p"] is None


def test_a_temperature_samples() -> None:
    arguments = generate_arguments({"temperature": 0.7, "top_p": 0.9})
    assert (arguments["do_sample"], arguments["temperature"], arguments["top_p"]) == (True, 0.7, 0.9)


def test_sampling_without_a_temperature_samples_at_1() -> None:
    arguments = generate_arguments({"do_sample": True, "top_p": 0.8})
    assert (arguments["do_sample"], arguments["temperature"], arguments["top_p"]) == (True, 1.0, 0.8)


def test_a_temperature_samples_beside_the_do_sample_of_a_task() -> None:
    """What `--gen_kwargs temperature=1` leaves of a task's `temperature: 0, do_sample: false`."""
    arguments = generate_arguments({"temperature": 1, "do_sample": False, "num_beams": 1})
    assert (arguments["do_sample"], arguments["temperature"]) == (True, 1.0)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"max_new_tokens": "abc"}, r"max_new_tokens='abc' cannot be used: it has to be a whole number from 1\."),
        ({"max_new_tokens": 0}, "max_new_tokens=0 "),
        ({"max_new_tokens": 2.5}, r"max_new_tokens=2\.5 "),
        ({"max_new_tokens": True}, "max_new_tokens=True "),
        ({"temperature": "None"}, "temperature='None' cannot be used: it has to be a number from 0"),
        ({"temperature": -1.0}, r"temperature=-1\.0 "),
        ({"temperature": float("nan")}, "temperature=nan "),
        ({"top_p": 1.5}, r"top_p=1\.5 cannot be used: it has to be a number from 0 to 1"),
        ({"top_k": -1}, "top_k=-1 "),
        ({"num_beams": 0}, "num_beams=0 "),
        ({"repetition_penalty": 0}, "repetition_penalty=0 cannot be used: it has to be a number above 0"),
        ({"do_sample": "yes"}, "do_sample='yes' cannot be used: it has to be True or False"),
        ({"until": 3}, "until=3 cannot be used: it has to be a text or a list of texts"),
        ({"until": ["a", 3]}, r"until=\['a', 3\] "),
        ({"do_sample": True, "temperature": 0}, "do_sample=True contradicts temperature=0: set a temperature above 0"),
    ],
)
def test_values_that_cannot_be_used_are_refused_by_name(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        check_arguments(arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"max_new_tokens": 16.0, "temperature": 0, "top_p": 1.0, "num_beams": 1, "do_sample": False, "until": ["\n\n"]},
        {"max_new_tokens": None, "temperature": None, "top_p": None, "num_beams": None, "until": None},
        {"temperature": 0.7, "top_p": 0, "top_k": 0, "do_sample": True, "until": "x", "repetition_penalty": 2},
        {"image_aspect_ratio": "original", "seed": "five"},
    ],
)
def test_what_tasks_of_lmms_eval_set_is_accepted(arguments: dict[str, Any]) -> None:
    check_arguments(arguments)


def test_only_arguments_with_an_effect_are_checked() -> None:
    check_arguments({"num_beams": "many"}, known=frozenset({"temperature"}))


def test_equal_ways_of_generating_are_recorded_alike() -> None:
    greedy = arguments_used({"max_new_tokens": 8})
    assert greedy == {"do_sample": False, "max_new_tokens": 8, "num_beams": 1, "until": []}
    spelt = {"max_new_tokens": 8.0, "temperature": 0, "top_p": 1.0, "do_sample": False, "num_beams": 1, "until": None}
    assert arguments_used({**spelt, "image_aspect_ratio": "pad"}) == greedy
    sampled = arguments_used({"temperature": 1, "do_sample": False, "max_new_tokens": 8})
    assert sampled == arguments_used({"do_sample": True, "max_new_tokens": 8})
    assert (sampled["do_sample"], sampled["temperature"]) == (True, 1.0)
    assert "num_beams" not in arguments_used({}, known=frozenset({"until"}))


def test_beams_and_length_are_honoured() -> None:
    arguments = generate_arguments({"num_beams": 3, "max_new_tokens": 7})
    assert (arguments["num_beams"], arguments["max_new_tokens"]) == (3, 7)


def test_the_mapping_is_not_changed() -> None:
    # lmms-eval computes its cache key from the same mapping afterwards.
    generate_arguments(MappingProxyType({"temperature": 0.7, "until": ["\n"]}))


@pytest.mark.parametrize(
    ("until", "left"),
    [
        ([], "one\n\ntwo"),
        (None, "one\n\ntwo"),
        (["\n\n"], "one"),
        ("\n", "one"),
        (["two", "e"], "on"),
        ([""], "one\n\ntwo"),
    ],
)
def test_text_ends_at_the_first_stop_string(until: list[str] | str | None, left: str) -> None:
    assert cut_at("one\n\ntwo", stops_of({"until": until})) == left


def test_other_arguments_of_generate_are_passed_on_and_unknown_ones_are_named() -> None:
    asked = {"repetition_penalty": 1.2, "no_repeat_ngram_size": 3, "top_k": None, "image_aspect_ratio": "pad"}
    arguments = generate_arguments(asked)
    assert (arguments["repetition_penalty"], arguments["no_repeat_ngram_size"]) == (1.2, 3)
    assert unknown_arguments(asked) == ["image_aspect_ratio"]


def test_a_penalty_without_a_point_is_a_number_that_transformers_takes() -> None:
    assert isinstance(generate_arguments({"repetition_penalty": 2})["repetition_penalty"], float)


def test_only_what_asks_for_something_special_is_named_as_unknown() -> None:
    known = frozenset({"temperature"})
    assert unknown_arguments({"num_beams": 1, "repetition_penalty": 1.0, "temperature": 0}, known) == []
    assert unknown_arguments({"num_beams": 2, "seed": 1}, known) == ["num_beams", "seed"]

"""`generation_kwargs` as tasks and `--gen_kwargs` write them."""

from types import MappingProxyType

import pytest

from lmms_humansense.models.inputs.generation import (
    MAX_NEW_TOKENS,
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
    arguments = generate_arguments({"temperature": 0, "top_p": 0.9, "do_sample": True})
    assert arguments["do_sample"] is False
    assert arguments["top_p"] is None


def test_a_temperature_samples() -> None:
    arguments = generate_arguments({"temperature": 0.7, "top_p": 0.9})
    assert (arguments["do_sample"], arguments["temperature"], arguments["top_p"]) == (True, 0.7, 0.9)


def test_sampling_without_a_temperature_samples_at_1() -> None:
    arguments = generate_arguments({"do_sample": True, "top_p": 0.8})
    assert (arguments["do_sample"], arguments["temperature"], arguments["top_p"]) == (True, 1.0, 0.8)


def test_do_sample_false_wins_over_a_temperature() -> None:
    assert generate_arguments({"temperature": 0.7, "do_sample": False})["do_sample"] is False


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

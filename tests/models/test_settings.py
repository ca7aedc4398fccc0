"""Arguments as users type them, and as lmms-eval turns them into numbers and truth values."""

from pathlib import Path
from typing import Any

import pytest
from lmms_humansense.models.settings import Settings, read_settings, system_prompt_text


def read(**arguments: Any) -> Settings:
    return read_settings({"pretrained": "x", **arguments})


def test_only_the_checkpoint_is_needed() -> None:
    settings = read()
    assert settings == Settings("x")
    assert (settings.frames, settings.time_axis, settings.use_audio_in_video) == ("release", "auto", "auto")


def test_what_lmms_eval_passes_as_none_is_not_given() -> None:
    assert read(device=None, batch_size=None) == Settings("x")


def test_numbers_may_be_words_and_words_numbers() -> None:
    settings = read(batch_size="4", fps=1, nframes=None, max_pixels="151200", quantization="4bit", system_prompt=5)
    assert (settings.batch_size, settings.fps, settings.max_pixels) == (4, 1.0, 151200)
    assert settings.system_prompt == "5"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"pretrained": ""}, "needs pretrained="),
        ({"time_axes": "true"}, r"no argument 'time_axes'\. Did you mean time_axis\? It takes pretrained, device"),
        ({"zzz": 1}, r"no argument 'zzz'\. It takes"),
        ({"dtype": "float8"}, "dtype=float8 is not known; use auto, bfloat16, float16 or float32"),
        ({"time_axis": True}, "time_axis=True is not known; use auto, release or true"),
        ({"use_audio_in_video": True}, "use_audio_in_video=True is not known; use auto, always or never"),
        ({"frames": "all"}, "frames=all is not known; use release or model"),
        ({"quantization": "2bit"}, "quantization=2bit is not known; use 4bit or 8bit"),
        ({"batch_size": "auto"}, "batch_size=auto is no whole number above 0"),
        ({"batch_size": 0}, "batch_size=0 is no whole number above 0"),
        ({"nframes": 2.5}, "nframes=2.5 is no whole number above 0"),
        ({"nframes": True}, "nframes=True is no whole number above 0"),
        ({"fps": -1}, "fps=-1 is no number above 0"),
        ({"fps": float("nan")}, "fps=nan is no number above 0"),
        ({"fps": 1, "nframes": 8}, "fps or nframes, not both"),
        ({"device": "cpu", "device_map": "auto"}, "device or device_map, not both"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read(**arguments)


def test_a_system_prompt_is_a_text_or_the_text_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text(" Be brief.\n", encoding="utf-8")
    assert system_prompt_text(str(tmp_path / "prompt.txt")) == "Be brief."
    assert system_prompt_text("Be brief.") == "Be brief."
    assert system_prompt_text("long " * 2000) == "long " * 2000

"""Arguments as users type them, and as lmms-eval turns them into numbers and booleans."""

from pathlib import Path
from typing import Any

import pytest

from lmms_humansense.models.inputs.policy import system_prompt_text
from lmms_humansense.models.local.settings import LocalSettings, read_local_settings
from lmms_humansense.models.runtime.arguments import read_model_args


def read(**arguments: Any) -> LocalSettings:
    return read_local_settings({"pretrained": "x", **arguments})


def test_only_the_checkpoint_is_needed() -> None:
    settings = read()
    assert settings == LocalSettings("x")
    assert (settings.frames, settings.time_axis, settings.use_audio_in_video) == ("release", "auto", "auto")


def test_what_lmms_eval_passes_as_none_is_not_given() -> None:
    assert read(device=None, batch_size=None) == LocalSettings("x")


def test_numbers_may_be_texts_and_texts_numbers() -> None:
    assert (read(media_workers="0").media_workers, read(prefetch_gb="0.5").prefetch_gb) == (0, 0.5)
    settings = read(batch_size="4", fps=1, nframes=None, max_pixels="151200", quantization="4bit", system_prompt=5)
    assert (settings.batch_size, settings.fps, settings.max_pixels) == (4, 1.0, 151200)
    assert settings.system_prompt == "5"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"pretrained": ""}, "needs pretrained="),
        ({"time_axes": "true"}, r"no argument 'time_axes'\. Did you mean time_axis\? It takes pretrained, device"),
        ({"zzz": 1}, r"no argument 'zzz'\. It takes"),
        ({"dtype": "float8"}, "dtype=float8: the value should be 'auto', 'bfloat16', 'float16' or 'float32'"),
        ({"time_axis": False}, "time_axis=false: the value should be 'auto', 'release' or 'true'"),
        ({"use_audio_in_video": True}, "use_audio_in_video=true: the value should be 'auto', 'always' or 'never'"),
        ({"frames": "all"}, "frames=all: the value should be 'release' or 'model'"),
        ({"quantization": "2bit"}, "quantization=2bit: the value should be '4bit' or '8bit'"),
        ({"batch_size": "auto"}, "batch_size=auto: the value should be a valid integer"),
        ({"batch_size": 0}, "batch_size=0: the value should be greater than 0"),
        ({"nframes": 2.5}, "nframes=2.5: the value should be a valid integer"),
        ({"nframes": True}, "nframes=true: the value should be a valid integer"),
        ({"nframes": 1}, "nframes=1: the value should be greater than or equal to 2"),
        ({"max_pixels": 100}, "max_pixels=100: the value should be greater than or equal to 4096"),
        ({"fps": -1}, "fps=-1: the value should be greater than 0"),
        ({"media_workers": -1}, "media_workers=-1: the value should be greater than or equal to 0"),
        ({"media_workers": "many"}, "media_workers=many: the value should be a valid integer"),
        ({"prefetch_gb": 0}, "prefetch_gb=0: the value should be greater than 0"),
        ({"fps": float("nan")}, "fps=nan: the value should be a finite number"),
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
    assert system_prompt_text("and/or what?") == "and/or what?"
    assert system_prompt_text("long " * 2000) == "long " * 2000


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        (" ", "system_prompt is empty; leave it out"),
        ("prompts/system", "system_prompt=prompts/system is neither a file nor a text"),
        ("system.txt", "system_prompt=system.txt is neither a file nor a text"),
    ],
)
def test_a_wrong_system_prompt_is_refused(prompt: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        system_prompt_text(prompt)


def test_true_is_a_time_axis_although_it_looks_like_a_boolean() -> None:
    assert read(time_axis=True).time_axis == "true"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "pretrained=x,system_prompt=Be kind, be brief",
            "contains ' be brief', which is not of the form name=value; a comma separates arguments",
        ),
        ("pretrained=x,batch_size=4", "batch_size is in --model_args; use --batch_size instead"),
        ("pretrained=x,fps=1,fps=2", "fps is twice in --model_args; give it once"),
        ("system_prompt='Be kind,pretrained=x", "begins with ' and does not end with it; close the quotes"),
        ("system_prompt=[sad,pretrained=x", r"system_prompt in --model_args begins with \[, which is not closed"),
        ("fps=1,limits={'image': [1],nframes=2", "limits in --model_args begins with {, which is not closed"),
    ],
)
def test_the_form_of_model_args_is_checked(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_model_args(text, {"batch_size"})


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("pretrained=a=b, device=cpu,", {"pretrained": "a=b", "device": "cpu"}),
        ("fps=0.5,nframes=8,max_failures=5%", {"fps": 0.5, "nframes": 8, "max_failures": "5%"}),
        ("time_axis=true,on_error=False", {"time_axis": True, "on_error": False}),
        ('system_prompt="Be kind, be brief",fps=1', {"system_prompt": "Be kind, be brief", "fps": 1}),
        ('system_prompt=\'Say "yes", or "no".\'', {"system_prompt": 'Say "yes", or "no".'}),
        ("system_prompt=It's kind,fps=1", {"system_prompt": "It's kind", "fps": 1}),
        ('limits={"image": 2, "audio": [1, 2]},fps=1', {"limits": '{"image": 2, "audio": [1, 2]}', "fps": 1}),
        ("system_prompt=Smile :],fps=99", {"system_prompt": "Smile :]", "fps": 99}),
        ("system_prompt=Smile [:,fps=99", {"system_prompt": "Smile [:", "fps": 99}),
        ("limits=[1, 2]],fps=99", {"limits": "[1, 2]]", "fps": 99}),
        ("system_prompt='a' and 'b',fps=1", {"system_prompt": "'a' and 'b'", "fps": 1}),
        ('system_prompt= "a, b" ,fps=1', {"system_prompt": "a, b", "fps": 1}),
        ("system_prompt='',stop=','", {"system_prompt": "", "stop": ","}),
        ('system_prompt=5",stop=a="b', {"system_prompt": '5"', "stop": 'a="b'}),
    ],
)
def test_a_comma_separates_arguments_but_not_within_quotes_or_brackets(text: str, values: dict[str, object]) -> None:
    assert read_model_args(text) == values

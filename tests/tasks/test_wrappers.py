"""What each wrapper of lmms-eval is given of each question, and which questions it is not asked."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from lmms_humansense.tasks.humansense import wrappers
from lmms_humansense.tasks.humansense.taxonomy import BY_CODE, TASKS
from lmms_humansense.tasks.humansense.variants import BY_NAME, VARIANTS, Variant
from lmms_humansense.tasks.humansense.wrappers import Form, MediaForms, Unfit

SILENT, SOUNDING, AUDIO, BLIND = "ar", "tr", "fr2", "blind_tr"


def plan(name: str, form: Form, leaf: str) -> MediaForms:
    variant, _, code = leaf.rpartition("_")
    return wrappers.plan(name, form, BY_CODE[code.upper()], BY_NAME[variant], "humansense")


def why(name: str, form: Form, leaf: str) -> str:
    with pytest.raises(Unfit) as refused:
        plan(name, form, leaf)
    assert str(refused.value).endswith(".")
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "form", "silent", "sounding", "audio"),
    [
        ("humansense_omni", "chat", MediaForms("own"), MediaForms("own", "own"), MediaForms(None, "own")),
        ("humansense_server", "chat", MediaForms("own"), MediaForms("own", "own"), MediaForms(None, "own")),
        ("minicpm_o", "chat", MediaForms("any"), MediaForms("any", "wav"), MediaForms(None, "wav")),
        ("qwen2_5_omni", "chat", MediaForms("any"), MediaForms("any", "wav"), MediaForms(None, "wav")),
        ("qwen3_omni", "chat", MediaForms("any"), MediaForms("any", "wav"), MediaForms(None, "wav")),
        ("gemini", "chat", MediaForms("silent"), MediaForms("heard"), MediaForms(None, "wav")),
        ("gemini_api", "simple", MediaForms("silent"), MediaForms("heard"), MediaForms(None, "wav")),
        ("qwen2_5_omni", "simple", MediaForms("silent"), MediaForms("heard"), MediaForms(None, "array")),
        ("phi4_multimodal", "simple", MediaForms("any"), MediaForms("any", "array"), MediaForms(None, "array")),
    ],
)
def test_a_model_that_hears_is_given_the_sound_in_its_wrappers_form(
    name: str, form: Form, silent: MediaForms, sounding: MediaForms, audio: MediaForms
) -> None:
    assert plan(name, form, SILENT) == plan(name, form, "silent_tr") == silent
    assert plan(name, form, SOUNDING) == plan(name, form, "think_tr") == sounding
    assert plan(name, form, AUDIO) == audio


@pytest.mark.parametrize("name", ["openai", "openai_compatible", "async_openai", "litellm", "vllm"])
def test_a_client_sends_sound_as_a_data_url_if_its_model_is_said_to_hear(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert plan(name, "chat", SOUNDING) == MediaForms("any")
    assert "set HUMANSENSE_HEARS=1 if the model does hear" in why(name, "chat", AUDIO)
    monkeypatch.setenv("HUMANSENSE_HEARS", "1")
    assert plan(name, "chat", SOUNDING) == MediaForms("any", "data")
    assert plan(name, "chat", AUDIO) == MediaForms(None, "data")


def test_the_simple_client_sends_a_wav_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUMANSENSE_HEARS", "1")
    assert plan("openai", "simple", AUDIO) == MediaForms(None, "wav")
    assert plan("openai", "simple", SOUNDING) == MediaForms("any", "wav")


@pytest.mark.parametrize("name", ["gpt4o_audio", "kimi_audio", "qwen2_audio", "audio_flamingo_3"])
def test_a_model_that_only_hears_gets_samples(name: str) -> None:
    assert plan(name, "simple", AUDIO) == MediaForms(None, "array")
    assert "run the group humansense_audio" in why(name, "simple", SOUNDING)


@pytest.mark.parametrize("name", ["qwen2_5_vl", "internvl3", "videollama3", "video_salmonn_2", "llava_onevision"])
def test_a_model_that_only_sees_gets_the_file_as_it_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert plan(name, "simple", SILENT) == plan(name, "simple", SOUNDING) == MediaForms("any")
    assert f"no sound reaches --model {name}" in why(name, "simple", AUDIO)
    monkeypatch.setenv("HUMANSENSE_HEARS", "1")
    assert plan(name, "simple", SILENT) == MediaForms("any")
    assert "HUMANSENSE_HEARS=1 does not make a model hear" in why(name, "simple", SOUNDING)
    assert "HUMANSENSE_HEARS=1 does not make a model hear" in why(name, "simple", AUDIO)


def test_a_sound_that_would_be_lost_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = why("minicpm_o", "simple", SOUNDING)
    assert "TR (Talking Person Recognition) cannot be asked through --model minicpm_o --force_simple: " in sentence
    assert "leave --force_simple out" in sentence
    assert plan("minicpm_o", "simple", AUDIO) == MediaForms(None, "array")
    assert plan("minicpm_o", "chat", SOUNDING) == MediaForms("any", "wav")
    monkeypatch.setenv("HUMANSENSE_HEARS", "0")
    assert plan("minicpm_o", "simple", SOUNDING) == MediaForms("any")


@pytest.mark.parametrize(
    ("name", "form", "instead"),
    [
        ("minicpm_v", "simple", "--model minicpm_o"),
        ("glm4v", "simple", "humansense_server"),
        ("huggingface", "chat", "qwen2_5_vl"),
        ("llava_hf", "chat", "add --force_simple"),
        ("phi4_multimodal", "chat", "add --force_simple"),
    ],
)
def test_a_wrapper_that_takes_no_video_is_refused_with_one_that_does(name: str, form: Form, instead: str) -> None:
    for leaf in (SILENT, SOUNDING, "silent_tr", AUDIO):
        assert instead in why(name, form, leaf)


def test_a_question_without_media_is_not_asked_where_its_text_gets_lost() -> None:
    assert "it sends no text" in why("qwen2_5_omni", "simple", BLIND)
    assert "it fails on a question without a sound" in why("qwen2_audio", "simple", BLIND)
    assert plan("qwen2_5_omni", "chat", BLIND) == plan("kimi_audio", "simple", BLIND) == MediaForms()


def test_a_clip_is_played_without_its_sound_if_the_user_says_that_the_model_does_not_hear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HUMANSENSE_HEARS", "0")
    assert plan("qwen2_5_omni", "simple", SOUNDING) == MediaForms("silent")
    assert plan("humansense_omni", "chat", SOUNDING) == MediaForms("own")


def test_of_a_wrapper_that_is_not_in_the_table_the_user_can_say_that_it_hears(monkeypatch: pytest.MonkeyPatch) -> None:
    for form in get_args(Form):
        assert plan("new_omni", form, SILENT) == plan("new_omni", form, SOUNDING) == MediaForms("any")
    monkeypatch.setenv("HUMANSENSE_HEARS", "1")
    assert plan("new_omni", "chat", SOUNDING) == MediaForms("any", "wav")
    assert plan("new_omni", "simple", SOUNDING) == MediaForms("heard")
    assert plan("new_omni", "simple", SILENT) == MediaForms("silent")


@pytest.mark.parametrize("name", [*wrappers.WRAPPERS, *wrappers.ALIASES, "new"])
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.group)
def test_each_question_has_a_plan_or_a_reason_and_a_plan_has_what_is_asked_about(name: str, variant: Variant) -> None:
    for task in variant.tasks:
        for form in get_args(Form):
            try:
                given = wrappers.plan(name, form, task, variant, "humansense")
            except Unfit as error:
                assert task.code in str(error) or "HUMANSENSE_HEARS=1" in str(error)
                continue
            assert (given.video is not None) == (variant.shown != "none" and not task.is_audio)
            assert given.sound is None or (variant.shown == "all" and task.has_sound)


def test_the_names_are_those_of_lmms_eval(task_manager: Any) -> None:
    from lmms_eval.models import MODEL_REGISTRY_V2

    for name, forms in wrappers.WRAPPERS.items():
        manifest = MODEL_REGISTRY_V2.get_manifest(name)
        assert manifest.model_id == name
        there = {"chat": manifest.chat_class_path, "simple": manifest.simple_class_path}
        assert {form for form, path in there.items() if path} == set(forms), name
    for alias, name in wrappers.ALIASES.items():
        assert MODEL_REGISTRY_V2.get_manifest(alias).model_id == name


def test_all_tasks_are_asked_of_our_models() -> None:
    for name in ("humansense_omni", "humansense_server"):
        for variant in VARIANTS:
            for task in set(variant.tasks) & set(TASKS):
                wrappers.plan(name, "chat", task, variant, "humansense")

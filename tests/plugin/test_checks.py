"""What is refused before the first question."""

import os
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets.config
import huggingface_hub.constants
import pytest

from lmms_humansense.plugin import checks
from lmms_humansense.tasks.humansense import utils
from lmms_humansense.tasks.humansense_sample.utils import ROOT

NEW = pytest.mark.skipif(version("transformers").startswith("4."), reason="the wrapper works with transformers 4")


def tasks(name: str = "sample_ar", root: Path = ROOT) -> dict[str, Any]:
    """One task in a group, as lmms-eval has it."""
    docs = utils.docs(name.removeprefix("sample_"), str(root), complete=False)
    return {"group": {f"humansense_{name}": SimpleNamespace(eval_docs=docs)}}


def test_a_model_that_is_not_known_is_refused_with_similar_names() -> None:
    with pytest.raises(SystemExit, match="--model humansense_omnii is not known; did you mean humansense_omni"):
        checks.refuse_unknown_model("humansense_omnii")
    with pytest.raises(SystemExit, match="did you mean humansense_omni or humansense_server"):
        checks.refuse_unknown_model("zzzzzzzz")
    checks.refuse_unknown_model("qwen2_5_omni")
    checks.refuse_unknown_model(object())


@pytest.mark.parametrize(
    ("model", "force_simple", "task", "said"),
    [
        (
            "qwen2_5_vl",
            False,
            "humansense",
            "FR2 .* no sound reaches --model qwen2_5_vl: run the group humansense_video,",
        ),
        ("qwen2_5_vl", True, "humansense_sample", "run the group humansense_sample_video, which leaves FR2 and PC out"),
        ("qwen2_vl", False, "humansense_sample_guided", "leave humansense_sample_guided_fr2 out"),
        ("qwen2_audio", False, "humansense_sample_video", "run the group humansense_sample_audio"),
        (
            "minicpm_o",
            True,
            "humansense_l2",
            "TR .* through --model minicpm_o --force_simple: .* leave --force_simple out",
        ),
        ("llava_hf", False, "humansense_ar", "AR .* through --model llava_hf: .* add --force_simple"),
        ("openai_compatible", False, "humansense_fr2", "or set HUMANSENSE_HEARS=1 if the model does hear"),
        ("qwen2_5_omni", True, "humansense_blind", "it sends no text"),
    ],
)
def test_a_task_that_a_models_wrapper_cannot_be_asked_is_refused_with_what_works(
    model: str, force_simple: bool, task: str, said: str, task_manager: Any
) -> None:
    with pytest.raises(SystemExit, match=f"^HumanSense: .*{said}.*[.]$"):
        checks.refuse_unfit_wrapper(model, force_simple, ["mme", task])


def test_tasks_that_a_wrapper_can_be_asked_are_not_refused(task_manager: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for model in ("humansense_omni", "minicpm_o", "gemini", "qwen3_omni", "dummy"):
        checks.refuse_unfit_wrapper(model, False, ["humansense", "humansense_sample", "humansense_blind"])
    checks.refuse_unfit_wrapper("qwen2_5_vl", False, ["humansense_video", "humansense_sample_video"])
    checks.refuse_unfit_wrapper("llava_hf", True, ["humansense_video"])
    checks.refuse_unfit_wrapper("qwen2_5_vl", False, ["mme", "humansense_of_others", "humansense_sample_of_others"])
    monkeypatch.setenv("HUMANSENSE_HEARS", "1")
    checks.refuse_unfit_wrapper("openai_compatible", False, ["humansense"])
    with pytest.raises(SystemExit, match="HUMANSENSE_HEARS=1 does not make a model hear"):
        checks.refuse_unfit_wrapper("qwen2_5_vl", False, ["humansense_sample_video"])


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("mmada", "HumanSense was not tried with --model mmada: it is taken to see and not to hear."),
        ("uni_moe_2_omni", "HumanSense was not run with --model uni_moe_2_omni:"),
        ("minicpm_o", None),
        pytest.param("qwen2_5_omni", "lmms-eval's --model qwen2_5_omni answers nothing with transformers 5", marks=NEW),
    ],
)
def test_what_is_not_known_of_a_wrapper_is_said(model: str, said: str | None, task_manager: Any) -> None:
    from loguru import logger

    lines: list[str] = []
    sink = logger.add(lines.append, level="WARNING", format="{message}")
    try:
        checks.refuse_unfit_wrapper(model, False, ["humansense_sample_video"])
    finally:
        logger.remove(sink)
    assert [line for line in lines if said is None or not line.startswith(said)] == []
    assert bool(lines) == (said is not None)


@pytest.mark.parametrize(
    ("model", "simple"), [("humansense_omni", False), ("humansense_omni", True), ("qwen2_5_omni", False)]
)
def test_pickled_requests_of_chat_models_are_refused(model: str, simple: bool) -> None:
    from lmms_eval import models

    if models.MODEL_REGISTRY_V2.resolve(model, force_simple=simple).model_type != "chat":
        pytest.skip(f"{model} is no chat model of this lmms-eval")
    with pytest.raises(SystemExit, match="HumanSense: --cache_requests loses the messages of chat models"):
        checks.refuse_cached_requests(model, simple, cached=True)
    checks.refuse_cached_requests(model, simple, cached=False)


def test_pickled_requests_of_simple_models_are_left_alone() -> None:
    checks.refuse_cached_requests(SimpleNamespace(is_simple=True), force_simple=False, cached=True)
    checks.refuse_cached_requests("qwen2_audio", force_simple=True, cached=True)
    with pytest.raises(SystemExit):
        checks.refuse_cached_requests(SimpleNamespace(is_simple=False), force_simple=False, cached=True)


def test_bad_generation_arguments_are_refused_before_a_model_is_loaded() -> None:
    with pytest.raises(SystemExit, match="HumanSense: --gen_kwargs: temperature='None' cannot be used"):
        checks.refuse_bad_generation("humansense_server", "max_new_tokens=4,temperature=None")
    checks.refuse_bad_generation("humansense_omni", "max_new_tokens=4,temperature=0.5,until=e")
    checks.refuse_bad_generation("dummy", "temperature=None")
    checks.refuse_bad_generation("humansense_omni", None)


def test_a_task_that_would_be_asked_twice_is_refused() -> None:
    alone, group = tasks("sample_ar"), {"humansense_sample": tasks("sample_ar")}
    checks.refuse_tasks_named_twice(alone)
    checks.refuse_tasks_named_twice({**group, **{"mme": object()}, "other": {"mme": object()}})
    with pytest.raises(SystemExit, match="--tasks names humansense_sample_ar more than once"):
        checks.refuse_tasks_named_twice({**alone, **group})


@pytest.mark.parametrize(
    ("limit", "offset", "said"),
    [(0, 0, "--limit 0"), (0.0, 1, "--limit 0"), (None, 2, "--offset 2"), (1, 99, "--offset 99")],
)
def test_no_question_is_refused(limit: float | None, offset: int, said: str) -> None:
    with pytest.raises(
        SystemExit, match=f"HumanSense: {said} leaves no question of humansense_sample_ar, which has 2;"
    ):
        checks.refuse_no_questions(tasks(), limit, offset)


@pytest.mark.parametrize(("limit", "offset"), [(None, 0), (1, 1), (-1, 0), (0.1, 0)])
def test_some_questions_are_not_refused(limit: float | None, offset: int) -> None:
    checks.refuse_no_questions(tasks(), limit, offset)
    checks.refuse_no_questions({"other": object()}, 0, 0)


def test_a_folder_that_cannot_be_written_is_refused_with_its_argument(read_only: Path, tmp_path: Path) -> None:
    sentence = f"HumanSense: --use_cache {read_only / 'a'} cannot be written (Read-only file system); name another"
    with pytest.raises(SystemExit) as refused:
        checks.refuse_unwritable("--use_cache", read_only / "a")
    assert str(refused.value).startswith(sentence) or os.geteuid() != 0
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match="File exists"):
        checks.refuse_unwritable("--use_cache", str(tmp_path / "file"))
    checks.refuse_unwritable("--use_cache", None)
    checks.refuse_unwritable("--use_cache", str(tmp_path / "new" / "folder"))


def test_clips_that_are_there_need_no_cache(read_only: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(read_only / "hf"))
    checks.refuse_media_out_of_reach(tasks(), None, 0)


def test_clips_that_would_have_to_be_unpacked_into_a_read_only_cache_are_refused(
    read_only: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HumanSense_VQA.json", "HumanSense_AQA.json"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    with zipfile.ZipFile(tmp_path / "videos.zip", "w") as archive:
        for file in sorted((ROOT / "videos").rglob("*.mp4")):
            archive.write(file, file.relative_to(ROOT))
    packed, blind = tasks("ar", tmp_path), tasks("blind_ar", tmp_path)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(read_only))
    with pytest.raises(SystemExit, match=r"clip_01.mp4 \(and 1 more\) would have to be stored in .*/humansense, which"):
        checks.refuse_media_out_of_reach(packed, None, 0)
    with pytest.raises(SystemExit, match=r"\(and 0 more\)"):
        checks.refuse_media_out_of_reach(packed, 1, 1)
    checks.refuse_media_out_of_reach(blind, None, 0)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path / "hf"))
    checks.refuse_media_out_of_reach(packed, None, 0)


@pytest.fixture
def _asked_anew() -> Iterator[None]:
    checks.use_writable_datasets_cache.cache_clear()
    yield
    checks.use_writable_datasets_cache.cache_clear()


@pytest.mark.usefixtures("_asked_anew")
def test_datasets_get_another_cache_only_where_theirs_cannot_be_written(
    read_only: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", "")
    monkeypatch.delenv("LMMS_EVAL_DATASETS_CACHE", raising=False)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf" / "datasets")
    checks.use_writable_datasets_cache()
    assert str(datasets.config.HF_DATASETS_CACHE) == str(tmp_path / "hf" / "datasets")
    checks.use_writable_datasets_cache.cache_clear()
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", read_only / "hf" / "datasets")
    checks.use_writable_datasets_cache()
    place = Path(datasets.config.HF_DATASETS_CACHE)
    assert checks.why_unwritable(place) is None
    assert os.environ["HF_DATASETS_CACHE"] == str(place)

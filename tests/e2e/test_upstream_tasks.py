"""lmms-eval's own tasks work unchanged: everything that they show is seen and heard."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.upstream_data import LOCAL_TASKS

pytestmark = pytest.mark.slow  # lmms-eval starts in a process of its own, which takes 10 s

FAILURE_MARK = "[request failed]"

HERE = "media_workers=0"
"""Prepares media in this process, where a test can inspect them."""

SHOWN: dict[str, list[tuple[int, float, float, str | None]]] = {
    "local_librispeech": [(0, 14.62, 14.62, None), (0, 11.58, 11.58, None), (0, 10.61, 10.61, None)],
    "local_omni_bench": [(0, 11.58, 11.58, None)] * 2,
    "local_mmmu": [(0, 0, 0, None)] * 2,
    "local_worldsense": [(10, 0, 5, "true"), (8, 0, 0, "true")],
    "local_videomme": [(8, 0, 4, "true")] * 3,
    "local_xmod_audio_video": [(16 + 8 + 12 + 10, 11.58, 11.58 + 6, "true")],
    "local_xmod_video_text": [(8, 0, 0, "true"), (8, 0, 4, "true")],
}
"""Frames (2 per second, the default of qwen-omni-utils), seconds heard and present, and time axis of each doc."""


@dataclass(frozen=True)
class Outcome:
    """A run: its responses, its counts, what the model says about itself, and what was prepared in this process."""

    responses: list[str]
    counts: list[dict[str, Any]]
    model_info: dict[str, Any]
    decoded: list[Any]


Run = Callable[..., Outcome]


@pytest.fixture(scope="module")
def run(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a local task, and keeps the outcome for the same arguments."""

    @cache
    def outcome(name: str, model_args: str = "") -> Outcome:
        for package in LOCAL_TASKS[name].needs:
            pytest.importorskip(package, reason=f"lmms-eval's task needs {package}, which it does not require")
        with pytest.MonkeyPatch.context() as patch:
            folder = tmp_path_factory.mktemp(name)
            return evaluate(name, f"pretrained={tiny_model},{model_args}", folder, patch)

    return outcome


def evaluate(name: str, model_args: str, folder: Path, patch: pytest.MonkeyPatch) -> Outcome:
    import lmms_eval.models  # noqa: F401  # loads the entry points
    from lmms_eval.evaluator import simple_evaluate
    from lmms_eval.tasks import TaskManager

    from lmms_humansense.models.local.encoder import LocalEncoder

    # Where upstream's hooks look for media, and lmms-eval for prepared datasets.
    patch.setenv("HF_HOME", str(folder))
    patch.setenv("XMODBENCH", str(folder))
    for variable in ("HF_DATASETS_CACHE", "LMMS_EVAL_DATASETS_CACHE", "NUM_IMAGE"):
        patch.delenv(variable, raising=False)
    decoded: list[Any] = []
    decode = LocalEncoder.decode

    def noted(self: LocalEncoder, *arguments: Any) -> Any:
        decoded.append(decode(self, *arguments))
        return decoded[-1]

    patch.setattr(LocalEncoder, "decode", noted)

    LOCAL_TASKS[name].write(name, folder)
    manager = TaskManager("ERROR", include_path=str(folder), include_defaults=False, model_name="humansense_omni")
    results = simple_evaluate(
        model="humansense_omni", model_args=model_args, tasks=[name], task_manager=manager,
        device="cpu", gen_kwargs="max_new_tokens=4", log_samples=True, batch_size=2,
    )  # fmt: skip
    samples = results["samples"][name]
    return Outcome(
        [sample["filtered_resps"][0] for sample in samples],
        [sample["token_counts"][0] for sample in samples],
        results["model_info"],
        decoded,
    )


def failed(outcome: Outcome) -> list[str]:
    return [response for response in outcome.responses if response.startswith(FAILURE_MARK)]


def kinds(decoded: Any) -> list[str]:
    """The types of the contents of the user's turn."""
    return [item["type"] for item in decoded.messages[-1]["content"]]


@pytest.mark.parametrize("name", LOCAL_TASKS)
def test_what_a_task_shows_is_seen_and_heard(run: Run, name: str) -> None:
    outcome = run(name)
    assert not failed(outcome)
    assert len(outcome.counts) == len(SHOWN[name])
    for counts, (frames, heard, present, time_axis) in zip(outcome.counts, SHOWN[name], strict=True):
        assert (counts["frames"], counts["time_axis"]) == (frames, time_axis)
        assert counts["seconds_heard"] == pytest.approx(heard, abs=0.05)
        assert counts["seconds_present"] == pytest.approx(present, abs=0.05)
        assert 1 <= counts["output_tokens"] <= 4
    has_video = any(frames for frames, *_ in SHOWN[name])
    assert outcome.model_info["time_axis_of_tasks"] == ({name: "true"} if has_video else {})


@pytest.mark.parametrize(
    ("name", "heard"),
    [("local_worldsense", [5, 0]), ("local_videomme", [4, 4, 4]), ("local_xmod_audio_video", [11.58 + 6])],
)
def test_the_sound_of_videos_is_heard_where_it_is_asked_for(run: Run, name: str, heard: list[float]) -> None:
    outcome = run(name, "use_audio_in_video=always")
    assert not failed(outcome)
    found = [counts["seconds_heard"] for counts in outcome.counts]
    assert found == pytest.approx(heard, abs=0.1)  # AAC fills its last packet
    assert [counts["frames"] for counts in outcome.counts] == [frames for frames, *_ in SHOWN[name]]


@pytest.mark.parametrize("name", ["local_omni_bench", "local_mmmu"])
def test_pictures_reach_the_model_in_their_size(run: Run, name: str) -> None:
    narrow, wide = run(name).counts  # docs that differ in one picture, of 100 patches and of 200
    assert narrow["input_tokens"] > 100
    assert wide["input_tokens"] - narrow["input_tokens"] == 100


def test_pictures_stand_where_the_question_names_them(run: Run) -> None:
    decoded = run("local_mmmu", HERE).decoded
    assert [kinds(sample) for sample in decoded] == [["text", "image", "text", "image", "text"]] * 2
    assert [picture.width // 28 for sample in decoded for picture in sample.images] == [4, 10, 4, 20]


def test_a_sound_and_four_videos_keep_their_order(run: Run) -> None:
    (sample,) = run("local_xmod_audio_video", HERE).decoded
    assert kinds(sample) == ["audio", "text", *["text", "video"] * 4, "text"]
    assert [len(video) for video in sample.videos] == [16, 8, 12, 10]

"""`--model humansense_omni` on a tiny random checkpoint: batches, failures, and resumed runs."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lmms_eval.models
import pytest
from lmms_eval.evaluator import simple_evaluate
from lmms_eval.tasks import TaskManager

from lmms_humansense.tasks.humansense_sample.utils import ROOT

for library in ("qwen_omni_utils", "librosa", "soxr"):
    pytest.importorskip(library, reason="the model's optional dependencies are not installed")

TASKS = ("humansense_sample_gr", "humansense_sample_tr", "humansense_sample_pc")
"""Tasks without sound, with the sound of a video, and with a sound alone."""

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from lmms_humansense.demo.tiny_model import write_tiny_model

    return write_tiny_model(tmp_path_factory.mktemp("checkpoint") / "tiny")


@pytest.fixture(scope="module")
def manager() -> TaskManager:
    return TaskManager("ERROR", model_name="humansense_omni")


@pytest.fixture
def run(checkpoint: Path, manager: TaskManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path / "hf"))

    def evaluate(*tasks: str, batch_size: int = 1, workers: int = 0, **options: Any) -> dict[str, Any]:
        found: dict[str, Any] = simple_evaluate(
            model="humansense_omni",
            model_args=f"pretrained={checkpoint},media_workers={workers}",
            tasks=list(tasks),
            task_manager=manager,
            device="cpu",
            batch_size=batch_size,
            log_samples=True,
            **options,
        )
        return found

    return evaluate


def responses(found: dict[str, Any]) -> dict[str, list[str]]:
    return {task: [sample["filtered_resps"][0] for sample in samples] for task, samples in found["samples"].items()}


def test_the_model_is_registered() -> None:
    model = lmms_eval.models.get_model("humansense_omni")
    assert model.__name__ == "HumanSenseOmni"
    assert not model.is_simple


def test_batches_of_what_workers_prepare_answer_as_single_samples_do(run: Run) -> None:
    single, batched = run(*TASKS), run(*TASKS, batch_size=4, workers=2)
    assert responses(single) == responses(batched)
    assert all(single["results"][task]["failed,none"] == 0 for task in TASKS)


def test_what_was_seen_and_heard_is_logged(run: Run) -> None:
    samples = run("humansense_sample_tr", "humansense_sample_pc")["samples"]
    seen = [sample["token_counts"][0] for sample in samples["humansense_sample_tr"]]
    heard = [sample["token_counts"][0] for sample in samples["humansense_sample_pc"]]
    assert all(counts["frames"] > 0 and counts["seconds_heard"] > 0 for counts in seen)
    assert all(counts["frames"] == 0 and counts["seconds_heard"] > 0 for counts in heard)


def test_a_clip_that_cannot_be_read_is_a_failure_and_is_asked_again(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, cache = shutil.copytree(ROOT, tmp_path / "release"), str(tmp_path / "cache")
    monkeypatch.setattr("lmms_humansense.tasks.humansense_sample.utils.ROOT", release)
    clips = sorted((release / "videos" / "gesture").glob("*.mp4"))
    kept = clips[0].read_bytes()
    clips[0].write_bytes(b"no video")
    broken = run("humansense_sample_gr", use_cache=cache)
    assert 0 < broken["results"]["humansense_sample_gr"]["failed,none"] < 1
    clips[0].write_bytes(kept)
    mended = run("humansense_sample_gr", use_cache=cache)
    assert mended["results"]["humansense_sample_gr"]["failed,none"] == 0
    assert responses(mended) == responses(run("humansense_sample_gr"))

"""What reaches models through lmms-eval's own wrappers: real wrapper code, tiny checkpoints, recording stand-ins."""

from pathlib import Path
from typing import Any

import pytest

from lmms_humansense.plugin.names import MODELS
from lmms_humansense.tasks.humansense.wrappers import WRAPPERS
from tests.helpers.wrapper_runs.rows import ALL_CODES, NOT_TRIED, REFUSED, ROWS, Row
from tests.helpers.wrapper_runs.run import evaluate, missing, run, sample_task

pytestmark = pytest.mark.wrappers


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the checkpoints."""
    return tmp_path_factory.mktemp("checkpoints")


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is handed over is made anew."""
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path / "hf"))


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_questions_frames_and_sound_reach_the_model(row: Row, root: Path, task_manager: Any) -> None:
    needs = missing(row)
    if needs:
        pytest.skip(f"not tried: needs {', '.join(needs)}")
    outcome = run(row, root, task_manager)
    arrived: dict[str, Any] = {
        code: found and (found.frames, found.seconds, found.clip) for code, found in outcome.arrived.items()
    }
    expected = {code: row.expected(code) for code in row.asks}
    assert arrived == {code: (frames, pytest.approx(s, abs=0.1), clip) for code, (frames, s, clip) in expected.items()}
    assert set(outcome.responses.values()) == {"B"}
    assert {outcome.results[code][f"{name},none"] for code in row.asks for name in ("failed", "empty")} == {0}


@pytest.mark.parametrize(
    ("row", "code"),
    [(row, code) for row in ROWS for code in row.stops],
    ids=[f"{row.name}-{code}" for row in ROWS for code in row.stops],
)
def test_what_cannot_reach_the_model_is_refused(row: Row, code: str, task_manager: Any) -> None:
    with pytest.raises(ValueError, match=row.stops[code]):
        evaluate(row.model, row.form, "", [sample_task(code)], task_manager)


@pytest.mark.parametrize("wrapper", REFUSED, ids="-".join)
def test_a_wrapper_that_takes_no_video_is_refused_with_another_way(wrapper: tuple[str, str], task_manager: Any) -> None:
    with pytest.raises(ValueError, match=REFUSED[wrapper]):
        evaluate(*wrapper, "", [sample_task("AR")], task_manager)


def test_a_model_that_only_sees_is_sent_to_the_sample_of_videos(task_manager: Any) -> None:
    with pytest.raises(ValueError, match="humansense_sample_video"):
        evaluate("qwen2_5_vl", "chat", "", ["humansense_sample"], task_manager)


def test_each_wrapper_is_run_or_said_not_to_be() -> None:
    ours = {"dummy", *MODELS}
    known = {(name, form) for name, forms in WRAPPERS.items() for form in forms if name not in ours | set(NOT_TRIED)}
    assert known == {(row.model, row.form) for row in ROWS} | set(REFUSED)
    assert all(WRAPPERS[row.model][row.form].tried for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_each_task_is_asked_or_refused(row: Row) -> None:
    assert bool(row.stops) == (set(row.asks) != set(ALL_CODES))
    assert not set(row.stops) & set(row.asks)

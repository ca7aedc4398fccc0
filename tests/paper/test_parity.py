"""A run beside the paper: the numbers, their intervals, and that every setting that differs is listed."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lmms_humansense.cli import app
from lmms_humansense.paper.differences import differences
from lmms_humansense.paper.feeding import feedings
from lmms_humansense.paper.parity import ParityError, lines, row_for
from lmms_humansense.paper.published import Published, published
from lmms_humansense.results.reading import read_runs
from lmms_humansense.results.runs import Run
from lmms_humansense.tasks.humansense.annotations import Doc
from lmms_humansense.tasks.humansense.prompts import SYSTEM_PROMPT
from lmms_humansense.tasks.humansense.taxonomy import TASKS
from tests.helpers import logged

AS_RELEASED = {
    "frames": "release", "fps": None, "nframes": None, "max_pixels": None, "time_axis": "auto",
    "use_audio_in_video": "auto", "video_reader": "decord", "dtype": "bfloat16",
    "attn_implementation": "flash_attention_2", "quantization": None, "system_prompt": SYSTEM_PROMPT,
    "batch_size": 1, "random_weights": False,
}  # fmt: skip


def run_of(folder: Path, answer: logged.Answer | None = None, **changes: Any) -> Run:
    logged.write(folder, answer or logged.mostly_right(0.6), **{"model_info": AS_RELEASED, **changes})
    (run,), _ = read_runs([folder])
    return run


def row(model: str, subset: bool = False) -> Published:
    return next(each for each in published() if (each.model, each.is_subset) == (model, subset))


def listed(run: Run) -> dict[str, tuple[str, str]]:
    return {setting.name: (setting.here, setting.release) for setting in differences(run)}


# The numbers.


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of all 3,882 questions."""
    return run_of(tmp_path_factory.mktemp("whole"))


def test_each_task_and_the_average_stand_beside_the_papers(whole: Run) -> None:
    paper = row("Qwen2.5-Omni-7B")
    found = {line.name: line for line in lines(whole, paper)}
    assert list(found) == [*(task.code for task in TASKS), "Avg."]
    for code, score in paper.scores.items():
        line = found[code]
        assert line.theirs == score
        assert line.ours == pytest.approx(whole.leaves[code].samples["paper"].mean())
        assert line.low < line.difference == line.ours - score < line.high
    assert found["Avg."].theirs == paper.average == 0.554
    assert found["Avg."].ours == pytest.approx(sum(found[task.code].ours for task in TASKS if not task.is_audio) / 13)


def test_the_interval_holds_the_uncertainty_of_both(whole: Run) -> None:
    line = next(line for line in lines(whole, row("Qwen2.5-Omni-7B")) if line.name == "AR")
    ours = whole.leaves["AR"].estimates["paper"]
    assert ours is not None
    theirs = 2 * 1.96 * (0.473 * (1 - 0.473) / 300) ** 0.5
    assert line.high - line.low == pytest.approx(((ours.high - ours.low) ** 2 + theirs**2) ** 0.5, rel=0.1)


def test_a_run_as_good_as_the_paper_does_not_differ_and_a_better_one_does(tmp_path: Path) -> None:
    scores = row("Qwen2.5-Omni-7B").scores

    def as_good(doc: Doc, chance: Any) -> str:
        return doc["answer"] if chance.random() < scores[doc["code"]] else "none"

    same, better = run_of(tmp_path / "a", as_good, tasks="AR,TR,ES"), run_of(tmp_path / "b", logged.mostly_right(1))
    assert not any(line.is_outside for line in lines(same, row("Qwen2.5-Omni-7B")))
    assert all(line.is_outside for line in lines(better, row("Qwen2.5-Omni-7B")))


def test_an_average_needs_all_of_its_tasks_and_a_row_may_lack_some(tmp_path: Path) -> None:
    some = run_of(tmp_path, tasks="AR,FR2", count=4)
    assert [line.name for line in lines(some, row("Qwen2.5-Omni-7B"))] == ["AR", "FR2"]
    assert [line.name for line in lines(some, row("GPT-4o"))] == ["AR"]
    assert [line.name for line in lines(some, row("Qwen2-Audio-7B"))] == ["FR2"]


@pytest.mark.parametrize(
    ("model", "against", "found"),
    [
        ("Qwen/Qwen2.5-Omni-7B", None, "Qwen2.5-Omni-7B"),
        ("/models/Qwen2.5-Omni-7B/", None, "Qwen2.5-Omni-7B"),
        ("Qwen/Qwen2-VL-7B-Instruct", None, "Qwen2-VL-7B"),
        ("OpenGVLab/InternVL3-8B", None, "InternVL3-8B"),
        ("openai/gpt-4o-mini", None, "Qwen2.5-Omni-7B"),
        ("antgroup/HumanSense_Omni_Reasoning", None, "Qwen2.5-Omni-7B"),
        ("antgroup/HumanSense_Omni_Reasoning", "gpt-4o", "GPT-4o"),
    ],
)
def test_the_row_is_that_of_the_model_or_the_one_that_is_named(
    model: str, against: str | None, found: str, tmp_path: Path
) -> None:
    info = {**AS_RELEASED, "pretrained": model}
    chosen = row_for(run_of(tmp_path, model=model, model_info=info, tasks="AR", count=4), against)
    assert (chosen.model, chosen.is_subset) == (found, False)


def test_a_row_that_the_paper_does_not_have_is_refused(whole: Run) -> None:
    with pytest.raises(ParityError, match="no row 'GPT-5'; it has GPT-4o, LLaVA"):
        row_for(whole, "GPT-5")


# The settings.

ALWAYS = {"decoding", "max_new_tokens", "speech", "task version", "versions", "decoding of media"}
"""The settings that differ, or are not reported, in every run of our model."""


def test_of_a_run_as_released_only_what_cannot_be_equal_is_listed(whole: Run) -> None:
    assert set(listed(whole)) == ALWAYS
    assert listed(whole)["decoding"][0] == "greedy"


CHANGED: dict[str, tuple[dict[str, Any], str, str]] = {
    "frames": ({"model_info": {**AS_RELEASED, "frames": "model"}}, "frames", "model"),
    "reader": ({"model_info": {**AS_RELEASED, "video_reader": "player"}}, "video_reader", "player"),
    "fps": ({"model_info": {**AS_RELEASED, "fps": 2.0}}, "fps", "2.0"),
    "pixels": ({"model_info": {**AS_RELEASED, "max_pixels": 9}}, "max_pixels", "9"),
    "sound": ({"model_info": {**AS_RELEASED, "use_audio_in_video": "never"}}, "use_audio_in_video", "never"),
    "dtype": ({"model_info": {**AS_RELEASED, "dtype": "float32"}}, "dtype", "float32"),
    "attention": ({"model_info": {**AS_RELEASED, "attn_implementation": "sdpa"}}, "attn_implementation", "sdpa"),
    "quantized": ({"model_info": {**AS_RELEASED, "quantization": "4bit"}}, "quantization", "4bit"),
    "system prompt": ({"model_info": {**AS_RELEASED, "system_prompt": "Be kind."}}, "system prompt", "Be kind."),
    "batches": ({"model_info": {**AS_RELEASED, "batch_size": 8}}, "batch size", "8"),
    "random": ({"model_info": {**AS_RELEASED, "random_weights": True}}, "weights", "random"),
    "served": (
        {"model_info": {**AS_RELEASED, "media": "frames", "frame_format": "jpeg"}},
        "media",
        "frames: pictures (jpeg)",
    ),
    "engine": (
        {"model_info": {**AS_RELEASED, "engine": "vllm", "vllm_mends": {"one": "applied", "two": "off"}}},
        "engine",
        "vLLM not reported, not corrected: two (off)",
    ),
    "corrected server": (
        {
            "model_info": {
                **AS_RELEASED,
                "media": "vllm",
                "vllm_server": {"version": "0.32.0+humansense", "mended": True},
            }
        },
        "engine",
        "vLLM 0.32.0+humansense, its faults corrected",
    ),
    "server": (
        {"model_info": {**AS_RELEASED, "media": "vllm", "vllm_server": {"version": "0.32.0", "mended": False}}},
        "engine",
        "vLLM 0.32.0, not corrected: all of its faults",
    ),
    "senses": (
        {"model_info": {**AS_RELEASED, "senses": {"sight": "arrives", "sound": "unknown"}}},
        "senses",
        "not known whether sounds arrive at the model",
    ),
    "senses not asked": (
        {"model_info": {**AS_RELEASED, "senses": "check"}},
        "senses",
        "not checked (earlier runs had all answers)",
    ),
    "senses off": ({"model_info": {**AS_RELEASED, "senses": "off"}}, "senses", "not checked (senses=off)"),
    "no temperature": (
        {"model_info": {**AS_RELEASED, "refused_arguments": ["temperature"]}},
        "decoding",
        "chosen by the server",
    ),
    "limit": ({"limit": 2}, "questions asked", "--limit 2"),
    "sample": ({"variant": "sample"}, "questions", "the embedded sample"),
    "think": ({"variant": "think"}, "variant", "humansense_think: think"),
    "asr_silent": ({"variant": "asr_silent"}, "variant", "transcript before the prompt, without sound"),
}


@pytest.mark.parametrize("what", CHANGED)
def test_a_setting_that_differs_is_listed(what: str, tmp_path: Path) -> None:
    changes, setting, here = CHANGED[what]
    assert here in listed(run_of(tmp_path, count=4, tasks="TR", **changes))[setting][0]


def test_samples_that_a_fault_of_vllm_concerns_are_counted(tmp_path: Path) -> None:
    def mark(sample: Any) -> None:
        sample["token_counts"][0]["vllm_faults"] = ["one", "two"] if sample["doc_id"] else ["one"]

    server = {"version": "0.32.0+humansense", "mended": True}
    run = edited(tmp_path, "TR", mark, model_info={**AS_RELEASED, "media": "vllm", "vllm_server": server})
    counted = "answers that may differ: one (TR 4); two (TR 3)"
    assert listed(run)["engine"][0] == f"vLLM 0.32.0+humansense, its other faults corrected; {counted}"


def edited(folder: Path, code: str, edit: Any, **changes: Any) -> Run:
    """A run whose samples of one task are changed in place by `edit`."""
    run_of(folder, count=4, **changes)
    (path,) = folder.glob(f"*_{code.lower()}.jsonl")
    samples = [json.loads(line) for line in path.read_text().splitlines()]
    for sample in samples:
        edit(sample)
    path.write_text("\n".join(map(json.dumps, samples)))
    (run,), _ = read_runs([folder])
    return run


@pytest.mark.parametrize(
    ("code", "edit", "setting", "here"),
    [
        ("AR", lambda sample: sample["token_counts"][0].update(time_axis="true"), "time axis", "release, true"),
        ("TR", lambda sample: sample["token_counts"][0].update(seconds_heard=0.0), "sound", "not heard in TR"),
        ("ER", lambda sample: sample["token_counts"][0].update(seconds_heard=9.5), "sound", "heard in ER"),
        ("AR", lambda sample: sample.update(input="Say B."), "prompts", "other than the release's: AR 4"),
        ("AR", lambda sample: sample.update(filtered_resps=" B"), "white space around responses", "AR 4"),
        (
            "AR",
            lambda sample: sample["failed"].update(score=1.0),
            "requests",
            "failed, so not in the metric paper: AR 4",
        ),
        ("HC", lambda sample: sample["paper"].update(crash="it stops"), "scorer", "HC 4"),
    ],
)
def test_what_the_samples_show_is_listed(code: str, edit: Any, setting: str, here: str, tmp_path: Path) -> None:
    assert here in listed(edited(tmp_path, code, edit))[setting][0]


def test_what_another_model_does_not_report_is_listed(tmp_path: Path) -> None:
    path = logged.write(tmp_path, logged.mostly_right(0.5), tasks="TR", count=4)
    results = json.loads(path.read_text())
    del results["model_info"]
    results["config"]["model"] = "qwen2_5_omni"
    path.write_text(json.dumps(results))
    (run,), _ = read_runs([tmp_path])
    found = listed(run)
    for setting in ("frames", "use_audio_in_video", "system prompt", "dtype", "attn_implementation", "versions"):
        assert found[setting][0] == "not reported", setting
    assert "speech" not in found


def test_our_model_as_it_is_built_into_lmms_eval_reports_no_versions(tmp_path: Path) -> None:
    path = logged.write(tmp_path, logged.mostly_right(0.5), tasks="TR", count=4)
    results = json.loads(path.read_text())
    del results["model_info"]
    path.write_text(json.dumps(results))
    (run,), _ = read_runs([tmp_path])
    assert listed(run)["decoding of media"][0] == "the same frames"
    assert listed(run)["versions"][0] == "not reported"


# The command.


def test_the_command_prints_both_parts(tmp_path: Path) -> None:
    info = {**AS_RELEASED, "pretrained": "org/Model [beta]"}
    logged.write(tmp_path, logged.mostly_right(0.5), model="org/Model [beta]", model_info=info, tasks="AR,PC", count=6)
    done = CliRunner().invoke(app, ["parity", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "Model [beta] beside Qwen2.5-Omni-7B of the paper" in done.output
    assert "The paper has no row of this model" in done.output
    assert "Settings that differ from the release" in done.output
    assert "greedy" in done.output


def test_how_the_release_fed_another_model_is_printed(tmp_path: Path) -> None:
    logged.write(tmp_path, logged.mostly_right(0.5), tasks="AR", count=4)
    done = CliRunner().invoke(app, ["parity", str(tmp_path), "--against", "InternVL3-8B"])
    assert done.exit_code == 0, done.output
    assert "How the release fed InternVL3-8B" in done.output
    printed = "".join(done.output.split()).replace("│", "")
    assert "--modelinternvl3--model_argsmodality=video,num_frame=8,max_num=1--gen_kwargsmax_new_tokens=1024" in printed
    own = CliRunner().invoke(app, ["parity", str(tmp_path), "--against", "Qwen2.5-Omni-7B"])
    assert "How the release fed" not in own.output


def test_every_row_of_another_model_says_how_it_was_fed() -> None:
    others = {row.model for row in published() if not row.is_human} - {"Qwen2.5-Omni-7B"}
    assert set(feedings()) == others


def test_the_page_has_the_same_table() -> None:
    page = (Path(__file__).parents[2] / "docs" / "paper.md").read_text(encoding="utf-8")
    for model, fed in feedings().items():
        near = f"`{fed.lmms_eval}` " if fed.lmms_eval else ""
        assert f"| {model} | {fed.frames} | {fed.max_new_tokens} | {fed.decoding} | {near}|" in page


@pytest.mark.parametrize("model", sorted(name for name, fed in feedings().items() if fed.lmms_eval))
def test_the_arguments_are_arguments_of_lmms_evals_model(model: str) -> None:
    arguments = feedings()[model].lmms_eval or ""
    name = arguments.split()[1]
    file = files("lmms_eval").joinpath("models").joinpath("simple").joinpath(f"{name}.py")
    definition = file.read_text(encoding="utf-8").partition("def __init__")[2].partition("super().__init__")[0]
    given = arguments.partition("--model_args ")[2].partition(" ")[0]
    for argument in filter(None, given.split(",")):
        assert re.search(rf"^\s+{argument.partition('=')[0]}\b", definition, re.MULTILINE), argument


def test_the_command_says_what_it_cannot_do(tmp_path: Path) -> None:
    logged.write(tmp_path / "a", logged.mostly_right(0.5), tasks="AR", count=4)
    refused = CliRunner().invoke(app, ["parity", str(tmp_path), "--against", "GPT-5"])
    assert (refused.exit_code, refused.output.startswith("The paper has no row 'GPT-5'")) == (1, True)
    nothing = CliRunner().invoke(app, ["parity", str(tmp_path / "b")])
    assert nothing.exit_code == 2
    assert f"no file or folder {tmp_path / 'b'}" in nothing.output.replace("\n", "")


def test_empty_and_blocked_responses_of_a_wrapper_are_listed_and_said_aloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(doc: Doc, chance: Any) -> str:
        return {"TR": "", "ES": "[SAFETY_BLOCKED:unknown]"}.get(doc["code"], doc["answer"])

    run = run_of(tmp_path, answer, tasks="AR,TR,ES", count=12, wrapper="qwen2_5_omni")
    found = listed(run)
    why = "lmms-eval's wrappers turn errors into empty answers; read the log"
    assert found["empty responses"] == (f"not in the metric paper: TR 12 of 12 ({why})", "left out")
    assert found["requests"] == ("failed, so not in the metric paper: ES 12", "errors stop the run")
    assert found["failed requests"] == ("blocked by a safety filter: ES 12", "not counted")
    monkeypatch.setenv("COLUMNS", "200")
    printed = CliRunner().invoke(app, ["parity", str(tmp_path)]).stdout
    assert f"Model: 12 of 12 responses of humansense_tr are empty: {why}." in printed

"""The commands a user types, as separate processes in an empty folder."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.commands import SCRIPTS, responses_of, results_of, run

pytestmark = pytest.mark.slow  # lmms-eval starts in a process of its own, which takes 10 s


def scores_of(folder: Path) -> dict[str, dict[str, Any]]:
    """All numbers of the table except the standard errors, which two processes sum in another order."""
    results = results_of(folder)["results"]
    return {task: {name: value for name, value in row.items() if "stderr" not in name} for task, row in results.items()}


LEAVES = ("tr", "hc", "pc", "think_hc", "asr_tr", "asr_silent_tr", "guided_pc", "silent_tr", "blind_tr", "blind_pc")
"""Leaves of the sample: of the benchmark itself and of all variants, with pictures, with sound, and with neither."""


def asking(model: Path, output: str) -> list[str]:
    tasks = ",".join(f"humansense_sample_{leaf}" for leaf in LEAVES)
    return [
        "-m", "lmms_eval", "--model", "humansense_omni", "--model_args", f"pretrained={model}", "--tasks", tasks,
        "--log_samples", "--output_path", output,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def alone(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folder of a run with one process and one question at a time."""
    folder = tmp_path_factory.mktemp("alone")
    run(sys.executable, *asking(tiny_model, "out"), cwd=folder)
    return folder / "out"


def test_two_processes_and_batches_give_the_results_of_one(alone: Path, tiny_model: Path, tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    run(*torchrun, *asking(tiny_model, "two"), "--batch_size", "2", cwd=tmp_path, ACCELERATE_USE_CPU="true")
    assert scores_of(tmp_path / "two") == scores_of(alone)
    assert responses_of(tmp_path / "two") == responses_of(alone)
    assert len(responses_of(alone)) == 3 * len(LEAVES)


def test_variants_show_what_they_are_to_show(alone: Path) -> None:
    shown = {
        name.removeprefix("humansense_sample_").removesuffix(".jsonl"): counts[0]
        for (name, doc_id), (_, counts) in responses_of(alone).items()
        if doc_id == 0
    }
    assert {leaf for leaf, counts in shown.items() if counts["frames"]} == {
        "tr", "hc", "think_hc", "asr_tr", "asr_silent_tr", "silent_tr"
    }  # fmt: skip
    assert {leaf for leaf, counts in shown.items() if counts["seconds_heard"]} == {"tr", "pc", "asr_tr", "guided_pc"}
    tokens = {leaf: counts["input_tokens"] for leaf, counts in shown.items()}
    assert tokens["blind_tr"] < tokens["silent_tr"] < min(tokens["asr_silent_tr"], tokens["tr"])
    assert max(tokens["asr_silent_tr"], tokens["tr"]) < tokens["asr_tr"]
    assert (tokens["hc"] < tokens["think_hc"], tokens["blind_pc"] < tokens["pc"] < tokens["guided_pc"]) == (True, True)


def test_results_go_out_as_the_releases_files_and_come_in_with_the_same_scores(alone: Path, tmp_path: Path) -> None:
    command = str(SCRIPTS / "lmms-humansense")
    run(command, "export-release", str(alone), "out", "--model", "tiny", cwd=tmp_path)
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == [
        "HumanSense_AQA_tiny_audio.json", "HumanSense_AQA_tiny_audio_guided.json", "HumanSense_AQA_tiny_blind.json",
        "HumanSense_VQA_tiny.json", "HumanSense_VQA_tiny_asr.json", "HumanSense_VQA_tiny_audio.json",
        "HumanSense_VQA_tiny_audio_asr.json", "HumanSense_VQA_tiny_audio_think.json", "HumanSense_VQA_tiny_blind.json",
    ]  # fmt: skip
    files = [f"out/HumanSense_{key}_tiny_audio.json" for key in ("VQA", "AQA")]
    run(command, "rescore", *files, "--out", "again", cwd=tmp_path)
    scores = json.loads((tmp_path / "again" / "results.json").read_text())["scores"]["tiny"]
    rows = {code: results_of(alone)["results"][f"humansense_sample_{code.lower()}"] for code in ("TR", "HC", "PC")}
    for metric in ("paper", "acc"):
        assert scores[metric] == {code: pytest.approx(row[f"{metric},none"]) for code, row in rows.items()}


def test_python_module_with_a_model_of_upstreams(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lmms_eval", "--model", "dummy", "--tasks", "humansense_sample"]
    printed = run(*command, "--output_path", "out", cwd=tmp_path).stdout
    assert "|humansense_sample" in printed
    assert results_of(tmp_path)["results"]["humansense_sample"]["failed,none"] == 0


def test_accelerate_launch(tmp_path: Path) -> None:
    launch = [str(SCRIPTS / "accelerate"), "launch", "--cpu", "--num_processes", "1", "--num_machines", "1"]
    launch += ["--dynamo_backend", "no", "--mixed_precision", "no", "-m", "lmms_eval"]
    run(*launch, "--model", "dummy", "--tasks", "humansense_sample_hc", "--output_path", "out", cwd=tmp_path)
    assert "humansense_sample_hc" in results_of(tmp_path)["results"]


def test_the_task_list_through_include_path(tmp_path: Path) -> None:
    folder = run(str(SCRIPTS / "lmms-humansense"), "path", cwd=tmp_path).stdout.strip()
    printed = run(str(SCRIPTS / "lmms-eval"), "tasks", "list", "--include-path", folder, cwd=tmp_path).stdout
    assert "humansense_rr1" in printed


def test_missing_data_ends_with_status_1_and_one_sentence(tmp_path: Path) -> None:
    done = run(
        sys.executable, "-m", "lmms_eval", "--model", "dummy", "--tasks", "humansense_ar", "--output_path", "out",
        cwd=tmp_path, check=False, HUMANSENSE_DATA=str(tmp_path),
    )  # fmt: skip
    assert done.returncode == 1
    assert f"HumanSense: There is no HumanSense_VQA.json or HumanSense_AQA.json in {tmp_path}" in done.stderr
    assert "RetryError" not in done.stdout + done.stderr


def test_bad_arguments_end_with_status_1_and_one_sentence(tmp_path: Path) -> None:
    done = run(
        sys.executable, "-m", "lmms_eval", "--model", "humansense_omni", "--model_args", "pretrained=nowhere/at-all",
        "--tasks", "humansense_ar", cwd=tmp_path, check=False, HUMANSENSE_DATA="/no/such/release",
    )  # fmt: skip
    assert done.returncode == 1
    assert "HumanSense: pretrained=nowhere/at-all is not a checkpoint that can be read" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stdout + done.stderr
    assert "no/such/release" not in done.stdout + done.stderr, "arguments are checked before data"


@pytest.mark.slow
def test_the_demo(tmp_path: Path) -> None:
    printed = run(str(SCRIPTS / "lmms-humansense"), "demo", cwd=tmp_path, HF_HOME=str(tmp_path / "hf")).stdout
    results = results_of(tmp_path / "humansense_demo")["results"]
    assert results["humansense"]["acc,none"] >= 0.8
    assert results["humansense_blind"]["acc,none"] <= 0.4
    heard = ("tr", "fr1", "rr1", "rr2", "es")
    assert sum(results[f"humansense_silent_{code}"]["acc,none"] for code in heard) / len(heard) <= 0.45
    assert "tiny_omni (silent)" in printed
    assert "Chance: uniform guess" in printed

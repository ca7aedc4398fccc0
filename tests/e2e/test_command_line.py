"""The commands a user types, as separate processes in an empty folder."""

import sys
from pathlib import Path
from typing import Any

import pytest
from commands import SCRIPTS, responses_of, results_of, run


def scores_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Every number of the table but the standard errors, which two processes sum up in another order."""
    results = results_of(folder)["results"]
    return {task: {name: value for name, value in row.items() if "stderr" not in name} for task, row in results.items()}


def test_two_processes_and_batches_give_the_results_of_one(tiny_model: Path, tmp_path: Path) -> None:
    arguments = [
        "-m", "lmms_eval", "--model", "humansense_omni", "--model_args", f"pretrained={tiny_model}",
        "--tasks", "humansense_sample_tr,humansense_sample_hc,humansense_sample_pc", "--log_samples",
    ]  # fmt: skip
    run(sys.executable, *arguments, "--output_path", "one", cwd=tmp_path)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    run(*torchrun, *arguments, "--batch_size", "2", "--output_path", "two", cwd=tmp_path, ACCELERATE_USE_CPU="true")
    assert scores_of(tmp_path / "two") == scores_of(tmp_path / "one")
    assert responses_of(tmp_path / "two") == responses_of(tmp_path / "one")
    assert len(responses_of(tmp_path / "one")) > 6


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
    assert "HumanSense: pretrained=nowhere/at-all is no checkpoint that can be read" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stdout + done.stderr
    assert "no/such/release" not in done.stdout + done.stderr, "arguments are checked before data"


@pytest.mark.slow
def test_the_demo(tmp_path: Path) -> None:
    printed = run(str(SCRIPTS / "lmms-humansense"), "demo", cwd=tmp_path, HF_HOME=str(tmp_path / "hf")).stdout
    assert "chance" in printed
    assert results_of(tmp_path / "humansense_demo")["results"]["humansense_sample"]["failed,none"] == 0

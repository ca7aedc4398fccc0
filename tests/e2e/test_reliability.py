"""`lmms-humansense run` on whole runs: interruptions lose no answer, and the exit status says how a run ended."""

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from lmms_humansense.tasks.humansense_sample.utils import ROOT
from tests.helpers.commands import SCRIPTS, responses_of, results_of, run

pytestmark = pytest.mark.slow  # lmms-eval starts in a process of its own, which takes 10 s

HUMANSENSE = str(SCRIPTS / "lmms-humansense")
TASKS = ",".join(f"humansense_sample_{code}" for code in ("fr1", "fr2", "rr1", "rr2", "es", "pc"))
A_MODEL = ("--model", "humansense_omni", "--model_args", "pretrained=owner/name")
GRACE = 30.0
"""Seconds that a scheduler gives between SIGTERM and SIGKILL."""


def arguments(model: Path, tasks: str, output: str, **model_args: str) -> list[str]:
    given = ",".join(f"{name}={value}" for name, value in {"pretrained": str(model), **model_args}.items())
    return ["--model", "humansense_omni", "--model_args", given, "--tasks", tasks, "--output_path", output]


def answers_in(cache: Path) -> int:
    return sum(len(log.read_bytes().splitlines()) for log in cache.glob("runs/*/rank_*.audit.jsonl"))


def disturbed(
    command: list[str], cwd: Path, answers: int, disturb: Callable[[psutil.Process], None]
) -> tuple[int, str]:
    """Start a command, disturb it once it has kept `answers` more answers, and return its exit status and messages."""
    cache, log = cwd / "out" / "cache", cwd / "log"
    before = answers_in(cache)
    with (
        log.open("w") as file,
        subprocess.Popen(command, cwd=cwd, stdout=file, stderr=file, start_new_session=True) as process,
    ):
        try:
            deadline = time.monotonic() + 200
            while answers_in(cache) < before + answers and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            assert process.poll() is None, log.read_text()[-3000:]
            disturb(psutil.Process(process.pid))
            status = process.wait(timeout=GRACE)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return status, log.read_text()


def kill_lmms_eval(watching: psutil.Process) -> None:
    (child,) = watching.children()
    child.kill()


def test_a_run_that_is_killed_and_terminated_ends_as_one_that_was_left_alone(tiny_model: Path, tmp_path: Path) -> None:
    # Long answers, so that there is something to disturb.
    slow = ["--gen_kwargs", "min_new_tokens=150,max_new_tokens=150"]
    command = [HUMANSENSE, "run", *arguments(tiny_model, TASKS, "out"), *slow]
    status, said = disturbed(command, tmp_path, 2, kill_lmms_eval)
    assert status == 3
    assert "lmms-humansense run: lmms-eval was ended by signal 9 (Killed)." in said
    # To every process, as schedulers do; the processes that prepare media stay for the current batch.
    status, said = disturbed(command, tmp_path, 2, lambda watching: os.killpg(watching.pid, signal.SIGTERM))
    assert status == 3
    assert "lmms-humansense run: The run was interrupted (SIGTERM)." in said
    assert "requests failed" not in said
    assert "Warning: The run was ended" not in said
    assert re.search(r"At least \d+ answers? (is|are) kept\.", said)
    assert not list(tmp_path.rglob("*_results.json"))
    resumed = shlex.split(said.strip().splitlines()[-1])
    assert resumed == ["lmms-humansense", *command[1:]]
    done = run(HUMANSENSE, *resumed[1:], cwd=tmp_path)
    assert "To go on" not in done.stderr
    assert "HumanSense, %" in done.stdout
    assert "random weights; tasks humansense_sample, not the benchmark" in done.stdout
    (page,) = tmp_path.rglob("report/report.html")
    assert f"Report: {page}" in done.stdout
    earlier = results_of(tmp_path / "out")["model_info"]["effort"]["answers_of_earlier_runs"]
    assert earlier >= 4

    alone = arguments(tiny_model, TASKS, "alone")
    run(sys.executable, "-m", "lmms_eval", *alone, *slow, "--log_samples", cwd=tmp_path)
    assert results_of(tmp_path / "out")["results"] == results_of(tmp_path / "alone")["results"]
    assert responses_of(tmp_path / "out") == responses_of(tmp_path / "alone")
    assert len(responses_of(tmp_path / "out")) > earlier


def until_it_reads(file: Path, watching: psutil.Process) -> None:
    """Wait until a process that `watching` has started reads a file."""
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        for child in watching.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if str(file) in {opened.path for opened in child.open_files()}:
                    return
        assert watching.is_running() and watching.status() != psutil.STATUS_ZOMBIE
        time.sleep(0.02)
    raise AssertionError(f"{file} is not read")


def test_a_known_run_that_is_terminated_while_its_checkpoint_is_read_can_be_continued(
    tiny_model: Path, tmp_path: Path
) -> None:
    checkpoint = Path(shutil.copytree(tiny_model, tmp_path / "checkpoint"))
    big = checkpoint / "optimizer.bin"
    big.touch()
    os.truncate(big, 3 << 30)  # takes seconds to read, and no room on the disk
    command = [HUMANSENSE, "run", *arguments(checkpoint, "humansense_sample_hc", "out")]
    run(*command, cwd=tmp_path)
    first = responses_of(tmp_path / "out")
    for written in (tmp_path / "out").glob("**/*_samples_*.jsonl"):
        written.unlink()
    os.utime(big)  # so that its content is read again

    def terminate(watching: psutil.Process) -> None:
        until_it_reads(big, watching)
        os.killpg(watching.pid, signal.SIGTERM)

    status, said = disturbed(command, tmp_path, 0, terminate)
    assert status == 3, said[-3000:]
    resumed = shlex.split(said.strip().splitlines()[-1])
    assert resumed == ["lmms-humansense", *command[1:]]
    assert responses_of(tmp_path / "out") == {}
    done = run(HUMANSENSE, *resumed[1:], cwd=tmp_path)
    assert "Nothing was asked" in done.stdout + done.stderr
    assert responses_of(tmp_path / "out") == first


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A copy of the embedded sample that tests may change."""
    shutil.copytree(
        ROOT, tmp_path / "release", ignore=shutil.ignore_patterns("*.py", "*.yaml", "*_yaml", "__pycache__")
    )
    return tmp_path / "release"


def test_failures_are_counted_listed_limited_and_asked_again(tiny_model: Path, tmp_path: Path, release: Path) -> None:
    clip = release / "videos" / "count" / "parade.mp4"
    whole = clip.read_bytes()
    clip.write_bytes(whole[:20_000])
    given = arguments(tiny_model, "humansense_hc", "out", max_failures="0")
    done = run(HUMANSENSE, "run", *given, cwd=tmp_path, check=False, HUMANSENSE_DATA=str(release))
    assert done.returncode == 3
    assert "requests failed, and max_failures=0 allows 0. Most often: 1 × MediaError: <file> breaks off" in done.stderr
    assert str(clip) in done.stdout
    assert "The same command continues from there and asks the failed requests again." in done.stderr
    (listed,) = tmp_path.rglob("*_failures.jsonl")
    listed.unlink()

    given[3] = given[3].replace("max_failures=0", "max_failures=90%")
    run(HUMANSENSE, "run", *given, cwd=tmp_path, HUMANSENSE_DATA=str(release))
    scores = results_of(tmp_path / "out")["results"]["humansense_hc"]
    assert 0 < scores["failed,none"] < 1
    (listed,) = tmp_path.rglob("*_failures.jsonl")
    failures = [json.loads(line) for line in listed.read_text().splitlines()]
    (results,) = tmp_path.rglob("*_results.json")
    assert listed.name.partition("_failures")[0] == results.name.partition("_results")[0]
    assert {(failure["task"], *failure["media"]) for failure in failures} == {("humansense_hc", str(clip))}
    assert all("as after a broken download" in failure["reason"] for failure in failures)
    (samples,) = tmp_path.rglob("*_samples_humansense_hc.jsonl")
    logged = [json.loads(line) for line in samples.read_text().splitlines()]
    failed = [sample for sample in logged if sample["failed"]["score"]]
    assert sorted(sample["doc_id"] for sample in failed) == sorted(failure["doc_id"] for failure in failures)
    assert all(sample["acc"]["score"] == 0 and "paper" not in sample for sample in failed)

    clip.write_bytes(whole)
    results.unlink()
    run(HUMANSENSE, "run", *given, cwd=tmp_path, HUMANSENSE_DATA=str(release))
    again = results_of(tmp_path / "out")
    assert again["results"]["humansense_hc"]["failed,none"] == 0
    assert again["model_info"]["effort"]["answers_of_earlier_runs"] == len(logged) - len(failed)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["--model", "humansense_omni", "--tasks", "humansense_nope"], "There is no task 'humansense_nope'"),
        (
            [*A_MODEL, "--tasks", "humansense_sample_hc", "--output_path", "/proc/no/such"],
            "--output_path /proc/no/such cannot be written (No such file or directory); name another folder.",
        ),
        (
            ["--model", "humansense_omnii", "--tasks", "humansense_sample_hc"],
            "--model humansense_omnii is not known; did you mean humansense_omni",
        ),
        (
            ["--model", "dummy", "--tasks", "humansense_sample", "--limit", "0"],
            "--limit 0 leaves no question; leave it out",
        ),
        (
            ["--model", "dummy", "--tasks", "humansense_sample,humansense_sample_hc"],
            "--tasks names humansense_sample_hc more than once",
        ),
        (
            ["--model", "dummy", "--tasks", "humansense_sample_hc", "--use_cache", "/proc/no/such"],
            "--use_cache /proc/no/such cannot be written (No such file or directory); name another folder.",
        ),
    ],
)
def test_bad_arguments_end_with_status_2(given: list[str], sentence: str, tmp_path: Path) -> None:
    done = run(HUMANSENSE, "run", *given, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert sentence in done.stdout + done.stderr
    assert "To go on" not in done.stderr


def test_two_groups_with_one_task_end_with_status_2(tmp_path: Path) -> None:
    given = ["--model", "dummy", "--tasks", "humansense_l1,humansense_video"]
    done = run(HUMANSENSE, "run", *given, cwd=tmp_path, check=False, HUMANSENSE_DATA=str(ROOT))
    assert done.returncode == 2
    assert "--tasks names humansense_" in done.stderr
    assert " more than once, alone or in groups" in done.stderr
    assert "To go on" not in done.stderr


def test_a_list_of_tasks_ends_with_status_0(tmp_path: Path) -> None:
    done = run(HUMANSENSE, "run", "--tasks", "list", cwd=tmp_path)
    assert "humansense_sample_hc" in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs the right to mount a file system")
@pytest.mark.parametrize("setting", ["HF_HOME", "HOME"])
def test_a_run_needs_neither_a_writable_cache_nor_a_home(
    setting: str, tiny_model: Path, tmp_path: Path, small_disk: Path
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    given = arguments(tiny_model, "humansense_sample_hc", "out")
    only = {name: value for name, value in os.environ.items() if name != "HF_HOME"} | {setting: str(small_disk)}
    done = run(HUMANSENSE, "run", *given, cwd=tmp_path, check=False, only=only)
    assert done.returncode == 0, done.stderr[-3000:]
    assert results_of(tmp_path / "out")["results"]["humansense_sample_hc"]["failed,none"] == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", folder], check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs the right to mount a file system")
def test_a_disk_that_fills_up_ends_the_run_with_what_is_kept(
    tiny_model: Path, tmp_path: Path, small_disk: Path
) -> None:
    given = arguments(tiny_model, TASKS, str(small_disk / "out"))
    filling = small_disk / "filling"
    filling.write_bytes(bytes(50_000))
    done = run(HUMANSENSE, "run", *given, cwd=tmp_path, check=False)
    assert done.returncode == 3
    assert "No space left on device" in done.stdout + done.stderr or "disk is full" in done.stdout + done.stderr
    kept = re.search(r"Answers kept by this process in .*/cache: (\d+)\.", done.stderr)
    assert kept is not None
    # The last line of the log may have been cut off.
    assert answers_in(small_disk / "out" / "cache") - int(kept[1]) in (0, 1)
    assert int(kept[1]) >= 1

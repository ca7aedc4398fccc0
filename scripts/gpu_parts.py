"""The parts of the GPU check. Each generates rows of its table and sentences; `gpu_check.py` runs them.

python scripts/gpu_parts.py PART --result FILE --work FOLDER [--small]
"""

import argparse
import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
import traceback
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gpu_model_parts import batches, memory, run, think
from gpu_setup import Bench, FailedError, Findings, NotRunError
from gpu_store_part import store
from gpu_vllm_part import vllm

from lmms_humansense.demo.tiny_model import write_tiny_model

ROOT = Path(__file__).resolve().parents[1]


def tests(bench: Bench) -> Findings:
    """Runs the tests that are marked `gpu`."""
    marked = sorted(str(path) for path in ROOT.glob("tests/**/test_*.py") if "pytest.mark.gpu" in path.read_text())
    chosen = ["-m", "not slow and not gpu", str(ROOT / "tests/tasks/test_messages.py")]
    report = bench.folder / "tests.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    done = subprocess.run(
        [*command, *(chosen if bench.small else ["-m", "gpu", *marked])], cwd=ROOT, capture_output=True, text=True
    )
    if not report.exists():
        raise FailedError(f"pytest ended with status {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    (suite,) = ElementTree.parse(report).getroot().iter("testsuite")
    counts = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    failed = counts["failures"] + counts["errors"]
    yield {"passed": counts["tests"] - failed - counts["skipped"], "failed": failed, "skipped": counts["skipped"]}
    for case in suite.iter("testcase"):
        for kind in ("failure", "error"):
            for found in case.iter(kind):
                yield f"{case.get('classname')}.{case.get('name')}: {str(found.get('message'))[:300]}"
    if done.returncode != 0:
        raise FailedError(f"pytest ended with status {done.returncode}: {done.stdout[-1000:]}")


def wrapper(bench: Bench) -> Findings:
    """This package, a loop as in the release's code, and lmms-eval's model, in turns, with equal clips and weights."""
    _need("lmms_eval", "moviepy", "decord", *(() if shutil.which("ffmpeg") else ("imageio_ffmpeg",)))
    from bench_camera import make_clips
    from bench_checks import refuse_other_inputs
    from bench_package import this_package
    from bench_systems import LmmsEvalWrapper, ReleaseLoop, System, measured, provide_ffmpeg
    from bench_workloads import FORMS, write_release

    from lmms_humansense.tasks.humansense import utils

    provide_ffmpeg(bench.folder)
    clips, asked = (3, 2) if bench.small else (24, 6)
    drawn = [bench.folder / f"short_{number}.mp4" for number in range(clips)]
    make_clips(drawn, FORMS["short"])
    write_release(bench.folder / "release", drawn, FORMS["short"].seconds, clips, 1)
    docs = utils.docs("TR", str(bench.folder / "release"), complete=False)
    checkpoint = bench.checkpoint()
    release, ours = ReleaseLoop(checkpoint, bench.device), this_package(checkpoint, bench.device)
    refuse_other_inputs(release, ours, docs[0])
    systems: list[System] = [release, LmmsEvalWrapper(checkpoint, bench.device), ours]
    for system in systems:
        system.answer(docs, range(2))  # libraries load, and workers start
    yield "Clips of 10 s at 640x360, 4 new tokens of each question, batch size 1."
    for number in range(1 if bench.small else 2):
        for system in systems:
            count = clips if system is ours else asked
            yield {"round": number + 1, "system": system.name, "questions": count, **measured(system, docs, count)}
    ours.omni.clean()


def processes(bench: Bench) -> Findings:
    """Two processes on one GPU, killed and resumed."""
    _need("lmms_eval")
    from kill_points import Way, disturbed, undisturbed

    # Single requests: in bfloat16, which requests share a batch decides the last bits of an answer.
    way = Way(batch_size=1, processes=2, workers=2, on_gpu=not bench.small)
    model = write_tiny_model(bench.folder / "killed")
    yield "39 questions in two processes that torchrun starts, killed once with SIGKILL and run again."
    expected = undisturbed(bench.folder / "undisturbed", model, way)
    row = disturbed(bench.folder / "disturbed", model, way, 1, random.Random(0), expected)
    yield {name: str(value) if isinstance(value, list | bool) else value for name, value in row.items()}
    if not row["equal"]:
        raise FailedError("results and samples of the resumed run differ from those of a run that was not killed")
    if row["asked anew"] > row["may be anew"]:
        raise FailedError(f"{row['asked anew']} questions were asked again")


def _need(*modules: str) -> None:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise NotRunError(f"{', '.join(missing)} cannot be imported")


PARTS: dict[str, Callable[[Bench], Findings]] = {
    part.__name__: part for part in (tests, batches, run, store, memory, think, vllm, wrapper, processes)
}


def main() -> None:
    """Run one part, and write its result after every row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--result", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--small", action="store_true")
    arguments = parser.parse_args()
    found: dict[str, Any] = {"outcome": "stopped", "rows": [], "remarks": []}

    def keep(**more: str) -> None:
        found.update(more)
        arguments.result.write_text(json.dumps(found))

    keep()
    try:
        for finding in PARTS[arguments.part](Bench(arguments.small, arguments.work)):
            found["remarks" if isinstance(finding, str) else "rows"].append(finding)
            keep()
    except NotRunError as reason:
        keep(outcome="not run", reason=str(reason))
    except Exception as error:  # any error of a part is its result
        traceback.print_exc()
        keep(outcome="failed", reason=f"{type(error).__name__}: {error}")
    else:
        keep(outcome="ok")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads of a part that failed would keep the process


if __name__ == "__main__":
    main()

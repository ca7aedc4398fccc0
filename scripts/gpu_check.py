"""Measures what needs a GPU, in one command and without a network; `docs/gpu.md` says what each part is for.

    python scripts/gpu_check.py [--only PART ...] [--small] [--out FOLDER] [--minutes N] [--commit TEXT]

Every part is a process with a time limit of its own. After each part, `gpu_check.json` and `gpu_check.md` are written
again. With `--small`, everything runs on the CPU with a tiny model, as a test of the script. The status is 0 if every
part that ran succeeded.
"""

import argparse
import contextlib
import datetime
import importlib.metadata
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

PARTS = {
    "tests": (90, "The tests that need a GPU."),
    "batches": (
        110,
        "The model alone: speed and memory by batch size, and the difference between the answers and logits of batches "
        "and of single questions.",
    ),
    "run": (130, "A whole run with workers for media: its speed, its waiting times, and whether memory grows."),
    "store": (
        130,
        "A run about long clips like a camera's, without the store of decoded clips, while it is filled, and from it.",
    ),
    "memory": (70, "A batch that does not fit into the memory of the card: is it split, and is everything answered?"),
    "think": (130, "Long responses: tokens per second by batch size."),
    "vllm": (300, "Long responses with vLLM's engine, where vLLM is installed."),
    "wrapper": (100, "This package, a loop as in the release's code, and lmms-eval's own model, in turns."),
    "processes": (110, "Two processes on one GPU, killed and resumed."),
}
"""The seconds that a part may take, and what it measures; the most important parts come first."""

SLOWNESS = 4
"""The factor on a part's time limit with --small, for a machine with two busy cores."""

LEAST = 20
"""No part is started with fewer seconds left."""

LIBRARIES = ("torch", "torchvision", "transformers", "accelerate", "tokenizers", "numpy", "av", "qwen-omni-utils",
             "librosa", "soxr", "lmms-eval", "vllm")  # fmt: skip

REASON = 300
"""The most characters of a reason that are shown."""

SAID = 4000
"""The most characters of a failed part's output that are kept."""


def main() -> None:
    """Run the parts one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--small", action="store_true", help="use a tiny model on the CPU and few samples")
    parser.add_argument("--out", type=Path, default=Path("gpu_check"), help="folder for the two files (gpu_check)")
    parser.add_argument("--minutes", type=float, help="time limit for all parts together (8; 40 with --small)")
    parser.add_argument("--commit", help="the measured commit, if git cannot find it")
    arguments = parser.parse_args()
    if not arguments.small and not _has_cuda():
        raise SystemExit("torch finds no CUDA GPU here; --small tries everything on the CPU.")
    arguments.out.mkdir(parents=True, exist_ok=True)
    result = {**surroundings(arguments.small, arguments.commit), "parts": {}}
    over = time.monotonic() + 60 * (arguments.minutes or (40 if arguments.small else 8))
    with tempfile.TemporaryDirectory(prefix="gpu_check-") as work:
        for name in (name for name in PARTS if name in arguments.only):
            print(f"{name} …", flush=True)
            part = run_part(name, arguments.small, Path(work), over - time.monotonic())
            result["parts"][name] = part
            write(result, arguments.out)
            print(f"{name}: {_outcome(part)}", flush=True)
    print((arguments.out / "gpu_check.md").read_text())
    sys.exit(0 if all(part["outcome"] in ("ok", "not run") for part in result["parts"].values()) else 1)


def run_part(name: str, small: bool, work: Path, left: float) -> dict[str, Any]:
    """Run one part in a process of its own, which is ended after its limit or when no time is left.

    Args:
        name: The part.
        small: Whether it uses a tiny model on the CPU.
        work: A folder for its files.
        left: Seconds that are left for all parts.

    Returns:
        The outcome with its reason, the rows of the table, the remarks and the seconds.
    """
    if left < LEAST:
        return {"outcome": "not run", "reason": "no time was left", "rows": [], "remarks": []}
    limit = min(PARTS[name][0] * (SLOWNESS if small else 1), left)
    file, log = work / f"{name}.json", work / f"{name}.log"
    command = [sys.executable, str(ROOT / "scripts/gpu_parts.py"), name, "--result", str(file), "--work", str(work)]
    started = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *(["--small"] if small else [])],
            cwd=ROOT, env=_environment(small), stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(limit)
        with contextlib.suppress(ProcessLookupError):  # with all processes that it started
            os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
    found: dict[str, Any] = {"outcome": "failed", "rows": [], "remarks": []}
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(file.read_text())
    seconds = time.monotonic() - started
    if found["outcome"] == "stopped":
        ended = f"it was ended after {limit:.0f} s" if seconds >= limit else f"its process ended with status {status}"
        found |= {"outcome": "failed", "reason": ended}
    if found["outcome"] == "failed":
        found["output"] = log.read_text(errors="replace")[-SAID:]
        found.setdefault("reason", f"its process ended with status {status}")
    return {**found, "seconds": round(seconds, 1)}


def surroundings(small: bool, commit: str | None) -> dict[str, Any]:
    """The date, commit, card, machine and versions of this measurement.

    Args:
        small: Whether everything runs on the CPU.
        commit: The commit to report; None asks git.

    Returns:
        Texts by their name, for the report.
    """
    versions = {}
    for name in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    card = _said("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit or _said("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"),
        "card": "none: a tiny model on the CPU, whose figures mean nothing" if small else card,
        "cores": len(os.sched_getaffinity(0)),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "versions": versions,
    }


def write(result: dict[str, Any], folder: Path) -> None:
    """Write `gpu_check.json` and `gpu_check.md` into the folder."""
    (folder / "gpu_check.json").write_text(json.dumps(result, indent=1))
    (folder / "gpu_check.md").write_text(report(result), encoding="utf-8")


def report(result: dict[str, Any]) -> str:
    """The report, in Markdown."""
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    lines = [
        "# GPU check",
        "",
        f"{result['date']}, commit {result['commit'] or 'unknown'}. Card (name, driver, memory): "
        f"{result['card'] or 'unknown'}. {result['cores']} cores, {result['machine']}, Python {result['python']}; "
        f"{versions}.",
    ]
    for name, part in result["parts"].items():
        lines += ["", f"## {name}", "", f"{PARTS[name][1]} Outcome: {_outcome(part)}.", ""]
        lines += [f"- {remark}" for remark in part["remarks"]]
        lines += ["", *table(part["rows"])] if part["rows"] else []
        if part["outcome"] == "failed":
            lines += ["", "```", *part["output"].splitlines()[-20:], "```"]
    return "\n".join(lines) + "\n"


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The lines of a table in Markdown, without empty columns."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    names = [name for name in names if any(row.get(name) is not None for row in rows)]
    cells = [names, ["---"] * len(names), *([_shown(row.get(name)) for name in names] for row in rows)]
    return [f"| {' | '.join(row)} |" for row in cells]


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)


def _outcome(part: dict[str, Any]) -> str:
    reason = f" ({' '.join(part['reason'].split())[:REASON]})" if part.get("reason") else ""
    seconds = f", {part['seconds']} s" if "seconds" in part else ""
    return f"{part['outcome']}{reason}{seconds}"


def _environment(small: bool) -> dict[str, str]:
    """The environment of a part: offline, with the project and the benchmarks before the earlier PYTHONPATH.

    The user's store of decoded clips is not in it.
    """
    paths = [str(ROOT), str(ROOT / "benchmarks"), *filter(None, [os.environ.get("PYTHONPATH")])]
    offline = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    hidden = {"CUDA_VISIBLE_DEVICES": ""} if small else {}
    ours = {name: value for name, value in os.environ.items() if name != "HUMANSENSE_MEDIA_CACHE"}
    return {**ours, **offline, **hidden, "PYTHONPATH": os.pathsep.join(paths)}


def _has_cuda() -> bool:
    return _said(sys.executable, "-c", "import torch; print(torch.cuda.is_available())") == "True"


def _said(*command: str) -> str:
    """The output of a program; "" if it cannot be run."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


if __name__ == "__main__":
    main()

"""The demo: the embedded sample, a tiny random model, and lmms-eval itself."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from ..report.command import conclude
from .tiny_model import write_tiny_model

TASK = "humansense_sample"


class DemoError(RuntimeError):
    """The demo did not come to results; the message says where it stopped."""


def run_demo(output: Path) -> Path:
    """Build the tiny model (kept in the cache), run the sample, say where everything is.

    Returns the results file. Raises DemoError when lmms-eval wrote none.
    """
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]1/2[/] A tiny Qwen2.5-Omni with random weights: {_cached_model()}")
    model = write_tiny_model(_cached_model())
    command = _command(model, output)
    console.print(f"[bold]2/2[/] The embedded sample through lmms-eval:\n    {' '.join(command[1:])}\n")
    started = time.time()
    # lmms-eval ends with status 0 whatever happens, so only the results file tells.
    quiet = {"TOKENIZERS_PARALLELISM": "false", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    subprocess.run(command, check=False, env={**os.environ, **quiet})
    results = _newest_results(output, started)
    _refuse_failures(results)
    console.print()
    conclude([results], console)
    console.print(f"Results:          {results}")
    console.print(f"Every response:   {results.parent}/*_samples_{TASK}_*.jsonl")
    console.print("The weights are random, so these numbers are chance: they show that all of it works.")
    return results


def _command(model: Path, output: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "lmms_eval"),
        *("--model", "humansense_omni", "--model_args", f"pretrained={model}"),
        *("--tasks", TASK, "--batch_size", "1"),
        *("--log_samples", "--output_path", str(output)),
    ]


def _cached_model() -> Path:
    from huggingface_hub.constants import HF_HOME

    return Path(HF_HOME) / "humansense" / "tiny-model"


def _newest_results(output: Path, since: float) -> Path:
    # File systems may keep whole seconds only.
    found = [path for path in output.glob("**/*_results.json") if path.stat().st_mtime >= since - 2]
    if not found:
        raise DemoError(f"lmms-eval wrote no results to {output}; its messages above say why.")
    return max(found, key=lambda path: path.stat().st_mtime)


def _refuse_failures(results: Path) -> None:
    scores: dict[str, Any] = json.loads(results.read_text())["results"][TASK]
    if scores["failed,none"] > 0:
        raise DemoError(f"{scores['failed,none']:.0%} of the requests failed; see the messages above and {results}.")

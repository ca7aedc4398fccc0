"""The command `lmms-humansense demo`: runs lmms-eval on the embedded sample with a tiny random model."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from ..report.command import conclude
from .tiny_model import RECIPE, write_tiny_model

TASK = "humansense_sample"


class DemoError(RuntimeError):
    """The demo got no results; the message says where it stopped."""


def run_demo(output: Path) -> None:
    """Write the tiny model into the cache, run the sample with it, and say where the results are.

    Args:
        output: The folder for the results.

    Raises:
        DemoError: lmms-eval wrote no results, or some requests failed.
    """
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]1/2[/] A tiny Qwen2.5-Omni with random weights: {_cached_model()}")
    model = write_tiny_model(_cached_model())
    command = _command(model, output)
    console.print(f"[bold]2/2[/] The embedded sample through lmms-eval:\n    {' '.join(command[1:])}\n")
    started = time.time()
    # lmms-eval ends with status 0 in any case, so only the results file shows whether it worked.
    quiet = {"TOKENIZERS_PARALLELISM": "false", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    subprocess.run(command, check=False, env={**os.environ, **quiet})
    results = _newest_results(output, started)
    _refuse_failures(results)
    console.print()
    conclude([results], console)
    console.print(f"Results:          {results}")
    console.print(f"Every response:   {results.parent}/*_samples_{TASK}_*.jsonl")
    console.print("The weights are random, so these scores say nothing; they only show that everything works.")


def _command(model: Path, output: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "lmms_eval"),
        *("--model", "humansense_omni", "--model_args", f"pretrained={model}"),
        *("--tasks", TASK, "--batch_size", "1"),
        *("--log_samples", "--output_path", str(output)),
    ]


def _cached_model() -> Path:
    from huggingface_hub.constants import HF_HOME

    return Path(HF_HOME) / "humansense" / f"tiny-model-{RECIPE}"


def _newest_results(output: Path, since: float) -> Path:
    # Some file systems store times in whole seconds.
    found = [path for path in output.glob("**/*_results.json") if path.stat().st_mtime >= since - 2]
    if not found:
        raise DemoError(f"lmms-eval wrote no results to {output}; its messages above say why.")
    return max(found, key=lambda path: path.stat().st_mtime)


def _refuse_failures(results: Path) -> None:
    scores: dict[str, Any] = json.loads(results.read_text())["results"][TASK]
    if scores["failed,none"] > 0:
        raise DemoError(f"{scores['failed,none']:.0%} of the requests failed; see the messages above and {results}.")

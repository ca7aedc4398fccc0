"""Questions per second of this package, the release's loop and lmms-eval's wrapper on one checkpoint.

    python benchmarks/throughput.py [--out FILE] [--rounds 3] [--questions 32] [--gpu-sized]

Makes clips like those of a camera, each with pictures of its own, and asks about them in turns, in one process:
`release` is a loop as in the release's code, `lmms_eval` is lmms-eval's own `qwen2_5_omni`, `humansense_omni` is this
package. `filling` is this package with an empty store of decoded clips, `stored` the same with the store that `filling`
has just filled, `model alone` its model on inputs that are ready, with all cores, and `model, 1 thread` with one. There
are distinct clips of 100 s at 1280x720, the same with two questions about each (shared), and clips of 10 s at 640x360
(short). Prints a table, and writes all figures as JSON. Needs the packages of the extra `bench`.

`--questions` is how many this package is asked in a round; others are asked a quarter. With `--gpu-sized` the model is
a Qwen2.5-Omni thinker in the size of the 7B, with random weights, on a GPU; otherwise a tiny one, on the CPU.
"""

import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import torch
import typer
from bench_compared import Compared
from bench_ratios import Round, print_table, summary
from bench_report import about, write_figures
from bench_systems import measured
from bench_usage import watched
from bench_workloads import WORKLOADS, counts


def peak_memory(compared: Compared) -> dict[str, Any]:
    """The peak memory of each system, with all models loaded, and how much ours grows in a long run without a store."""
    docs, (begin, end) = compared.docs["memory"], compared.count.memory
    peaks = {}
    for system in compared.others:
        with watched(0.1) as peak:
            system.answer(docs, range(min(3, end)))
        peaks[system.name] = peak.mb
    answered = 0
    with watched() as peak:

        def each() -> None:
            nonlocal answered
            answered += 1
            peak.marks[answered] = peak.mb

        compared.ours.answer(docs, range(end), each)
    peaks[compared.ours.name] = peak.mb
    return {"peak_mb": peaks, "from": begin, "to": end, "growth_mb": peak.marks[end] - peak.marks[begin]}


def measure(compared: Compared, rounds: int) -> dict[str, list[Round]]:
    """The figures of all rounds of all workloads."""
    found: dict[str, list[Round]] = {name: [] for name in WORKLOADS}
    for number in range(rounds):
        for name in WORKLOADS:
            print(f"round {number + 1} of {rounds}: {name}", flush=True)
            docs = compared.docs[name]
            found[name].append({one.name: measured(one, docs, asked) for one, asked in compared.asked(name)})
    return found


def use_nothing_of_the_user(folder: Path) -> None:
    """Let this process and its workers remember digests of files in `folder`, and use no other store of clips."""
    os.environ.pop("HUMANSENSE_MEDIA_CACHE", None)
    os.environ["HF_HOME"] = huggingface_hub.constants.HF_HOME = str(folder)


def main(out: Path | None = None, rounds: int = 3, questions: int = 32, gpu_sized: bool = False) -> None:
    """Run the benchmark, print its table and write its figures."""
    warnings.filterwarnings("ignore", category=FutureWarning, module="librosa")
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        use_nothing_of_the_user(Path(temporary) / "hf")
        compared = Compared(Path(temporary), counts(questions), gpu_sized)
        found = measure(compared, rounds)
        print("memory", flush=True)
        memory = peak_memory(compared)
        compared.clean()
    libraries = ("lmms-humansense", "lmms-eval", "transformers", "torch", "av", "decord", "qwen-omni-utils")
    measured_on = about(libraries, device=torch.cuda.get_device_name() if gpu_sized else "cpu")
    result = {"about": measured_on, "questions": questions, "mbit_per_second": compared.bit_rates, "rounds": found}
    result |= {**summary(found), "memory": memory, "seconds": time.perf_counter() - started}
    print_table(result)
    if out:
        write_figures(out, result)


if __name__ == "__main__":
    main.__doc__ = __doc__
    typer.run(main)

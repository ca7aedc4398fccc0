"""Questions per second of this package, the release's loop and lmms-eval's wrapper on one checkpoint.

    python benchmarks/throughput.py [--out FILE] [--rounds 3] [--gpu-sized]

Makes clips of a person who talks, and asks about them in three ways, in turns, in one process: `release` is a loop as
in the release's code, `lmms_eval` is lmms-eval's own `qwen2_5_omni`, `humansense_omni` is this package. There are
distinct clips of 100 s at 1280x720, the same with two questions about each (shared), and clips of 10 s at 640x360
(short). Prints a table, and writes all figures as JSON. Needs the packages of the extra `bench`.

With `--gpu-sized` the model is a Qwen2.5-Omni thinker in the size of the 7B, with random weights, on a GPU; otherwise a
tiny one, on the CPU.
"""

import statistics
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from bench_clips import FPS, make_clip
from bench_report import about, item, write_annotations, write_figures
from bench_sized import make_sized
from bench_systems import SENSES, LmmsEvalWrapper, ReleaseLoop, System, ThisPackage, provide_ffmpeg
from bench_usage import cpu_seconds, watched

from lmms_humansense.demo.tiny_model import write_tiny_model
from lmms_humansense.models.local.collation import EncodedPrompt
from lmms_humansense.tasks.humansense import utils

FORMS = {"long": (100, 1280, 720), "short": (10, 640, 360)}
"""Seconds, width and height of clips."""

WORKLOADS = {"distinct": ("long", 1), "shared": ("long", 2), "short": ("short", 1)}
"""The form of the clips, and how many questions there are about each."""

ASKED = {"release": 10, "lmms_eval": 10, "humansense_omni": 40}
"""Questions of a round, as many as there is time for. More questions make the first and last ones weigh less; this
matters for `humansense_omni`, whose workers run ahead of the model."""

MEL_TOLERANCE = 1e-3
"""The largest mean difference between two spectrograms of one sound; their values are around 0."""

MEMORY_FROM, MEMORY_TO = 50, 300
"""Memory should not grow between these samples."""


def make_release(folder: Path, drawn: Path, seconds: int, clips: int, questions: int) -> Any:
    """Write a release with this many clips and questions about each, and return its docs.

    All clips are links to `drawn` under names of their own: all three systems distinguish clips by their names.
    """
    videos = folder / "videos" / "talk"
    videos.mkdir(parents=True)
    items = []
    for number in range(clips):
        (videos / f"clip_{number:03}.mp4").hardlink_to(drawn)
        for place in range(questions):
            asked = {
                "question": f"Who speaks {'first' if place == 0 else f'as number {place + 1}'}",
                "task_type": "Talkingperson_Recognition",
                "answer": "B",
                "options": ["A. The person in the yellow shirt", "B. The person in the blue shirt", "C. Nobody"],
            }
            items.append(item(f"talk/clip_{number:03}.mp4", seconds * FPS, FPS, **asked))
    write_annotations(folder, items)
    return utils.docs("TR", str(folder), complete=False)


def refuse_other_inputs(release: ReleaseLoop, ours: ThisPackage, doc: Any) -> None:
    """Raise SystemExit unless both models get the same inputs; otherwise their times could not be compared.

    Sounds may differ a little, because the ffmpeg program and PyAV may decode with different versions of FFmpeg.
    """
    engine = ours.omni.engine
    (result,) = engine.encoder.encode([engine.encoder.read(utils.doc_to_messages(doc, SENSES))])
    assert isinstance(result.encoded, EncodedPrompt), result.reason
    given = result.encoded.tensors
    theirs = {name: torch.as_tensor(value).float() for name, value in release.inputs(doc).items()}
    different = {name for name, value in theirs.items() if not torch.equal(value, given[name].float())}
    mel = given["input_features"]
    apart = (theirs["input_features"][..., : mel.shape[-1]] - mel).abs().mean()  # the release pads it to 300 s
    if different - {"input_features", "feature_attention_mask"} or apart > MEL_TOLERANCE:
        raise SystemExit(f"The release's loop and this package give the model different {', '.join(different)}.")


def measured(system: System, docs: Any, count: int) -> dict[str, float]:
    """What one system needs for its round of questions."""
    numbers = list(range(count))
    cpu, model, started = cpu_seconds(), system.model_seconds, time.perf_counter()
    answers = system.answer(docs, numbers)
    seconds = time.perf_counter() - started
    assert len(answers) == count
    return {
        "samples_per_second": count / seconds,
        "cpu_seconds_per_sample": (cpu_seconds() - cpu) / count,
        "model_busy": (system.model_seconds - model) / seconds,
    }


def peak_memory(ours: ThisPackage, others: Sequence[System], docs: Any) -> dict[str, Any]:
    """The peak memory of each system, with all models loaded, and how much ours grows in a long run."""
    peaks = {}
    for system in others:
        with watched(0.1) as peak:
            system.answer(docs, range(3))
        peaks[system.name] = peak.mb
    answered = 0
    with watched() as peak:

        def each() -> None:
            nonlocal answered
            answered += 1
            peak.marks[answered] = peak.mb

        ours.answer(docs, range(MEMORY_TO), each)
    peaks[ours.name] = peak.mb
    return {"peak_mb": peaks, "growth_mb": peak.marks[MEMORY_TO] - peak.marks[MEMORY_FROM]}


def summary(rounds: dict[str, list[dict[str, dict[str, float]]]]) -> dict[str, Any]:
    """The medians of the paired ratios."""

    def ratio(workload: str, other: str, figure: str) -> float:
        pairs = [(one["humansense_omni"][figure], one[other][figure]) for one in rounds[workload]]
        return statistics.median(ours / theirs for ours, theirs in pairs)

    speed = {
        workload: {other: ratio(workload, other, "samples_per_second") for other in ("release", "lmms_eval")}
        for workload in WORKLOADS
    }
    return {"ratios": speed, "cpu_ratio_vs_release": ratio("distinct", "release", "cpu_seconds_per_sample")}


def print_table(result: dict[str, Any]) -> None:
    """Print the medians of all rounds, then the ratios."""
    print(f"\n{'clips':10} {'system':16} {'samples/s':>9} {'CPU s/sample':>12} {'model busy':>10}")
    for workload, rounds in result["rounds"].items():
        for name in ASKED:
            row = {figure: statistics.median(one[name][figure] for one in rounds) for figure in rounds[0][name]}
            speed, cpu, busy = row["samples_per_second"], row["cpu_seconds_per_sample"], row["model_busy"]
            print(f"{workload:10} {name:16} {speed:9.2f} {cpu:12.2f} {busy:10.0%}")
    for workload, ratios in result["ratios"].items():
        print(f"{workload}: {', '.join(f'{ratio:.2f} times {other}' for other, ratio in ratios.items())}")
    print(f"CPU seconds per sample: {result['cpu_ratio_vs_release']:.2f} of the release's")
    peaks = ", ".join(f"{name} {mb:,.0f} MB" for name, mb in result["memory"]["peak_mb"].items())
    growth = result["memory"]["growth_mb"]
    print(f"peak memory: {peaks}; growth from sample {MEMORY_FROM} to {MEMORY_TO}: {growth:.0f} MB")


def main(out: Path | None = None, rounds: int = 3, gpu_sized: bool = False) -> None:
    """Run the benchmark, print its table and write its figures."""
    warnings.filterwarnings("ignore", category=FutureWarning, module="librosa")
    device = "cuda" if gpu_sized else "cpu"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        provide_ffmpeg(folder)
        checkpoint = write_tiny_model(folder / "checkpoint")
        if gpu_sized:
            make_sized(checkpoint)
        drawn = {form: folder / f"{form}.mp4" for form in FORMS}
        for form, path in drawn.items():
            print(f"drawing the {form} clip", flush=True)
            make_clip(path, *FORMS[form], seed=0)
        docs = {
            name: make_release(folder / name, drawn[form], FORMS[form][0], max(ASKED.values()) // questions, questions)
            for name, (form, questions) in WORKLOADS.items()
        }
        long = make_release(folder / "long", drawn["long"], FORMS["long"][0], MEMORY_TO, 1)
        release, theirs = ReleaseLoop(checkpoint, device), LmmsEvalWrapper(checkpoint, device)
        ours = ThisPackage(checkpoint, device)
        refuse_other_inputs(release, ours, docs["distinct"][0])
        systems: list[System] = [release, theirs, ours]
        for system in systems:
            system.answer(docs["short"], range(4))  # libraries load, and workers start
        found: dict[str, list[dict[str, dict[str, float]]]] = {name: [] for name in WORKLOADS}
        for number in range(rounds):
            for name in WORKLOADS:
                print(f"round {number + 1} of {rounds}: {name}", flush=True)
                found[name].append({one.name: measured(one, docs[name], ASKED[one.name]) for one in systems})
        print("memory", flush=True)
        memory = peak_memory(ours, [release, theirs], long)
        ours.omni.clean()
    libraries = ("lmms-humansense", "lmms-eval", "transformers", "torch", "av", "decord", "qwen-omni-utils")
    measured_on = about(libraries, device=torch.cuda.get_device_name() if gpu_sized else "cpu")
    result = {"about": measured_on, "rounds": found, **summary(found), "memory": memory}
    print_table(result)
    if out:
        write_figures(out, result)


if __name__ == "__main__":
    import typer  # The GPU check imports this module where typer may not be installed.

    main.__doc__ = __doc__
    typer.run(main)

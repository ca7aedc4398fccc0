"""The figures of `throughput.py`: its ratios and its table."""

import statistics
from typing import Any

OTHERS = ("release", "lmms_eval")

OURS = {"distinct": "humansense_omni", "shared": "humansense_omni", "short": "humansense_omni"} | {
    f"{way}_{workload}": way for way in ("filling", "stored") for workload in ("distinct", "shared")
}
"""The row of this package that each ratio is about. Its workload is the last part of its name."""

ALONE = ("model alone", "model, 1 thread")
"""The rows of the model on ready inputs. The faster one is what no run can beat."""

Round = dict[str, dict[str, float]]
"""The figures of each system."""


def summary(rounds: dict[str, list[Round]]) -> dict[str, Any]:
    """The medians of the paired ratios."""

    def ratio(workload: str, one: str, other: str, figure: str) -> float:
        return statistics.median(found[one][figure] / found[other][figure] for found in rounds[workload])

    speed = {
        name: {other: ratio(name.rpartition("_")[2], row, other, "samples_per_second") for other in OTHERS}
        for name, row in OURS.items()
    }
    cpu = "cpu_seconds_per_sample"
    # A second thread of a small model may make it slower, above all on a busy machine.
    alone = [max(found[one]["samples_per_second"] for one in ALONE) for found in rounds["distinct"]]
    stored = [found["stored"]["samples_per_second"] for found in rounds["distinct"]]
    return {
        "ratios": speed,
        "cpu_ratio_vs_release": ratio("distinct", "humansense_omni", "release", cpu),
        "cpu_ratio_stored_vs_release": ratio("distinct", "stored", "release", cpu),
        "model_only_ratio": statistics.median(most / ours for most, ours in zip(alone, stored, strict=True)),
    }


def print_table(result: dict[str, Any]) -> None:
    """Print the medians of all rounds, then the ratios."""
    print(f"\n{'clips':10} {'system':16} {'samples/s':>9} {'CPU s/sample':>12} {'model busy':>10}")
    for workload, rounds in result["rounds"].items():
        for name in rounds[0]:
            row = {figure: statistics.median(one[name][figure] for one in rounds) for figure in rounds[0][name]}
            speed, cpu, busy = row["samples_per_second"], row["cpu_seconds_per_sample"], row["model_busy"]
            print(f"{workload:10} {name:16} {speed:9.2f} {cpu:12.2f} {busy:10.0%}")
    for name, ratios in result["ratios"].items():
        print(f"{name}: {', '.join(f'{ratio:.2f} times {other}' for other, ratio in ratios.items())}")
    print(f"CPU seconds per sample: {result['cpu_ratio_vs_release']:.2f} of the release's, ", end="")
    print(f"from the store {result['cpu_ratio_stored_vs_release']:.2f}")
    print(f"from the store, a run takes {result['model_only_ratio']:.2f} times as long as the model alone")
    memory = result["memory"]
    peaks = ", ".join(f"{name} {mb:,.0f} MB" for name, mb in memory["peak_mb"].items())
    print(f"peak memory: {peaks}; ", end="")
    print(f"growth from sample {memory['from']} to {memory['to']}: {memory['growth_mb']:.0f} MB")

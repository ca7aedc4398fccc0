"""How many minutes all questions of HumanSense take on GPUs, derived from what was measured of the parts.

    python benchmarks/scale.py throughput.json [docs/scale.md]

Reads what `throughput.py --out` has written, and prints tables in Markdown. With a page, writes them between its
marks `<!-- derived -->` and `<!-- end -->` instead. Nothing here is a measurement: docs/scale.md says what is assumed.
"""

import argparse
import json
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmms_humansense.tasks.humansense.taxonomy import TASKS

QUESTIONS = sum(task.count for task in TASKS)

TOKENS = {"video": 2310, "video+sound": 4810, "audio": 2650}
"""Tokens of a prompt by what it is about: 150 of text, 2,160 of 24 frames at 280x504, 2,500 of 100 s of sound."""

TOKENS_PER_SECOND = 5876
"""Prompt tokens of plain questions that a 7B takes on an H200, in batches of 16 (docs/gpu.md)."""

THINKING_SECONDS = 39 / 64
"""Seconds that a response of 512 tokens adds to a question, in batches of 64 (docs/gpu.md)."""

PEERS = {"Daily-Omni": 0.99, "Video-AMME": 1.68}
"""Plain questions per second of one server or H100, as published for other benchmarks of clips with sound."""

LOADING_SECONDS = 60
"""Starting lmms-eval and loading 18 GB of weights into every GPU at once. Assumed."""

WORKERS = 8
"""The most workers of a process by default (`runtime/worker_pool.py`). One core of each process is left for its GPU."""

STORES = {"none": "humansense_omni", "filled": "filling", "read": "stored"}
"""The rows of `throughput.py` by what a run does with the store of clips."""

GOAL_MINUTES = 5
"""Minutes that plain questions should take on the largest of `MACHINES`."""

MACHINES = ((1, 16), (1, 112), (8, 16), (8, 112))
"""GPUs and cores."""


@dataclass(frozen=True)
class Case:
    """A run of all questions.

    Attributes:
        gpus: GPUs, each with a process of its own.
        cores: Cores, each as fast as one of those that measured.
        media: CPU seconds that the media of a question take.
        model: Seconds that the model of one GPU takes for a question.
    """

    gpus: int
    cores: int
    media: float
    model: float

    @property
    def workers(self) -> int:
        """Workers of all processes."""
        return self.gpus * max(1, min(WORKERS, self.cores // self.gpus - 1))

    @property
    def seconds(self) -> dict[str, float]:
        """The seconds of each part. Media and model work at the same time."""
        return {"media": QUESTIONS * self.media / self.workers, "GPU": QUESTIONS * self.model / self.gpus}

    @property
    def minutes(self) -> float:
        """Minutes of the run."""
        return (LOADING_SECONDS + max(self.seconds.values())) / 60

    @property
    def bound(self) -> str:
        """The part that takes the longest."""
        return max({**self.seconds, "loading": LOADING_SECONDS}.items(), key=lambda part: part[1])[0]

    def __str__(self) -> str:
        return f"{self.minutes:.1f} ({self.bound})"


def media_seconds(result: Mapping[str, Any]) -> dict[str, float]:
    """CPU seconds for the media of a question by what is done with the store, from the result of `throughput.py`.

    They are those of a run less those of the model alone with one thread, which it has beside workers: the medians of
    the rounds with a clip for each question.
    """
    return {
        state: statistics.median(
            one[row]["cpu_seconds_per_sample"] - one["model, 1 thread"]["cpu_seconds_per_sample"]
            for one in result["rounds"]["distinct"]
        )
        for state, row in STORES.items()
    }


def model_seconds() -> dict[str, float]:
    """Seconds of a GPU for a plain question and for one with a long response."""
    plain = sum(task.count * TOKENS[task.input] for task in TASKS) / QUESTIONS / TOKENS_PER_SECOND
    return {"plain": plain, "think": plain + THINKING_SECONDS}


def tables(result: Mapping[str, Any]) -> Iterator[str]:
    """The lines of all tables."""
    media, model = media_seconds(result), model_seconds()
    rounds = f"{len(result['rounds']['distinct'])} rounds of {result['questions']} questions"
    yield f"Media as measured on {result['about']['date']} ({result['about']['machine']}; {rounds}):"
    yield from ("", "| CPU seconds for the media of a question | without the store | filling it | from it |")
    yield "|---|--:|--:|--:|"
    yield f"| clips of 100 s at 1280×720 | {media['none']:.2f} | {media['filled']:.2f} | {media['read']:.2f} |"
    yield from ("", f"Minutes for {QUESTIONS:,} questions, and what bounds them:", "")
    yield "| GPUs, cores | responses | GPU seconds for a question | without the store | filling it | from it |"
    yield "|---|---|--:|--:|--:|--:|"
    for gpus, cores in MACHINES:
        for name, seconds in model.items():
            cells = " | ".join(str(Case(gpus, cores, media[state], seconds)) for state in STORES)
            yield f"| {gpus}, {cores} | {name} | {seconds:.2f} | {cells} |"
    yield from ("", "The same for plain questions from the store, at the rates of peers:", "")
    yield f"| GPUs, cores | {' | '.join(f'{name}, {rate} questions/s' for name, rate in PEERS.items())} |"
    yield f"|---|{'--:|' * len(PEERS)}"
    for gpus, cores in MACHINES:
        cells = " | ".join(str(Case(gpus, cores, media["read"], 1 / rate)) for rate in PEERS.values())
        yield f"| {gpus}, {cores} | {cells} |"
    yield from ("", _needed())


def _needed() -> str:
    """What the goal needs."""
    left = 60 * GOAL_MINUTES - LOADING_SECONDS
    gpus = max(gpus for gpus, _ in MACHINES)
    allowed = {cores: left * Case(gpus, cores, 0, 0).workers / QUESTIONS for count, cores in MACHINES if count == gpus}
    media = " and ".join(f"{seconds:.2f} with {cores} cores" for cores, seconds in allowed.items())
    return (
        f"{GOAL_MINUTES} minutes on {gpus} GPUs need at most {left * gpus / QUESTIONS:.2f} GPU seconds for a question, "
        f"and for its media at most {media} (CPU seconds)."
    )


def main() -> None:
    """Print the tables, or write them into a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", type=Path, help="what throughput.py --out has written")
    parser.add_argument("page", type=Path, nargs="?", help="the page whose tables are written again")
    given = parser.parse_args()
    lines = "\n".join(tables(json.loads(given.figures.read_text(encoding="utf-8"))))
    if given.page is None:
        print(lines)
        return
    before, mark, rest = given.page.read_text(encoding="utf-8").partition("<!-- derived -->\n")
    _, end, after = rest.partition("<!-- end -->")
    if not mark or not end:
        raise SystemExit(f"{given.page} lacks the marks <!-- derived --> and <!-- end --> on lines of their own.")
    given.page.write_text(f"{before}{mark}{lines}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()

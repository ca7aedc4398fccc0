#!/usr/bin/env python3
"""Write the demo's data: random examples of the tiny model's small world as files in the form of the release.

Their seeds are others than those of the training. espeak-ng is needed.

    python scripts/training_files.py [--out DIR] [--each 8] [--seed demo]
"""

import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from make_sample import JSON_FILES, SPEECH_RATE, Track, check_tools, items, say, write_clip, write_recording
from sample_clips import Clip, Line, Recording
from sample_questions import Question
from training_inputs import QUIET, TELEPHONE
from training_scenes import FPS, MAKERS, SECONDS, SLOT, SMALL, Example, Speech, random_example

CRF = 38  # how much the pictures lose: the data are part of the package
NUMBERS = 5  # that can be the answer to a question without options
DEFAULT_OUT = Path(__file__).resolve().parent.parent / "lmms_humansense" / "demo" / "world"


def media_of(example: Example, name: str) -> Clip | Recording:
    """The clip or the recording of an example. Nobody's mouth moves in it, as the speakers are no actors."""
    lines = tuple(Line("", line.text, voice=line.voice) for line in example.lines)
    if example.scene is None:
        return Recording(f"{example.code.lower()}/{name}.m4a", lines, TELEPHONE)
    path = f"{example.code.lower()}/{name}.mp4"
    return Clip(path, SMALL, Fraction(FPS), FPS, SECONDS, example.scene, lines)


def track_of(lines: Iterable[Speech]) -> Track:
    """The sound of lines, each in its slot and without the silence that espeak-ng puts around it."""
    slots = []
    for line in lines:
        words = say(Line("", line.text, voice=line.voice))
        loud = np.flatnonzero(np.abs(words) > QUIET * 32768)
        slot = np.zeros(round(SLOT * SPEECH_RATE), np.int16)
        start = round(line.start * SPEECH_RATE)
        spoken = words[loud[0] : loud[-1] + 1][: slot.size - start]
        slot[start : start + spoken.size] = spoken
        slots.append(slot)
    return Track(np.concatenate(slots))


def write_examples(examples: Iterable[Example], out: Path) -> None:
    """Write the media of examples and the two JSON files about them.

    Args:
        examples: What to write.
        out: An empty folder, which is made if it does not exist.
    """
    media: list[Clip | Recording] = []
    questions: list[Question] = []
    for number, example in enumerate(examples):
        one = media_of(example, f"{number:03d}")
        media.append(one)
        questions.append(replace(example.question, about=one.path))
        path = out / ("videos" if isinstance(one, Clip) else "audios") / one.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(one, Clip):
            write_clip(one, track_of(example.lines) if example.lines else None, path, CRF)
        else:
            write_recording(one, track_of(example.lines), path)
    for folder, name in JSON_FILES.items():
        (out / name).write_text(json.dumps(items(folder, questions, media), indent=1) + "\n", encoding="utf-8")


def balanced(code: str, each: int, seed: str) -> list[Example]:
    """Random examples of a task in which every answer is right about as often, so that guessing one of them is chance.

    Questions of one form with several right letters are taken as they come.
    """
    chosen: list[Example] = []
    right: Counter[tuple[int, int | str]] = Counter()
    number = 0
    while len(chosen) < each:
        example = random_example(code, f"{seed} {number}")
        number += 1
        question = example.question
        options = len(question.options) or NUMBERS
        if question.multi or right[options, question.answer] < math.ceil(each / options):
            right[options, question.answer] += 1
            chosen.append(example)
    return chosen


def main(
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = DEFAULT_OUT,
    each: Annotated[int, typer.Option(help="Questions of each task.")] = 8,
    seed: Annotated[str, typer.Option(help="Chooses the scenes.")] = "demo",
) -> None:
    """Write random examples of all tasks."""
    check_tools()
    write_examples([example for code in MAKERS for example in balanced(code, each, seed)], out)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{size:,} bytes in {out}")


if __name__ == "__main__":
    typer.run(main)

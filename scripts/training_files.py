"""Examples of the training scenes as files in the form of the release, to ask about them through the whole pipeline."""

import json
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from make_sample import JSON_FILES, items, write_clip, write_recording
from sample_clips import Clip, Line, Recording
from sample_questions import Question
from training_scenes import Example


def media_of(example: Example, name: str) -> Clip | Recording:
    """The clip or the recording of an example. Nobody's mouth moves in it, as the speakers are no actors."""
    lines = tuple(Line("", line.text, line.pause, line.voice) for line in example.lines)
    if example.scene is None:
        return Recording(f"{example.code.lower()}/{name}.wav", lines, 16_000)
    rate = Fraction(example.fps)
    path = f"{example.code.lower()}/{name}.mp4"
    return Clip(path, example.size, rate, example.fps, example.seconds, example.scene, lines)


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
            write_clip(one, path)
        else:
            write_recording(one, path)
    for folder, name in JSON_FILES.items():
        (out / name).write_text(json.dumps(items(folder, questions, media), indent=1) + "\n", encoding="utf-8")

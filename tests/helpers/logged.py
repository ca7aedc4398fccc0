"""Results as lmms-eval logs them, of invented answers to invented questions of all tasks."""

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lmms_humansense.tasks.humansense import prompts, results, variants
from lmms_humansense.tasks.humansense.annotations import Doc
from lmms_humansense.tasks.humansense.taxonomy import BY_CODE, TASKS, Task

Answer = Callable[[Doc, random.Random], str]


def docs(task: Task, count: int | None = None) -> list[Doc]:
    """As many questions as a task has (or `count`). Every two questions share a clip."""
    chance = random.Random(task.code)
    return [_doc(task, number, chance) for number in range(count or task.count)]


def _doc(task: Task, number: int, chance: random.Random) -> Doc:
    pattern: prompts.Pattern = {"HC": "count", "PA": "multi"}.get(task.code, "single")  # type: ignore[assignment]
    size = 0 if pattern == "count" else 4 if pattern == "multi" else chance.choice((2, 3, 4, 5))
    options = [f"{letter}. what {task.name.lower()} shows, {letter} {number}" for letter in "ABCDE"[:size]]
    answer = {"count": str(chance.randint(1, 8)), "multi": "AC"}.get(pattern) or chance.choice("ABCDE"[:size])
    return {
        "id": f"{'AQA' if task.is_audio else 'VQA'}-{TASKS.index(task) * 1000 + number}",
        "code": task.code,
        "level": task.level,
        "task_type": task.aliases[0],
        "question": f"Question {number} of {task.name}",
        "pattern": pattern,
        "options": options,
        "answer": answer,
        "gold": answer,
        "media": f"data/videos/{task.code.lower()}/{number // 2}.mp4",
        "frame_count": 0 if task.is_audio else 25 * chance.randint(4, 400),
        "fps": 0.0 if task.is_audio else 25.0,
        "transcript": "",
    }


def mostly_right(share: float) -> Answer:
    """The right answer for this share of the questions; else the last option, or only one of several right options."""
    wrong = {"count": "9", "multi": "A"}

    def answer(doc: Doc, chance: random.Random) -> str:
        return doc["answer"] if chance.random() < share else wrong.get(doc["pattern"]) or doc["options"][-1][0]

    return answer


def write(
    folder: Path,
    answer: Answer,
    *,
    model: str = "org/Model",
    tasks: str = "",
    count: int | None = None,
    date: str = "20261125_120000",
    limit: int | None = None,
    model_info: Mapping[str, Any] | None = None,
    variant: str = "",
    file: Path | None = None,
    wrapper: str = "humansense_omni",
) -> Path:
    """Write a results file and its samples, for task codes with commas between (or all). Return the results file.

    `wrapper` is lmms-eval's name for the model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    asked = [task for task in TASKS if not tasks or task.code in tasks.split(",")]
    setting = variants.split(variant.removeprefix("sample").lstrip("_"))[0]
    names = {f"humansense_{variant + '_' if variant else ''}{task.code.lower()}": task for task in asked}
    sizes = {}
    for name, task in names.items():
        questions = docs(task, count)
        shown = questions[:limit]
        sizes[name] = {"original": len(questions), "effective": len(shown)}
        chance = random.Random(f"{model} {name}")
        lines = [_sample(place, doc, answer(doc, chance), file, setting) for place, doc in enumerate(shown)]
        (folder / f"{date}_samples_{name}.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    content = {
        "results": {name: {"alias": name, "acc,none": 0.5} for name in names},
        "configs": {name: {"task": name, "generation_kwargs": {"do_sample": False, "until": []}} for name in names},
        "versions": dict.fromkeys(names, 1.0),
        "n-samples": sizes,
        "config": {"model": wrapper, "model_args": f"pretrained={model}", "limit": limit, "offset": 0},
        "date": date,
        "model_name": model,
        "model_info": {"pretrained": model, "frames": "release", "time_axis": "auto", **(model_info or {})},
    }
    path = folder / f"{date}_results.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def _sample(place: int, doc: Doc, response: str, file: Path | None, setting: variants.Variant) -> dict[str, Any]:
    # lmms-eval scores a response without the white space around it, and logs it with it.
    metrics = results.metrics(doc, response.strip(), 60.0, str(file) if file else None, setting.style)
    return {
        "doc_id": place,
        "target": doc["answer"],
        "filtered_resps": response,
        "token_counts": [
            {
                "input_tokens": 900,
                "output_tokens": 1,
                "frames": 12,
                "seconds_heard": 9.5 if BY_CODE[doc["code"]].has_sound and setting.shown == "all" else 0.0,
                "seconds_present": 10.0,
                "time_axis": "release",
            }
        ],
        "doc_hash": doc["id"],
        **{name: dict(credit) for name, credit in metrics.items()},
        "input": setting.prompt(doc),
    }

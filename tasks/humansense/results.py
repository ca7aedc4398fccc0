"""From a response to the items that lmms-eval averages and logs. Standard library only."""

from typing import Any

from .annotations import Doc
from .metrics import scoring
from .prompts import Style


class Credit(dict[str, Any]):
    """The value of one metric for one doc: `{"score": float, "clip": str, …}`.

    lmms-eval takes clustered standard errors from dicts with a score and a cluster key, but plain ones (and those of
    groups) only from numbers averaged by its own mean. So this dict adds and subtracts like its score.
    """

    def __radd__(self, other: float) -> float:
        return other + float(self["score"])

    def __sub__(self, other: float) -> float:
        return float(self["score"]) - other


def metrics(
    doc: Doc, response: str, duration: float | None = None, file: str | None = None, style: Style = "plain"
) -> dict[str, Credit]:
    """The metrics of one doc, as lmms-eval's `process_results` wants them.

    `paper` (left out where the release leaves the item out; with `crash` where its scorer would have stopped), `acc`,
    `answered` and `failed`; `acc` also carries what a report needs. `style` is that of the prompt. `duration` is that
    of an audio file in seconds; a video's comes from its annotation. `file` is the local media file, where it is known.
    """
    score = scoring.score(response, doc["pattern"], doc["answer"], doc["options"], style)
    details = {
        "id": doc["id"],
        "code": doc["code"],
        "level": doc["level"],
        "pattern": doc["pattern"],
        "question": doc["question"],
        "options": doc["options"],
        "parsed": score.parsed,
        "gold": doc["gold"],
        "media": doc["media"],
        "file": file,
        "duration": doc["frame_count"] / doc["fps"] if doc["fps"] else duration,
    }
    clip = doc["media"]
    crash = {"crash": score.crash} if score.crash else {}
    # lmms-eval takes the size of a leaf from its last metric, so the ones that every doc has stand last.
    return {
        **({} if score.paper is None else {"paper": Credit(score=score.paper, clip=clip, **crash)}),
        "acc": Credit(score=score.acc, clip=clip, **details),
        "answered": Credit(score=float(score.answered), clip=clip),
        "failed": Credit(score=float(score.failed), clip=clip),
    }

"""Converts a response to the items that lmms-eval averages and logs. Standard library only."""

from typing import Any

from .annotations import Doc
from .metrics import scoring
from .prompts import Style


class Credit(dict[str, Any]):
    """The value of one metric for one doc: `{"score": float, "clip": str, …}`.

    lmms-eval computes clustered standard errors from dicts with a score and a cluster key, but plain standard errors
    (and those of groups) only from numbers that its own mean averages. So this dict adds and subtracts like its score.
    """

    def __radd__(self, other: float) -> float:
        return other + float(self["score"])

    def __sub__(self, other: float) -> float:
        return float(self["score"]) - other


def metrics(
    doc: Doc, response: str, duration: float | None = None, file: str | None = None, style: Style = "plain"
) -> dict[str, Credit]:
    """The metrics of one doc, in the form of lmms-eval's `process_results`.

    Args:
        doc: The question.
        response: The model's response.
        duration: The length of an audio file in seconds, if known; a video's length comes from its annotation.
        file: The local media file, if known.
        style: The style of the prompt.

    Returns:
        `paper` (missing if the release leaves the item out; with `crash` if its scorer would have stopped), `truncated`
        (missing if the model does not say how the response ended, and for a failed request), `acc` (with the fields
        that a report needs), `answered`, `failed` (with the `kind` of a failure, see `scoring.FailureKind`) and
        `empty`.
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
    kind = {"kind": score.failure} if score.failure else {}
    # lmms-eval takes the size of a leaf from its last metric, so the metrics that every doc has come last.
    return {
        **({} if score.paper is None else {"paper": Credit(score=score.paper, clip=clip, **crash)}),
        **({} if score.truncated is None else {"truncated": Credit(score=float(score.truncated), clip=clip)}),
        "acc": Credit(score=score.acc, clip=clip, **details),
        "answered": Credit(score=float(score.answered), clip=clip),
        "failed": Credit(score=float(score.failed), clip=clip, **kind),
        "empty": Credit(score=float(score.empty), clip=clip),
    }

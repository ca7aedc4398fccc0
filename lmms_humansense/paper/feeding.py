"""How the release fed the other models of the paper's table: frames, limits of responses, decoding.

Source: the model files of the release (github.com/antgroup/HumanSense, HumanSense_bench, 2025-11-14).
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import pandas


@dataclass(frozen=True)
class Feeding:
    """How the release fed a model.

    Attributes:
        frames: Which frames of a clip it showed.
        max_new_tokens: The most tokens of a response.
        decoding: How tokens were chosen.
        lmms_eval: The arguments of lmms-eval that come near it; None if lmms-eval has no such model.
    """

    frames: str
    max_new_tokens: str
    decoding: str
    lmms_eval: str | None


@cache
def feedings() -> dict[str, Feeding]:
    """How the release fed each model, by its name in the paper. Its own omni model is described by `differences`."""
    with files(__package__).joinpath("paper_feeding.csv").open(encoding="utf-8") as file:
        table = pandas.read_csv(file, dtype=str, keep_default_na=False)
    return {
        row["model"]: Feeding(row["frames"], row["max_new_tokens"], row["decoding"], _arguments(row))
        for _, row in table.iterrows()
    }


def _arguments(row: "pandas.Series[str]") -> str | None:
    if not row["lmms_eval_model"]:
        return None
    given = {"--model_args": row["model_args"], "--gen_kwargs": row["gen_kwargs"]}
    return " ".join([f"--model {row['lmms_eval_model']}", *(f"{name} {text}" for name, text in given.items() if text)])

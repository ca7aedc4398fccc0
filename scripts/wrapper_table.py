"""Runs lmms-eval's own models over the embedded sample and prints the table of docs/models.md.

`python scripts/wrapper_table.py RECORDS.json [NAME…]` runs those that can be run in this environment (NAME: only these,
such as qwen2_5_vl-chat), adds what arrived at each to RECORDS.json, and prints the table of all that stand there. Some
need other releases of transformers: run it in each environment with the same file.
"""

import json
import os
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.helpers.wrapper_runs.rows import ALL_CODES, REFUSED, ROWS, SOUND_CODES, Row
from tests.helpers.wrapper_runs.run import missing, run

SHOWN = {"AR": 4, "TR": 10, "LD": 25}
"""Tasks whose frames the table shows, and the seconds of their first clip."""

PACKAGES = ("lmms-eval", "transformers", "openai", "google-genai", "litellm")
HEAD = (
    f"| model | answers | tasks | frames of {', '.join(map(str, SHOWN.values()))} s | heard | `--model_args` | with |\n"
    "|---|---|---|---|---|---|---|"
)


def main(records: Path, names: list[str]) -> None:
    """Run the wrappers of these names, or all, and print the table."""
    known: dict[str, Any] = json.loads(records.read_text()) if records.exists() else {}
    import lmms_eval.models  # noqa: F401  # loads the entry points, as every way of starting lmms-eval does
    from lmms_eval.tasks import TaskManager

    manager = TaskManager("ERROR", model_name="dummy")
    with tempfile.TemporaryDirectory() as folder:
        for row in ROWS:
            if (names and row.name not in names) or missing(row):
                continue
            print(f"{row.name} …", file=sys.stderr)
            known[row.name] = record(row, Path(folder), manager)
            records.write_text(json.dumps(known, indent=1) + "\n")
    print(HEAD)
    for row in ROWS:
        print(line(row, known.get(row.name)))


def record(row: Row, root: Path, manager: Any) -> dict[str, Any]:
    """Run a wrapper; what arrived of each task's first question, and the versions."""
    outcome = run(row, root, manager)
    return {
        "arrived": {
            code: found and [found.frames, round(found.seconds, 2), found.clip]
            for code, found in outcome.arrived.items()
        },
        "empty": [code for code in row.asks if not outcome.responses[code]],
        "versions": versions(row),
    }


def versions(row: Row) -> list[str]:
    """What it was run with."""
    used = {"checkpoint": ("transformers",), "stand-in": ("transformers",), "server": ("openai",)}[row.source]
    if row.model in ("gemini", "litellm"):
        used = ({"gemini": "google-genai", "litellm": "litellm"}[row.model],)
    found = []
    for name in used:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} ?")
    return found


def line(row: Row, found: dict[str, Any] | None) -> str:
    """A row of the table; without `found` the wrapper was not run."""
    chats = {each.model for each in ROWS if each.form == "chat"} | {name for name, form in REFUSED if form == "chat"}
    name = f"`{row.model}`" + (" `--force_simple`" if row.form == "simple" and row.model in chats else "")
    arguments = ",".join(part for part in row.args.split(",") if not part.startswith(("device", "api_key")))
    cells = [name, row.source, tasks(row.asks)]
    if found is None:
        cells += ["never run", "never run", f"`{arguments}`", f"needs {', '.join(row.needs) or '?'}"]
    else:
        cells += [frames(found["arrived"]), heard(row, found), f"`{arguments}`", ", ".join(found["versions"])]
    return "| " + " | ".join(cells).replace("{server}", "…") + " |"


def frames(arrived: dict[str, Any]) -> str:
    """How many frames of each clip arrive; if the model gets the file, how it gets it."""
    shown = [arrived.get(code) for code in SHOWN]
    clip = next((came[2] for came in shown if came and came[2]), "")
    if clip:
        return f"the file ({clip})"
    return ", ".join(str(came[0]) if came else "–" for came in shown) if any(shown) else "–"


def heard(row: Row, found: dict[str, Any]) -> str:
    """The tasks whose sound arrived, and those whose question did not arrive or had no response."""
    codes = [code for code, came in found["arrived"].items() if came and came[1] > 0]
    lost = [code for code, came in found["arrived"].items() if came is None or code in found["empty"]]
    return (tasks(codes) if codes else "no") + (f"; nothing arrives in {tasks(lost)}" if lost else "")


def tasks(codes: Any) -> str:
    """Codes of tasks, in short."""
    named = {ALL_CODES: "all 15", SOUND_CODES: "the 7 with sound"}
    video = tuple(code for code in ALL_CODES if code not in ("FR2", "PC"))
    silent = tuple(code for code in ALL_CODES if code not in SOUND_CODES)
    named |= {video: "the 13 videos", silent: "the 8 without sound", ("FR2", "PC"): "FR2, PC"}
    ordered = tuple(code for code in ALL_CODES if code in codes)
    if set(ordered) == set(silent) | {"FR2", "PC"}:
        return "all but TR, FR1, RR1, RR2, ES"
    return named.get(ordered, ", ".join(ordered))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])

"""The command `lmms-humansense doctor`: whether runs can work on this machine, and what to do where they cannot."""

import importlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from rich.console import Console

from ..dataset.found import PREPARE, find, is_offline
from ..models.runtime.settings import RunSettings
from ..plugin.checks import existing, why_unwritable
from ..tasks.humansense.annotations import FILES

Verdict = Literal["ok", "note", "wrong"]

_ALL_MEDIA = 27e9
"""Bytes of all archives of the benchmark, with some room."""

_STYLES = {"ok": "green", "note": "yellow", "wrong": "bold red"}

_SECONDS = 5.0
"""How long the Hub may take to answer."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: Its name.
        verdict: "wrong" stops runs, "note" may matter, "ok" does not.
        text: What was found, and for "wrong" and "note" what to do.
    """

    what: str
    verdict: Verdict
    text: str


def findings() -> Iterator[Finding]:
    """Look at everything that a run needs."""
    yield _python()
    yield from _requirements()
    yield _torch()
    yield _imports("video and sound", "av", "PyAV decodes clips and sounds")
    yield _imports("video_reader=decord", "decord", "decord can read clips as the release does")
    yield from _folders()
    hub = _hub()
    yield hub
    yield _data(hub.verdict == "ok")


def _python() -> Finding:
    version, wanted = platform.python_version(), metadata.metadata("lmms-humansense")["Requires-Python"]
    fits = SpecifierSet(wanted).contains(version)
    return Finding("Python", "ok" if fits else "wrong", version if fits else f"{version}; install Python {wanted}.")


def _requirements() -> Iterator[Finding]:
    """What is installed of what this package requires: a line for all that fit, and one for each that does not."""
    required = [Requirement(line) for line in metadata.requires("lmms-humansense") or [] if "extra" not in line]
    shown = []
    for one in required:
        if one.marker is not None and not one.marker.evaluate():
            continue
        try:
            version = metadata.version(one.name)
        except metadata.PackageNotFoundError:
            yield Finding(one.name, "wrong", f"not installed: pip install '{one}'")
            continue
        if not one.specifier.contains(version, prereleases=True):
            yield Finding(one.name, "wrong", f"{version}, but {one.specifier} is needed: pip install '{one}'")
        elif one.name in ("lmms-eval", "transformers", "torch"):
            shown.append(f"{one.name} {version}")
    yield Finding("packages", "ok", f"{', '.join(shown)}; {len(required)} requirements were looked at")


def _torch() -> Finding:
    try:
        import torch

        if torch.cuda.is_available():
            names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
            memory = torch.cuda.get_device_properties(0).total_memory / 1e9
            return Finding("device", "ok", f"{len(names)} × {names[0]}, {memory:.0f} GB")
        if torch.backends.mps.is_available():
            return Finding("device", "ok", "mps")
    except Exception as error:  # a broken installation of torch raises anything
        return Finding("device", "wrong", f"torch cannot be imported ({_reason(error)}); install it again.")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Finding("device", "note", f"no GPU, {cores} cores: for tiny models, and for served ones (humansense_server)")


def _imports(what: str, module: str, text: str) -> Finding:
    try:
        importlib.import_module(module)
    except Exception as error:  # native code raises anything
        return Finding(what, "wrong", f"{module} cannot be imported ({_reason(error)}); install it again.")
    return Finding(what, "ok", text)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _folders() -> Iterator[Finding]:
    from huggingface_hub import constants

    home = Path(constants.HF_HOME)
    for what, folder, setting in (
        ("cache", home / "humansense", "HF_HOME"),
        ("temporary files", Path(tempfile.gettempdir()), "TMPDIR"),
        ("results", Path.cwd(), "another --output_path"),
    ):
        place = existing(folder.absolute())
        reason = why_unwritable(place)
        free = shutil.disk_usage(place).free
        text = f"{folder} ({free / 1e9:.0f} GB free)"
        if reason is not None:
            yield Finding(what, "wrong", f"{folder} cannot be written ({reason}); set {setting}.")
        elif what == "cache" and free < _ALL_MEDIA and not find().media:
            yield Finding(what, "note", f"{text}: all clips need 26 GB; set HF_HOME to a larger disk.")
        else:
            yield Finding(what, "ok", text)


def _hub() -> Finding:
    from huggingface_hub import constants

    if is_offline():
        return Finding("Hub", "note", "not asked, because HF_HUB_OFFLINE is set")
    reason = _unreachable(constants.ENDPOINT)
    if reason is None:
        return Finding("Hub", "ok", f"{constants.ENDPOINT} answers")
    return Finding("Hub", "note", f"{constants.ENDPOINT} does not answer ({reason}): set HF_HUB_OFFLINE=1.")


def _unreachable(address: str) -> str | None:
    """Why a server does not answer; None if it does, whatever its answer is."""
    import requests

    try:
        requests.head(address, timeout=_SECONDS)
    except requests.RequestException as error:
        return type(error).__name__
    return None


def _data(hub_answers: bool) -> Finding:
    found = find()
    problem = found.problem_of(FILES)
    if problem is not None and not (found.questions and found.media):
        return Finding("data", "wrong", f"{problem} The embedded sample (humansense_sample) needs none.")
    if problem is not None:
        return Finding("data", "note", f"{problem} The other questions can be asked.")
    problem = found.problem_of_decoded(FILES, RunSettings().media_cache_folder)
    if problem is not None:
        return Finding("data", "wrong", problem)
    if found.media:
        return Finding("data", "ok", found.source)
    if found.source.startswith("hf://") and not hub_answers:
        return Finding(
            "data", "wrong", f"{found.source} cannot be reached, and no clips are here: {PREPARE} that has them."
        )
    return Finding("data", "ok", f"{found.source}; clips are fetched when they are needed")


def doctor(as_json: bool, look: Callable[[], Iterator[Finding]] = findings) -> int:
    """Print what was found.

    Args:
        as_json: Print it as JSON.
        look: Looks at everything.

    Returns:
        The exit status: 1 if something stops runs, else 0.
    """
    found = list(look())
    wrong = sum(finding.verdict == "wrong" for finding in found)
    if as_json:
        print(json.dumps({"ok": not wrong, "findings": [asdict(finding) for finding in found]}, indent=1))
        return int(wrong > 0)
    console = Console(highlight=False, soft_wrap=True)
    for finding in found:
        console.print(f"[{_STYLES[finding.verdict]}]{finding.verdict:<5}[/] {finding.what:<20} ", end="")
        console.print(finding.text, markup=False)
    console.print("Runs can work here." if not wrong else f"{wrong} of these {'stops' if wrong == 1 else 'stop'} runs.")
    return int(wrong > 0)
